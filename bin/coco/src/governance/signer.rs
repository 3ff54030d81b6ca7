//! Who signs: a member's certificate and its private key.

use std::fs;
use std::path::{Path, PathBuf};

use crypto::{ForeignCertificate, SigningKey};
use development::{Layout, Network};

use super::Place;
use crate::cli;
use crate::failure::Failure;

/// Which member, as it was typed.
pub enum Who {
    /// The first of the directory whose key is there.
    First,
    Named(String),
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
}

impl Who {
    pub fn settle(signer: cli::Signer) -> Self {
        match signer {
            cli::Signer { certificate: Some(certificate), key: Some(key), .. } => Self::Files { certificate, key },
            cli::Signer { name: Some(name), .. } => Self::Named(name),
            _ => Self::First,
        }
    }
}

/// A member who can sign.
pub struct Signer {
    pub name: String,
    /// SHA-256 of the certificate, in hexadecimal.
    pub id: String,
    pub key: SigningKey,
}

impl Signer {
    pub fn open(who: &Who, place: &Place) -> Result<Self, Failure> {
        match (who, place.layout()) {
            (Who::Files { certificate, key }, _) => Self::read(&name_of(certificate), certificate, key),
            (Who::Named(name), Some(layout)) => Self::of_directory(&layout, name),
            (Who::First, Some(layout)) => {
                let first = names(&layout).into_iter().next();
                let first = first.ok_or_else(|| {
                    Failure::new(format!("no member's key is in {}", layout.members().display()))
                        .hint("say who signs with --certificate FILE --key FILE")
                })?;
                Self::of_directory(&layout, &first)
            }
            (_, None) => Err(Failure::new("who signs? A network elsewhere has no members' directory here")
                .hint("name the member's files with --certificate FILE --key FILE")),
        }
    }

    /// Everyone whose key is in the network's directory.
    pub fn all(layout: &Layout) -> Result<Vec<Self>, Failure> {
        names(layout).iter().map(|name| Self::of_directory(layout, name)).collect()
    }

    fn of_directory(layout: &Layout, name: &str) -> Result<Self, Failure> {
        let (certificate, key) = (layout.member_certificate(name), layout.member_key(name));
        if !certificate.is_file() || !key.is_file() {
            let there = names(layout);
            let hint =
                if there.is_empty() { "nobody's is there".into() } else { format!("there is {}", there.join(", ")) };
            let what = format!("{} has no certificate and key of {name}", layout.members().display());
            return Err(Failure::new(what).hint(format!("{hint}; or name the files with --certificate and --key")));
        }
        Self::read(name, &certificate, &key)
    }

    fn read(name: &str, certificate: &Path, key: &Path) -> Result<Self, Failure> {
        let text = |path: &Path| fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e));
        let broken = |path: &Path, e| Failure::from_error(format!("{} cannot be used", path.display()), &e);
        let read = ForeignCertificate::from_pem(&text(certificate)?).map_err(|e| broken(certificate, e))?;
        let private = SigningKey::from_pem(&text(key)?).map_err(|e| broken(key, e))?;
        if private.public() != read.key() {
            return Err(Failure::new(format!("{} is not the key of {}", key.display(), certificate.display()))
                .hint("a member's two files are made together: NAME_cert.pem and NAME_privk.pem"));
        }
        let id = crypto::sha256(read.der()).to_string();
        Ok(Self { name: name.to_owned(), id, key: private })
    }
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
        let ann = Signer::open(&Who::First, &place).unwrap();
        assert_eq!((ann.name.as_str(), ann.id.len()), ("ann", 64));
        let mixed = Signer::open(&Who::Named("bob".into()), &place).err().unwrap();
        assert!(mixed.message.contains("is not the key of"), "{}", mixed.message);
        let none = Signer::open(&Who::Named("eve".into()), &place).err().unwrap();
        assert!(none.hint.unwrap().contains("there is ann, bob"));
        let files = Who::Files { certificate: layout.member_certificate("ann"), key: layout.member_key("ann") };
        let away = Place::Url { base: "https://a".into(), service_certificate: PathBuf::new() };
        assert_eq!(Signer::open(&files, &away).unwrap().name, "ann");
        assert!(Signer::open(&Who::First, &away).err().unwrap().hint.unwrap().contains("--certificate"));
    }
}
