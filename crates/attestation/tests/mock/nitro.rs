//! An AWS of our own: a document with its chain, valid unless somebody changes a part.

use attestation::nitro::{self, Root};
use attestation::{Binding, Bytes, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Statement};
use minicbor::Encoder;

use super::cose::{Sign1, cbor};
use super::der::{Certificate, Key, Style, authority, sequence};
use super::vectors::date;

pub const NOW: u64 = date(2026, 1, 1) + 3_600;
pub const LONG: (&str, &str) = ("20200101000000Z", "20490101000000Z");
pub const HOURS: (&str, &str) = ("20260101000000Z", "20260101030000Z");
pub const PAST: (&str, &str) = ("20260101000000Z", "20260101003000Z");
pub const FUTURE: (&str, &str) = ("20260101020000Z", "20260101050000Z");
pub const PCR: [u8; 48] = [7; 48];

/// A certificate of the chain; who signs it is named by a label.
pub struct Link {
    pub subject: &'static str,
    pub issuer: &'static str,
    pub window: (&'static str, &'static str),
    pub signer: &'static str,
    /// Authority with this path length, or none.
    pub authority: Option<Option<u8>>,
    /// One more extension: OID, critical, content.
    pub more: Option<(&'static str, bool, &'static [u8])>,
}

pub struct Build {
    pub links: Vec<Link>,
    /// On the chain, root first, leaf last.
    pub chain: fn(&mut Vec<Vec<u8>>),
    pub tagged: bool,
    pub protected: Vec<u8>,
    pub unprotected: Vec<u8>,
    pub digest: &'static str,
    pub timestamp: u64,
    pub pcrs: Vec<(u64, Vec<u8>)>,
    pub public_key: Option<Vec<u8>>,
    pub user_data: Option<Vec<u8>>,
    pub nonce: Option<Vec<u8>>,
    pub signer: &'static str,
    pub payload: fn(&mut Vec<u8>),
    pub finish: fn(&mut Vec<u8>),
    pub root: &'static str,
    pub now: u64,
    pub policy: Policy,
    pub presented: Statement,
    pub expected: Statement,
}

impl Build {
    pub fn new() -> Self {
        let link = |subject, issuer, window, signer, authority| Link {
            subject,
            issuer,
            window,
            signer,
            authority,
            more: None,
        };
        let statement = Statement::new(b"node key", b"nonce");
        let mut policy = Policy {
            manifest: vec![CodeEntry::new(Kind::Nitro, &[("pcr0", &PCR), ("pcr8", &PCR)])],
            ..Policy::default()
        };
        policy.nitro.require_public_key = true;
        policy.nitro.nonce = Some([3; 16][..].into());
        Self {
            links: vec![
                link("root", "root", LONG, "root", Some(None)),
                link("region", "root", LONG, "root", Some(Some(2))),
                link("zone", "region", LONG, "region", Some(Some(1))),
                link("instance", "zone", LONG, "zone", Some(Some(0))),
                link("leaf", "instance", HOURS, "instance", None),
            ],
            chain: |_| (),
            tagged: false,
            protected: vec![0xa1, 0x01, 0x38, 0x22],
            unprotected: vec![0xa0],
            digest: "SHA384",
            timestamp: NOW * 1000,
            pcrs: [0, 1, 2, 8].map(|index| (index, PCR.to_vec())).to_vec(),
            public_key: Some(vec![1; 91]),
            user_data: Some(statement.report_data().to_vec()),
            nonce: Some(vec![3; 16]),
            signer: "leaf",
            payload: |_| (),
            finish: |_| (),
            root: "root",
            now: NOW,
            policy,
            presented: statement.clone(),
            expected: statement,
        }
    }

    pub fn chain(&self) -> Vec<Vec<u8>> {
        let mut chain: Vec<Vec<u8>> = self.links.iter().map(Link::certificate).collect();
        (self.chain)(&mut chain);
        chain
    }

    pub fn document(&self) -> Vec<u8> {
        let mut chain = self.chain();
        let leaf = chain.pop().unwrap_or_default();
        let mut payload = cbor(|e| {
            e.map(9).unwrap().str("module_id").unwrap().str("i-1-enc2").unwrap();
            e.str("digest").unwrap().str(self.digest).unwrap();
            e.str("timestamp").unwrap().u64(self.timestamp).unwrap();
            e.str("pcrs").unwrap().map(self.pcrs.len() as u64).unwrap();
            for (index, value) in &self.pcrs {
                e.u64(*index).unwrap().bytes(value).unwrap();
            }
            e.str("certificate").unwrap().bytes(&leaf).unwrap();
            e.str("cabundle").unwrap().array(chain.len() as u64).unwrap();
            for certificate in &chain {
                e.bytes(certificate).unwrap();
            }
            optional(e, "public_key", self.public_key.as_deref());
            optional(e, "user_data", self.user_data.as_deref());
            optional(e, "nonce", self.nonce.as_deref());
        });
        (self.payload)(&mut payload);
        let parts = Sign1 {
            tagged: self.tagged,
            protected: &self.protected,
            unprotected: &self.unprotected,
            payload: &payload,
        };
        let mut document = parts.signed(|signed| Key::p384(self.signer).sign_fixed(signed));
        (self.finish)(&mut document);
        document
    }

    /// Binds these bytes, as an enclave asks for.
    pub fn bind(&mut self, report_data: &[u8; 64]) {
        self.user_data = Some(report_data.to_vec());
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        let evidence = Bytes(self.document());
        Presented { kind: Kind::Nitro, evidence, endorsements: Endorsements::None, event_log: None }
    }

    pub fn verdict(&self) -> Result<(), Refusal> {
        // ECDSA takes a new number each time: the root is the one that the document was made with, or one of its own.
        let document = self.document();
        let root = match (self.root, self.links.first()) {
            ("root", Some(_)) => ROOT.to_vec(),
            (other, _) => {
                Link { subject: "root", issuer: "root", window: LONG, signer: other, authority: None, more: None }
                    .certificate()
            }
        };
        let claims = nitro::verify(&document, &Root(root), self.now)?;
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&claims, &self.policy, &binding)
    }
}

pub static ROOT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
    Link { subject: "root", issuer: "root", window: LONG, signer: "root", authority: Some(None), more: None }.made()
});

impl Link {
    pub fn certificate(&self) -> Vec<u8> {
        let is_the_root = self.subject == "root" && self.signer == "root" && self.authority == Some(None);
        if is_the_root { ROOT.to_vec() } else { self.made() }
    }

    pub fn made(&self) -> Vec<u8> {
        let constraints = match self.authority {
            Some(path) => authority(path),
            None => ("2.5.29.19", true, sequence(&[])),
        };
        let more = self.more.map(|(id, critical, content)| (id, critical, content.to_vec()));
        let extensions = [constraints].into_iter().chain(more).collect();
        let Self { subject, issuer, window, signer, .. } = *self;
        let spki = Key::p384(subject).spki();
        let certificate = Certificate { serial: 1, issuer, subject, window, spki, extensions };
        certificate.signed(&Key::p384(signer), Style::Ecdsa384)
    }
}

pub fn optional(e: &mut Encoder<Vec<u8>>, name: &str, value: Option<&[u8]>) {
    e.str(name).unwrap();
    match value {
        Some(value) => e.bytes(value).unwrap(),
        None => e.null().unwrap(),
    };
}
