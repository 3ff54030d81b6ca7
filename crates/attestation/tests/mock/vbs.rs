//! A Windows of our own, from TPM to enclave, valid unless somebody changes a part. Written from the documented layouts, never
//! compared with hardware.

use std::sync::LazyLock;

use attestation::vbs::{self, Anchors, Evidence, TpmQuote};
use attestation::{Binding, Bytes, Claims, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Statement};
use aws_lc_rs::signature::KeyPair;

use super::der::{Certificate, EXTENDED_KEY_USAGE, Key, Style, authority, oid, sequence};
use super::tpm::Attest;
use super::vectors::date;

/// The TPM's key and the secure kernel's.
pub static AK: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-one.pem")));
pub static IDK: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-two.pem")));

pub const WINDOW: (&str, &str) = ("20250101000000Z", "20320101000000Z");
pub const PAST: (&str, &str) = ("20200101000000Z", "20250601000000Z");
pub const FUTURE: (&str, &str) = ("20270101000000Z", "20320101000000Z");
pub const AK_PURPOSE: &str = "2.23.133.8.3";

pub const EVENT_TAG: u32 = 6;
pub const SEPARATOR: u32 = 4;
pub const NO_ACTION: u32 = 3;
pub const EFI_VARIABLE: u32 = 0x8000_0001;

/// One event: register, type, data, and the digest where it is not the data's.
pub type Event = (u32, u32, Vec<u8>, Option<[u8; 32]>);

pub struct Build {
    pub subject: &'static str,
    pub issuer: &'static str,
    pub window: (&'static str, &'static str),
    pub purpose: &'static str,
    pub ca_signer: &'static str,
    pub anchor: &'static str,
    pub chain: fn(&mut Vec<Vec<u8>>),
    pub events: Vec<Event>,
    /// On the log that is shown; the TPM measured what was before.
    pub log: fn(&mut Vec<Event>),
    pub log_bytes: fn(&mut Vec<u8>),
    pub selection: [u8; 3],
    pub bank: u16,
    pub magic: u32,
    pub nonce: Option<Vec<u8>>,
    pub quote_signer: &'static LazyLock<Key>,
    pub package_version: u32,
    pub scheme: u32,
    pub report_version: u32,
    pub flags: u32,
    pub svns: [u32; 3],
    pub blocks: Vec<u8>,
    pub style: Style,
    pub report_signer: &'static LazyLock<Key>,
    pub report: fn(&mut Vec<u8>),
    pub finish: fn(&mut Vec<u8>),
    pub now: u64,
    pub policy: Policy,
    /// In place of all that the secure kernel signs.
    pub statement: Option<Vec<u8>>,
    /// In place of all that the TPM signs; its digest is still that of the registers.
    pub message: Option<Vec<u8>>,
    /// What is bound, in place of the statement's hash.
    pub bound: Option<[u8; 64]>,
    pub presented: Statement,
    pub expected: Statement,
}

pub fn sipa(kind: u32, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(data.len() as u32).to_le_bytes(), data].concat()
}

pub fn modulus(key: &Key) -> Vec<u8> {
    let Key::Rsa(pair) = key else { panic!("an RSA key") };
    pair.public_key().modulus().big_endian_without_leading_zero().to_vec()
}

pub fn idks(key: &Key) -> Vec<u8> {
    let mut data = vec![];
    for number in [1_u32, 2048, 3, 256] {
        data.extend(number.to_le_bytes());
    }
    data.extend([1, 0, 1]);
    data.extend(modulus(key));
    sipa(0x0005_0023, &data)
}

pub fn secure_boot(on: u8) -> Vec<u8> {
    let name: Vec<u8> = "SecureBoot".encode_utf16().flat_map(u16::to_le_bytes).collect();
    [&[9; 16][..], &10_u64.to_le_bytes(), &1_u64.to_le_bytes(), &name, &[on]].concat()
}

/// What Windows measures of itself: the facts inside a trust boundary inside one event.
pub fn boundary(facts: &[Vec<u8>]) -> Vec<u8> {
    sipa(0x4001_0001, &facts.concat())
}

