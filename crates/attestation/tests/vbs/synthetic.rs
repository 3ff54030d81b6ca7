//! A Windows of our own, from TPM to enclave, and one thing wrong at a time. Written from the documented layouts, never
//! compared with hardware.

use std::sync::LazyLock;

use attestation::vbs::{self, Anchors, Evidence, TpmQuote};
use attestation::{Binding, Claims, Code, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Roots, Statement};
use aws_lc_rs::signature::KeyPair;

use crate::mock::der::{Certificate, EXTENDED_KEY_USAGE, Key, Style, authority, oid, sequence};
use crate::mock::tpm::Attest;
use crate::mock::vectors::date;

/// The TPM's key and the secure kernel's.
static AK: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("../mock/keys/test-rsa2048-one.pem")));
static IDK: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("../mock/keys/test-rsa2048-two.pem")));

const WINDOW: (&str, &str) = ("20250101000000Z", "20320101000000Z");
const PAST: (&str, &str) = ("20200101000000Z", "20250601000000Z");
const FUTURE: (&str, &str) = ("20270101000000Z", "20320101000000Z");
const AK_PURPOSE: &str = "2.23.133.8.3";

const EVENT_TAG: u32 = 6;
const SEPARATOR: u32 = 4;
const NO_ACTION: u32 = 3;
const EFI_VARIABLE: u32 = 0x8000_0001;

/// One event: register, type, data, and the digest where it is not the data's.
type Event = (u32, u32, Vec<u8>, Option<[u8; 32]>);

pub struct Build {
    subject: &'static str,
    issuer: &'static str,
    window: (&'static str, &'static str),
    purpose: &'static str,
    ca_signer: &'static str,
    anchor: &'static str,
    chain: fn(&mut Vec<Vec<u8>>),
    events: Vec<Event>,
    /// On the log that is shown; the TPM measured what was before.
    log: fn(&mut Vec<Event>),
    log_bytes: fn(&mut Vec<u8>),
    selection: [u8; 3],
    bank: u16,
    magic: u32,
    nonce: Option<Vec<u8>>,
    quote_signer: &'static LazyLock<Key>,
    package_version: u32,
    scheme: u32,
    report_version: u32,
    flags: u32,
    svns: [u32; 3],
    blocks: Vec<u8>,
    style: Style,
    report_signer: &'static LazyLock<Key>,
    report: fn(&mut Vec<u8>),
    finish: fn(&mut Vec<u8>),
    pub now: u64,
    policy: Policy,
    presented: Statement,
    expected: Statement,
}

fn sipa(kind: u32, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(data.len() as u32).to_le_bytes(), data].concat()
}

fn modulus(key: &Key) -> Vec<u8> {
    let Key::Rsa(pair) = key else { panic!("an RSA key") };
    pair.public_key().modulus().big_endian_without_leading_zero().to_vec()
}

fn idks(key: &Key) -> Vec<u8> {
    let mut data = vec![];
    for number in [1_u32, 2048, 3, 256] {
        data.extend(number.to_le_bytes());
    }
    data.extend([1, 0, 1]);
    data.extend(modulus(key));
    sipa(0x0005_0023, &data)
}

fn secure_boot(on: u8) -> Vec<u8> {
    let name: Vec<u8> = "SecureBoot".encode_utf16().flat_map(u16::to_le_bytes).collect();
    [&[9; 16][..], &10_u64.to_le_bytes(), &1_u64.to_le_bytes(), &name, &[on]].concat()
}

/// What Windows measures of itself: the facts inside a trust boundary inside one event.
fn boundary(facts: &[Vec<u8>]) -> Vec<u8> {
    sipa(0x4001_0001, &facts.concat())
}

fn module(size: u32) -> Vec<u8> {
    [&1_u32.to_le_bytes()[..], &size.to_le_bytes(), &[0x33; 32], &[0; 68]].concat()
}

