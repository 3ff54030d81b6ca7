//! What is wrong with a network's directory, in words that say what to do about it.

use std::path::{Path, PathBuf};
use std::{error, fmt, io};

/// A file or directory of a development network could not be used.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    /// The operating system refused.
    Io(&'static str, io::Error),
    /// The content is not what it should be.
    Content(String),
    /// A key or certificate does not open or parse.
    Crypto(&'static str, crypto::Error),
}

impl Error {
    pub(crate) fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), problem: Problem::Io(verb, source) }
    }

    pub(crate) fn content(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: Problem::Content(what.into()) }
    }

    pub(crate) fn crypto(path: &Path, what: &'static str, source: crypto::Error) -> Self {
        Self { path: path.to_owned(), problem: Problem::Crypto(what, source) }
    }

    /// The file or directory in question.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.problem {
            Problem::Io(_, e) if e.kind() == io::ErrorKind::NotFound => {
                "`coco up --dir DIR` makes a network directory; is this path inside one?".into()
            }
            Problem::Io(_, e) if e.kind() == io::ErrorKind::PermissionDenied => {
                "run as the user who made the network, or choose another --dir".into()
            }
            Problem::Io(_, e) if e.kind() == io::ErrorKind::StorageFull => "free some space on that disk".into(),
            Problem::Io(..) => "check that the path is right and its disk is healthy".into(),
            Problem::Content(_) => "put the file right, or start over with another --dir".into(),
            Problem::Crypto(..) => {
                "the file was changed, or comes from another network; restore it, or start over with another --dir"
                    .into()
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Io(verb, _) => write!(f, "cannot {verb} {path}"),
            Problem::Content(what) => write!(f, "{path}: {what}"),
            Problem::Crypto(what, _) => write!(f, "{path} does not hold {what}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.problem {
            Problem::Io(_, source) => Some(source),
            Problem::Content(_) => None,
            Problem::Crypto(_, source) => Some(source),
        }
    }
}
