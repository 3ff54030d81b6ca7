//! The text armour around DER (RFC 7468), written strictly and read with tolerance for line ends only.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Error;

/// Armours `der` in lines of 64 characters.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Takes the armour off. Exactly one block with this label, nothing around it but white space.
pub(crate) fn decode(label: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let malformed = Error::Malformed("PEM text");
    let body = text
        .trim()
        .strip_prefix(format!("-----BEGIN {label}-----").as_str())
        .and_then(|rest| rest.strip_suffix(format!("-----END {label}-----").as_str()))
        .ok_or(malformed)?;
    let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !matches!(c, '\r' | '\n')).collect());
    STANDARD.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        for len in [0, 1, 47, 48, 49, 200] {
            let der = vec![0xa5; len];
            let text = encode("X", &der);
            assert_eq!(decode("X", &text).unwrap().as_slice(), der);
            assert_eq!(decode("X", &text.replace('\n', "\r\n")).unwrap().as_slice(), der);
            assert!(decode("Y", &text).is_err());
            assert!(decode("X", &format!("{text}{text}")).is_err());
        }
    }
}
