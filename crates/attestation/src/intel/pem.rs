//! Certificates in PEM, as quotes and collateral carry them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Code, Refusal, limits};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of each certificate. Between them stands white space only; a C string's end may follow the last.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let bad = |text: &str| Refusal::new(Code::BadEncoding, format!("a certificate chain {text}"));
    let text = std::str::from_utf8(pem).map_err(|_| bad("is not text"))?;
    let mut rest = text.strip_suffix('\0').unwrap_or(text).trim_ascii();
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        if certificates.len() == limits::CHAIN_CERTIFICATES {
            return Err(Refusal::new(Code::OversizedLength, "a chain of too many certificates"));
        }
        let body = rest.strip_prefix(BEGIN).ok_or_else(|| bad("has text between certificates"))?;
        let (body, after) = body.split_once(END).ok_or_else(|| bad("breaks off"))?;
        if body.len() > 2 * limits::CERTIFICATE_BYTES {
            return Err(Refusal::new(Code::OversizedLength, "a certificate is too large"));
        }
        let base64: String = body.split_ascii_whitespace().collect();
        certificates.push(STANDARD.decode(base64).map_err(|_| bad("has bad base64"))?);
        rest = after.trim_ascii_start();
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(pem: &str) -> Option<Code> {
        certificates(pem.as_bytes()).err().map(|refusal| refusal.code)
    }

    #[test]
    fn text_around_certificates_and_slack_in_base64_are_refused() {
        let one = format!("{BEGIN}\nAQ\r\nID\n{END}\n");
        assert_eq!(certificates(format!("{one}{one}\0").as_bytes()), Ok(vec![vec![1, 2, 3]; 2]));
        assert_eq!(certificates(b""), Ok(vec![]));
        assert_eq!(code(&format!("x{one}")), Some(Code::BadEncoding));
        assert_eq!(code(&format!("{one}x")), Some(Code::BadEncoding));
        assert_eq!(code(&format!("{BEGIN}\nAQI=")), Some(Code::BadEncoding));
        assert_eq!(code(&format!("{BEGIN}\nAQJ=\n{END}")), Some(Code::BadEncoding));
        assert_eq!(code(&one.repeat(limits::CHAIN_CERTIFICATES + 1)), Some(Code::OversizedLength));
    }
}
