//! What a node's TEE would hold: keys, the ledger secrets, and what it was told of its network.
//!
//! The secrets are sealed, as they would be, but under a "virtual" key that lies beside them. **Protects nothing.**
//!
//! ```text
//! virtual-tee/sealing_key             32 bytes; a real TEE derives it from what the node is
//!             node_key.sealed         PKCS#8
//!             service_key.sealed      PKCS#8; in every node: any of them may become primary and sign
//!             ledger_secrets.sealed   for each, ascending: u64 (little-endian) from where on it is in force, 32 bytes
//!             service_cert.pem
//!             nodes/<id>.pem          endorsed by the service: of all founders, or of the node that joined alone
//!             members/<name>.pem      founders only
//!             joined.sealed           JSON of `Joined`: nodes that joined only, and the last that is written
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use base::{NodeId, Seqno};
use crypto::{Certificate, KeyPair, Secret};
use zeroize::Zeroizing;

use crate::files::{self, Readers};
use crate::joined::Joined;
use crate::{Error, NodeLayout};

/// Everything a node's TEE would hold.
pub struct Identity {
    pub node_key: KeyPair,
    /// PEM, endorsed by the service.
    pub node_certificate: String,
    pub service_key: KeyPair,
    /// PEM.
    pub service_certificate: String,
    pub ledger_secrets: LedgerSecrets,
    pub past: Past,
}

/// Each with the seqno that it is in force from, ascending.
pub type LedgerSecrets = Vec<(Seqno, Secret)>;

/// How the node came by it.
pub enum Past {
    Founded {
        /// Every founding node's certificate (PEM), this node's own included, ascending by id.
        node_certificates: Vec<(NodeId, String)>,
        /// Who founds the network, by name.
        members: Vec<Founder>,
    },
    Joined(Joined),
}

/// A member from the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Founder {
    pub name: String,
    /// PEM.
    pub certificate: String,
}

const README: &str = "\
This directory stands in for a trusted execution environment. It holds the node's secrets, sealed under the key in
`sealing_key`, which lies here too: anyone who can read this directory can read everything the network knows.
It is for development only.
";

struct Files {
    dir: PathBuf,
}

impl Files {
    fn of(node_dir: &Path) -> Self {
        Self { dir: NodeLayout::new(node_dir).virtual_tee() }
    }

    fn sealing_key(&self) -> PathBuf {
        self.dir.join("sealing_key")
    }

    fn sealed(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.sealed"))
    }

    fn service_certificate(&self) -> PathBuf {
        self.dir.join("service_cert.pem")
    }

    fn nodes(&self) -> PathBuf {
        self.dir.join("nodes")
    }

    fn members(&self) -> PathBuf {
        self.dir.join("members")
    }
}

/// One of the ledger secrets, with where it begins.
const SECRET_BYTES: usize = 8 + 32;
const NODE_KEY: &str = "node_key";
const SERVICE_KEY: &str = "service_key";
const LEDGER_SECRETS: &str = "ledger_secrets";
const JOINED: &str = "joined";

impl Identity {
    /// Whether a node that joins has joined: then it has an identity, and need not ask again.
    pub fn has_joined(node_dir: &Path) -> bool {
        Files::of(node_dir).sealed(JOINED).exists()
    }

    /// Opens the identity in a node's directory, and checks that its parts belong together.
    pub fn open(node_dir: &Path) -> Result<Self, Error> {
        let files = Files::of(node_dir);
        let sealing_key = secret(&files.sealing_key(), &files::read(&files.sealing_key())?)?;
        let node_key = open_key(&files, &sealing_key, NODE_KEY)?;
        let service_key = open_key(&files, &sealing_key, SERVICE_KEY)?;
        let ledger_secrets = read_secrets(&files, &sealing_key)?;
        let service_certificate = files::read_text(&files.service_certificate())?;
        let service = certificate(&files.service_certificate(), &service_certificate)?;
        if service.public_key().map_err(|e| Error::crypto(&files.service_certificate(), "a usable key", e))?
            != *service_key.public()
        {
            return Err(Error::content(
                &files.service_certificate(),
                "the certificate is not that of the service's key",
            ));
        }
        let node_certificates = read_node_certificates(&files.nodes(), &service_key)?;
        let own = node_key.public().node_id();
        let node_certificate = node_certificates
            .iter()
            .find(|(id, _)| *id == own)
            .map(|(_, pem)| pem.clone())
            .ok_or_else(|| Error::content(&files.nodes(), format!("no certificate for this node ({own})")))?;
        let past = if Self::has_joined(node_dir) {
            let path = files.sealed(JOINED);
            let json = unseal(&files, &sealing_key, JOINED)?;
            Past::Joined(serde_json::from_slice(json.as_ref()).map_err(|e| Error::content(&path, e.to_string()))?)
        } else {
            let member = |(path, certificate): (PathBuf, String)| Founder {
                name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                certificate,
            };
            let members = read_pem_dir(&files.members())?.into_iter().map(member).collect();
            Past::Founded { node_certificates, members }
        };
        Ok(Self { node_key, node_certificate, service_key, service_certificate, ledger_secrets, past })
    }

