//! A node without a TEE says what it would be measured as.
//!
//! Nothing vouches for it: whoever runs the process writes what he likes. It exists so that a development network walks the
//! same road as one of attested nodes, and [`crate::policy()`] accepts it only where a policy says so.
//!
//! ```text
//! "coco virtual evidence 1\n" · measurement 32 · report data 64 · flag u8 (1: host data follows) · host data 32
//! ```
//!
//! Claims: measurement "code".

use crate::{Bytes, Claims, Code, Kind, Reader, Refusal, limits};

const MAGIC: &[u8; 24] = b"coco virtual evidence 1\n";

/// The evidence of a process that measured itself.
pub fn evidence(measurement: &[u8; 32], report_data: &[u8; 64], host_data: Option<&[u8; 32]>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(measurement);
    bytes.extend(report_data);
    bytes.push(u8::from(host_data.is_some()));
    bytes.extend(host_data.into_iter().flatten());
    bytes
}

/// Reads it. There is nothing to verify; the kind of the claims says so.
pub fn verify(evidence: &[u8]) -> Result<Claims, Refusal> {
    if evidence.is_empty() {
        return Err(Refusal::new(Code::Empty, "virtual evidence"));
    }
    if evidence.len() > limits::VIRTUAL_BYTES {
        return Err(Refusal::new(Code::OversizedLength, format!("{} bytes of virtual evidence", evidence.len())));
    }
    let mut reader = Reader::new(evidence);
    if &reader.array()? != MAGIC {
        return Err(Refusal::new(Code::WrongVersion, "it does not open as virtual evidence of version 1"));
    }
    let measurement: [u8; 32] = reader.array()?;
    let report_data: [u8; 64] = reader.array()?;
    let host_data = match reader.u8()? {
        0 => None,
        1 => Some(reader.array::<32>()?),
        flag => return Err(Refusal::new(Code::ReservedNotZero, format!("the flag is {flag}"))),
    };
    reader.end()?;
    let mut claims = Claims::new(Kind::Virtual, crypto::sha256(evidence), &report_data);
    claims.measure("code", &measurement);
    claims.host_data = host_data.map(|bytes| Bytes(bytes.to_vec()));
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_every_other_length_is_refused() {
        let bytes = evidence(&[1; 32], &[2; 64], Some(&[3; 32]));
        let claims = verify(&bytes).unwrap();
        assert_eq!(claims.measurements["code"].0, [1; 32]);
        assert_eq!(claims.report_data.0, [2; 64]);
        assert_eq!(claims.host_data, Some(Bytes(vec![3; 32])));
        assert_eq!(verify(&[]).unwrap_err().code, Code::Empty);
        for length in 1..bytes.len() {
            assert_eq!(verify(&bytes[..length]).unwrap_err().code, Code::Truncated);
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(verify(&longer).unwrap_err().code, Code::TrailingBytes);
        assert_eq!(verify(&vec![0; limits::VIRTUAL_BYTES + 1]).unwrap_err().code, Code::OversizedLength);
    }

    #[test]
    fn every_flipped_bit_is_refused_or_seen_in_the_claims() {
        let bytes = evidence(&[1; 32], &[2; 64], None);
        let claims = verify(&bytes).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let seen = verify(&flipped).ok();
            assert!(seen.is_none_or(|seen| seen != claims
                && (seen.measurements, seen.report_data) != (claims.measurements.clone(), claims.report_data.clone())));
        }
    }
}
