//! The parameters of a call, read one after the other.
//!
//! `params` missing, `null` and `[]` are equal; an object is refused, since no method of Ethereum takes named
//! parameters. A parameter that is left out at the end or `null` is absent.

use std::vec;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::Error;

/// Parameters of one call, unread.
pub(super) struct Params<'a> {
    values: vec::IntoIter<&'a RawValue>,
    /// The number of the next one, for error messages.
    next: usize,
}

impl<'a> Params<'a> {
    /// `most` is how many the method knows.
    pub(super) fn read(params: Option<&'a RawValue>, most: usize) -> Result<Self, Error> {
        let values: Vec<&RawValue> = match params.map(RawValue::get) {
            None | Some("null") => Vec::new(),
            Some(text) if text.starts_with('[') => {
                serde_json::from_str(text).map_err(|error| Error::params(error.to_string()))?
            }
            Some(_) => return Err(Error::params("non-array args")),
        };
        if values.len() > most {
            return Err(Error::params(format!("too many arguments, want at most {most}")));
        }
        Ok(Self { values: values.into_iter(), next: 0 })
    }

    /// The next one, unread; `None` if it is absent.
    pub(super) fn raw(&mut self) -> Option<&'a RawValue> {
        self.next += 1;
        self.values.next().filter(|value| value.get() != "null")
    }

    pub(super) fn optional<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, Error> {
        let number = self.next;
        let Some(value) = self.raw() else { return Ok(None) };
        serde_json::from_str(value.get()).map(Some).map_err(|error| invalid(number, &error))
    }

    pub(super) fn required<T: Deserialize<'a>>(&mut self) -> Result<T, Error> {
        let number = self.next;
        self.optional()?.ok_or_else(|| Error::params(format!("missing value for required argument {number}")))
    }
}

fn invalid(number: usize, error: &serde_json::Error) -> Error {
    // Its position within the parameter says nothing to a caller whose text is one line.
    let text = error.to_string();
    let clause = text.rsplit_once(" at line ").map_or(&text[..], |(clause, _)| clause);
    Error::params(format!("invalid argument {number}: {clause}"))
}

#[cfg(test)]
mod tests {
    use super::super::types::Hex;
    use super::*;

    fn read(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn missing_null_and_empty_are_equal() {
        for params in [None, Some(read("null")), Some(read("[]"))] {
            let mut params = Params::read(params.as_deref(), 0).unwrap();
            assert_eq!(params.optional::<Hex<u64>>(), Ok(None));
        }
    }

    #[test]
    fn named_parameters_are_refused() {
        for text in ["{}", "1", "\"x\""] {
            let error = Params::read(Some(&read(text)), 1).err().unwrap();
            assert_eq!((error.code, error.message.as_str()), (-32602, "non-array args"));
        }
    }

    #[test]
    fn errors_name_the_parameter() {
        let text = read(r#"["0x1", "2", null]"#);
        assert!(Params::read(Some(&text), 2).is_err());
        let mut params = Params::read(Some(&text), 3).unwrap();
        assert_eq!(params.required::<Hex<u64>>(), Ok(Hex(1)));
        let error = params.required::<Hex<u64>>().unwrap_err();
        assert_eq!(error.message, "invalid argument 1: hex string without 0x prefix");
        for number in [2, 3] {
            let error = params.required::<Hex<u64>>().unwrap_err();
            assert_eq!(error.message, format!("missing value for required argument {number}"));
        }
    }

    #[test]
    fn deep_parameters_end_in_an_error() {
        let deep = read(&format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000)));
        let mut params = Params::read(Some(&deep), 1).unwrap();
        assert!(params.required::<Hex<u64>>().is_err());
    }
}
