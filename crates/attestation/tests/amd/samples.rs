//! The verdicts on recorded reports.

use attestation::amd::{self, Endorsement, Endorsements, Roots};
use attestation::{Binding, Bytes, Claims, Code, CodeEntry, Kind, Policy, Refusal};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minicbor::data::Type;

use crate::mock::vectors::{date, folder, read};

fn pem(paths: &[&str]) -> Endorsements {
    let text: Vec<u8> = paths.iter().flat_map(|path| [read(path), b"\n".to_vec()].concat()).collect();
    Endorsements::of_pem(&text).unwrap()
}

/// A leaf in DER and a bundle of its issuers in PEM.
fn leaf(der: &str, issuers: &str) -> Endorsements {
    let mut endorsements = pem(&[issuers]);
    endorsements.chain.insert(0, read(der));
    endorsements
}

fn verify(report: &[u8], endorsements: &Endorsements, now: u64) -> Result<Claims, Refusal> {
    amd::verify(report, endorsements, &Roots::amd(), now)
}

fn code(result: Result<Claims, Refusal>) -> Code {
    result.unwrap_err().code
}

/// The default policy, with the claims' own measurement in the manifest and their own report data asked for.
fn decide(claims: &Claims, change: impl FnOnce(&mut Policy)) -> Option<Code> {
    let mut entry = CodeEntry::new(Kind::SevSnp, &[("measurement", claims.measurements["measurement"].as_ref())]);
    entry.host_data = claims.host_data.clone();
    let mut policy = Policy { manifest: vec![entry], ..Policy::default() };
    change(&mut policy);
    let binding = Binding::Exact(claims.report_data.0.clone());
    attestation::policy(claims, &policy, &binding).err().map(|refusal| refusal.code)
}

struct Sample {
    report: Vec<u8>,
    endorsements: Endorsements,
    now: u64,
    default: Option<Code>,
}

fn milan() -> Sample {
    let chain = ["snp/ms-tav/milan_vcek.pem", "snp/ms-tav/milan_ask.pem", "snp/ms-tav/milan_ark.pem"];
    Sample {
        report: read("snp/ms-tav/milan_attestation_report.bin"),
        endorsements: pem(&chain),
        now: date(2026, 6, 1),
        default: None,
    }
}

fn genoa() -> Sample {
    let chain = ["snp/ms-tav/genoa_vcek.pem", "snp/ms-tav/genoa_ask.pem", "snp/ms-tav/genoa_ark.pem"];
    Sample {
        report: read("snp/ms-tav/genoa_attestation_report.bin"),
        endorsements: pem(&chain),
        now: date(2026, 6, 1),
        default: None,
    }
}

fn vlek() -> Sample {
    Sample {
        report: read("snp/trustee/test-vlek-report.bin"),
        endorsements: leaf("snp/trustee/test-vlek.der", "snp/go-sev-guest/trust/ask_ark_milan_vlek.pem"),
        now: date(2025, 6, 20),
        default: Some(Code::SnpVlek),
    }
}

fn samples() -> Vec<(&'static str, Sample)> {
    let milan_issuers = "snp/go-sev-guest/trust/ask_ark_milan.pem";
    let version_2 = |report: Vec<u8>, endorsements: Endorsements| Sample {
        report,
        endorsements,
        now: date(2025, 6, 20),
        default: Some(Code::SnpVersionLow),
    };
    let hex = const_hex::decode(read("snp/virtee-sev/report_milan.hex")).unwrap();
    let virtee = version_2(hex, leaf("snp/virtee-sev/vcek_milan.der", "snp/virtee-sev/cert_chain_milan"));
    let go = version_2(
        read("snp/go-sev-guest/attestation.bin"),
        leaf("snp/go-sev-guest/vcek.testcer", "snp/go-sev-guest/milan.testcer"),
    );
    let trustee = version_2(read("snp/trustee/test-report.bin"), leaf("snp/trustee/test-vcek.der", milan_issuers));
    let aci = version_2(read("snp/azure-aci/snp_report.bin"), pem(&["snp/azure-aci/uvm_host_amd_certificate.pem"]));
    vec![
        ("milan", milan()),
        ("genoa", genoa()),
        ("virtee", virtee),
        ("go", go),
        ("trustee", trustee),
        ("aci", aci),
        ("vlek", vlek()),
    ]
}