    /// Lays the identity of a founder down in a node's directory. `members` are named, the other names follow from the content.
    pub(crate) fn write(parts: &Parts<'_>, node_dir: &Path) -> Result<(), Error> {
        let files = Files::of(node_dir);
        let sealing_key = begin(&files)?;
        files::make_dir(&files.members(), Readers::Owner)?;
        seal_key(&files, &sealing_key, NODE_KEY, parts.node_key)?;
        let first = [(Seqno(1), parts.ledger_secret.clone())];
        seal_service(&files, &sealing_key, parts.service_key, parts.service_certificate, &first)?;
        for (id, pem) in parts.node_certificates {
            files::write(&files.nodes().join(format!("{id}.pem")), pem.as_bytes(), Readers::Owner)?;
        }
        for (name, pem) in parts.members {
            files::write(&files.members().join(format!("{name}.pem")), pem.as_bytes(), Readers::Owner)?;
        }
        Ok(())
    }
}

/// Seals all ledger secrets in place of those before: the network has a new one. They are there for good when it returns.
pub fn keep_ledger_secrets(node_dir: &Path, secrets: &[(Seqno, Secret)]) -> Result<(), Error> {
    let files = Files::of(node_dir);
    let sealing_key = secret(&files.sealing_key(), &files::read(&files.sealing_key())?)?;
    seal_secrets(&files, &sealing_key, secrets)
}

/// What [`Identity::write`] lays down.
pub(crate) struct Parts<'a> {
    pub node_key: &'a KeyPair,
    pub service_key: &'a KeyPair,
    pub service_certificate: &'a str,
    pub ledger_secret: &'a Secret,
    pub node_certificates: &'a [(NodeId, String)],
    pub members: &'a [(String, String)],
}

/// A node that has a key, and no network yet.
pub struct Candidate {
    pub node_key: KeyPair,
    files: Files,
    sealing_key: Secret,
}

/// What makes a candidate a node of its network.
pub struct Admission<'a> {
    pub service_key: &'a KeyPair,
    /// PEM.
    pub service_certificate: &'a str,
    pub ledger_secrets: &'a [(Seqno, Secret)],
    /// PEM, endorsed by the service.
    pub node_certificate: &'a str,
    pub joined: &'a Joined,
}

impl Candidate {
    /// The key that is sealed in a node's directory, or a new one. It is sealed before anybody is told of it: a node that is
    /// started again while it waits is the same one.
    pub fn open_or_make(node_dir: &Path) -> Result<Self, Error> {
        let files = Files::of(node_dir);
        if files.sealed(NODE_KEY).exists() {
            let sealing_key = secret(&files.sealing_key(), &files::read(&files.sealing_key())?)?;
            let node_key = open_key(&files, &sealing_key, NODE_KEY)?;
            return Ok(Self { node_key, files, sealing_key });
        }
        let sealing_key = begin(&files)?;
        let made = |e| Error::crypto(&files.sealed(NODE_KEY), "a new key", e);
        let node_key = KeyPair::generate().map_err(made)?;
        seal_key(&files, &sealing_key, NODE_KEY, &node_key)?;
        Ok(Self { node_key, files, sealing_key })
    }

