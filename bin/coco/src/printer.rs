//! The one place that prints: data to standard output, everything else to standard error; quiet and colour are decided here.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// When to use colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// How a piece of text stands out.
#[derive(Clone, Copy)]
pub enum Tone {
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "1;31",
        }
    }
}

pub struct Printer {
    quiet: bool,
    colored_out: bool,
    colored_err: bool,
}

impl Printer {
    pub fn new(quiet: bool, color: Color) -> Self {
        let colored = |terminal: bool| match color {
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none(),
            Color::Always => true,
            Color::Never => false,
        };
        Self {
            quiet,
            colored_out: colored(io::stdout().is_terminal()),
            colored_err: colored(io::stderr().is_terminal()),
        }
    }

    /// A line of what was asked for. Printed even when quiet.
    pub fn data(&self, line: impl Display) {
        if let Err(e) = writeln!(io::stdout(), "{line}") {
            // Whoever reads the pipe has seen enough (`coco ledger show DIR | head`): there is nobody left to work for.
            std::process::exit(if e.kind() == io::ErrorKind::BrokenPipe { 0 } else { 1 });
        }
    }

    /// A document that was asked for, exactly as it is.
    pub fn document(&self, text: &str) {
        if let Err(e) = io::stdout().write_all(text.as_bytes()) {
            std::process::exit(if e.kind() == io::ErrorKind::BrokenPipe { 0 } else { 1 });
        }
    }

    /// What was asked for, for machines.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value);
        self.data(text.map_err(|e| Failure::from_error("cannot write the result as JSON", &e))?);
        Ok(())
    }

    /// A line for a person who started something and wants to know what they got. Nobody needs to listen.
    pub fn show(&self, line: impl Display) {
        if !self.quiet {
            let _ = writeln!(io::stdout(), "{line}");
        }
    }

    /// What is going on now.
    pub fn note(&self, line: impl Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    pub fn warning(&self, line: impl Display) {
        let _ = writeln!(io::stderr(), "{} {line}", paint(self.colored_err, Tone::Warning, "warning:"));
    }

    pub fn hint(&self, line: impl Display) {
        let _ = writeln!(io::stderr(), "{} {line}", paint(self.colored_err, Tone::Strong, "hint:"));
    }

    pub fn failure(&self, failure: &Failure) {
        let _ = writeln!(io::stderr(), "{} {}", paint(self.colored_err, Tone::Bad, "error:"), failure.message);
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// Text for standard output in a tone.
    pub fn paint(&self, tone: Tone, text: impl Display) -> String {
        paint(self.colored_out, tone, &text.to_string())
    }

    /// Clears the screen before a repeated table; between two tables in a file there is an empty line instead.
    pub fn next_screen(&self) {
        if io::stdout().is_terminal() {
            let _ = write!(io::stdout(), "\x1b[H\x1b[2J");
        } else {
            self.data("");
        }
    }

    /// A bar for work of known length; hidden when quiet or without a terminal.
    pub fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(Some(length), target).with_style(style.progress_chars("━╸ "))
    }
}

fn paint(colored: bool, tone: Tone, text: &str) -> String {
    if colored { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_owned() }
}