pub fn module(size: u32) -> Vec<u8> {
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
            statement: None,
            message: None,
            bound: None,
            presented: statement.clone(),
            expected: statement,
        }
    }

    /// Binds these bytes, as an enclave and its TPM are asked to.
    pub fn bind(&mut self, report_data: &[u8; 64]) {
        self.bound = Some(*report_data);
    }

    pub fn report_data(&self) -> [u8; 64] {
        self.bound.unwrap_or_else(|| self.presented.report_data())
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        let evidence = Bytes(self.evidence().to_json());
        Presented { kind: Kind::Vbs, evidence, endorsements: Endorsements::None, event_log: None }
    }

    pub fn anchors(&self) -> Anchors {
        Anchors(vec![root(self.anchor)])
    }

    pub fn ak_chain(&self) -> Vec<Vec<u8>> {
        let Self { subject, issuer, window, .. } = *self;
        let extensions = vec![(EXTENDED_KEY_USAGE, false, sequence(&[&oid(self.purpose)]))];
        let leaf = Certificate { serial: 2, issuer, subject, window, spki: AK.spki(), extensions };
        let mut chain = vec![leaf.signed(&Key::p256(self.ca_signer), Style::Ecdsa256)];
        (self.chain)(&mut chain);
        chain
    }

    pub fn log_of(events: &[Event]) -> Vec<u8> {
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

    pub fn registers(&self) -> Vec<[u8; 32]> {
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

    /// What the secure kernel signs.
    pub fn statement(&self) -> Vec<u8> {
        let mut statement = [&[0; 4][..], &self.report_version.to_le_bytes()].concat();
        statement.extend(self.report_data());
        statement.extend([[0x44; 32], [0x11; 32], [0x22; 32]].concat());
        statement.extend([0x55; 32]);
        for number in [self.svns[0], self.svns[1], self.svns[2], self.flags, 12, 0] {
            statement.extend(number.to_le_bytes());
        }
        statement.extend(&self.blocks);
        let size = statement.len() as u32;
        statement[..4].copy_from_slice(&size.to_le_bytes());
        statement
    }

    pub fn package(&self) -> Vec<u8> {
        let statement = self.statement.clone().unwrap_or_else(|| self.statement());
        let size = statement.len() as u32;
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
        let nonce = self.nonce.clone().unwrap_or_else(|| self.report_data()[..32].to_vec());
        let Self { magic, bank, selection, .. } = *self;
        let mut message = Attest { magic, kind: 0x8018, nonce: &nonce, bank, selection, digest }.bytes();
        if let Some(other) = &self.message {
            message = with_digest(other, &registers);
        }
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

    pub fn claims(&self) -> Result<Claims, Refusal> {
        let mut evidence = self.evidence().to_json();
        (self.finish)(&mut evidence);
        vbs::verify(&evidence, &self.anchors(), self.now)
    }

    pub fn verdict(&self) -> Result<(), Refusal> {
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&self.claims()?, &self.policy, &binding)
    }
}

/// The registers are those of a message's own selection: its last bytes but the digest, a count of three and the digest's length.
fn with_digest(message: &[u8], registers: &[[u8; 32]]) -> Vec<u8> {
    let mut message = message.to_vec();
    let Some(at) = message.len().checked_sub(32 + 2 + 3) else { return message };
    let (head, digest) = message.split_at_mut(at + 5);
    let bits = |index: usize| head[at + index / 8] >> (index % 8) & 1 == 1;
    let selected: Vec<[u8; 32]> = (0..24).filter(|index| bits(*index)).map(|index| registers[index]).collect();
    digest.copy_from_slice(&crypto::sha256(&selected.concat()).0);
    message
}

pub fn root(name: &'static str) -> Vec<u8> {
    let key = Key::p256(name);
    let window = WINDOW;
    let subject = "TPM authority";
    Certificate { serial: 1, issuer: subject, subject, window, spki: key.spki(), extensions: vec![authority(None)] }
        .signed(&key, Style::Ecdsa256)
}
