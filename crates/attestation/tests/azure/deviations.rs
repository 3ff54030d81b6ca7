//! One thing wrong at a time with a machine of our own on the mock AMD.

use attestation::{Code, Statement};

use crate::mock::amd::put;
use crate::mock::azure::{Build, ENDORSEMENT};

type Case = (&'static str, Code, fn(&mut Build));

const CASES: &[Case] = &[
    ("C1", Code::Empty, |b| b.finish = Vec::clear),
    ("C2 report", Code::Truncated, |b| b.report = |report| report.truncate(1300)),
    ("C2 quote", Code::Truncated, |b| b.message = |message| message.truncate(60)),
    ("C3 report", Code::TrailingBytes, |b| b.report = |report| report.push(1)),
    ("C3 quote", Code::TrailingBytes, |b| b.message = |message| message.push(0)),
    ("C4", Code::WrongVersion, |b| b.version = 3),
    ("C4 data", Code::WrongVersion, |b| b.data_version = 2),
    ("C5", Code::WrongAlgorithm, |b| b.hash_type = 2),
    ("C5 key", Code::WrongAlgorithm, |b| b.claims = |claims| *claims = claims.replacen("RSA", "EC", 1)),
    ("C6, C7", Code::BadSignature, |b| b.signer = &crate::mock::amd::THREE),
    ("C7 hardware", Code::BadSignature, |b| b.amd.finish = |report| report[0x2a0] ^= 1),
    ("C12", Code::Expired, |b| b.amd.now = crate::mock::vectors::date(2040, 1, 1)),
    ("C20", Code::Nonce, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C22 paravisor", Code::Measurement, |b| put(&mut b.amd.report, 0x90, &[0])),
    ("C22 PCR", Code::Measurement, |b| b.pcr_7 = 8),
    ("C23", Code::LowSvn, |b| put(&mut b.amd.report, 4, &[6])),
    ("C24", Code::OtherNode, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
    ("C25", Code::ReservedNotZero, |b| b.report = |report| report[16] = 1),
    ("C26 report", Code::OversizedLength, |b| b.report = |report| report.resize(4097, 0)),
    ("C26 claims", Code::OversizedLength, |b| b.report = |report| put(report, 1232, &5000_u32.to_le_bytes())),
    ("C26 data", Code::OversizedLength, |b| b.report = |report| put(report, 1216, &5_u32.to_le_bytes())),
    ("C26 whole", Code::OversizedLength, |b| b.report = |report| put(report, 8, &5_u32.to_le_bytes())),
    ("C26 nonce", Code::OversizedLength, |b| b.nonce = vec![0; 65]),
    ("C26 selection", Code::OversizedLength, |b| {
        b.message = |message| {
            let at = message.len() - 34 - 4;
            message[at] = 4;
        }
    }),
    ("C27", Code::LengthOverflow, |b| b.report = |report| put(report, 1232, &u32::MAX.to_le_bytes())),
    ("C28 claims", Code::DuplicateKey, |b| b.claims = |claims| *claims = claims.replacen("user-data", "keys", 1)),
    ("C28 evidence", Code::DuplicateKey, |b| b.finish = |evidence| drop(evidence.splice(..1, *b"{\"tpm_quote\":0,"))),
    ("C30 claims", Code::JsonTrailing, |b| b.claims = |claims| claims.push_str("{}")),
    ("C30 evidence", Code::JsonTrailing, |b| b.finish = |evidence| evidence.push(b'{')),
    ("V1", Code::VtpmClaimsHash, |b| b.bound = Some([1; 64])),
    ("V1 upper half", Code::VtpmClaimsHash, |b| {
        let mut bound = [1; 64];
        bound[..32].copy_from_slice(&crypto::sha256(b.runtime_claims().as_bytes()).0);
        b.bound = Some(bound);
    }),
    ("V1 changed claims", Code::VtpmClaimsHash, |b| {
        b.report = |report| {
            let at = report.windows(4).position(|window| window == b"true").unwrap();
            put(report, at, b"null");
        }
    }),
    ("V2", Code::VtpmQuoteKey, |b| b.signer = &ENDORSEMENT),
    ("V3", Code::VtpmExtraData, |b| b.nonce = vec![9; 32]),
    ("V3 empty", Code::VtpmExtraData, |b| b.nonce = vec![]),
    ("V4", Code::VtpmPcrDigest, |b| b.digest = Some([1; 32])),
    ("V4 more values than selected", Code::VtpmPcrDigest, |b| {
        b.finish = |evidence| {
            let text = String::from_utf8(evidence.clone()).unwrap();
            let more = format!("\"pcrs\":[\"{}\",", "00".repeat(32));
            *evidence = text.replacen("\"pcrs\":[", &more, 1).into_bytes();
        }
    }),
    ("V5", Code::VtpmPcrSelection, |b| b.selection = [0xfe, 0, 0]),
    ("V5 another bank", Code::VtpmPcrSelection, |b| b.bank = 0x0004),
    ("V6 magic", Code::VtpmMagic, |b| b.magic = 0),
    ("V6 type", Code::VtpmMagic, |b| b.kind = 0x8017),
    ("V7 says TDX", Code::VtpmReportType, |b| b.report_type = 4),
    ("V7 is a TDREPORT", Code::VtpmReportType, |b| b.report = |report| report[32] = 0x81),
    ("V7 another", Code::VtpmReportType, |b| b.report_type = 1),
    ("V8", Code::VtpmConsole, |b| b.console = true),
    ("V9", Code::VtpmSecureBoot, |b| b.secure_boot = Some(false)),
    ("V9 unsaid", Code::ClaimMissing, |b| b.secure_boot = None),
    ("V10", Code::VtpmTwoKeys, |b| b.keys.push(("HCLAkPub", &ENDORSEMENT))),
    ("no key", Code::BadEncoding, |b| b.keys.truncate(0)),
    ("another magic word", Code::BadEncoding, |b| b.report = |report| report[0] = b'h'),
    ("another request", Code::BadEncoding, |b| b.request = 1),
    ("VMPL of the paravisor", Code::SnpVmpl1, |b| put(&mut b.amd.report, 0x30, &[1])),
    ("the paravisor can be debugged", Code::SnpDebugPolicy, |b| put(&mut b.amd.report, 0xa, &[0xb])),
];

/// Every code that some case here is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    CASES.iter().map(|(_, code, _)| *code)
}

#[test]
fn nothing_wrong_is_accepted() {
    assert_eq!(Build::new().verdict(), Ok(()));
    let mut build = Build::new();
    build.version = 2;
    build.selection = [0xff; 3];
    build.keys.truncate(1);
    build.console = true;
    build.amd.policy.azure_vtpm.allow_console = true;
    build.secure_boot = None;
    build.amd.policy.azure_vtpm.require_secure_boot = false;
    assert_eq!(build.verdict(), Ok(()));
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
