//! A signature as tools write it: `r ‖ s` as COSE wants it, or DER as OpenSSL makes it; as bytes, in base64, or in the `value` of an object
//! (`ccf_cose_sign1_finish`, Azure's Key Vault).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::foreign_key::Curve;
use serde::Deserialize;

/// Any of the forms, with space around it.
pub const BYTES_MAX: usize = 4_096;

#[derive(Deserialize)]
struct Document {
    value: String,
}

/// What the bytes may mean, each as `r ‖ s`. Bytes can be read in more than one way; the one that verifies was meant.
pub fn read(given: &[u8], curve: Curve) -> Result<Vec<Vec<u8>>, String> {
    if given.len() > BYTES_MAX {
        return Err("it is too long".into());
    }
    let mut forms = vec![given.to_vec()];
    if let Ok(text) = std::str::from_utf8(given) {
        let text = match serde_json::from_str::<Document>(text) {
            Ok(document) => document.value,
            Err(e) if text.trim_start().starts_with('{') => {
                return Err(format!("an object with a text in `value` is wanted: {e}"));
            }
            Err(_) => text.to_owned(),
        };
        // Tools break base64 into lines.
        let text: String = text.split_whitespace().collect();
        forms.extend(STANDARD.decode(&text).ok());
        forms.extend(URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok());
    }
    let length = 2 * curve.bytes();
    let mut found: Vec<Vec<u8>> = forms
        .iter()
        .filter(|form| form.len() == length)
        .cloned()
        .chain(forms.iter().filter_map(|form| fixed(form, curve)))
        .collect();
    found.dedup();
    if found.is_empty() { Err(format!("r and s have {} bytes together", 2 * curve.bytes())) } else { Ok(found) }
}

/// `r ‖ s` of a DER sequence of two integers.
fn fixed(der: &[u8], curve: Curve) -> Option<Vec<u8>> {
    let (inside, rest) = element(der, 0x30)?;
    let (r, inside) = element(inside, 0x02)?;
    let (s, left) = element(inside, 0x02)?;
    if !rest.is_empty() || !left.is_empty() {
        return None;
    }
    let mut both = Vec::with_capacity(2 * curve.bytes());
    for number in [r, s] {
        let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        both.resize(both.len() + curve.bytes().checked_sub(number.len())?, 0);
        both.extend_from_slice(number);
    }
    Some(both)
}

/// What is in an element with this tag, and what is behind it. Lengths up to 255 are enough.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der {
        [found, 0x81, length, rest @ ..] if *found == tag => (*length, rest),
        [found, length, rest @ ..] if *found == tag && *length < 0x80 => (*length, rest),
        _ => return None,
    };
    rest.split_at_checked(usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_in_every_form_that_tools_write() {
        let plain = [[0x80; 32], [0x07; 32]].concat();
        let mut der = vec![0x30, 0x45, 2, 33, 0];
        der.extend([0x80; 32]);
        der.extend([2, 32]);
        der.extend([0x07; 32]);
        let url = URL_SAFE_NO_PAD.encode(&plain);
        for given in [
            plain.clone(),
            der.clone(),
            STANDARD.encode(&plain).into_bytes(),
            format!("{}\n", STANDARD.encode(&der)).into_bytes(),
            url.clone().into_bytes(),
            format!("{{\"kid\": \"x\", \"value\": \"{url}\"}}\n").into_bytes(),
            format!("{{\"value\": \"{}\"}}", STANDARD.encode(&der)).into_bytes(),
        ] {
            let found = read(&given, Curve::P256).unwrap();
            assert!(found.contains(&plain), "{}", String::from_utf8_lossy(&given));
        }
        for bad in [&b""[..], b"{}", b"{\"value\": 1}", &[0x30; 9], &vec![b'A'; BYTES_MAX + 1], &der[..der.len() - 1]] {
            assert!(read(bad, Curve::P256).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        assert!(read(&plain, Curve::P384).is_err(), "of another curve");
    }
}