#[test]
fn recorded_reports_verify_and_meet_the_default_policy_or_fail_it_for_one_reason() {
    if folder().is_none() {
        return;
    }
    for (name, sample) in samples() {
        let claims = verify(&sample.report, &sample.endorsements, sample.now).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(claims.report_data.0, sample.report[0x50..0x90], "{name}");
        assert_eq!(decide(&claims, |_| ()), sample.default, "{name}");
        assert_eq!(code(verify(&sample.report, &sample.endorsements, date(2020, 1, 1))), Code::NotYetValid, "{name}");
        assert_eq!(code(verify(&sample.report, &sample.endorsements, date(2050, 1, 1))), Code::Expired, "{name}");
    }
}

#[test]
fn the_claims_of_a_recorded_report_are_what_it_says() {
    if folder().is_none() {
        return;
    }
    let claims = verify(&milan().report, &milan().endorsements, milan().now).unwrap();
    assert!(claims.measurements["measurement"].to_string().starts_with("5feee30d"), "{claims:?}");
    assert_eq!(claims.platform.as_deref(), Some("00a00f11"));
    assert_eq!(claims.tcb["microcode"], 0xdb);
    assert_eq!(claims.tcb["snp"], 0x18);
    assert_eq!(claims.tcb["bootloader"], 4);
    assert_eq!(claims.number("committed-microcode"), Ok(0xdb));
    assert_eq!(claims.svn, Some(2));
    assert_eq!(claims.text("product"), Ok("Milan"));
    let claims = verify(&genoa().report, &genoa().endorsements, genoa().now).unwrap();
    assert_eq!(claims.platform.as_deref(), Some("00a10f11"));
    assert_eq!((claims.tcb["microcode"], claims.tcb["bootloader"]), (0x54, 0x0a));
}

#[test]
fn a_report_with_debugging_allowed_is_refused_even_where_its_version_is_not() {
    if folder().is_none() {
        return;
    }
    let report = read("snp/go-sev-guest/attestation.bin");
    let endorsements = leaf("snp/go-sev-guest/vcek.testcer", "snp/go-sev-guest/milan.testcer");
    let claims = verify(&report, &endorsements, date(2025, 6, 20)).unwrap();
    assert_eq!(claims.number("policy"), Ok(0xb0000));
    assert_eq!(decide(&claims, |policy| policy.snp.lowest_version = 2), Some(Code::SnpDebugPolicy));
}

#[test]
fn a_loaded_key_counts_only_where_the_policy_says_so_and_only_under_its_own_issuers() {
    if folder().is_none() {
        return;
    }
    let sample = vlek();
    let claims = verify(&sample.report, &sample.endorsements, sample.now).unwrap();
    assert_eq!(decide(&claims, |policy| policy.snp.allow_vlek = true), Some(Code::SnpVmpl1));
    let at_vmpl_1 = |policy: &mut Policy| {
        policy.snp.allow_vlek = true;
        policy.snp.highest_vmpl = 1;
    };
    assert_eq!(decide(&claims, at_vmpl_1), None);
    for issuers in ["ask_ark_genoa_vlek.pem", "ask_ark_turin_vlek.pem", "ask_ark_genoa.pem", "ask_ark_milan.pem"] {
        let endorsements = leaf("snp/trustee/test-vlek.der", &format!("snp/go-sev-guest/trust/{issuers}"));
        assert_eq!(code(verify(&sample.report, &endorsements, sample.now)), Code::OtherProduct, "{issuers}");
    }
}

#[test]
fn damaged_certificates_verify_nothing() {
    if folder().is_none() {
        return;
    }
    let report = read("snp/trustee/test-report.bin");
    for name in ["legacy", "new"] {
        let issuers = "snp/go-sev-guest/trust/ask_ark_milan.pem";
        let endorsements = leaf(&format!("snp/trustee/test-vcek-invalid-{name}.der"), issuers);
        assert_eq!(code(verify(&report, &endorsements, date(2025, 6, 20))), Code::BadSignature, "{name}");
    }
}

#[test]
fn a_key_of_turin_has_a_chain_of_its_own() {
    if folder().is_none() {
        return;
    }
    // No report of a Turin is public: its key's chain holds, and then another product's report does not fit.
    let turin = leaf("snp/virtee-sev/vcek_turin.der", "snp/virtee-sev/cert_chain_turin");
    assert_eq!(code(verify(&milan().report, &turin, date(2026, 6, 1))), Code::OtherProduct);
    let hex = const_hex::decode(read("snp/virtee-sev/report_milan.hex")).unwrap();
    assert_eq!(code(verify(&hex, &turin, date(2026, 6, 1))), Code::SnpLayout, "before version 3, by the certificate");
}

