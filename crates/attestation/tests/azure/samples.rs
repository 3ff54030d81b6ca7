//! The verdicts on recorded machines.

use attestation::amd::{self, Roots};
use attestation::azure::{self, Endorsements, Evidence, TpmQuote};
use attestation::intel::{self, Collateral};
use attestation::{Binding, Claims, Code, CodeEntry, Kind, Policy, Refusal};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::Value;

use crate::mock::vectors::{date, folder, read};

pub const SNP: &str = "azure-vtpm/trustee/az-snp-vtpm";
const TDX: &str = "azure-vtpm/trustee/az-tdx-vtpm";

/// Evidence with the chip's certificate inside, as Trustee keeps it.
pub fn recorded(path: &str) -> (Vec<u8>, amd::Endorsements) {
    let text = read(path);
    let document: Value = serde_json::from_slice(&text).unwrap();
    let vcek = URL_SAFE.decode(document["vcek"].as_str().unwrap()).unwrap();
    let mut endorsements = amd::Endorsements::of_pem(&read("snp/go-sev-guest/trust/ask_ark_milan.pem")).unwrap();
    endorsements.chain.insert(0, vcek);
    (text, endorsements)
}

pub fn verify(evidence: &[u8], endorsements: &amd::Endorsements, now: u64) -> Result<Claims, Refusal> {
    azure::verify(evidence, &Endorsements::Snp { endorsements, roots: &Roots::amd() }, now)
}

fn code(result: Result<Claims, Refusal>) -> Code {
    result.unwrap_err().code
}

fn decide(claims: &Claims, nonce: &[u8], change: impl FnOnce(&mut Policy)) -> Option<Code> {
    let all: Vec<(&str, &[u8])> =
        claims.measurements.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect();
    let mut policy = Policy { manifest: vec![CodeEntry::new(Kind::AzureVtpm, &all)], ..Policy::default() };
    change(&mut policy);
    attestation::policy(claims, &policy, &Binding::Exact(nonce.to_vec())).err().map(|refusal| refusal.code)
}

fn quote_of_json(text: &[u8]) -> TpmQuote {
    let document: Value = serde_json::from_slice(text).unwrap();
    let hex = |value: &Value| const_hex::decode(value.as_str().unwrap()).unwrap();
    TpmQuote {
        message: hex(&document["message"]),
        signature: hex(&document["signature"]),
        pcrs: document["pcrs"].as_array().unwrap().iter().map(|pcr| hex(pcr).try_into().unwrap()).collect(),
    }
}

/// Signature, message and PCRs, each after its length.
fn quote_of_binary(bytes: &[u8]) -> TpmQuote {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let signature = bytes[8..8 + number(0)].to_vec();
    let at = 8 + signature.len();
    let message = bytes[at + 8..at + 8 + number(at)].to_vec();
    let at = at + 8 + message.len();
    let pcrs: Vec<[u8; 32]> = bytes[at + 8..].chunks(32).map(|pcr| pcr.try_into().unwrap()).collect();
    assert_eq!(pcrs.len(), number(at));
    TpmQuote { message, signature, pcrs }
}