    /// Seals what the network handed over. After a crash in between the node asks again.
    pub fn seal(self, admission: &Admission<'_>, node_dir: &Path) -> Result<Identity, Error> {
        let Self { node_key, files, sealing_key } = self;
        let Admission { service_key, service_certificate, ledger_secrets, node_certificate, joined } = admission;
        seal_service(&files, &sealing_key, service_key, service_certificate, ledger_secrets)?;
        let own = files.nodes().join(format!("{}.pem", node_key.public().node_id()));
        files::write(&own, node_certificate.as_bytes(), Readers::Owner)?;
        let json = serde_json::to_vec(joined).map_err(|e| Error::content(&files.sealed(JOINED), e.to_string()))?;
        seal(&files, &sealing_key, JOINED, &json)?;
        Identity::open(node_dir)
    }
}

/// The directory, and a new key to seal with.
fn begin(files: &Files) -> Result<Secret, Error> {
    for dir in [&files.dir, &files.nodes()] {
        files::make_dir(dir, Readers::Owner)?;
    }
    files::write(&files.dir.join("README"), README.as_bytes(), Readers::Owner)?;
    let sealing_key = Secret::random().map_err(|e| Error::crypto(&files.sealing_key(), "a new key", e))?;
    files::write(&files.sealing_key(), sealing_key.expose(), Readers::Owner)?;
    Ok(sealing_key)
}

fn seal_service(
    files: &Files,
    sealing_key: &Secret,
    service_key: &KeyPair,
    service_certificate: &str,
    ledger_secrets: &[(Seqno, Secret)],
) -> Result<(), Error> {
    seal_key(files, sealing_key, SERVICE_KEY, service_key)?;
    seal_secrets(files, sealing_key, ledger_secrets)?;
    files::write(&files.service_certificate(), service_certificate.as_bytes(), Readers::Owner)
}

fn seal_secrets(files: &Files, sealing_key: &Secret, secrets: &[(Seqno, Secret)]) -> Result<(), Error> {
    let mut plain = Zeroizing::new(Vec::with_capacity(secrets.len() * SECRET_BYTES));
    for (first, secret) in secrets {
        plain.extend_from_slice(&first.0.to_le_bytes());
        plain.extend_from_slice(secret.expose());
    }
    seal(files, sealing_key, LEDGER_SECRETS, &plain)
}

fn read_secrets(files: &Files, sealing_key: &Secret) -> Result<LedgerSecrets, Error> {
    let path = files.sealed(LEDGER_SECRETS);
    let plain = unseal(files, sealing_key, LEDGER_SECRETS)?;
    let (secrets, []) = plain.as_ref().as_chunks::<SECRET_BYTES>() else {
        return Err(Error::content(&path, "what is sealed in it is no list of secrets"));
    };
    let read = |bytes: &[u8; SECRET_BYTES]| {
        let (first, bytes) = bytes.split_at(8);
        let mut number = [0; 8];
        number.copy_from_slice(first);
        Ok((Seqno(u64::from_le_bytes(number)), secret(&path, bytes)?))
    };
    secrets.iter().map(read).collect()
}

fn seal_key(files: &Files, sealing_key: &Secret, name: &str, key: &KeyPair) -> Result<(), Error> {
    let der = key.to_pkcs8_der().map_err(|e| Error::crypto(&files.sealed(name), "a new key", e))?;
    seal(files, sealing_key, name, &der)
}

fn seal(files: &Files, sealing_key: &Secret, name: &str, plain: &[u8]) -> Result<(), Error> {
    let path = files.sealed(name);
    let sealed = crypto::wrap(sealing_key, plain).map_err(|e| Error::crypto(&path, "a sealed secret", e))?;
    files::write(&path, &sealed, Readers::Owner)
}

fn unseal(files: &Files, sealing_key: &Secret, name: &str) -> Result<impl AsRef<[u8]> + use<>, Error> {
    let path = files.sealed(name);
    crypto::unwrap(sealing_key, &files::read(&path)?)
        .map_err(|e| Error::crypto(&path, "a secret of this node's virtual TEE", e))
}

fn open_key(files: &Files, sealing_key: &Secret, name: &str) -> Result<KeyPair, Error> {
    KeyPair::from_pkcs8_der(unseal(files, sealing_key, name)?.as_ref())
        .map_err(|e| Error::crypto(&files.sealed(name), "a private key", e))
}