#[test]
fn the_hosts_answer_is_a_chain_and_the_tcb_it_is_for() {
    if folder().is_none() {
        return;
    }
    let report = read("snp/azure-aci/snp_report.bin");
    let (endorsements, tcb) = Endorsements::of_thim(&read("snp/azure-aci/uvm_host_amd_certificate.json")).unwrap();
    let claims = verify(&report, &endorsements, date(2025, 6, 20)).unwrap();
    assert_eq!(
        claims,
        verify(&report, &pem(&["snp/azure-aci/uvm_host_amd_certificate.pem"]), date(2025, 6, 20)).unwrap()
    );
    assert_eq!(tcb, Some(amd::Report::parse(&report).unwrap().reported_tcb()));
    let text = STANDARD.decode(read("snp/azure-aci/security-context/host-amd-cert-base64").trim_ascii()).unwrap();
    assert_eq!(Endorsements::of_thim(&text).unwrap().0.chain.len(), 3);
}

#[test]
fn the_security_policy_is_the_host_data() {
    if folder().is_none() {
        return;
    }
    let policy =
        |path: &str| Some(Bytes(crypto::sha256(&STANDARD.decode(read(path).trim_ascii()).unwrap()).0.to_vec()));
    let claims = verify(&milan().report, &milan().endorsements, milan().now).unwrap();
    assert_eq!(claims.host_data, policy("snp/azure-aci/security-context/security-policy-base64"));
    let aci = pem(&["snp/azure-aci/uvm_host_amd_certificate.pem"]);
    let claims = verify(&read("snp/azure-aci/snp_report.bin"), &aci, date(2025, 6, 20)).unwrap();
    assert_eq!(claims.host_data, policy("snp/azure-aci/uvm_security_policy.base64"));
}

