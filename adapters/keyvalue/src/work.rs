//! A change on its way to the primary.
//!
//! ```text
//!   put     1 │ only new: 0 or 1 │ key length u16 LE │ key │ value
//!   delete  2 │ key
//! ```

use adapter::Reject;
use bytes::Bytes;

/// Long enough for a path, short enough to be kept in memory by the million.
pub const KEY_BYTES_MAX: usize = 1_024;
pub const VALUE_BYTES_MAX: usize = 1 << 20;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// One change, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Put { key: Bytes, value: Bytes, only_new: bool },
    Delete { key: Bytes },
}

impl Change {
    pub fn encode(&self) -> Result<Bytes, Reject> {
        let mut out = Vec::new();
        match self {
            Self::Put { key, value, only_new } => {
                if value.len() > VALUE_BYTES_MAX {
                    return Err(Reject::caller(0, format!("a value has at most {VALUE_BYTES_MAX} bytes")));
                }
                let length = key_length(key)?;
                out.extend([PUT, u8::from(*only_new)]);
                out.extend(length.to_le_bytes());
                out.extend_from_slice(key);
                out.extend_from_slice(value);
            }
            Self::Delete { key } => {
                key_length(key)?;
                out.push(DELETE);
                out.extend_from_slice(key);
            }
        }
        Ok(out.into())
    }

    pub fn decode(bytes: &Bytes) -> Option<Self> {
        match bytes.split_first()? {
            (&PUT, rest) => {
                let (&[only_new, low, high], _) = rest.split_first_chunk::<3>()?;
                let key_end = 4 + usize::from(u16::from_le_bytes([low, high]));
                if only_new > 1 || key_end > bytes.len() {
                    return None;
                }
                let (key, value) = (bytes.slice(4..key_end), bytes.slice(key_end..));
                Some(Self::Put { key, value, only_new: only_new == 1 })
            }
            (&DELETE, _) => Some(Self::Delete { key: bytes.slice(1..) }),
            _ => None,
        }
    }
}

fn key_length(key: &[u8]) -> Result<u16, Reject> {
    match u16::try_from(key.len()) {
        Ok(length) if length > 0 && key.len() <= KEY_BYTES_MAX => Ok(length),
        _ => Err(Reject::caller(0, format!("a key has 1 to {KEY_BYTES_MAX} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_what_it_writes() {
        let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(b"v"));
        for change in [
            Change::Put { key: key.clone(), value: value.clone(), only_new: true },
            Change::Put { key: key.clone(), value: Bytes::new(), only_new: false },
            Change::Delete { key },
        ] {
            let bytes = change.encode().unwrap();
            assert_eq!(Change::decode(&bytes), Some(change));
            for cut in 0..bytes.len() {
                let _ = Change::decode(&bytes.slice(..cut));
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let long = Bytes::from(vec![0; KEY_BYTES_MAX + 1]);
        assert!(Change::Delete { key: long }.encode().is_err());
        assert!(Change::Delete { key: Bytes::new() }.encode().is_err());
        let value = Bytes::from(vec![0; VALUE_BYTES_MAX + 1]);
        assert!(Change::Put { key: Bytes::from_static(b"k"), value, only_new: false }.encode().is_err());
    }
}