impl Build {
    pub fn new() -> Self {
        let statement = Statement::new(b"node key", b"nonce");
        let off = |kind| sipa(kind, &[0]);
        let facts =
            [off(0x0005_0001), off(0x0005_0003), off(0x0005_000d), idks(&IDK), sipa(0x0005_0012, &1_u64.to_le_bytes())];
        let events = vec![
            (0, NO_ACTION, b"StartupLocality\0\x03".to_vec(), None),
            (0, 8, b"firmware".to_vec(), None),
            (7, EFI_VARIABLE, secure_boot(1), None),
            (7, SEPARATOR, vec![0; 4], None),
            (4, 0x8000_0003, b"boot loader".to_vec(), Some([4; 32])),
            (11, SEPARATOR, b"WBCL".to_vec(), None),
            (12, EVENT_TAG, boundary(&[off(0x0004_0001)]), None),
            (12, SEPARATOR, b"WBCL".to_vec(), None),
            (13, EVENT_TAG, boundary(&facts), None),
            (13, SEPARATOR, b"WBCL".to_vec(), None),
        ];
        let entry = CodeEntry {
            lowest_svn: Some(5),
            ..CodeEntry::new(
                Kind::Vbs,
                &[("unique-id", &[0x11; 32]), ("author-id", &[0x22; 32]), ("module0", &[0x33; 32])],
            )
        };
        let mut policy = Policy { manifest: vec![entry], ..Policy::default() };
        policy.vbs.lowest_secure_kernel_svn = 6;
        policy.vbs.lowest_platform_svn = 7;
        Self {
            subject: "AK",
            issuer: "TPM authority",
            window: WINDOW,
            purpose: AK_PURPOSE,
            ca_signer: "TPM authority",
            anchor: "TPM authority",
            chain: |_| (),
            events,
            log: |_| (),
            log_bytes: |_| (),
            selection: [0xff, 0x3f, 0],
            bank: 0x000b,
            magic: 0xff54_4347,
            nonce: None,
            quote_signer: &AK,
            package_version: 1,
            scheme: 1,
            report_version: 1,
            flags: 0,
            svns: [5, 6, 7],
            blocks: [module(108), sipa(77, &[1; 4])[..4].to_vec(), 12_u32.to_le_bytes().to_vec(), vec![0; 4]].concat(),
            style: Style::Pss32,
            report_signer: &IDK,
            report: |_| (),
            finish: |_| (),
            now: date(2026, 1, 1),
            policy,
            presented: statement.clone(),
            expected: statement,
        }
    }

    pub fn anchors(&self) -> Anchors {
        Anchors(vec![root(self.anchor)])
    }

    fn ak_chain(&self) -> Vec<Vec<u8>> {
        let Self { subject, issuer, window, .. } = *self;
        let extensions = vec![(EXTENDED_KEY_USAGE, false, sequence(&[&oid(self.purpose)]))];
        let leaf = Certificate { serial: 2, issuer, subject, window, spki: AK.spki(), extensions };
        let mut chain = vec![leaf.signed(&Key::p256(self.ca_signer), Style::Ecdsa256)];
        (self.chain)(&mut chain);
        chain
    }

    fn log_of(events: &[Event]) -> Vec<u8> {
        let mut header = b"Spec ID Event03\0".to_vec();
        header.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        header.extend([1, 0, 0, 0, 0x0b, 0, 32, 0, 0]);
        let mut log =
            [&[0; 4][..], &3_u32.to_le_bytes(), &[0; 20], &(header.len() as u32).to_le_bytes(), &header].concat();
        for (register, kind, data, digest) in events {
            for number in [*register, *kind, 1] {
                log.extend(number.to_le_bytes());
            }
            log.extend([0x0b, 0]);
            log.extend(digest.unwrap_or(crypto::sha256(data).0));
            log.extend((data.len() as u32).to_le_bytes());
            log.extend(data);
        }
        log
    }

    fn registers(&self) -> Vec<[u8; 32]> {
        let mut registers = vec![[0; 32]; 24];
        for (register, kind, data, digest) in &self.events {
            let register = &mut registers[*register as usize];
            if *kind == NO_ACTION {
                register[31] = *data.last().unwrap();
            } else {
                let measured = digest.unwrap_or(crypto::sha256(data).0);
                *register = crypto::sha256(&[*register, measured].concat()).0;
            }
        }
        registers
    }

