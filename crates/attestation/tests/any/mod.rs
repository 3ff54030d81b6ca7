//! What holds for every kind alike, on recorded evidence that is accepted.

mod codes;
mod cost;
mod mutations;

use attestation::amd::{self, Roots};
use attestation::azure::{self, Evidence};
use attestation::cca::{self, Anchor, Anchors};
use attestation::maa::{self, Instance};
use attestation::nitro::{self, Root};
use attestation::{Claims, Refusal};

use crate::mock::vectors::{date, read};

/// A verifier with all that it needs but the evidence.
type Verify = Box<dyn Fn(&[u8]) -> Result<Claims, Refusal>>;

struct Recorded {
    name: &'static str,
    evidence: Vec<u8>,
    verify: Verify,
}

fn recorded() -> Vec<Recorded> {
    let one = |name, evidence, verify| Recorded { name, evidence, verify };
    let snp = |chain: &[&str], uvm: Option<Vec<u8>>, now| -> Verify {
        let text: Vec<u8> = chain.iter().flat_map(|path| [read(path), b"\n".to_vec()].concat()).collect();
        let endorsements = amd::Endorsements { uvm, ..amd::Endorsements::of_pem(&text).unwrap() };
        Box::new(move |evidence| amd::verify(evidence, &endorsements, &Roots::amd(), now))
    };
    let now = date(2026, 6, 1);
    let milan = ["snp/ms-tav/milan_vcek.pem", "snp/ms-tav/milan_ask.pem"];
    let genoa = ["snp/ms-tav/genoa_vcek.pem", "snp/ms-tav/genoa_ask.pem"];
    let aci = ["snp/azure-aci/uvm_host_amd_certificate.pem"];
    let uvm = Some(read("snp/azure-aci/body.uvm_reference_info.bin"));
    let nitro_now = date(2025, 1, 6) + 17 * 3_600;
    let maa_now = date(2021, 7, 1) + 21 * 3_600;
    let instance =
        Instance::new("https://sharedwus.wus.attest.azure.net", &read("maa/attest_open_enclave_sharedwus_certs.json"))
            .unwrap();
    let azure_vcek = "azure-vtpm/trustee/az-snp-vtpm/vcek.pem";
    let azure = azure_vtpm();
    let azure_endorsements = amd::Endorsements::of_pem(&read(azure_vcek)).unwrap();
    let cpak = Anchors(vec![Anchor::of_jwk(&read("arm-cca/ccatoken/cpak.json")).unwrap()]);
    vec![
        one("SNP Milan", read("snp/ms-tav/milan_attestation_report.bin"), snp(&milan, None, now)),
        one("SNP Genoa", read("snp/ms-tav/genoa_attestation_report.bin"), snp(&genoa, None, now)),
        one("SNP Milan with UVM endorsement", read("snp/azure-aci/snp_report.bin"), snp(&aci, uvm, date(2025, 6, 20))),
        one(
            "Nitro",
            read("nitro/nitro_attest/attestation.cose"),
            Box::new(move |evidence| nitro::verify(evidence, &Root::aws(), nitro_now)),
        ),
        one(
            "Arm CCA",
            read("arm-cca/ccatoken/cca-token-draft-ffm-00.cbor"),
            Box::new(move |evidence| cca::verify(evidence, &cpak)),
        ),
        one(
            "Azure vTPM on SNP",
            azure,
            Box::new(move |evidence| {
                let (endorsements, roots) = (&azure_endorsements, &Roots::amd());
                azure::verify(evidence, &azure::Endorsements::Snp { endorsements, roots }, date(2026, 1, 1))
            }),
        ),
        one(
            "MAA",
            read("maa/attest_sgx_enclave_sharedwus_ehd_RS256.jwt"),
            Box::new(move |evidence| maa::verify(evidence, &instance, maa_now)),
        ),
    ]
}

/// The recorded machine whose parts are files of their own.
fn azure_vtpm() -> Vec<u8> {
    let folder = "azure-vtpm/trustee/az-snp-vtpm";
    let quote: serde_json::Value = serde_json::from_slice(&read(&format!("{folder}/tpm-quote-v1.json"))).unwrap();
    let hex = |value: &serde_json::Value| const_hex::decode(value.as_str().unwrap()).unwrap();
    Evidence {
        hcl_report: read(&format!("{folder}/hcl-report.bin")),
        tpm_quote: azure::TpmQuote {
            message: hex(&quote["message"]),
            signature: hex(&quote["signature"]),
            pcrs: quote["pcrs"].as_array().unwrap().iter().map(|pcr| hex(pcr).try_into().unwrap()).collect(),
        },
        td_quote: None,
    }
    .to_json()
}
