//! A small writer of DER: certificates and revocation lists as a vendor's authority would sign them, right or wrong.
//!
//! Authorities that sign with RSA-PSS, have serial number 0 or bare bytes in an extension are beyond the usual generators.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_lc_rs::agreement::{ECDH_P256, ECDH_P384, PrivateKey};
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RsaEncoding, RsaKeyPair, RsaPssSaltLength, RsaSignatureEncoding,
};

pub const PKCS1_RSA: &str = "1.2.840.113549.1.1.1";
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const EXTENDED_KEY_USAGE: &str = "2.5.29.37";

pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..0x80 => bytes.push(length as u8),
        0x80..0x100 => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend_from_slice(content);
    bytes
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u64> = text.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = vec![];
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let groups = (0..9).rev().map(|group| (arc >> (7 * group) & 0x7f) as u8);
        let mut digits: Vec<u8> = groups.skip_while(|digit| *digit == 0).map(|digit| digit | 0x80).collect();
        match digits.last_mut() {
            Some(last) => *last &= 0x7f,
            None => digits.push(0),
        }
        content.extend(digits);
    }
    tlv(0x06, &content)
}

pub fn integer(value: u8) -> Vec<u8> {
    if value < 0x80 { vec![2, 1, value] } else { vec![2, 2, 0, value] }
}

pub fn octets(content: &[u8]) -> Vec<u8> {
    tlv(0x04, content)
}

pub fn bits(content: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], content].concat())
}

/// "20250101000000Z"
pub fn time(text: &str) -> Vec<u8> {
    tlv(0x18, text.as_bytes())
}

