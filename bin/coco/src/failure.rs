//! A command that could not do its work: a sentence, and what to do about it.

use std::error::Error;
use std::fmt::Display;
use std::path::Path;

/// Why a command failed. Printed as `error: …` and `hint: …`.
#[derive(Debug)]
pub struct Failure {
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// What was tried and what went wrong, down to the first cause.
    pub fn from_error(what: impl Display, error: &(dyn Error + 'static)) -> Self {
        let mut message = what.to_string();
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some libraries fold their cause into the text; say it once.
            if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            next = error.source();
        }
        Self::new(message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file that the user named, or that the command needs, cannot be used.
    pub fn file(verb: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::from_error(format!("cannot {verb} {}", path.display()), error)
    }
}

impl From<development::Error> for Failure {
    fn from(error: development::Error) -> Self {
        let hint = error.hint();
        let failure = match error.source() {
            Some(source) => Self::from_error(&error, source),
            None => Self::new(error.to_string()),
        };
        failure.hint(hint)
    }
}
