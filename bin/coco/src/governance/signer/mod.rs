//! Who signs: a member's certificate, and the private key that belongs to it, wherever that is.
//!
//! ```text
//!   --as, --certificate ─▶ certificate ─┐
//!   --key FILE ────────▶ here           ├─▶ Signer ─sign▶ r ‖ s, verified before anything is sent
//!         agent: ──────▶ an ssh-agent   │
//!         pkcs11:… ────▶ a token        │
//!   --prepare FILE ────▶ elsewhere      ┘      (what is to be signed is kept in FILE)
//! ```
//!
//! The certificate says which key it is: no other one signs, whatever an agent or a token holds.

mod agent;
mod key;
mod pin;
mod token;
mod uri;

use std::fs;
use std::path::{Path, PathBuf};

use crypto::ForeignCertificate;
use crypto::foreign_key::{Curve, Hash, Scheme};
use development::{Layout, Network};

use super::Place;
use crate::cli;
use crate::failure::Failure;
use crate::network;

use key::Key;
pub use key::Source;

/// Which member, and where its key is, as it was typed.
pub struct Who {
    certificate: Whose,
    hand: Hand,
}

enum Whose {
    /// The first of the directory whose key is there.
    First,
    Named(String),
    File(PathBuf),
}

enum Hand {
    /// The directory that the certificate is in has the key, too.
    Directory,
    Source(Source),
    /// Nowhere near: what is to be signed goes into this file.
    Elsewhere(PathBuf),
}

impl Who {
    pub fn settle(signer: cli::Signer) -> Result<Self, Failure> {
        let certificate = match (signer.certificate, signer.name) {
            (Some(file), _) => Whose::File(file),
            (None, Some(name)) => Whose::Named(name),
            (None, None) => Whose::First,
        };
        let hand = match (signer.prepare, signer.key) {
            (Some(file), _) => Hand::Elsewhere(file),
            (None, Some(key)) => Hand::Source(Source::settle(&key)?),
            (None, None) => Hand::Directory,
        };
        Ok(Self { certificate, hand })
    }
}

/// A member who can sign, now or somewhere else.
pub struct Signer {
    pub name: String,
    /// SHA-256 of the certificate, in hexadecimal.
    pub id: String,
    certificate: ForeignCertificate,
    curve: Curve,
    key: Key,
}

impl Signer {
    pub fn open(who: &Who, place: &Place) -> Result<Self, Failure> {
        let layout = place.layout();
        let in_directory = || {
            layout.as_ref().ok_or_else(|| {
                Failure::new("who signs? A network elsewhere has no members' directory here").hint(
                    "name the member's certificate with --certificate FILE, and its key with --key; or --prepare FILE for a key elsewhere",
                )
            })
        };
        let name = match &who.certificate {
            Whose::File(certificate) => return Self::read(&name_of(certificate), certificate, &who.hand, None),
            Whose::Named(name) => name.clone(),
            Whose::First => {
                let layout = in_directory()?;
                match names(layout).into_iter().next() {
                    Some(name) => name,
                    None => {
                        // Perhaps there is no network at all.
                        network::open(layout.dir())?;
                        return Err(Failure::new(format!("no member's key is in {}", layout.members().display()))
                            .hint("say who signs with --certificate FILE --key FILE"));
                    }
                }
            }
        };
        Self::of_directory(in_directory()?, &name, &who.hand)
    }

    /// Everyone whose key is in the network's directory.
    pub fn all(layout: &Layout) -> Result<Vec<Self>, Failure> {
        names(layout).iter().map(|name| Self::of_directory(layout, name, &Hand::Directory)).collect()
    }

    /// A member with a key that is asked for, without a network: where a request is signed that another machine prepared.
    pub fn of(certificate: ForeignCertificate, name: &str, source: &Source) -> Result<Self, Failure> {
        let curve = curve_of(&certificate, name)?;
        let key = Key::open(source, name, &certificate, curve)?;
        Ok(Self::new(name, certificate, curve, key))
    }

    fn of_directory(layout: &Layout, name: &str, hand: &Hand) -> Result<Self, Failure> {
        let (certificate, key) = (layout.member_certificate(name), layout.member_key(name));
        if !certificate.is_file() || (matches!(hand, Hand::Directory) && !key.is_file()) {
            let there = names(layout);
            let hint =
                if there.is_empty() { "nobody's is there".into() } else { format!("there is {}", there.join(", ")) };
            let what = format!("{} has no certificate and key of {name}", layout.members().display());
            return Err(Failure::new(what).hint(format!("{hint}; or name the files with --certificate and --key")));
        }
        Self::read(name, &certificate, hand, Some(key))
    }

    fn read(name: &str, certificate: &Path, hand: &Hand, beside: Option<PathBuf>) -> Result<Self, Failure> {
        let text = fs::read_to_string(certificate).map_err(|e| Failure::file("read", certificate, &e))?;
        let read = ForeignCertificate::from_pem(&text)
            .map_err(|e| Failure::from_error(format!("{} cannot be used", certificate.display()), &e))?;
        let source = match (hand, beside) {
            (Hand::Elsewhere(file), _) => {
                let curve = curve_of(&read, name)?;
                return Ok(Self::new(name, read, curve, Key::Elsewhere(file.clone())));
            }
            (Hand::Source(source), _) => source.clone(),
            (Hand::Directory, Some(key)) => Source::File(key),
            (Hand::Directory, None) => {
                return Err(Failure::new(format!("the certificate of {name} alone signs nothing"))
                    .hint("say where its key is: --key FILE, --key agent: or --key pkcs11:…; or --prepare FILE"));
            }
        };
        Self::of(read, name, &source)
    }

