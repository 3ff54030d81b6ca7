//! An Intel of our own: a quote and everything that vouches for it, valid unless somebody changes a part.

use attestation::intel::{self, Collateral};
use attestation::{Binding, Bytes, Claims, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Statement};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::der::{Certificate, Key, Style, authority, bits, integer, name, octets, oid, sequence, time, tlv};
use super::vectors::date;

pub const WINDOW: (&str, &str) = ("20250101000000Z", "20320101000000Z");
pub const NOW: u64 = date(2026, 1, 1);
pub const ISSUED: &str = "2025-12-20T00:00:00Z";
pub const NEXT: &str = "2026-01-20T00:00:00Z";
const SIGNER: [u8; 32] = [0x51; 32];
const SEAM_SIGNER: [u8; 48] = [0x5e; 48];
const FMSPC: [u8; 6] = [0x00, 0xa0, 0x6d, 0x10, 0x20, 0x30];
const EXTENSION: &str = "1.2.840.113741.1.13.1";
const ROOT: &str = "Intel SGX Root CA";
const PLATFORM: &str = "Intel SGX PCK Platform CA";
const SIGNING: &str = "Intel SGX TCB Signing";

/// Which quote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    Sgx,
    Tdx4,
    Tdx5,
    Tdx5Ex,
}

pub const ALL: &[Base] = &[Base::Sgx, Base::Tdx4, Base::Tdx5, Base::Tdx5Ex];
pub const SGX: &[Base] = &[Base::Sgx];
pub const TDX: &[Base] = &[Base::Tdx4, Base::Tdx5, Base::Tdx5Ex];
pub const TD15: &[Base] = &[Base::Tdx5, Base::Tdx5Ex];

/// A certificate; any of it can be made wrong.
#[derive(Clone)]
pub struct Issued {
    pub subject: &'static str,
    pub issuer: &'static str,
    pub window: (&'static str, &'static str),
    /// Whose key it certifies, and who signs: labels of keys.
    pub key: &'static str,
    pub signer: &'static str,
    pub serial: u8,
    pub authority: bool,
}

