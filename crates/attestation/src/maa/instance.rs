//! Whose tokens are believed: an issuer with its keys.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::formats::signature::PublicKey;
use crate::formats::x509::Certificate;
use crate::{Code, Refusal, json};

const JWKS_BYTES: usize = 256 << 10;

/// One instance of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// As tokens name it: "https://name.region.attest.azure.net".
    pub issuer: String,
    keys: Vec<(String, Key)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// PKCS#1, out of a certificate.
    Pkcs1(Vec<u8>),
    Parts {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    kty: String,
    n: Option<String>,
    e: Option<String>,
    #[serde(default)]
    x5c: Vec<String>,
}

impl Instance {
    /// The keys as the instance published them and somebody pinned them, a JSON web key set. Keys that are not RSA are left out.
    pub fn new(issuer: &str, jwks: &[u8]) -> Result<Self, Refusal> {
        let jwks: Jwks = json::parse(jwks, JWKS_BYTES, "JSON web key set")?;
        let mut keys: Vec<(String, Key)> = Vec::new();
        for jwk in jwks.keys.into_iter().filter(|jwk| jwk.kty == "RSA") {
            let key = Key::of(&jwk)?;
            let kid = jwk.kid.ok_or_else(|| malformed("a key without a name"))?;
            if keys.iter().any(|(other, _)| *other == kid) {
                return Err(Refusal::new(Code::DuplicateKey, format!("two keys are named \"{kid}\"")));
            }
            keys.push((kid, key));
        }
        Ok(Self { issuer: issuer.to_owned(), keys })
    }

    pub(super) fn key(&self, kid: &str) -> Option<PublicKey<'_>> {
        self.keys.iter().find(|(name, _)| name == kid).map(|(_, key)| match key {
            Key::Pkcs1(der) => PublicKey::Rsa(der),
            Key::Parts { n, e } => PublicKey::RsaParts { n, e },
        })
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Result<Self, Refusal> {
        if let (Some(n), Some(e)) = (&jwk.n, &jwk.e) {
            let number = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed("a number"));
            return Ok(Self::Parts { n: number(n)?, e: number(e)? });
        }
        let der = jwk.x5c.first().ok_or_else(|| malformed("a key with neither numbers nor certificate"))?;
        let der = STANDARD.decode(der).map_err(|_| malformed("a certificate"))?;
        match Certificate::parse(&der)?.key()? {
            PublicKey::Rsa(key) => Ok(Self::Pkcs1(key.to_vec())),
            _ => Err(malformed("a certificate of another key type")),
        }
    }
}

fn malformed(text: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("JSON web key set: {text}"))
}