    fn package(&self) -> Vec<u8> {
        let mut statement = [&[0; 4][..], &self.report_version.to_le_bytes()].concat();
        statement.extend(self.presented.report_data());
        statement.extend([[0x44; 32], [0x11; 32], [0x22; 32]].concat());
        statement.extend([0x55; 32]);
        for number in [self.svns[0], self.svns[1], self.svns[2], self.flags, 12, 0] {
            statement.extend(number.to_le_bytes());
        }
        statement.extend(&self.blocks);
        let size = statement.len() as u32;
        statement[..4].copy_from_slice(&size.to_le_bytes());
        let signature = self.report_signer.sign(self.style, &statement);
        let mut package = vec![];
        let whole = 24 + statement.len() + signature.len();
        for number in [whole as u32, self.package_version, self.scheme, size, signature.len() as u32, 0] {
            package.extend(number.to_le_bytes());
        }
        package.extend(statement);
        package.extend(signature);
        (self.report)(&mut package);
        package
    }

    pub fn evidence(&self) -> Evidence {
        let registers = self.registers();
        let selected = (0..24_usize).filter(|index| self.selection[index / 8] >> (index % 8) & 1 == 1);
        let digest = crypto::sha256(&selected.map(|index| registers[index]).collect::<Vec<_>>().concat()).0;
        let nonce = self.nonce.clone().unwrap_or_else(|| self.presented.report_data()[..32].to_vec());
        let Self { magic, bank, selection, .. } = *self;
        let message = Attest { magic, kind: 0x8018, nonce: &nonce, bank, selection, digest }.bytes();
        let mut shown = self.events.clone();
        (self.log)(&mut shown);
        let mut log = Self::log_of(&shown);
        (self.log_bytes)(&mut log);
        Evidence {
            ak_chain: self.ak_chain(),
            tpm_quote: TpmQuote { signature: self.quote_signer.sign_fixed(&message), message },
            log,
            report: self.package(),
        }
    }

    fn claims(&self) -> Result<Claims, Refusal> {
        let mut evidence = self.evidence().to_json();
        (self.finish)(&mut evidence);
        vbs::verify(&evidence, &self.anchors(), self.now)
    }

    fn verdict(&self) -> Result<(), Refusal> {
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&self.claims()?, &self.policy, &binding)
    }
}

fn root(name: &'static str) -> Vec<u8> {
    let key = Key::p256(name);
    let window = WINDOW;
    let subject = "TPM authority";
    Certificate { serial: 1, issuer: subject, subject, window, spki: key.spki(), extensions: vec![authority(None)] }
        .signed(&key, Style::Ecdsa256)
}

/// The facts of register 13, with one of them changed.
fn fact(b: &mut Build, kind: u32) {
    let (_, _, data, _) = &mut b.events[8];
    let at = data.windows(4).position(|window| window == kind.to_le_bytes()).unwrap();
    data[at + 8] = 1;
}