impl Issued {
    fn new(subject: &'static str, issuer: &'static str, keys: [&'static str; 2], serial: u8, authority: bool) -> Self {
        Self { subject, issuer, window: WINDOW, key: keys[0], signer: keys[1], serial, authority }
    }

    pub fn certificate(&self, more: Option<Vec<u8>>) -> Vec<u8> {
        let mut extensions = vec![];
        if self.authority {
            extensions.push(authority(Some(1)));
        }
        extensions.extend(more.map(|content| (EXTENSION, false, content)));
        let Self { subject, issuer, window, serial, .. } = *self;
        let spki = Key::p256(self.key).spki();
        Certificate { serial, issuer, subject, window, spki, extensions }
            .signed(&Key::p256(self.signer), Style::Ecdsa256)
    }
}

/// A signed JSON document.
#[derive(Clone)]
pub struct Document {
    pub value: Value,
    /// On its text, before it is signed.
    pub edit: fn(String) -> String,
    pub key: &'static str,
    pub signed: bool,
}

#[derive(Clone)]
pub struct Crl {
    /// The list names only some of what is revoked, and says so.
    pub partial: bool,
    pub issuer: &'static str,
    pub window: (&'static str, &'static str),
    pub serials: Vec<u8>,
    pub key: &'static str,
}

/// What the PCK certificate says.
#[derive(Clone)]
pub struct Pck {
    pub components: [u8; 16],
    pub pcesvn: u8,
    pub pceid: [u8; 2],
    pub fmspc: [u8; 6],
    pub smt: bool,
    pub extension: bool,
}

#[derive(Clone)]
pub struct Build {
    pub base: Base,
    pub header: Vec<u8>,
    pub body_type: u16,
    pub body_size: u32,
    pub body: Vec<u8>,
    pub qe_report: Vec<u8>,
    pub qe_auth_data: Vec<u8>,
    /// On the lower half of the QE's report data, once it is computed.
    pub qe_binding: fn(&mut [u8]),
    pub attestation_key: &'static str,
    pub quote_signer: &'static str,
    pub qe_signer: &'static str,
    pub nesting: u16,
    pub certification: u16,
    pub pck: Pck,
    pub leaf: Issued,
    pub intermediate: Issued,
    pub root: Issued,
    pub tcb_signer: Issued,
    /// On the PCK chain: leaf, issuer, root; and on the chain of the TCB signer.
    pub chain: fn(&mut Vec<Vec<u8>>),
    pub signer_chain: fn(&mut Vec<Vec<u8>>),
    pub tcb_info: Document,
    pub qe_identity: Document,
    pub root_crl: Crl,
    pub pck_crl: Crl,
    /// The last word on the quote's bytes and on the collateral.
    pub finish: fn(&mut Vec<u8>),
    pub collateral: fn(&mut Collateral),
    pub now: u64,
    pub policy: Policy,
    pub presented: Statement,
    pub expected: Statement,
}

pub fn put(bytes: &mut [u8], at: usize, content: &[u8]) {
    bytes[at..at + content.len()].copy_from_slice(content);
}

/// Where report data stands in a body.
fn report_data_at(base: Base) -> usize {
    if base == Base::Sgx { 320 } else { 520 }
}

impl Build {
    /// Accepted as it is.
    pub fn new(base: Base) -> Self {
        let statement = Statement::new(b"node key", b"nonce");
        let (version, tee, size, body_type): (u16, u8, usize, u16) = match base {
            Base::Sgx => (3, 0, 384, 0),
            Base::Tdx4 => (4, 0x81, 584, 0),
            Base::Tdx5 => (5, 0x81, 648, 3),
            Base::Tdx5Ex => (5, 0x81, 885, 4),
        };
        let mut header = vec![0; 48];
        put(&mut header, 0, &version.to_le_bytes());
        put(&mut header, 2, &[2, 0, tee]);
        put(&mut header, 12, &const_hex::decode("939a7233f79c4ca9940a0db3957f0607").unwrap());
        let mut body = if base == Base::Sgx { enclave([0x4d; 32], [0x77; 32], 1, 5) } else { td(size) };
        put(&mut body, report_data_at(base), &statement.report_data());
        let code: (&str, &[u8]) = if base == Base::Sgx { ("mrenclave", &[0x4d; 32]) } else { ("mrtd", &[0x4d; 48]) };
        let kind = if base == Base::Sgx { Kind::Sgx } else { Kind::Tdx };
        Self {
            base,
            header,
            body_type,
            body_size: size as u32,
            body,
            qe_report: enclave([0x0e; 32], SIGNER, 1, 8),
            qe_auth_data: (0..32).collect(),
            qe_binding: |_| (),
            attestation_key: "attestation key",
            quote_signer: "attestation key",
            qe_signer: "PCK",
            nesting: 6,
            certification: 5,
            pck: Pck { components: [5; 16], pcesvn: 10, pceid: [0, 0], fmspc: FMSPC, smt: true, extension: true },
            leaf: Issued::new("Intel SGX PCK Certificate", PLATFORM, ["PCK", "platform CA"], 21, false),
            intermediate: Issued::new(PLATFORM, ROOT, ["platform CA", "root"], 11, true),
            root: Issued::new(ROOT, ROOT, ["root", "root"], 1, true),
            tcb_signer: Issued::new(SIGNING, ROOT, ["TCB signer", "root"], 12, false),
            chain: |_| (),
            signer_chain: |_| (),
            tcb_info: Document { value: tcb_info(base), edit: |text| text, key: "TCB signer", signed: true },
            qe_identity: Document { value: qe_identity(base), edit: |text| text, key: "TCB signer", signed: true },
            root_crl: Crl { partial: false, issuer: ROOT, window: WINDOW, serials: vec![99], key: "root" },
            pck_crl: Crl { partial: false, issuer: PLATFORM, window: WINDOW, serials: vec![99], key: "platform CA" },
            finish: |_| (),
            collateral: |_| (),
            now: NOW,
            policy: Policy { manifest: vec![CodeEntry::new(kind, &[code])], ..Policy::default() },
            presented: statement.clone(),
            expected: statement,
        }
    }

