//! An AMD of our own: a guest's report and everything that vouches for it, valid unless somebody changes a part.

use std::sync::LazyLock;

use attestation::amd::{self, Ark, Endorsements, Endorser, Product, Roots, uvm_identity};
use attestation::{Binding, Bytes, CodeEntry, Kind, Policy, Presented, Refusal, Statement};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::Encoder;

use super::cose::Sign1;
use super::der::{self, Certificate, Key, Style, authority, integer, revocation_list, tlv};
use super::vectors::date;

pub static ONE: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa4096-one.pem")));
pub static TWO: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa4096-two.pem")));
pub static THREE: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa4096-three.pem")));

pub const WINDOW: (&str, &str) = ("20250101000000Z", "20320101000000Z");
pub const NOW: u64 = date(2026, 1, 1);
pub const MEASUREMENT: [u8; 48] = [0x4d; 48];
pub const HOST_DATA: [u8; 32] = [0x48; 32];
const CHIP: [u8; 64] = [0xc1; 64];
const FEED: &str = "test feed";
const EKU: &str = "1.3.6.1.4.1.311.76.59.1.2";

/// A part of the chain; any of it can be made wrong.
pub struct Issued {
    pub subject: &'static str,
    pub issuer: &'static str,
    pub window: (&'static str, &'static str),
    pub style: Style,
    pub signer: &'static LazyLock<Key>,
    pub serial: u8,
}

impl Issued {
    fn certificate(&self, spki: Vec<u8>, extensions: Vec<(&str, bool, Vec<u8>)>) -> Vec<u8> {
        let Self { subject, issuer, window, style, signer, serial } = *self;
        Certificate { serial, issuer, subject, window, spki, extensions }.signed(signer, style)
    }
}

pub struct Vek {
    pub issued: Issued,
    pub label: &'static str,
    pub product: &'static str,
    /// Boot loader, TEE, SNP, microcode.
    pub tcb: [u8; 4],
    pub fmc: Option<u8>,
    pub hwid: Option<Vec<u8>>,
    pub cloud: Option<&'static str>,
}

pub struct Uvm {
    pub newer: bool,
    pub tagged: bool,
    pub algorithm: i64,
    pub feed: &'static str,
    pub svn: u64,
    pub measurement: Vec<u8>,
    /// In place of the DID of the chain's root.
    pub issuer: Option<String>,
    pub purpose: &'static str,
    pub leaf_window: (&'static str, &'static str),
    pub signed_at: u64,
    pub signer: &'static LazyLock<Key>,
    /// The leaf's key and the message's signer, in place of RSA.
    pub curve: Option<Key>,
    pub chain: fn(&mut Vec<Vec<u8>>),
    /// The payload, in place of what the rest says.
    pub payload: Option<&'static str>,
    /// The last word, on the bytes.
    pub finish: fn(&mut Vec<u8>),
}

/// Issuer, window, serials, signer.
type Crl = (&'static str, (&'static str, &'static str), Vec<u8>, &'static LazyLock<Key>);

pub struct Build {
    pub report: Vec<u8>,
    pub signer: &'static str,
    /// On the report once it is signed.
    pub finish: fn(&mut Vec<u8>),
    pub vek: Vek,
    pub ask: Issued,
    pub ask_key: &'static LazyLock<Key>,
    pub roots: Vec<(Product, &'static str, &'static LazyLock<Key>)>,
    /// On the chain: leaf, issuer, root.
    pub chain: fn(&mut Vec<Vec<u8>>),
    pub crls: Vec<Crl>,
    pub uvm: Option<Uvm>,
    pub now: u64,
    pub policy: Policy,
    pub presented: Statement,
    pub expected: Statement,
}