    fn new(name: &str, certificate: ForeignCertificate, curve: Curve, key: Key) -> Self {
        let id = crypto::sha256(certificate.der()).to_string();
        Self { name: name.to_owned(), id, certificate, curve, key }
    }

    pub fn curve(&self) -> Curve {
        self.curve
    }

    pub fn certificate(&self) -> &ForeignCertificate {
        &self.certificate
    }

    /// Where what is to be signed goes, if the key is not within reach.
    pub fn elsewhere(&self) -> Option<&Path> {
        match &self.key {
            Key::Elsewhere(file) => Some(file),
            _ => None,
        }
    }

    /// Signs the digest of the message that goes with the curve; `r ‖ s`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let signature = self.key.sign(&self.name, self.curve, message)?;
        // A key that was read here was compared with the certificate; what others signed with is seen by what they signed.
        if !matches!(self.key, Key::Here(_)) && verify(&self.certificate, self.curve, message, &signature).is_err() {
            return Err(Failure::new(format!("what signed is not the key of the certificate of {}", self.name))
                .hint("nothing was sent. A certificate and its key are made together: name the certificate of that key, or the key of that certificate"));
        }
        Ok(signature)
    }
}

/// Whether the signature is that of the certificate's key.
pub fn verify(
    certificate: &ForeignCertificate,
    curve: Curve,
    message: &[u8],
    signature: &[u8],
) -> Result<(), crypto::Error> {
    certificate.key().verify(Scheme::EcdsaFixed(hash_of(curve)), message, signature)
}

/// The digest that goes with a curve.
pub fn hash_of(curve: Curve) -> Hash {
    match curve {
        Curve::P256 => Hash::Sha256,
        Curve::P384 => Hash::Sha384,
        Curve::P521 => Hash::Sha512,
    }
}

/// What a curve is called.
pub fn curve_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
    }
}

/// Members sign with ECDSA.
pub fn curve_of(certificate: &ForeignCertificate, name: &str) -> Result<Curve, Failure> {
    certificate.key().curve().ok_or_else(|| {
        Failure::new(format!("the certificate of {name} has a key that members cannot sign with")).hint(
            "members sign with ECDSA on P-256, P-384 or P-521: `coco member new` makes such a key and its certificate",
        )
    })
}

/// `erin` of `keys/erin_cert.pem`.
fn name_of(certificate: &Path) -> String {
    let stem = certificate.file_stem().unwrap_or_default().to_string_lossy();
    stem.strip_suffix("_cert").unwrap_or(&stem).to_owned()
}

/// The members whose certificate and key are in the directory: who founded the network, then the others, in order.
fn names(layout: &Layout) -> Vec<String> {
    let founders = Network::read(layout.dir()).ok().flatten().map(|network| network.members).unwrap_or_default();
    let mut names: Vec<String> =
        certificates(layout).into_iter().filter(|name| layout.member_key(name).is_file()).collect();
    names.sort_by_cached_key(|name| (!founders.contains(name), name.clone()));
    names
}

/// The members whose certificate is in the directory.
pub fn certificates(layout: &Layout) -> Vec<String> {
    let entries = fs::read_dir(layout.members()).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix("_cert.pem")?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use crypto::KeyPair;
    use crypto::certificate::{Validity, member};

    use super::*;

    fn who(certificate: Whose, hand: Hand) -> Who {
        Who { certificate, hand }
    }

    #[test]
    fn a_key_belongs_to_its_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::create_dir(layout.members()).unwrap();
        let key = KeyPair::generate().unwrap();
        let validity = Validity { from: 0, until: 4_000_000_000 };
        for (name, signed_by) in [("ann", &key), ("bob", &KeyPair::generate().unwrap())] {
            let certificate = member(signed_by, name, validity).unwrap();
            fs::write(layout.member_certificate(name), certificate.to_pem()).unwrap();
            fs::write(layout.member_key(name), key.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
        }
        let place = Place::Dir(dir.path().to_owned());
        let first = || who(Whose::First, Hand::Directory);
        let ann = Signer::open(&first(), &place).unwrap();
        assert_eq!((ann.name.as_str(), ann.id.len()), ("ann", 64));
        assert!(ann.elsewhere().is_none());
        verify(&ann.certificate, ann.curve, b"text", &ann.sign(b"text").unwrap()).unwrap();
        let mixed = Signer::open(&who(Whose::Named("bob".into()), Hand::Directory), &place).err().unwrap();
        assert!(mixed.message.contains("is not the key of"), "{}", mixed.message);
        let none = Signer::open(&who(Whose::Named("eve".into()), Hand::Directory), &place).err().unwrap();
        assert!(none.hint.unwrap().contains("there is ann, bob"));

        let file = || Whose::File(layout.member_certificate("ann"));
        let source = Hand::Source(Source::File(layout.member_key("ann")));
        let away = Place::Url { base: "https://a".into(), service_certificate: PathBuf::new() };
        assert_eq!(Signer::open(&who(file(), source), &away).unwrap().name, "ann");
        assert!(Signer::open(&first(), &away).err().unwrap().hint.unwrap().contains("--certificate"));

        let prepared = Signer::open(&who(file(), Hand::Elsewhere("out".into())), &away).unwrap();
        assert_eq!((prepared.id.as_str(), prepared.elsewhere()), (ann.id.as_str(), Some(Path::new("out"))));
        assert!(prepared.sign(b"text").unwrap_err().message.contains("not within reach"));
    }
}