    /// Binds these bytes, as a guest asks for.
    pub fn bind(&mut self, report_data: &[u8; 64]) {
        put(&mut self.body, report_data_at(self.base), report_data);
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        let kind = if self.base == Base::Sgx { Kind::Sgx } else { Kind::Tdx };
        let endorsements = Endorsements::Intel(Box::new(self.collateral()));
        Presented { kind, evidence: Bytes(self.evidence()), endorsements, event_log: None }
    }

    pub fn evidence(&self) -> Vec<u8> {
        let mut quote = self.header.clone();
        if self.header[0] == 5 {
            quote.extend(self.body_type.to_le_bytes());
            quote.extend(self.body_size.to_le_bytes());
        }
        quote.extend(&self.body);
        let signature = Key::p256(self.quote_signer).sign_fixed(&quote);
        let key = Key::p256(self.attestation_key).public()[1..].to_vec();
        let part = self.qe_part(&key);
        let mut data = [signature, key].concat();
        if self.header[0] != 3 {
            data.extend(self.nesting.to_le_bytes());
            data.extend((part.len() as u32).to_le_bytes());
        }
        data.extend(part);
        quote.extend((data.len() as u32).to_le_bytes());
        quote.extend(data);
        (self.finish)(&mut quote);
        quote
    }

    fn qe_part(&self, key: &[u8]) -> Vec<u8> {
        let mut report = self.qe_report.clone();
        put(&mut report, 320, &crypto::sha256(&[key, &self.qe_auth_data].concat()).0);
        (self.qe_binding)(&mut report[320..352]);
        let signature = Key::p256(self.qe_signer).sign_fixed(&report);
        let chain = pem(&self.pck_chain());
        let mut part = [report, signature].concat();
        part.extend((self.qe_auth_data.len() as u16).to_le_bytes());
        part.extend(&self.qe_auth_data);
        part.extend(self.certification.to_le_bytes());
        part.extend((chain.len() as u32).to_le_bytes());
        part.extend(chain.into_bytes());
        part
    }

    pub fn pck_chain(&self) -> Vec<Vec<u8>> {
        let extension = self.pck.extension.then(|| self.pck.encoded());
        let mut chain =
            vec![self.leaf.certificate(extension), self.intermediate.certificate(None), self.root.certificate(None)];
        (self.chain)(&mut chain);
        chain
    }

    pub fn collateral(&self) -> Collateral {
        let signers = pem(&self.signers());
        let (tcb_info, tcb_info_signature) = self.tcb_info.signed();
        let (qe_identity, qe_identity_signature) = self.qe_identity.signed();
        let mut collateral = Collateral {
            pck_crl_issuer_chain: String::new(),
            root_ca_crl: self.root_crl.encoded(),
            pck_crl: self.pck_crl.encoded(),
            tcb_info_issuer_chain: signers.clone(),
            tcb_info,
            tcb_info_signature,
            qe_identity_issuer_chain: signers,
            qe_identity,
            qe_identity_signature,
            pck_certificate_chain: None,
        };
        (self.collateral)(&mut collateral);
        collateral
    }

    /// The chain of the TCB signer.
    pub fn signers(&self) -> Vec<Vec<u8>> {
        let mut signers = vec![self.tcb_signer.certificate(None), self.root.certificate(None)];
        (self.signer_chain)(&mut signers);
        signers
    }

    /// The pinned root: of this hierarchy, whatever stands in a chain.
    pub fn pinned() -> Vec<u8> {
        Issued::new(ROOT, ROOT, ["root", "root"], 1, true).certificate(None)
    }

    pub fn verify(&self) -> Result<Claims, Refusal> {
        intel::verify(&self.evidence(), &self.collateral(), &Self::pinned(), self.now)
    }