pub fn put(report: &mut [u8], at: usize, bytes: &[u8]) {
    report[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Build {
    /// A Milan guest with a firmware endorsement, accepted.
    pub fn new() -> Self {
        let statement = Statement::new(b"node key", b"nonce");
        let mut report = vec![0; 1184];
        put(&mut report, 0x000, &5_u32.to_le_bytes());
        put(&mut report, 0x004, &7_u32.to_le_bytes());
        put(&mut report, 0x008, &0x3001f_u64.to_le_bytes());
        put(&mut report, 0x034, &1_u32.to_le_bytes());
        put(&mut report, 0x050, &statement.report_data());
        put(&mut report, 0x090, &MEASUREMENT);
        put(&mut report, 0x0c0, &HOST_DATA);
        for at in [0x038, 0x180, 0x1e0, 0x1f0] {
            put(&mut report, at, &[4, 0, 0, 0, 0, 0, 0x18, 0xdb]);
        }
        put(&mut report, 0x188, &[0x19, 0x01, 0x01]);
        put(&mut report, 0x1a0, &CHIP);
        let issued = |subject, issuer, signer| Issued {
            subject,
            issuer,
            window: WINDOW,
            style: Style::Pss48,
            signer,
            serial: 0,
        };
        let mut build = Self {
            report,
            signer: "vcek",
            finish: |_| (),
            vek: Vek {
                issued: issued("SEV-VCEK", "SEV-Milan", &TWO),
                label: "vcek",
                product: "Milan-B0",
                tcb: [4, 0, 0x18, 0xdb],
                fmc: None,
                hwid: Some(CHIP.to_vec()),
                cloud: None,
            },
            ask: Issued { serial: 1, ..issued("SEV-Milan", "ARK-Milan", &ONE) },
            ask_key: &TWO,
            roots: vec![(Product::Milan, "ARK-Milan", &ONE), (Product::Genoa, "ARK-Genoa", &THREE)],
            chain: |_| (),
            crls: vec![("ARK-Milan", WINDOW, vec![77], &ONE)],
            uvm: Some(Uvm {
                newer: false,
                tagged: true,
                algorithm: -38,
                feed: FEED,
                svn: 101,
                measurement: MEASUREMENT.to_vec(),
                issuer: None,
                purpose: EKU,
                leaf_window: WINDOW,
                signed_at: NOW,
                signer: &TWO,
                curve: None,
                chain: |_| (),
                payload: None,
                finish: |_| (),
            }),
            now: NOW,
            policy: Policy::default(),
            presented: statement.clone(),
            expected: statement,
        };
        build.policy.snp.require_crl = true;
        build.policy.snp.endorsers = vec![Endorser { issuer: did(), feed: FEED.to_owned(), lowest_svn: 101 }];
        let mut entry = CodeEntry::new(Kind::SevSnp, &[("uvm", &uvm_identity(&did(), FEED))]);
        entry.lowest_svn = Some(7);
        entry.host_data = Some(HOST_DATA[..].into());
        build.policy.manifest = vec![entry];
        build
    }

    /// A Turin guest: other layout, shorter chip id.
    pub fn turin() -> Self {
        let mut build = Self::new();
        for at in [0x038, 0x180, 0x1e0, 0x1f0] {
            put(&mut build.report, at, &[1, 2, 3, 4, 0, 0, 0, 0x51]);
        }
        put(&mut build.report, 0x188, &[0x1a, 0x02, 0x01]);
        build.report[0x1a8..0x1e0].fill(0);
        build.vek.product = "Turin";
        build.vek.tcb = [2, 3, 4, 0x51];
        build.vek.fmc = Some(1);
        build.vek.hwid = Some(CHIP[..8].to_vec());
        build.vek.issued.issuer = "SEV-Turin";
        build.ask.subject = "SEV-Turin";
        build.ask.issuer = "ARK-Turin";
        build.roots = vec![(Product::Turin, "ARK-Turin", &ONE)];
        build.crls = vec![("ARK-Turin", WINDOW, vec![], &ONE)];
        let parts = [("fmc", 1), ("bootloader", 2), ("tee", 3), ("snp", 4), ("microcode", 0x51)];
        let lowest = parts.map(|(part, version)| (part.to_owned(), version)).into();
        build.policy.snp.lowest_tcb.insert("00b00f21".to_owned(), lowest);
        build
    }

    /// A guest under a key that AMD's service gave to a cloud.
    pub fn vlek() -> Self {
        let mut build = Self::new();
        put(&mut build.report, 0x048, &4_u32.to_le_bytes());
        build.report[0x1a0..0x1e0].fill(0);
        build.vek.hwid = None;
        build.vek.cloud = Some("test cloud");
        build.vek.product = "Milan";
        build.vek.issued.issuer = "SEV-VLEK-Milan";
        build.ask.subject = "SEV-VLEK-Milan";
        build.policy.snp.allow_vlek = true;
        build
    }

    pub fn evidence(&self) -> Vec<u8> {
        let mut report = self.report.clone();
        let signature = Key::p384(self.signer).sign_fixed(&report[..0x2a0]);
        for (number, at) in signature.chunks(48).zip([0x2a0, 0x2e8]) {
            let little: Vec<u8> = number.iter().rev().copied().collect();
            put(&mut report, at, &little);
        }
        (self.finish)(&mut report);
        report
    }

    /// Binds these bytes, as a guest asks for.
    pub fn bind(&mut self, report_data: &[u8; 64]) {
        put(&mut self.report, 0x50, report_data);
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        let endorsements = attestation::Endorsements::Amd(self.endorsements());
        Presented { kind: Kind::SevSnp, evidence: Bytes(self.evidence()), endorsements, event_log: None }
    }

    pub fn roots(&self) -> Roots {
        Roots(
            self.roots
                .iter()
                .map(|(product, name, key)| Ark { product: *product, certificate: root(name, key) })
                .collect(),
        )
    }

    pub fn endorsements(&self) -> Endorsements {
        let ask = self.ask.certificate(self.ask_key.spki(), vec![authority(Some(0))]);
        let ark = self.roots.iter().find(|(_, name, _)| *name == self.ask.issuer);
        let ark = ark.map(|(_, name, key)| root(name, key));
        let mut chain: Vec<Vec<u8>> = [self.leaf(), ask].into_iter().chain(ark).collect();
        (self.chain)(&mut chain);
        let crl =
            |(issuer, window, serials, signer): &Crl| revocation_list(issuer, *window, serials, signer, Style::Pss48);
        Endorsements { chain, crls: self.crls.iter().map(crl).collect(), uvm: self.uvm.as_ref().map(Uvm::message) }
    }

    fn leaf(&self) -> Vec<u8> {
        let vek = &self.vek;
        let [bootloader, tee, snp, microcode] = vek.tcb.map(integer);
        let mut extensions = vec![
            ("1.3.6.1.4.1.3704.1.1", false, integer(0)),
            ("1.3.6.1.4.1.3704.1.2", false, tlv(0x16, vek.product.as_bytes())),
            ("1.3.6.1.4.1.3704.1.3.1", false, bootloader),
            ("1.3.6.1.4.1.3704.1.3.2", false, tee),
            ("1.3.6.1.4.1.3704.1.3.3", false, snp),
            ("1.3.6.1.4.1.3704.1.3.8", false, microcode),
        ];
        extensions.extend(vek.fmc.map(|fmc| ("1.3.6.1.4.1.3704.1.3.9", false, integer(fmc))));
        extensions.extend(vek.hwid.clone().map(|hwid| ("1.3.6.1.4.1.3704.1.4", false, hwid)));
        extensions.extend(vek.cloud.map(|cloud| ("1.3.6.1.4.1.3704.1.5", false, tlv(0x16, cloud.as_bytes()))));
        vek.issued.certificate(Key::p384(vek.label).spki(), extensions)
    }

    /// Both halves, the production verifier as it is.
    pub fn verdict(&self) -> Result<(), Refusal> {
        let claims = amd::verify(&self.evidence(), &self.endorsements(), &self.roots(), self.now)?;
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&claims, &self.policy, &binding)
    }
}

pub fn root(name: &'static str, key: &'static LazyLock<Key>) -> Vec<u8> {
    let issued = Issued { subject: name, issuer: name, window: WINDOW, style: Style::Pss48, signer: key, serial: 9 };
    issued.certificate(key.spki(), vec![authority(None)])
}

fn uvm_root() -> &'static [u8] {
    // RSA-PSS takes a new salt each time, and a DID names one certificate.
    static ROOT: LazyLock<Vec<u8>> = LazyLock::new(|| root("UVM root", &ONE));
    &ROOT
}