type Case = (&'static str, Code, fn(&mut Build));

const CASES: &[Case] = &[
    ("C1", Code::Empty, |b| b.finish = Vec::clear),
    ("C2 report", Code::Truncated, |b| b.report = |report| report.truncate(report.len() - 1)),
    ("C2 log", Code::EventLogTruncated, |b| b.log_bytes = |log| log.truncate(log.len() - 1)),
    ("C3 report", Code::TrailingBytes, |b| b.report = |report| report.push(0)),
    ("C4", Code::WrongVersion, |b| b.package_version = 2),
    ("C6, C7 report", Code::BadSignature, |b| b.report_signer = &AK),
    ("C7 PKCS#1", Code::BadSignature, |b| b.style = Style::Pkcs1Sha384),
    ("C7 quote", Code::BadSignature, |b| b.quote_signer = &IDK),
    ("C7 AK", Code::BadSignature, |b| b.ca_signer = "another"),
    ("C8", Code::ChainIncomplete, |b| b.chain = Vec::clear),
    ("C9", Code::ChainOrder, |b| b.chain = |chain| chain.push(chain[0].clone())),
    ("C10 another purpose", Code::OtherProduct, |b| b.purpose = "2.23.133.8.1"),
    ("C11", Code::OtherRoot, |b| b.issuer = "somebody"),
    ("C11 right name, own key", Code::OtherRoot, |b| {
        b.ca_signer = "another";
        b.chain = |chain| chain.push(root("another"));
    }),
    ("C12", Code::Expired, |b| b.window = PAST),
    ("C13", Code::NotYetValid, |b| b.window = FUTURE),
    ("C20 of the quote", Code::Nonce, |b| b.nonce = Some(vec![9; 32])),
    ("C20 too short", Code::Nonce, |b| b.nonce = Some(b.presented.report_data()[..16].to_vec())),
    ("C20", Code::Nonce, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C21 boot loader", Code::DebugBit, |b| {
        let at = b.events[6].2.len() - 1;
        b.events[6].2[at] = 1;
    }),
    ("C21 kernel", Code::DebugBit, |b| fact(b, 0x0005_0001)),
    ("C21 test signing", Code::DebugBit, |b| fact(b, 0x0005_0003)),
    ("C21 hypervisor", Code::DebugBit, |b| fact(b, 0x0005_000d)),
    ("C22", Code::Measurement, |b| b.policy.manifest[0] = CodeEntry::new(Kind::Vbs, &[("unique-id", &[1; 32])])),
    ("C23 enclave", Code::LowSvn, |b| b.svns[0] = 4),
    ("C23 secure kernel", Code::LowSvn, |b| b.svns[1] = 5),
    ("C23 platform", Code::LowSvn, |b| b.svns[2] = 6),
    ("C24", Code::OtherNode, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
    ("C25", Code::ReservedNotZero, |b| b.report = |report| report[20] = 1),
    ("C26 package", Code::OversizedLength, |b| b.report = |report| report[0] ^= 1),
    ("C26 statement", Code::OversizedLength, |b| b.report = |report| report[14] = 0x7f),
    ("C27", Code::LengthOverflow, |b| b.report = |report| report[12..16].fill(0xff)),
    ("C28", Code::DuplicateKey, |b| b.finish = |evidence| drop(evidence.splice(..1, *b"{\"log\":\"\","))),
    ("C30", Code::JsonTrailing, |b| b.finish = |evidence| evidence.push(b'{')),
    ("B1", Code::VbsFullDebug, |b| b.flags = 1),
    ("B2", Code::VbsDynamicDebug, |b| b.flags = 2),
    ("B3", Code::VbsDynamicDebugActive, |b| b.flags = 4),
    ("B4", Code::VbsKeyNotInLog, |b| b.events[8].2 = boundary(&[])),
    ("B4 named twice", Code::VbsKeyNotInLog, |b| b.events[6].2 = boundary(&[idks(&AK)])),
    ("B4 after Windows closed the register", Code::VbsKeyNotInLog, |b| b.events.swap(8, 9)),
    ("B4 another register", Code::VbsKeyNotInLog, |b| b.events[8].0 = 10),
    ("B5 an event changed", Code::VbsLogReplay, |b| b.log = |events| events[1].2.push(0)),
    ("B5 an event left out", Code::VbsLogReplay, |b| b.log = |events| drop(events.remove(1))),
    ("B5 another key", Code::VbsLogReplay, |b| {
        b.report_signer = &AK;
        b.log = |events| {
            events[8].3 = Some(crypto::sha256(&events[8].2).0);
            events[8].2 = boundary(&[idks(&AK)]);
        };
    }),
    ("B5 another key, measured by itself", Code::VbsLogReplay, |b| {
        b.report_signer = &AK;
        b.log = |events| events[8].2 = boundary(&[idks(&AK)]);
    }),
    ("B5 the key's register is not quoted", Code::VbsLogReplay, |b| b.selection[1] = 0x1f),
    ("B5 Windows never closed the register", Code::VbsLogReplay, |b| drop(b.events.pop())),
    ("B5 firmware never closed its settings", Code::VbsLogReplay, |b| drop(b.events.remove(3))),
    ("B5 settings that were not measured", Code::VbsLogReplay, |b| {
        b.log = |events| {
            events[2].3 = Some(crypto::sha256(&events[2].2).0);
            events[2].2 = secure_boot(0);
        };
    }),
    ("B5 another locality", Code::VbsLogReplay, |b| b.log = |events| events[0].2[16] = 0),
    ("B6", Code::VbsSalt, |b| b.style = Style::Pss0),
    ("B7", Code::VbsScheme, |b| b.scheme = 2),
    ("B8", Code::VbsVersion, |b| b.report_version = 2),
    ("B9", Code::VbsBlockSize, |b| b.blocks = module(109)),
    ("B9 smaller than its header", Code::VbsBlockSize, |b| b.blocks = module(7)),
    ("B9 a module without its id", Code::VbsBlockSize, |b| b.blocks = [1, 0, 0, 0, 9, 0, 0, 0, 0].to_vec()),
    ("V5", Code::VtpmPcrSelection, |b| b.selection[0] = 0xfe),
    ("V5 another bank", Code::VtpmPcrSelection, |b| b.bank = 4),
    ("V6", Code::VtpmMagic, |b| b.magic = 0),
    ("V9", Code::VtpmSecureBoot, |b| b.events[2].2 = secure_boot(0)),
    ("V9 unsaid", Code::ClaimMissing, |b| drop(b.events.remove(2))),
];

/// Every code that some case here is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    CASES.iter().map(|(_, code, _)| *code)
}