    pub fn verdict(&self) -> Result<Claims, Refusal> {
        let claims = self.verify()?;
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&claims, &self.policy, &binding)?;
        Ok(claims)
    }
}

/// An event log that announces SHA-384, with these events: register and digest.
pub fn event_log(events: &[(u32, [u8; 48])]) -> Vec<u8> {
    let mut spec = b"Spec ID Event03\0".to_vec();
    spec.extend([0; 8]);
    spec.extend(1_u32.to_le_bytes());
    spec.extend([0x0c, 0, 48, 0, 0]);
    let mut log = vec![0; 28];
    log.extend((spec.len() as u32).to_le_bytes());
    log.extend(spec);
    for (register, digest) in events {
        log.extend(register.to_le_bytes());
        log.extend(8_u32.to_le_bytes());
        log.extend(1_u32.to_le_bytes());
        log.extend([0x0c, 0]);
        log.extend(digest);
        log.extend(3_u32.to_le_bytes());
        log.extend(b"abc");
    }
    log
}

pub fn pem(chain: &[Vec<u8>]) -> String {
    let block = |der: &Vec<u8>| {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    chain.iter().map(block).collect()
}

/// An enclave's report, without report data.
pub fn enclave(mrenclave: [u8; 32], mrsigner: [u8; 32], prodid: u16, svn: u16) -> Vec<u8> {
    let mut report = vec![0; 384];
    put(&mut report, 0, &[5; 16]);
    put(&mut report, 48, &[0x15, 0, 0, 0, 0, 0, 0, 0, 0xe7]);
    put(&mut report, 64, &mrenclave);
    put(&mut report, 128, &mrsigner);
    put(&mut report, 256, &prodid.to_le_bytes());
    put(&mut report, 258, &svn.to_le_bytes());
    report
}

/// A TD's report of one of the three sizes, without report data.
fn td(size: usize) -> Vec<u8> {
    let mut report = vec![0; size];
    put(&mut report, 0, &[5, 1, 5, 5]);
    put(&mut report, 64, &SEAM_SIGNER);
    put(&mut report, 123, &[0x10]);
    put(&mut report, 128, &0x0006_02e7_u64.to_le_bytes());
    put(&mut report, 136, &[0x4d; 48]);
    if size > 584 {
        put(&mut report, 584, &[5, 1, 5, 5]);
    }
    report
}

fn components(svn: u8) -> Value {
    json!(vec![json!({ "svn": svn }); 16])
}

fn level(svn: u8, pcesvn: u16, status: &str, date: &str) -> Value {
    let mut td = vec![json!({ "svn": 0 }); 16];
    td[..4].fill(json!({ "svn": svn }));
    json!({
        "tcb": { "sgxtcbcomponents": components(svn), "pcesvn": pcesvn, "tdxtcbcomponents": td },
        "tcbDate": date,
        "tcbStatus": status,
    })
}

fn tcb_info(base: Base) -> Value {
    let hex = |bytes: &[u8]| const_hex::encode_upper(bytes);
    let module =
        json!({ "mrsigner": hex(&SEAM_SIGNER), "attributes": "00".repeat(8), "attributesMask": "FF".repeat(8) });
    let mut identity = module.clone();
    identity["id"] = json!("TDX_01");
    identity["tcbLevels"] = json!([
        { "tcb": { "isvsvn": 5 }, "tcbDate": "2025-06-01T00:00:00Z", "tcbStatus": "UpToDate" },
        { "tcb": { "isvsvn": 2 }, "tcbDate": "2024-06-01T00:00:00Z", "tcbStatus": "OutOfDate", "advisoryIDs": ["TEST-SA-1"] },
    ]);
    let mut info = json!({
        "id": if base == Base::Sgx { "SGX" } else { "TDX" },
        "version": 3,
        "issueDate": ISSUED,
        "nextUpdate": NEXT,
        "fmspc": hex(&FMSPC),
        "pceId": "0000",
        "tcbType": 0,
        "tcbEvaluationDataNumber": 20,
        // Not in order: the verifier must not rely on it.
        "tcbLevels": [
            level(3, 8, "OutOfDate", "2024-06-01T00:00:00Z"),
            level(5, 10, "UpToDate", "2025-06-01T00:00:00Z"),
        ],
    });
    if base != Base::Sgx {
        info["tdxModule"] = module;
        info["tdxModuleIdentities"] = json!([identity]);
    }
    info
}

fn qe_identity(base: Base) -> Value {
    let hex = |bytes: &[u8]| const_hex::encode_upper(bytes);
    json!({
        "id": if base == Base::Sgx { "QE" } else { "TD_QE" },
        "version": 2,
        "issueDate": ISSUED,
        "nextUpdate": NEXT,
        "tcbEvaluationDataNumber": 20,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": hex(&SIGNER),
        "isvprodid": 1,
        "tcbLevels": [
            { "tcb": { "isvsvn": 8 }, "tcbDate": "2025-06-01T00:00:00Z", "tcbStatus": "UpToDate" },
            { "tcb": { "isvsvn": 6 }, "tcbDate": "2024-06-01T00:00:00Z", "tcbStatus": "OutOfDate", "advisoryIDs": ["TEST-SA-2"] },
            { "tcb": { "isvsvn": 4 }, "tcbDate": "2023-06-01T00:00:00Z", "tcbStatus": "Revoked" },
        ],
    })
}

impl Document {
    fn signed(&self) -> (String, Bytes) {
        let text = (self.edit)(self.value.to_string());
        let signature = if self.signed { Key::p256(self.key).sign_fixed(text.as_bytes()) } else { vec![] };
        (text, Bytes(signature))
    }
}

impl Crl {
    /// With a number, as Intel's lists have.
    fn encoded(&self) -> Bytes {
        let algorithm = sequence(&[&oid("1.2.840.10045.4.3.2")]);
        let entries: Vec<_> =
            self.serials.iter().map(|serial| sequence(&[&integer(*serial), &time(self.window.0)])).collect();
        let entries = if entries.is_empty() { vec![] } else { joined(&entries) };
        let mut extensions = sequence(&[&oid("2.5.29.20"), &octets(&integer(1))]);
        if self.partial {
            // Issuing distribution point: user certificates only.
            extensions.extend(sequence(&[&oid("2.5.29.28"), &[1, 1, 0xff], &octets(&sequence(&[&[0x81, 1, 0xff]]))]));
        }
        let tbs = sequence(&[
            &integer(1),
            &algorithm,
            &name(self.issuer),
            &time(self.window.0),
            &time(self.window.1),
            &entries,
            &tlv(0xa0, &sequence(&[&extensions])),
        ]);
        let signature = Key::p256(self.key).sign(Style::Ecdsa256, &tbs);
        Bytes(sequence(&[&tbs, &algorithm, &bits(&signature)]))
    }
}

impl Pck {
    fn encoded(&self) -> Vec<u8> {
        let entry = |number: &str, value: Vec<u8>| sequence(&[&oid(&format!("{EXTENSION}.{number}")), &value]);
        let mut tcb: Vec<Vec<u8>> = self
            .components
            .iter()
            .enumerate()
            .map(|(index, svn)| entry(&format!("2.{}", index + 1), integer(*svn)))
            .collect();
        tcb.push(entry("2.17", integer(self.pcesvn)));
        tcb.push(entry("2.18", octets(&self.components)));
        let flags = [("7.1", true), ("7.2", false), ("7.3", self.smt)]
            .map(|(number, flag)| entry(number, vec![1, 1, if flag { 0xff } else { 0 }]));
        sequence(&[
            &entry("1", octets(&[0x99; 16])),
            &entry("2", joined(&tcb)),
            &entry("3", octets(&self.pceid)),
            &entry("4", octets(&self.fmspc)),
            &entry("5", vec![0x0a, 1, 1]),
            &entry("6", octets(&[0x88; 16])),
            &entry("7", joined(&flags)),
        ])
    }
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    sequence(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}