pub fn name(common_name: &str) -> Vec<u8> {
    let attribute = sequence(&[&oid("2.5.4.3"), &tlv(0x0c, common_name.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

/// How an authority signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Pss48,
    /// A salt of 32 bytes, as it says.
    PssSaysSalt32,
    /// Says that the salt has 48 bytes, and it has 32.
    PssIsSalt32,
    /// RSA-PSS with SHA-256 throughout.
    Pss32,
    /// RSA-PSS with SHA-256 and no salt.
    Pss0,
    Pkcs1Sha384,
    Ecdsa384,
    Ecdsa256,
}

impl Style {
    fn algorithm(self) -> Vec<u8> {
        let null = tlv(0x05, &[]);
        let pss = |hash: &str, salt: u8| {
            let hash = sequence(&[&oid(hash), &null]);
            let mask = sequence(&[&oid("1.2.840.113549.1.1.8"), &hash]);
            let parameters = sequence(&[&tlv(0xa0, &hash), &tlv(0xa1, &mask), &tlv(0xa2, &integer(salt))]);
            sequence(&[&oid("1.2.840.113549.1.1.10"), &parameters])
        };
        let (sha256, sha384) = ("2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2");
        match self {
            Style::Pss48 | Style::PssIsSalt32 => pss(sha384, 48),
            Style::PssSaysSalt32 => pss(sha384, 32),
            Style::Pss32 => pss(sha256, 32),
            Style::Pss0 => pss(sha256, 0),
            Style::Pkcs1Sha384 => sequence(&[&oid("1.2.840.113549.1.1.12"), &null]),
            Style::Ecdsa384 => sequence(&[&oid("1.2.840.10045.4.3.3")]),
            Style::Ecdsa256 => sequence(&[&oid("1.2.840.10045.4.3.2")]),
        }
    }
}

static SALT_32: RsaSignatureEncoding = RSA_PSS_SHA384.with_pss_salt_length(RsaPssSaltLength::Custom(32));
static NO_SALT: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));

/// A test key of either kind.
pub enum Key {
    Rsa(RsaKeyPair),
    P384 { der: EcdsaKeyPair, fixed: EcdsaKeyPair },
    P256 { der: EcdsaKeyPair, fixed: EcdsaKeyPair },
}

impl Key {
    /// One of the files of this folder.
    pub fn rsa(pem: &str) -> Self {
        let pem = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap();
        Key::Rsa(RsaKeyPair::from_pkcs8(&pem.contents).unwrap())
    }

    /// Out of one seed, by its label: a case that fails is made again from its name.
    pub fn p384(label: &str) -> Self {
        let secret = secret(label, 48);
        let point = PrivateKey::from_private_key(&ECDH_P384, &secret).unwrap().compute_public_key().unwrap();
        let pair = |algorithm| EcdsaKeyPair::from_private_key_and_public_key(algorithm, &secret, point.as_ref());
        Key::P384 {
            der: pair(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap(),
            fixed: pair(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
        }
    }

    pub fn p256(label: &str) -> Self {
        let secret = secret(label, 32);
        let point = PrivateKey::from_private_key(&ECDH_P256, &secret).unwrap().compute_public_key().unwrap();
        let pair = |algorithm| EcdsaKeyPair::from_private_key_and_public_key(algorithm, &secret, point.as_ref());
        Key::P256 {
            der: pair(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            fixed: pair(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    /// A point, or a PKCS#1 public key.
    pub fn public(&self) -> &[u8] {
        match self {
            Key::Rsa(pair) => pair.public_key().as_ref(),
            Key::P384 { der, .. } | Key::P256 { der, .. } => der.public_key().as_ref(),
        }
    }

    pub fn spki(&self) -> Vec<u8> {
        let algorithm = match self {
            Key::Rsa(_) => sequence(&[&oid(PKCS1_RSA), &tlv(0x05, &[])]),
            Key::P384 { .. } => sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.3.132.0.34")]),
            Key::P256 { .. } => sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]),
        };
        sequence(&[&algorithm, &bits(self.public())])
    }

    /// As certificates have signatures.
    pub fn sign(&self, style: Style, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match (self, style) {
            (Key::Rsa(pair), _) => {
                let encoding: &dyn RsaEncoding = match style {
                    Style::Pkcs1Sha384 => &RSA_PKCS1_SHA384,
                    Style::Pss32 => &RSA_PSS_SHA256,
                    Style::Pss0 => &NO_SALT,
                    Style::PssIsSalt32 | Style::PssSaysSalt32 => &SALT_32,
                    _ => &RSA_PSS_SHA384,
                };
                rsa(pair, encoding, message)
            }
            (Key::P384 { der, .. } | Key::P256 { der, .. }, _) => der.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    /// As COSE and hardware have signatures: r and s side by side; RSA keys sign PKCS#1 with SHA-256.
    pub fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Key::Rsa(pair) => rsa(pair, &RSA_PKCS1_SHA256, message),
            Key::P384 { fixed, .. } | Key::P256 { fixed, .. } => {
                fixed.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
            }
        }
    }
}

const REMEMBERED_MAX: usize = 1_024;

/// Most cases sign the same bytes with the same keys, and RSA is slow: what was signed once is remembered.
fn rsa(pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    static SIGNED: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let what = [format!("{encoding:?}").as_bytes(), pair.public_key().as_ref(), message].concat();
    if let Some(signature) = SIGNED.lock().unwrap().get(&what) {
        return signature.clone();
    }
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    let mut signed = SIGNED.lock().unwrap();
    // Whoever signs something new each time (a fuzzer does) does not fill the memory.
    if signed.len() >= REMEMBERED_MAX {
        signed.clear();
    }
    signed.insert(what, signature.clone());
    signature
}

fn secret(label: &str, bytes: usize) -> Vec<u8> {
    let text = format!("seed of the mock hierarchy\n{label}");
    let mut secret = digest::digest(&digest::SHA384, text.as_bytes()).as_ref()[..bytes].to_vec();
    secret[0] &= 0x7f; // below the order of either curve
    secret
}

/// A certificate to be.
pub struct Certificate<'a> {
    pub serial: u8,
    pub issuer: &'a str,
    pub subject: &'a str,
    pub window: (&'a str, &'a str),
    pub spki: Vec<u8>,
    /// OID, critical, content.
    pub extensions: Vec<(&'a str, bool, Vec<u8>)>,
}

impl Certificate<'_> {
    pub fn signed(&self, key: &Key, style: Style) -> Vec<u8> {
        let extensions: Vec<Vec<u8>> = self
            .extensions
            .iter()
            .map(|(id, critical, content)| {
                let critical = if *critical { vec![1, 1, 0xff] } else { vec![] };
                sequence(&[&oid(id), &critical, &octets(content)])
            })
            .collect();
        let extensions = if extensions.is_empty() {
            vec![]
        } else {
            tlv(0xa3, &sequence(&extensions.iter().map(Vec::as_slice).collect::<Vec<_>>()))
        };
        let tbs = sequence(&[
            &tlv(0xa0, &integer(2)),
            &integer(self.serial),
            &style.algorithm(),
            &name(self.issuer),
            &sequence(&[&time(self.window.0), &time(self.window.1)]),
            &name(self.subject),
            &self.spki,
            &extensions,
        ]);
        sequence(&[&tbs, &style.algorithm(), &bits(&key.sign(style, &tbs))])
    }
}

/// The extension of an authority; the second number is how many may stand below.
pub fn authority(path: Option<u8>) -> (&'static str, bool, Vec<u8>) {
    let path = path.map(integer).unwrap_or_default();
    (BASIC_CONSTRAINTS, true, sequence(&[&[1, 1, 0xff], &path]))
}

/// A revocation list.
pub fn revocation_list(issuer: &str, window: (&str, &str), serials: &[u8], key: &Key, style: Style) -> Vec<u8> {
    let revoked: Vec<Vec<u8>> = serials.iter().map(|serial| sequence(&[&integer(*serial), &time(window.0)])).collect();
    let revoked =
        if revoked.is_empty() { vec![] } else { sequence(&revoked.iter().map(Vec::as_slice).collect::<Vec<_>>()) };
    let tbs = sequence(&[&integer(1), &style.algorithm(), &name(issuer), &time(window.0), &time(window.1), &revoked]);
    sequence(&[&tbs, &style.algorithm(), &bits(&key.sign(style, &tbs))])
}