/// The parts of a statement that carries its signer's attestation in its headers.
#[derive(Default)]
struct Statement {
    report: Vec<u8>,
    endorsements: Endorsements,
    /// As it stands in the message.
    cose_key: Vec<u8>,
    /// The signer's key as a point.
    point: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

fn statement(path: &str) -> Statement {
    let message = read(path);
    let mut decoder = minicbor::Decoder::new(&message);
    decoder.tag().unwrap();
    decoder.array().unwrap();
    let protected = decoder.bytes().unwrap().to_vec();
    decoder.skip().unwrap();
    let payload = decoder.bytes().unwrap();
    let mut statement = Statement { signature: decoder.bytes().unwrap().to_vec(), ..Statement::default() };
    let mut encoder = minicbor::Encoder::new(&mut statement.signed);
    encoder.array(4).unwrap().str("Signature1").unwrap().bytes(&protected).unwrap().bytes(&[]).unwrap();
    encoder.bytes(payload).unwrap();
    let mut headers = minicbor::Decoder::new(&protected);
    for _ in 0..headers.map().unwrap().unwrap() {
        let name = if headers.datatype().unwrap() == Type::String { headers.str().unwrap() } else { "" };
        if matches!(name, "msft-css-dev" | "attestedsvc") {
            attested(&mut headers, &protected, &mut statement);
            continue;
        }
        if name.is_empty() {
            headers.skip().unwrap();
        }
        headers.skip().unwrap();
    }
    statement
}

fn attested(decoder: &mut minicbor::Decoder<'_>, protected: &[u8], statement: &mut Statement) {
    for _ in 0..decoder.map().unwrap().unwrap() {
        match decoder.str().unwrap() {
            "attestation" => statement.report = decoder.bytes().unwrap().to_vec(),
            "snp_endorsements" => {
                statement.endorsements.chain = Endorsements::of_pem(decoder.bytes().unwrap()).unwrap().chain;
            }
            "uvm_endorsements" => statement.endorsements.uvm = Some(decoder.bytes().unwrap().to_vec()),
            "cose_key" => {
                let start = decoder.position();
                statement.point.push(4);
                for _ in 0..decoder.map().unwrap().unwrap() {
                    match decoder.i64().unwrap() {
                        -2 | -3 => statement.point.extend_from_slice(decoder.bytes().unwrap()),
                        _ => decoder.skip().unwrap(),
                    }
                }
                statement.cose_key = protected[start..decoder.position()].to_vec();
            }
            _ => decoder.skip().unwrap(),
        }
    }
}

#[test]
fn statements_in_the_wild_are_accepted_with_their_firmware_endorsement() {
    if folder().is_none() {
        return;
    }
    for path in ["20250617", "20250925"] {
        let parts = statement(&format!("snp/scitt-attested/css-attested-cosesign1-{path}.cose"));
        let algorithm = if parts.point.len() == 97 { &ECDSA_P384_SHA384_FIXED } else { &ECDSA_P256_SHA256_FIXED };
        let key = UnparsedPublicKey::new(algorithm, &parts.point);
        key.verify(&parts.signed, &parts.signature).unwrap();
        let claims = verify(&parts.report, &parts.endorsements, date(2026, 6, 1)).unwrap();
        assert_eq!(claims.number("uvm-svn"), Ok(101));
        let issuer = claims.text("uvm-issuer").unwrap();
        let mut entry = CodeEntry::new(Kind::SevSnp, &[("uvm", &amd::uvm_identity(issuer, "ContainerPlat-AMD-UVM"))]);
        entry.host_data = claims.host_data.clone();
        let policy = Policy { manifest: vec![entry], ..Policy::default() };
        let binding = Binding::Exact(crypto::sha256(&parts.cose_key).0.to_vec());
        assert_eq!(attestation::policy(&claims, &policy, &binding), Ok(()));

        // The same endorsement speaks for the reports that CCF tests with.
        for sample in [milan(), genoa()] {
            let endorsements = Endorsements { uvm: parts.endorsements.uvm.clone(), ..sample.endorsements };
            let claims = verify(&sample.report, &endorsements, sample.now).unwrap();
            assert_eq!(decide(&claims, |_| ()), None);
        }
    }
}

#[test]
fn endorsements_of_firmware_verify_in_both_of_their_forms() {
    if folder().is_none() {
        return;
    }
    let older = read("snp/azure-aci/body.uvm_reference_info.bin");
    let endorsement = Endorsement::verify(&older).unwrap();
    assert_eq!((endorsement.svn, endorsement.feed.as_str()), (22, "ContainerPlat-AMD-UVM"));
    let aci = Endorsements { uvm: Some(older), ..pem(&["snp/azure-aci/uvm_host_amd_certificate.pem"]) };
    let claims = verify(&read("snp/azure-aci/snp_report.bin"), &aci, date(2025, 6, 20)).unwrap();
    assert_eq!(claims.number("uvm-svn"), Ok(22));
    assert_eq!(decide(&claims, |_| ()), Some(Code::SnpVersionLow));

    let newer = Endorsement::verify(&read("snp/azure-aci/uvm_0.2.10.cose")).unwrap();
    assert_eq!(newer.svn, 104);
    for sample in [milan(), genoa()] {
        let endorsements = Endorsements { uvm: Some(read("snp/azure-aci/uvm_0.2.10.cose")), ..sample.endorsements };
        assert_eq!(code(verify(&sample.report, &endorsements, sample.now)), Code::Measurement);
    }
    let file = STANDARD.decode(read("snp/azure-aci/security-context/reference-info-base64").trim_ascii()).unwrap();
    assert_eq!(Endorsement::verify(&file).unwrap().svn, 100);
}

#[test]
fn no_accepted_change_of_one_bit_changes_a_claim() {
    if folder().is_none() {
        return;
    }
    for sample in [milan(), vlek()] {
        let claims = verify(&sample.report, &sample.endorsements, sample.now).unwrap();
        let mut accepted = 0;
        for at in 0..sample.report.len() {
            let mut changed = sample.report.clone();
            changed[at] ^= 1 << (at % 8);
            if let Ok(other) = verify(&changed, &sample.endorsements, sample.now) {
                accepted += 1;
                assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "byte {at}");
            }
        }
        assert_eq!(accepted, 0, "every byte of a report is signed, the signature, or zero");
    }
    let uvm = read("snp/azure-aci/body.uvm_reference_info.bin");
    let endorsement = Endorsement::verify(&uvm).unwrap();
    for at in 0..uvm.len() {
        let mut changed = uvm.clone();
        changed[at] ^= 1 << (at % 8);
        if let Ok(other) = Endorsement::verify(&changed) {
            assert_eq!(other, endorsement, "byte {at}");
        }
    }
}

#[test]
fn whatever_is_cut_off_is_missed() {
    if folder().is_none() {
        return;
    }
    let sample = milan();
    for length in 0..sample.report.len() {
        let expected = if length == 0 { Code::Empty } else { Code::Truncated };
        assert_eq!(code(verify(&sample.report[..length], &sample.endorsements, sample.now)), expected);
    }
    let longer = [&sample.report[..], &[0]].concat();
    assert_eq!(code(verify(&longer, &sample.endorsements, sample.now)), Code::TrailingBytes);
    for length in 0..sample.endorsements.chain[0].len() {
        let mut endorsements = sample.endorsements.clone();
        endorsements.chain[0].truncate(length);
        assert!(verify(&sample.report, &endorsements, sample.now).is_err());
    }
    let uvm = read("snp/azure-aci/body.uvm_reference_info.bin");
    for length in 0..uvm.len() {
        let expected = if length == 0 { Code::Empty } else { Code::Truncated };
        assert_eq!(Endorsement::verify(&uvm[..length]).unwrap_err().code, expected, "{length}");
    }
}
