//! Evidence of each kind as it comes, recorded on hardware and changed. What is still accepted claims the same.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use attestation::amd::{self, Roots};
use attestation::azure::{self, TpmQuote};
use attestation::cca::{self, Anchor, Anchors};
use attestation::fetch::{Vendor, Wanted};
use attestation::gather::Gathered;
use attestation::intel::{self, Collateral, quote::Quote};
use attestation::maa::{self, Instance};
use attestation::nitro::{self, Root};
use attestation::{Claims, Kind, Refusal, virtual_tee};
use base::Digest;

use crate::input::Input;
use crate::mock::vectors::date;
use crate::vectors::read;

/// A verifier with all that it needs but the evidence.
type Verify = Box<dyn Fn(&[u8]) -> Result<Claims, Refusal> + Send + Sync>;

struct Recorded {
    evidence: Vec<u8>,
    verify: Verify,
}

/// The first byte chooses who verifies; the rest is evidence. Parsers that need nobody's word read it too.
pub fn run(data: &[u8]) {
    static KNOWN: LazyLock<(Vec<Recorded>, BTreeSet<String>)> = LazyLock::new(|| {
        let recorded = recorded();
        // What one verifier accepts another one may be shown.
        let accepted = |one: &Recorded| {
            recorded.iter().filter_map(|other| said(&(one.verify)(&other.evidence).ok()?)).collect::<Vec<_>>()
        };
        let claims = recorded.iter().flat_map(accepted).collect();
        (recorded, claims)
    });
    let (recorded, known) = &*KNOWN;
    let mut input = Input(data);
    let choice = usize::from(input.byte());
    let evidence = input.0;
    if let Some(one) = recorded.get(choice % recorded.len().max(1))
        && let Ok(claims) = (one.verify)(evidence)
    {
        let said = said(&claims).expect("claims have a text");
        assert!(known.contains(&said), "an accepted change changed a claim: {said}");
    }
    if let Ok(quote) = Quote::parse(evidence) {
        assert!(said(&quote.unverified_claims()).is_some());
    }
    if let Ok(claims) = virtual_tee::verify(evidence) {
        let part = |bytes: &[u8]| bytes.to_vec();
        let measurement = part(claims.measurements["code"].as_ref()).try_into().expect("as it was read");
        let report_data = claims.report_data.0.clone().try_into().expect("as it was read");
        let host_data = claims.host_data.map(|bytes| bytes.0.try_into().expect("as it was read"));
        assert_eq!(virtual_tee::evidence(&measurement, &report_data, host_data.as_ref()), evidence);
    }
    for (vendor, kind) in [(Vendor::Intel, Kind::Tdx), (Vendor::Amd, Kind::SevSnp)] {
        let gathered = Gathered { kind, evidence: evidence.to_vec(), auxiliary: vec![], event_log: vec![] };
        if let Ok(wanted) = Wanted::of(vendor, &gathered) {
            let documents = wanted.documents("https://service.example");
            assert!(documents.iter().all(|it| it.url.starts_with("https://service.example/") && it.url.is_ascii()));
        }
    }
    drop(amd::Report::parse(evidence));
    drop(amd::Endorsement::verify(evidence));
    drop(intel::event_log::replay(evidence));
}

/// All that claims say, but the name of the exact bytes.
fn said(claims: &Claims) -> Option<String> {
    serde_json::to_string(&Claims { evidence: Digest::ZERO, ..claims.clone() }).ok()
}

