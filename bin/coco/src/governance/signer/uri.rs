//! Where a token's key is: RFC 7512, as far as it names a token and a key.
//!
//! ```text
//!   pkcs11:token=Coco;object=ann;id=%01 ? module-path=/usr/lib/softhsm/libsofthsm2.so & pin-source=/run/secrets/pin
//! ```
//!
//! What is not known here is refused: a URI that says more than is looked at would be taken for another key. A PIN in it is refused, too,
//! because everybody on a machine sees the command lines of everybody.

use std::fmt;
use std::path::PathBuf;

/// No URI is longer.
const BYTES_MAX: usize = 4_096;

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Uri {
    pub token: Option<String>,
    pub serial: Option<String>,
    pub manufacturer: Option<String>,
    pub model: Option<String>,
    pub slot: Option<u64>,
    /// The label of the key.
    pub object: Option<String>,
    pub id: Option<Vec<u8>>,
    pub module: Option<PathBuf>,
    /// A file with the PIN.
    pub pin: Option<PathBuf>,
}

impl Uri {
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("pkcs11:")
            .filter(|_| text.len() <= BYTES_MAX)
            .ok_or("it begins with pkcs11: and is short")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for (name, value) in attributes(path, ';')? {
            uri.path(name, value)?;
        }
        for (name, value) in attributes(query, '&')? {
            uri.query(name, value)?;
        }
        Ok(uri)
    }

    fn path(&mut self, name: &str, value: Vec<u8>) -> Result<(), String> {
        let text = |value| String::from_utf8(value).map_err(|_| format!("{name} is not a text"));
        match name {
            "token" => once(&mut self.token, text(value)?, name),
            "serial" => once(&mut self.serial, text(value)?, name),
            "manufacturer" => once(&mut self.manufacturer, text(value)?, name),
            "model" => once(&mut self.model, text(value)?, name),
            "object" => once(&mut self.object, text(value)?, name),
            "id" => once(&mut self.id, value, name),
            "slot-id" => {
                let slot = text(value)?.parse().map_err(|_| "slot-id is not a number")?;
                once(&mut self.slot, slot, name)
            }
            "type" if value == b"private" => Ok(()),
            "type" => Err("type is private: nothing else signs".into()),
            _ => Err(format!(
                "{name} is not looked at here; token, serial, manufacturer, model, slot-id, object and id are"
            )),
        }
    }

    fn query(&mut self, name: &str, value: Vec<u8>) -> Result<(), String> {
        let text = |value| String::from_utf8(value).map_err(|_| format!("{name} is not a text"));
        match name {
            "module-path" => once(&mut self.module, text(value)?.into(), name),
            "pin-source" => {
                let source = text(value)?;
                let path = source.strip_prefix("file://").or(source.strip_prefix("file:")).unwrap_or(&source);
                if path.is_empty() || path.starts_with('|') {
                    return Err("pin-source is a file with the PIN".into());
                }
                once(&mut self.pin, path.into(), name)
            }
            "pin-value" => {
                Err("a PIN does not belong on a command line, which others on this machine can see; pin-source=FILE names a file".into())
            }
            "module-name" => Err("the module is named by its file: module-path=/usr/lib/….so".into()),
            _ => Err(format!("{name} is not looked at here; module-path and pin-source are")),
        }
    }
}

/// What is looked for, for people.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_ref().map(const_hex::encode);
        let slot = self.slot.map(|slot| slot.to_string());
        let parts = [
            ("token", &self.token),
            ("serial", &self.serial),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("slot-id", &slot),
            ("object", &self.object),
            ("id", &id),
        ];
        let said: Vec<String> =
            parts.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect();
        if said.is_empty() { f.write_str("any key") } else { f.write_str(&said.join(", ")) }
    }
}

fn once<T>(field: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name} stands twice")),
    }
}

fn attributes(text: &str, between: char) -> Result<Vec<(&str, Vec<u8>)>, String> {
    let parts = text.split(between).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part} is not name=value"))?;
            Ok((name, decoded(value).ok_or_else(|| format!("{name} has a % that is not followed by two digits"))?))
        })
        .collect()
}

/// Without percent signs.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(*const_hex::decode(digits).ok()?.first()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_token_and_a_key() {
        let uri = Uri::parse(
            "pkcs11:token=The%20Company;serial=7;object=ann;id=%01%ff;type=private;slot-id=3?module-path=/usr/lib/a.so&pin-source=file:///run/pin",
        )
        .unwrap();
        assert_eq!(uri.token.as_deref(), Some("The Company"));
        assert_eq!((uri.object.as_deref(), uri.id.as_deref(), uri.slot), (Some("ann"), Some(&[1, 255][..]), Some(3)));
        assert_eq!(uri.module, Some("/usr/lib/a.so".into()));
        assert_eq!(uri.pin, Some("/run/pin".into()));
        assert_eq!(uri.to_string(), "token The Company, serial 7, slot-id 3, object ann, id 01ff");
        assert_eq!(Uri::parse("pkcs11:").unwrap(), Uri::default());
        assert_eq!(Uri::default().to_string(), "any key");
        assert_eq!(Uri::parse("pkcs11:?pin-source=/a").unwrap().pin, Some("/a".into()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let long = format!("pkcs11:token={}", "a".repeat(BYTES_MAX));
        for (bad, said) in [
            ("pkcs11:token=a;token=b", "twice"),
            ("pkcs11:colour=red", "colour"),
            ("pkcs11:token", "name=value"),
            ("pkcs11:token=%", "two digits"),
            ("pkcs11:token=%é1", "two digits"),
            ("pkcs11:token=%ff", "not a text"),
            ("pkcs11:type=cert", "nothing else signs"),
            ("pkcs11:slot-id=x", "number"),
            ("pkcs11:?pin-value=1234", "others on this machine"),
            ("pkcs11:?pin-source=|cat", "file with the PIN"),
            ("pkcs11:?module-name=softhsm2", "module-path"),
            ("pkcs11:?x=y", "not looked at"),
            ("token=a", "begins with"),
            (&long, "short"),
        ] {
            let why = Uri::parse(bad).unwrap_err();
            assert!(why.contains(said), "{bad}: {why}");
        }
    }
}