fn secret(path: &Path, bytes: impl AsRef<[u8]>) -> Result<Secret, Error> {
    Secret::from_slice(bytes.as_ref()).map_err(|e| Error::crypto(path, "a secret of 32 bytes", e))
}

fn certificate(path: &Path, pem: &str) -> Result<Certificate, Error> {
    Certificate::from_pem(pem).map_err(|e| Error::crypto(path, "a certificate", e))
}

/// Each certificate must be endorsed by the service; the id is that of its key, whatever the file is called.
fn read_node_certificates(dir: &Path, service_key: &KeyPair) -> Result<Vec<(NodeId, String)>, Error> {
    let mut certificates = Vec::new();
    for (path, pem) in read_pem_dir(dir)? {
        let certificate = certificate(&path, &pem)?;
        let endorsed = certificate.check_issued_by(service_key.public()).and_then(|()| certificate.public_key());
        let key = endorsed.map_err(|e| Error::crypto(&path, "a certificate that this service endorsed", e))?;
        certificates.push((key.node_id(), pem));
    }
    certificates.sort_by_key(|(id, _)| *id);
    Ok(certificates)
}

fn read_pem_dir(dir: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| Error::io("read", dir, e))? {
        let path = entry.map_err(|e| Error::io("read", dir, e))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(|path| files::read_text(&path).map(|pem| (path, pem))).collect()
}

#[cfg(test)]
mod tests {
    use crypto::certificate::{self, Validity};

    use super::*;
    use crate::{JoinedLedger, Neighbour};

    #[test]
    fn a_candidate_keeps_its_key_until_it_is_admitted_and_is_a_node_from_then_on() {
        let dir = tempfile::tempdir().unwrap();
        let before = Candidate::open_or_make(dir.path()).unwrap();
        let id = before.node_key.public().node_id();
        drop(before);
        let candidate = Candidate::open_or_make(dir.path()).unwrap();
        assert_eq!(candidate.node_key.public().node_id(), id, "it is the same one after a restart");
        assert!(!Identity::has_joined(dir.path()));

        let always = Validity { from: 0, until: 4_000_000_000 };
        let service_key = KeyPair::generate().unwrap();
        let service = certificate::service(&service_key, "a service", always).unwrap();
        let own = certificate::node(candidate.node_key.public(), &service_key, &service, &[], always).unwrap();
        let ledger_secrets = vec![(Seqno(1), Secret::random().unwrap()), (Seqno(70), Secret::random().unwrap())];
        let row = serde_json::json!({ "kind": "keyvalue" }).as_object().unwrap().clone();
        let listen = "127.0.0.1:9".parse().unwrap();
        let joined = Joined {
            number: 4,
            nodes: vec![Neighbour { number: 4, id, address: "10.0.0.4:1".into() }],
            ledgers: vec![JoinedLedger { name: "kv".into(), kind: crate::LedgerKind::Keyvalue, row, listen }],
            dual_signatures: true,
        };
        let admission = Admission {
            service_key: &service_key,
            service_certificate: &service.to_pem(),
            ledger_secrets: &ledger_secrets,
            node_certificate: &own.to_pem(),
            joined: &joined,
        };
        candidate.seal(&admission, dir.path()).unwrap();
        assert!(Identity::has_joined(dir.path()));
        let identity = Identity::open(dir.path()).unwrap();
        assert!(matches!(&identity.past, Past::Joined(kept) if *kept == joined));
        let plain = |secrets: &[(Seqno, Secret)]| -> Vec<_> {
            secrets.iter().map(|(first, it)| (*first, *it.expose())).collect()
        };
        assert_eq!(plain(&identity.ledger_secrets), plain(&ledger_secrets));
        let newer = [&ledger_secrets[..], &[(Seqno(90), Secret::random().unwrap())]].concat();
        keep_ledger_secrets(dir.path(), &newer).unwrap();
        assert_eq!(plain(&Identity::open(dir.path()).unwrap().ledger_secrets), plain(&newer));
        assert_eq!(identity.node_certificate, own.to_pem());

        // Nobody changes what it was told.
        let sealed = dir.path().join("virtual-tee/joined.sealed");
        let mut bytes = fs::read(&sealed).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&sealed, bytes).unwrap();
        assert!(Identity::open(dir.path()).is_err());
    }
}
