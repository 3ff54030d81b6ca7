//! A machine of our own on the mock AMD: HCL report, TPM quote and PCRs, valid unless somebody changes a part.

use std::sync::LazyLock;

use attestation::azure::{self, Endorsements, Evidence, TpmQuote};
use attestation::{Binding, Bytes, CodeEntry, Kind, Presented, Refusal, Statement};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::amd::{Build as Amd, MEASUREMENT, put};
use super::der::Key;
use super::tpm::Attest;

pub static ATTESTATION: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-one.pem")));
pub static ENDORSEMENT: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-two.pem")));

pub struct Build {
    pub amd: Amd,
    pub keys: Vec<(&'static str, &'static LazyLock<Key>)>,
    pub secure_boot: Option<bool>,
    pub console: bool,
    /// In place of the claims' hash.
    pub bound: Option<[u8; 64]>,
    /// In place of the claims' text.
    pub runtime: Option<Vec<u8>>,
    /// In place of all that the TPM signs; its digest is still that of the values.
    pub quoted: Option<(Vec<u8>, Vec<[u8; 32]>)>,
    /// On the claims, hashed afterwards.
    pub claims: fn(&mut String),
    pub report_type: u32,
    pub hash_type: u32,
    pub version: u32,
    pub data_version: u32,
    pub request: u32,
    /// Bitmap of PCRs 0 to 23.
    pub selection: [u8; 3],
    pub bank: u16,
    pub magic: u32,
    pub kind: u16,
    pub nonce: Vec<u8>,
    pub digest: Option<[u8; 32]>,
    pub pcr_7: u8,
    pub signer: &'static LazyLock<Key>,
    /// On the finished parts.
    pub report: fn(&mut Vec<u8>),
    pub message: fn(&mut Vec<u8>),
    pub finish: fn(&mut Vec<u8>),
    pub presented: Statement,
    pub expected: Statement,
}

impl Build {
    pub fn new() -> Self {
        let mut amd = Amd::new();
        amd.uvm = None;
        let statement = Statement::new(b"node key", b"nonce");
        let mut entry = CodeEntry::new(Kind::AzureVtpm, &[("measurement", &MEASUREMENT), ("pcr7", &[7; 32])]);
        entry.lowest_svn = Some(7);
        amd.policy.manifest = vec![entry];
        amd.policy.azure_vtpm.snp = amd.policy.snp.clone();
        Self {
            amd,
            keys: vec![("HCLAkPub", &ATTESTATION), ("HCLEkPub", &ENDORSEMENT)],
            secure_boot: Some(true),
            console: false,
            bound: None,
            runtime: None,
            quoted: None,
            claims: |_| (),
            report_type: 2,
            hash_type: 1,
            version: 1,
            data_version: 1,
            request: 2,
            selection: [0xff, 0, 0],
            bank: 0x000b,
            magic: 0xff54_4347,
            kind: 0x8018,
            nonce: statement.report_data()[..32].to_vec(),
            digest: None,
            pcr_7: 7,
            signer: &ATTESTATION,
            report: |_| (),
            message: |_| (),
            finish: |_| (),
            presented: statement.clone(),
            expected: statement,
        }
    }

    pub fn runtime_claims(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(|(kid, key)| jwk(kid, key)).collect();
        let secure_boot = self.secure_boot.map(|flag| format!(r#""secure-boot":{flag},"#)).unwrap_or_default();
        let mut claims = format!(
            r#"{{"keys":[{}],"vm-configuration":{{{secure_boot}"console-enabled":{},"vmUniqueId":"X"}},"user-data":"00"}}"#,
            keys.join(","),
            self.console
        );
        (self.claims)(&mut claims);
        claims
    }

    pub fn hcl_report(&self) -> Vec<u8> {
        let claims = self.runtime.clone().unwrap_or_else(|| self.runtime_claims().into_bytes());
        let mut amd = Amd { report: self.amd.report.clone(), finish: self.amd.finish, ..Amd::new() };
        let mut bound = [0; 64];
        bound[..32].copy_from_slice(&crypto::sha256(&claims).0);
        put(&mut amd.report, 0x50, &self.bound.unwrap_or(bound));
        let data_size = claims.len() as u32 + 20;
        let mut report = b"HCLA".to_vec();
        for number in [self.version, 32 + 1184 + data_size, self.request, 0, 0, 0, 0] {
            report.extend(number.to_le_bytes());
        }
        report.extend(amd.evidence());
        for number in [data_size, self.data_version, self.report_type, self.hash_type, claims.len() as u32] {
            report.extend(number.to_le_bytes());
        }
        report.extend(claims);
        report.extend([0; 100]);
        (self.report)(&mut report);
        report
    }

    pub fn tpm_quote(&self) -> TpmQuote {
        if let Some((message, pcrs)) = &self.quoted {
            let mut message = message.clone();
            if let Some(digest) = message.last_chunk_mut() {
                *digest = crypto::sha256(&pcrs.concat()).0;
            }
            return TpmQuote { signature: self.signer.sign_fixed(&message), message, pcrs: pcrs.clone() };
        }
        let selected = (0..24_u8).filter(|index| self.selection[usize::from(index / 8)] >> (index % 8) & 1 == 1);
        let pcrs: Vec<[u8; 32]> =
            selected.map(|index| if index == 7 { [self.pcr_7; 32] } else { [index; 32] }).collect();
        let digest = self.digest.unwrap_or(crypto::sha256(&pcrs.concat()).0);
        let Self { magic, kind, bank, selection, .. } = *self;
        let mut message = Attest { magic, kind, nonce: &self.nonce, bank, selection, digest }.bytes();
        (self.message)(&mut message);
        TpmQuote { signature: self.signer.sign_fixed(&message), message, pcrs }
    }

    /// Binds these bytes, as far as a TPM's nonce takes them.
    pub fn bind(&mut self, report_data: &[u8; 64]) {
        self.nonce = report_data[..32].to_vec();
    }

    pub fn evidence(&self) -> Vec<u8> {
        let evidence = Evidence { hcl_report: self.hcl_report(), tpm_quote: self.tpm_quote(), td_quote: None };
        let mut evidence = evidence.to_json();
        (self.finish)(&mut evidence);
        evidence
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        let endorsements = attestation::Endorsements::Amd(self.amd.endorsements());
        Presented { kind: Kind::AzureVtpm, evidence: Bytes(self.evidence()), endorsements, event_log: None }
    }

    pub fn verdict(&self) -> Result<(), Refusal> {
        let evidence = self.evidence();
        let (endorsements, roots) = (self.amd.endorsements(), self.amd.roots());
        let endorsements = Endorsements::Snp { endorsements: &endorsements, roots: &roots };
        let claims = azure::verify(&evidence, &endorsements, self.amd.now)?;
        let binding = match &self.presented {
            // A TPM's nonce may be shorter than other report data; the statement's hash is all of its first half.
            presented if presented.report_data()[..32] == self.nonce => {
                Binding::Statement { presented: presented.clone(), expected: self.expected.clone() }
            }
            presented => Binding::Exact(presented.report_data()[..32].to_vec()),
        };
        attestation::policy(&claims, &self.amd.policy, &binding)
    }
}

pub fn jwk(kid: &str, key: &Key) -> String {
    let Key::Rsa(pair) = key else { panic!("an RSA key") };
    use aws_lc_rs::signature::KeyPair;
    let n = URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero());
    format!(r#"{{"kid":"{kid}","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"{n}"}}"#)
}
