//! Keys and certificates as constitutions handle them: PEM and JSON Web Keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::chain::{self, Purpose};
use crypto::foreign_key::{Curve, Hash, Numbers, Scheme};
use crypto::{ForeignCertificate, ForeignKey};
use serde::{Deserialize, Serialize};

use super::host::Refused;

/// A public JSON Web Key. Fields of other kinds of keys are absent; unknown ones are passed over.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

impl Jwk {
    fn of(key: &ForeignKey, kid: Option<String>) -> Self {
        let text = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        match key.numbers() {
            Numbers::Rsa { modulus, exponent } => {
                Self { kty: "RSA".into(), kid, n: text(modulus), e: text(exponent), ..Self::default() }
            }
            Numbers::Ec { curve, x, y } => Self {
                kty: "EC".into(),
                kid,
                crv: Some(name(*curve).into()),
                x: text(x),
                y: text(y),
                ..Self::default()
            },
            Numbers::Ed25519 { x } => {
                Self { kty: "OKP".into(), kid, crv: Some("Ed25519".into()), x: text(x), ..Self::default() }
            }
        }
    }

    pub(crate) fn key(&self) -> Result<ForeignKey, Refused> {
        let bytes = |field: &Option<String>, name: &str| {
            let text = field.as_ref().ok_or_else(|| format!("JWK has no field {name:?}"))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("JWK field {name:?} is not base64url"))
        };
        let numbers = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Numbers::Rsa { modulus: bytes(&self.n, "n")?, exponent: bytes(&self.e, "e")? },
            ("EC", crv) => {
                let curve = [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|curve| Some(name(*curve)) == crv);
                let curve = curve.ok_or("JWK is on no curve that is known here")?;
                Numbers::Ec { curve, x: bytes(&self.x, "x")?, y: bytes(&self.y, "y")? }
            }
            ("OKP", Some("Ed25519")) => Numbers::Ed25519 { x: bytes(&self.x, "x")? },
            _ => return Err("JWK is of no kind that is known here".into()),
        };
        ForeignKey::from_numbers(numbers).map_err(|error| error.to_string())
    }
}

fn name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
    }
}

/// A public key in PEM as a JSON Web Key, which must be of the kind `kty`.
pub(crate) fn pem_to_jwk(kty: &str, pem: &str, kid: Option<String>) -> Result<String, Refused> {
    let jwk = Jwk::of(&public_key(pem)?, kid);
    if jwk.kty != kty {
        return Err(format!("the key is of kind {}, not {kty}", jwk.kty));
    }
    serde_json::to_string(&jwk).map_err(|error| error.to_string())
}

/// A JSON Web Key as a public key in PEM.
pub(crate) fn jwk_to_pem(kty: &str, json: &str) -> Result<String, Refused> {
    let jwk: Jwk = serde_json::from_str(json).map_err(|error| format!("not a JWK: {error}"))?;
    if jwk.kty != kty {
        return Err(format!("the key is of kind {}, not {kty}", jwk.kty));
    }
    Ok(jwk.key()?.to_pem())
}

/// The id of the member, user or organisation that has this certificate.
pub(crate) fn pem_to_id(pem: &str) -> Result<String, Refused> {
    let certificate = ForeignCertificate::from_pem(pem).map_err(|error| error.to_string())?;
    Ok(crypto::sha256(certificate.der()).to_string())
}

/// Whether a chain leads to one that is trusted, at a time in milliseconds since 1970.
pub(crate) fn is_chain(chain: &str, trusted: &str, time: u64) -> bool {
    match (ForeignCertificate::bundle(chain), ForeignCertificate::bundle(trusted)) {
        (Ok(chain), Ok(trusted)) => chain::check(&chain, &trusted, time / 1_000, Purpose::Any).is_ok(),
        _ => false,
    }
}

pub(crate) fn is_root(pem: &str) -> bool {
    ForeignCertificate::from_pem(pem).is_ok_and(|certificate| certificate.is_root())
}

pub(crate) fn digest(name: &str, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
    Ok(hash(name)?.of(bytes))
}

/// Whether the signature is the key's over the data. A key that cannot be read, or an algorithm that is not known, is refused.
pub(crate) fn verify(algorithm: &str, hashed: &str, key: &str, signature: &[u8], data: &[u8]) -> Result<bool, Refused> {
    let scheme = match algorithm {
        "ECDSA" => Scheme::EcdsaFixed(hash(hashed)?),
        "RSASSA-PKCS1-v1_5" => Scheme::RsaPkcs1(hash(hashed)?),
        "RSA-PSS" => Scheme::RsaPss(hash(hashed)?),
        "EdDSA" => Scheme::Ed25519,
        _ => return Err(format!("Unsupported signing algorithm {algorithm:?}")),
    };
    Ok(public_key(key)?.verify(scheme, data, signature).is_ok())
}

/// A public key in PEM, or the one in a certificate.
fn public_key(pem: &str) -> Result<ForeignKey, Refused> {
    ForeignKey::from_pem(pem)
        .or_else(|error| {
            ForeignCertificate::from_pem(pem).map(|certificate| certificate.key().clone()).map_err(|_| error)
        })
        .map_err(|error| error.to_string())
}

fn hash(name: &str) -> Result<Hash, Refused> {
    match name {
        "SHA-256" => Ok(Hash::Sha256),
        "SHA-384" => Ok(Hash::Sha384),
        "SHA-512" => Ok(Hash::Sha512),
        _ => Err(format!("Unsupported hash algorithm {name:?}: SHA-256, SHA-384 and SHA-512 are known")),
    }
}