pub fn did() -> String {
    let root = URL_SAFE_NO_PAD.encode(crypto::sha256(uvm_root()).0);
    format!("did:x509:0:sha256:{root}::eku:{EKU}")
}

impl Uvm {
    fn message(&self) -> Vec<u8> {
        let leaf = Certificate {
            serial: 5,
            issuer: "UVM root",
            subject: "UVM leaf",
            window: self.leaf_window,
            spki: self.curve.as_ref().unwrap_or(&TWO).spki(),
            extensions: vec![(der::EXTENDED_KEY_USAGE, false, der::sequence(&[&der::oid(self.purpose)]))],
        };
        let mut chain = vec![leaf.signed(&ONE, Style::Pkcs1Sha384), uvm_root().to_vec()];
        (self.chain)(&mut chain);
        let issuer = self.issuer.clone().unwrap_or_else(did);
        let (protected, payload) = (self.protected(&chain, &issuer), self.payload());
        let parts = Sign1 { tagged: self.tagged, protected: &protected, unprotected: &[0xa0], payload: &payload };
        let mut message = parts.signed(|signed| match &self.curve {
            Some(key) => key.sign_fixed(signed),
            None => self.signer.sign(Style::Pss48, signed),
        });
        (self.finish)(&mut message);
        message
    }

    fn protected(&self, chain: &[Vec<u8>], issuer: &str) -> Vec<u8> {
        let mut bytes = vec![];
        let mut e = Encoder::new(&mut bytes);
        e.map(if self.newer { 4 } else { 5 }).unwrap().i64(1).unwrap().i64(self.algorithm).unwrap();
        e.i64(33).unwrap().array(chain.len() as u64).unwrap();
        for certificate in chain {
            e.bytes(certificate).unwrap();
        }
        if self.newer {
            e.i64(258).unwrap().i64(-43).unwrap().i64(15).unwrap().map(4).unwrap();
            e.i64(1).unwrap().str(issuer).unwrap().i64(2).unwrap().str(self.feed).unwrap();
            e.i64(6).unwrap().u64(self.signed_at).unwrap().str("svn").unwrap().u64(self.svn).unwrap();
        } else {
            e.str("iss").unwrap().str(issuer).unwrap().str("feed").unwrap().str(self.feed).unwrap();
            e.str("signingtime").unwrap().tag(minicbor::data::Tag::new(1)).unwrap().u64(self.signed_at).unwrap();
        }
        bytes
    }

    fn payload(&self) -> Vec<u8> {
        if let Some(payload) = self.payload {
            return payload.as_bytes().to_vec();
        }
        if self.newer {
            return self.measurement.clone();
        }
        let measurement = const_hex::encode(&self.measurement);
        let svn = self.svn;
        format!(r#"{{"x-ms-sevsnpvm-launchmeasurement":"{measurement}","x-ms-sevsnpvm-guestsvn":"{svn}","more":1}}"#)
            .into_bytes()
    }
}
