//! The PIN of a token: from a file, from the environment, or from whoever sits at the terminal. Never from the command line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use cryptoki::types::AuthPin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::Failure;

const VARIABLE: &str = "COCO_PKCS11_PIN";
/// No PIN is longer.
const BYTES_MAX: u64 = 4_096;

/// Asks the file first, then the environment, then a person.
pub fn find(file: Option<&Path>, token: &str) -> Result<AuthPin, Failure> {
    if let Some(path) = file {
        let text = fs::read_to_string(path).map_err(|e| Failure::file("read the PIN in", path, &e))?;
        return Ok(line(text));
    }
    if let Ok(text) = std::env::var(VARIABLE) {
        return Ok(line(text));
    }
    ask(token).map_err(|e| {
        Failure::from_error(format!("there is no PIN for the token {token}, and no terminal to ask for it"), &e).hint(
            format!(
                "put it into a file and name that with pin-source=FILE in the URI, or into the variable {VARIABLE}"
            ),
        )
    })
}

/// Without the end of the line.
fn line(mut text: String) -> AuthPin {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    AuthPin::from(text)
}

/// At the terminal, without showing what is typed.
fn ask(token: &str) -> io::Result<AuthPin> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let silent = Silent::new(terminal.try_clone()?)?;
    write!(terminal, "PIN of the token {token}: ")?;
    let mut text = String::new();
    BufReader::new((&terminal).take(BYTES_MAX)).read_line(&mut text)?;
    drop(silent);
    writeln!(terminal)?;
    Ok(line(text))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Whoever sees this fail has lost the terminal anyway.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