#[test]
fn recorded_machines_are_accepted_where_a_console_is_allowed() {
    if folder().is_none() {
        return;
    }
    for (name, nonce_bytes) in [("v1", 9), ("v2", 48)] {
        let (evidence, endorsements) = recorded(&format!("{SNP}/evidence-{name}.json"));
        let claims = verify(&evidence, &endorsements, date(2026, 1, 1)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let nonce = claims.bytes("extra-data").unwrap();
        assert_eq!(nonce.len(), nonce_bytes);
        assert_eq!(claims.measurements.keys().filter(|name| name.starts_with("pcr")).count(), 24);
        assert_eq!(claims.number("vmpl"), Ok(0));
        assert_eq!(decide(&claims, nonce, |_| ()), Some(Code::VtpmConsole), "{name}");
        assert_eq!(decide(&claims, nonce, |policy| policy.azure_vtpm.allow_console = true), None, "{name}");
        let stale = decide(&claims, b"another nonce", |policy| policy.azure_vtpm.allow_console = true);
        assert_eq!(stale, Some(Code::VtpmExtraData), "{name}");
        if name == "v1" {
            assert_eq!(nonce, b"challenge");
        } else {
            assert!(claims.bytes("user-data").unwrap().starts_with(nonce), "also bound by the hardware");
        }
        assert_eq!(code(verify(&evidence, &endorsements, date(2024, 1, 1))), Code::NotYetValid);
        assert_eq!(code(verify(&evidence, &endorsements, date(2033, 1, 1))), Code::Expired);
    }
}

#[test]
fn a_machine_with_an_older_report_verifies_and_is_too_old() {
    if folder().is_none() {
        return;
    }
    let endorsements = amd::Endorsements::of_pem(&read(&format!("{SNP}/vcek.pem"))).unwrap();
    let quotes = [
        quote_of_binary(&read(&format!("{SNP}/quote.bin"))),
        quote_of_json(&read(&format!("{SNP}/tpm-quote-v1.json"))),
    ];
    for tpm_quote in quotes {
        let evidence = Evidence { hcl_report: read(&format!("{SNP}/hcl-report.bin")), tpm_quote, td_quote: None };
        let claims = verify(&evidence.to_json(), &endorsements, date(2026, 1, 1)).unwrap();
        assert_eq!(decide(&claims, b"challenge", |_| ()), Some(Code::SnpVersionLow));
    }
}

#[test]
fn a_td_behind_a_paravisor_is_refused_for_its_attributes_alone() {
    if folder().is_none() {
        return;
    }
    let collateral = Collateral::parse(&read("tdx/composed/00806F050000-2025-06.json")).unwrap();
    let endorsements = Endorsements::Tdx { collateral: &collateral, root: intel::ROOT };
    let text = read(&format!("{TDX}/evidence-v1.json"));
    let verdict = azure::verify(&text, &endorsements, date(2025, 6, 20));
    assert_eq!(code(verdict), Code::SeptVeDisable, "claims hash, TPM quote and PCRs were checked before");
    let parts = Evidence::of_json(&text).unwrap();
    assert_eq!(parts.td_quote.as_deref(), Some(&read(&format!("{TDX}/td-quote.bin"))[..]));
    assert_eq!(parts.hcl_report, read(&format!("{TDX}/hcl-report.bin")));
    let without = Evidence { td_quote: None, ..parts };
    assert_eq!(code(azure::verify(&without.to_json(), &endorsements, date(2025, 6, 20))), Code::Empty);
    for quote in
        [quote_of_binary(&read(&format!("{TDX}/quote.bin"))), quote_of_json(&read(&format!("{TDX}/tpm-quote-v1.json")))]
    {
        let evidence = Evidence { tpm_quote: quote, ..without.clone() };
        let other = code(azure::verify(&evidence.to_json(), &endorsements, date(2025, 6, 20)));
        assert_eq!(other, Code::Empty, "the quote is by this machine's key; what is missing is the TD's");
    }
}

#[test]
fn quotes_of_other_machines_are_by_none_of_these_keys() {
    if folder().is_none() {
        return;
    }
    let (evidence, endorsements) = recorded(&format!("{SNP}/evidence-v1.json"));
    let loose = TpmQuote {
        message: read(&format!("{SNP}/tpm-quote.msg")),
        signature: read(&format!("{SNP}/tpm-quote.sig")),
        pcrs: vec![],
    };
    let elsewhere = quote_of_binary(&read("azure-vtpm/azure-cvm-tooling/quote.bin"));
    let own = Evidence::of_json(&evidence).unwrap();
    let reports = [
        own.hcl_report.clone(),
        read(&format!("{SNP}/hcl-report.bin")),
        read("azure-vtpm/azure-cvm-tooling/hcl-report-snp.bin"),
        read(&format!("{TDX}/hcl-report.bin")),
    ];
    for hcl_report in reports {
        for tpm_quote in [&loose, &elsewhere] {
            let evidence = Evidence { hcl_report: hcl_report.clone(), tpm_quote: tpm_quote.clone(), td_quote: None };
            assert_eq!(code(verify(&evidence.to_json(), &endorsements, date(2026, 1, 1))), Code::BadSignature);
        }
    }
}
