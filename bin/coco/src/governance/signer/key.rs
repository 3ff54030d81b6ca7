//! Where a private key is, and how it is made to sign.

use std::fs;
use std::path::{Path, PathBuf};

use crypto::foreign_key::Curve;
use crypto::{ForeignCertificate, SigningKey};

use super::agent::Agent;
use super::hash_of;
use super::token::Token;
use super::uri::Uri;
use crate::failure::Failure;

/// What was typed behind `--key`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    File(PathBuf),
    /// The ssh-agent that the environment names.
    Agent,
    Token(Uri),
}

impl Source {
    pub fn settle(text: &Path) -> Result<Self, Failure> {
        match text.to_str() {
            Some("agent:") => Ok(Self::Agent),
            Some(named) if named.starts_with("agent:") => {
                Err(Failure::new(format!("{named}: nothing stands behind agent:"))
                    .hint("the certificate says which of the agent's keys it is, and SSH_AUTH_SOCK which agent"))
            }
            Some(uri) if uri.starts_with("pkcs11:") => Uri::parse(uri).map(Self::Token).map_err(|why| {
                Failure::new(format!("this is no PKCS#11 URI: {why}"))
                    .hint("it is like 'pkcs11:token=NAME;object=NAME?module-path=/usr/lib/softhsm/libsofthsm2.so' (RFC 7512); mind the quotes")
            }),
            _ => Ok(Self::File(text.to_owned())),
        }
    }
}

/// A private key.
pub enum Key {
    Here(SigningKey),
    Agent(Agent),
    Token(Token),
    /// Not within reach: what it is to sign goes into this file.
    Elsewhere(PathBuf),
}

impl Key {
    /// The key of a certificate. What can be seen to be another one's is refused here, before anything is signed.
    pub fn open(source: &Source, name: &str, certificate: &ForeignCertificate, curve: Curve) -> Result<Self, Failure> {
        match source {
            Source::File(path) => Self::read(path, name, certificate).map(Self::Here),
            Source::Agent => Agent::of_environment(certificate.key(), name).map(Self::Agent),
            Source::Token(uri) => Token::open(uri, curve).map(Self::Token),
        }
    }

    fn read(path: &Path, name: &str, certificate: &ForeignCertificate) -> Result<SigningKey, Failure> {
        let text = fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e))?;
        let key = SigningKey::from_pem(&text)
            .map_err(|e| Failure::from_error(format!("{} cannot be used", path.display()), &e))?;
        if key.public() != certificate.key() {
            return Err(Failure::new(format!("{} is not the key of the certificate of {name}", path.display()))
                .hint("a member's two files are made together: NAME_cert.pem and NAME_privk.pem"));
        }
        Ok(key)
    }

    /// `r ‖ s` over the message.
    pub fn sign(&self, name: &str, curve: Curve, message: &[u8]) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Here(key) => key.sign(message).map_err(|e| Failure::from_error(format!("{name} cannot sign"), &e)),
            Self::Agent(agent) => agent.sign(curve, message),
            Self::Token(token) => token.sign(&hash_of(curve).of(message)),
            Self::Elsewhere(_) => Err(Failure::new(format!("the key of {name} is not within reach"))
                .hint("what it is to sign is prepared with --prepare FILE, and signed where the key is")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_file_an_agents_or_a_tokens() {
        let settle = |text: &str| Source::settle(Path::new(text));
        assert_eq!(settle("ann_privk.pem").unwrap(), Source::File("ann_privk.pem".into()));
        assert_eq!(settle("agent:").unwrap(), Source::Agent);
        assert!(matches!(settle("pkcs11:token=a").unwrap(), Source::Token(_)));
        assert!(settle("agent:ann").unwrap_err().hint.unwrap().contains("SSH_AUTH_SOCK"));
        assert!(settle("pkcs11:colour=red").unwrap_err().message.contains("colour"));
    }
}
