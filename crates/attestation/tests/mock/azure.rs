//! A machine of our own on the mock AMD or the mock Intel: HCL report, TPM quote and PCRs, and on TDX the TD's quote, valid
//! unless somebody changes a part.

use std::sync::LazyLock;

use attestation::azure::{Evidence, TpmQuote};
use attestation::{
    Binding, Bytes, Claims, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Roots, Statement,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::amd::{Build as Amd, MEASUREMENT, NOW, put};
use super::der::Key;
use super::intel::{Base, Build as Intel};
use super::tpm::Attest;

pub static ATTESTATION: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-one.pem")));
pub static ENDORSEMENT: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-two.pem")));

/// What the paravisor runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hardware {
    Snp,
    Tdx,
}

pub struct Build {
    pub hardware: Hardware,
    /// The one that `hardware` names vouches for the machine.
    pub amd: Amd,
    pub intel: Intel,
    /// Whose endorsements are shown, in place of the hardware's.
    pub endorser: Option<Hardware>,
    pub keys: Vec<(&'static str, &'static LazyLock<Key>)>,
    pub secure_boot: Option<bool>,
    pub console: bool,
    /// In place of the claims' hash: in the HCL report, and in the TD's quote.
    pub bound: Option<[u8; 64]>,
    pub td_bound: Option<[u8; 64]>,
    /// In place of the claims' text.
    pub runtime: Option<Vec<u8>>,
    /// In place of all that the TPM signs; its digest is still that of the values.
    pub quoted: Option<(Vec<u8>, Vec<[u8; 32]>)>,
    /// On the claims, hashed afterwards.
    pub claims: fn(&mut String),
    /// In place of the hardware's.
    pub report_type: Option<u32>,
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
    pub parts: fn(&mut Evidence),
    pub finish: fn(&mut Vec<u8>),
    pub now: u64,
    pub policy: Policy,
    pub presented: Statement,
    pub expected: Statement,
}

impl Build {
    /// On SEV-SNP. The policy takes a machine on either hardware.
    pub fn new() -> Self {
        let mut amd = Amd::new();
        amd.uvm = None;
        let statement = Statement::new(b"node key", b"nonce");
        let code = |paravisor| CodeEntry::new(Kind::AzureVtpm, &[paravisor, ("pcr7", &[7; 32])]);
        let on_snp = CodeEntry { lowest_svn: Some(7), ..code(("measurement", &MEASUREMENT)) };
        let mut policy = Policy { manifest: vec![on_snp, code(("mrtd", &[0x4d; 48]))], ..Policy::default() };
        policy.azure_vtpm.snp = amd.policy.snp.clone();
        Self {
            hardware: Hardware::Snp,
            amd,
            intel: Intel::new(Base::Tdx4),
            endorser: None,
            keys: vec![("HCLAkPub", &ATTESTATION), ("HCLEkPub", &ENDORSEMENT)],
            secure_boot: Some(true),
            console: false,
            bound: None,
            td_bound: None,
            runtime: None,
            quoted: None,
            claims: |_| (),
            report_type: None,
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
            parts: |_| (),
            finish: |_| (),
            now: NOW,
            policy,
            presented: statement.clone(),
            expected: statement,
        }
    }

    /// The same on TDX, whose quote is one of these.
    pub fn tdx(base: Base) -> Self {
        Self { hardware: Hardware::Tdx, intel: Intel::new(base), ..Self::new() }
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

    /// As they are hashed.
    fn runtime(&self) -> Vec<u8> {
        self.runtime.clone().unwrap_or_else(|| self.runtime_claims().into_bytes())
    }

    /// What the hardware is to bind.
    pub fn claims_hash(&self) -> [u8; 64] {
        let mut hash = [0; 64];
        hash[..32].copy_from_slice(&crypto::sha256(&self.runtime()).0);
        hash
    }

    pub fn hcl_report(&self) -> Vec<u8> {
        let claims = self.runtime();
        let bound = self.bound.unwrap_or_else(|| self.claims_hash());
        let (report_type, hardware) = match self.hardware {
            Hardware::Snp => {
                let mut amd = Amd { report: self.amd.report.clone(), finish: self.amd.finish, ..Amd::new() };
                amd.bind(&bound);
                (2, amd.evidence())
            }
            Hardware::Tdx => (4, tdreport(&bound)),
        };
        let report_type = self.report_type.unwrap_or(report_type);
        let data_size = claims.len() as u32 + 20;
        let mut report = b"HCLA".to_vec();
        for number in [self.version, 32 + 1184 + data_size, self.request, 0, 0, 0, 0] {
            report.extend(number.to_le_bytes());
        }
        report.extend(hardware);
        for number in [data_size, self.data_version, report_type, self.hash_type, claims.len() as u32] {
            report.extend(number.to_le_bytes());
        }
        report.extend(claims);
        report.extend([0; 100]);
        (self.report)(&mut report);
        report
    }

    fn td_quote(&self) -> Vec<u8> {
        let mut intel = self.intel.clone();
        intel.bind(&self.td_bound.unwrap_or_else(|| self.claims_hash()));
        intel.evidence()
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
        let td_quote = (self.hardware == Hardware::Tdx).then(|| self.td_quote());
        let mut evidence = Evidence { hcl_report: self.hcl_report(), tpm_quote: self.tpm_quote(), td_quote };
        (self.parts)(&mut evidence);
        let mut evidence = evidence.to_json();
        (self.finish)(&mut evidence);
        evidence
    }

    fn endorsements(&self) -> Endorsements {
        match self.endorser.unwrap_or(self.hardware) {
            Hardware::Snp => Endorsements::Amd(self.amd.endorsements()),
            Hardware::Tdx => Endorsements::Intel(Box::new(self.intel.collateral())),
        }
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        presented(self.evidence(), self.endorsements())
    }

    /// Of evidence under this machine's endorsements, at its time.
    pub fn verifier(&self) -> impl Fn(&[u8]) -> Result<Claims, Refusal> + use<> {
        let roots = Roots { intel: Intel::pinned(), amd: self.amd.roots(), ..Roots::vendors() };
        let (endorsements, now) = (self.endorsements(), self.now);
        move |evidence| presented(evidence.to_vec(), endorsements.clone()).verify(&roots, now)
    }

    pub fn verdict(&self) -> Result<(), Refusal> {
        let claims = self.verifier()(&self.evidence())?;
        let binding = match &self.presented {
            // A TPM's nonce may be shorter than other report data; the statement's hash is all of its first half.
            presented if presented.report_data()[..32] == self.nonce => {
                Binding::Statement { presented: presented.clone(), expected: self.expected.clone() }
            }
            presented => Binding::Exact(presented.report_data()[..32].to_vec()),
        };
        attestation::policy(&claims, &self.policy, &binding)
    }
}

fn presented(evidence: Vec<u8>, endorsements: Endorsements) -> Presented {
    Presented { kind: Kind::AzureVtpm, evidence: Bytes(evidence), endorsements, event_log: None }
}

/// A TDREPORT in the hardware's area. Only the CPU that made it could check the rest of it.
fn tdreport(bound: &[u8; 64]) -> Vec<u8> {
    let mut area = vec![0; 1184];
    area[0] = 0x81;
    put(&mut area, 128, bound);
    area
}

pub fn jwk(kid: &str, key: &Key) -> String {
    let Key::Rsa(pair) = key else { panic!("an RSA key") };
    use aws_lc_rs::signature::KeyPair;
    let n = URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero());
    format!(r#"{{"kid":"{kid}","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"{n}"}}"#)
}