fn recorded() -> Vec<Recorded> {
    let mut all = Vec::new();
    let now = date(2026, 6, 1);
    let snp = |chain: &[&str], uvm: Option<&str>, now| -> Option<Verify> {
        let text: Vec<u8> = chain.iter().map(|path| read(path)).collect::<Option<Vec<_>>>()?.join(&b'\n');
        let uvm = uvm.map(read);
        let endorsements = amd::Endorsements { uvm: uvm.flatten(), ..amd::Endorsements::of_pem(&text).ok()? };
        Some(Box::new(move |evidence| amd::verify(evidence, &endorsements, &Roots::amd(), now)))
    };
    let mut add = |evidence: Option<Vec<u8>>, verify: Option<Verify>| {
        all.extend(evidence.zip(verify).map(|(evidence, verify)| Recorded { evidence, verify }));
    };
    let milan = ["attestation/snp/ms-tav/milan_vcek.pem", "attestation/snp/ms-tav/milan_ask.pem"];
    add(read("attestation/snp/ms-tav/milan_attestation_report.bin"), snp(&milan, None, now));
    let genoa = ["attestation/snp/ms-tav/genoa_vcek.pem", "attestation/snp/ms-tav/genoa_ask.pem"];
    add(read("attestation/snp/ms-tav/genoa_attestation_report.bin"), snp(&genoa, None, now));
    let aci = ["attestation/snp/azure-aci/uvm_host_amd_certificate.pem"];
    let uvm = Some("attestation/snp/azure-aci/body.uvm_reference_info.bin");
    add(read("attestation/snp/azure-aci/snp_report.bin"), snp(&aci, uvm, date(2025, 6, 20)));
    let at = date(2025, 1, 6) + 17 * 3_600;
    let nitro: Verify = Box::new(move |evidence| nitro::verify(evidence, &Root::aws(), at));
    add(read("attestation/nitro/nitro_attest/attestation.cose"), Some(nitro));
    add(read("attestation/arm-cca/ccatoken/cca-token-draft-ffm-00.cbor"), arm());
    add(azure_evidence(), azure());
    add(read("attestation/maa/attest_sgx_enclave_sharedwus_ehd_RS256.jwt"), maa());
    let quotes = [
        ("attestation/sgx/dcap-qvl/sgx_quote", "attestation/sgx/dcap-qvl/sgx_quote_collateral.json", date(2025, 6, 20)),
        ("attestation/tdx/dcap-qvl/tdx_quote", "attestation/tdx/dcap-qvl/tdx_quote_collateral.json", date(2025, 6, 20)),
    ];
    for (quote, collateral, _) in quotes {
        add(read(quote), intel(collateral));
    }
    all
}

fn arm() -> Option<Verify> {
    let anchors = Anchors(vec![Anchor::of_jwk(&read("attestation/arm-cca/ccatoken/cpak.json")?).ok()?]);
    Some(Box::new(move |evidence| cca::verify(evidence, &anchors)))
}

fn azure() -> Option<Verify> {
    let endorsements = amd::Endorsements::of_pem(&read("attestation/azure-vtpm/trustee/az-snp-vtpm/vcek.pem")?).ok()?;
    Some(Box::new(move |evidence| {
        let (endorsements, roots) = (&endorsements, &Roots::amd());
        azure::verify(evidence, &azure::Endorsements::Snp { endorsements, roots }, date(2026, 1, 1))
    }))
}

/// The recorded machine whose parts are files of their own.
fn azure_evidence() -> Option<Vec<u8>> {
    let folder = "attestation/azure-vtpm/trustee/az-snp-vtpm";
    let quote: serde_json::Value = serde_json::from_slice(&read(&format!("{folder}/tpm-quote-v1.json"))?).ok()?;
    let hex = |value: &serde_json::Value| const_hex::decode(value.as_str()?).ok();
    let pcrs = quote["pcrs"].as_array()?.iter().map(|pcr| hex(pcr)?.try_into().ok()).collect::<Option<_>>()?;
    let tpm_quote = TpmQuote { message: hex(&quote["message"])?, signature: hex(&quote["signature"])?, pcrs };
    let hcl_report = read(&format!("{folder}/hcl-report.bin"))?;
    Some(azure::Evidence { hcl_report, tpm_quote, td_quote: None }.to_json())
}

fn maa() -> Option<Verify> {
    let keys = read("attestation/maa/attest_open_enclave_sharedwus_certs.json")?;
    let instance = Instance::new("https://sharedwus.wus.attest.azure.net", &keys).ok()?;
    Some(Box::new(move |evidence| maa::verify(evidence, &instance, date(2021, 7, 1) + 21 * 3_600)))
}

/// At the end of the day on which the documents were issued.
fn intel(collateral: &str) -> Option<Verify> {
    let collateral = Collateral::parse(&read(collateral)?).ok()?;
    let document: serde_json::Value = serde_json::from_str(&collateral.tcb_info).ok()?;
    let day = document["issueDate"].as_str()?;
    let number = |range: std::ops::Range<usize>| day.get(range)?.parse::<u64>().ok();
    let now = date(number(0..4)?, number(5..7)?, number(8..10)?) + 86_400;
    Some(Box::new(move |evidence| intel::verify(evidence, &collateral, intel::ROOT, now)))
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        (0..).zip(recorded()).map(|(choice, one)| [&[choice], &one.evidence[..]].concat()).collect();
    seeds.push([&[0], &virtual_tee::evidence(&[1; 32], &[2; 64], Some(&[3; 32]))[..]].concat());
    let parsed = [
        "ccel_data.dat",
        "quotev5.dat",
        "tdx_quote.bin",
        "tdx_quote_td15ex",
        "uvm_0.2.10.cose",
        "ubuntu-2404-amd-sevsnp.bin",
    ];
    seeds.extend(crate::vectors::ending("attestation", &parsed).into_iter().map(|bytes| [&[0], &bytes[..]].concat()));
    seeds
}