#[test]
fn nothing_wrong_is_accepted() {
    let build = Build::new();
    assert_eq!(build.verdict(), Ok(()));
    let claims = build.claims().unwrap();
    assert_eq!(claims.flag("secure-boot"), Ok(true));
    assert_eq!(claims.flag("test-signing"), Ok(false));
    assert_eq!(claims.flag("boot-debugging"), Ok(false));
    let mut with_root = Build::new();
    with_root.chain = |chain| chain.push(root("TPM authority"));
    assert_eq!(with_root.claims().map(|claims| claims.debug), Ok(false));
}

#[test]
fn the_one_call_verifies_it_too() {
    let build = Build::new();
    let presented = Presented {
        kind: Kind::Vbs,
        evidence: build.evidence().to_json()[..].into(),
        endorsements: Endorsements::None,
        event_log: None,
    };
    let roots = Roots { vbs: build.anchors(), ..Roots::vendors() };
    assert_eq!(presented.verify(&roots, build.now).map(|claims| claims.svn), Ok(Some(5)));
    assert_eq!(presented.verify(&Roots::vendors(), build.now).unwrap_err().code, Code::OtherRoot);
}

#[test]
fn each_change_has_its_code() {
    for (what, expected, change) in CASES {
        let mut build = Build::new();
        change(&mut build);
        let refusal = build.verdict().expect_err(what);
        assert_eq!(refusal.code, *expected, "{what}: {refusal}");
    }
}

#[test]
fn whatever_is_cut_off_is_missed() {
    let build = Build::new();
    let (evidence, anchors) = (build.evidence(), build.anchors());
    for length in 0..evidence.report.len() {
        let mut cut = evidence.clone();
        cut.report.truncate(length);
        assert!(vbs::verify(&cut.to_json(), &anchors, build.now).is_err(), "{length}");
    }
    for length in 0..evidence.log.len() {
        let mut cut = evidence.clone();
        cut.log.truncate(length);
        assert!(vbs::verify(&cut.to_json(), &anchors, build.now).is_err(), "{length}");
    }
}

#[test]
fn no_accepted_change_of_one_bit_changes_a_claim() {
    let build = Build::new();
    let (evidence, anchors) = (build.evidence(), build.anchors());
    let claims = vbs::verify(&evidence.to_json(), &anchors, build.now).unwrap();
    let same = |changed: &Evidence, what: &str, at: usize| {
        if let Ok(other) = vbs::verify(&changed.to_json(), &anchors, build.now) {
            assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "{what}, byte {at}");
        }
    };
    for at in 0..evidence.report.len() {
        let mut changed = evidence.clone();
        changed.report[at] ^= 1 << (at % 8);
        same(&changed, "report", at);
    }
    for at in 0..evidence.log.len() {
        let mut changed = evidence.clone();
        changed.log[at] ^= 1 << (at % 8);
        same(&changed, "log", at);
    }
}
