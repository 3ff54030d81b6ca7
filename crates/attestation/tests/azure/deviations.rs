//! One thing wrong at a time with a machine of our own, on the mock AMD and on the mock Intel.

use attestation::{Code, Kind, Statement, Status, limits};

use crate::mock::amd::put;
use crate::mock::azure::{Build, ENDORSEMENT, Hardware};
use crate::mock::intel::{Base, Build as Intel};

/// A machine without a deviation.
type Machine = fn() -> Build;

const SNP: &[Machine] = &[Build::new];
const TDX: &[Machine] = &[|| Build::tdx(Base::Tdx4), || Build::tdx(Base::Tdx5), || Build::tdx(Base::Tdx5Ex)];
const ALL: &[Machine] = &[SNP[0], TDX[0], TDX[1], TDX[2]];

/// What is wrong, what the verdict must be, on which machines, and how it is made so.
type Case = (&'static str, Code, &'static [Machine], fn(&mut Build));

const CASES: &[Case] = &[
    ("C1", Code::Empty, ALL, |b| b.finish = Vec::clear),
    ("C1 no TD quote", Code::Empty, TDX, |b| b.parts = |parts| parts.td_quote = None),
    ("C1 a TD quote without a byte", Code::Empty, TDX, |b| b.parts = |parts| parts.td_quote = Some(vec![])),
    ("C2 report", Code::Truncated, ALL, |b| b.report = |report| report.truncate(1300)),
    ("C2 quote", Code::Truncated, ALL, |b| b.message = |message| message.truncate(60)),
    ("C2 TD quote", Code::Truncated, TDX, |b| b.intel.finish = |quote| quote.truncate(700)),
    ("C3 report", Code::TrailingBytes, ALL, |b| b.report = |report| report.push(1)),
    ("C3 quote", Code::TrailingBytes, ALL, |b| b.message = |message| message.push(0)),
    ("C4", Code::WrongVersion, ALL, |b| b.version = 3),
    ("C4 data", Code::WrongVersion, ALL, |b| b.data_version = 2),
    ("C5", Code::WrongAlgorithm, ALL, |b| b.hash_type = 2),
    ("C5 key", Code::WrongAlgorithm, ALL, |b| b.claims = |claims| *claims = claims.replacen("RSA", "EC", 1)),
    ("C6, C7", Code::BadSignature, ALL, |b| b.signer = &crate::mock::amd::THREE),
    ("C7 hardware", Code::BadSignature, SNP, |b| b.amd.finish = |report| report[0x2a0] ^= 1),
    ("C7 TD quote", Code::BadSignature, TDX, |b| b.intel.quote_signer = "another key"),
    ("C10 Intel's endorsements", Code::OtherProduct, SNP, |b| b.endorser = Some(Hardware::Tdx)),
    ("C10 AMD's endorsements", Code::OtherProduct, TDX, |b| b.endorser = Some(Hardware::Snp)),
    ("C11 another Intel", Code::OtherRoot, TDX, |b| {
        (b.intel.root.key, b.intel.root.signer) = ("another root", "another root");
        b.intel.intermediate.signer = "another root";
    }),
    ("C12", Code::Expired, ALL, |b| b.now = crate::mock::vectors::date(2040, 1, 1)),
    ("C20", Code::Nonce, ALL, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C21", Code::DebugBit, TDX, |b| b.intel.body[120] |= 1),
    ("C22 paravisor", Code::Measurement, SNP, |b| put(&mut b.amd.report, 0x90, &[0])),
    ("C22 paravisor of the TD", Code::Measurement, TDX, |b| b.intel.body[136] ^= 1),
    ("C22 PCR", Code::Measurement, ALL, |b| b.pcr_7 = 8),
    ("C23", Code::LowSvn, SNP, |b| put(&mut b.amd.report, 4, &[6])),
    ("C23 a TD has no version of its own", Code::LowSvn, TDX, |b| b.policy.manifest[1].lowest_svn = Some(0)),
    ("C24", Code::OtherNode, ALL, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
    ("C25", Code::ReservedNotZero, ALL, |b| b.report = |report| report[16] = 1),
    ("C25 behind the TDREPORT", Code::ReservedNotZero, TDX, |b| b.report = |report| report[32 + 1024] = 1),
    ("C26 report", Code::OversizedLength, ALL, |b| b.report = |report| report.resize(4097, 0)),
    ("C26 claims", Code::OversizedLength, ALL, |b| b.report = |report| put(report, 1232, &5000_u32.to_le_bytes())),
    ("C26 data", Code::OversizedLength, ALL, |b| b.report = |report| put(report, 1216, &5_u32.to_le_bytes())),
    ("C26 whole", Code::OversizedLength, ALL, |b| b.report = |report| put(report, 8, &5_u32.to_le_bytes())),
    ("C26 nonce", Code::OversizedLength, ALL, |b| b.nonce = vec![0; 65]),
    ("C26 selection", Code::OversizedLength, ALL, |b| {
        b.message = |message| {
            let at = message.len() - 34 - 4;
            message[at] = 4;
        }
    }),
    ("C26 TD quote", Code::OversizedLength, TDX, |b| {
        b.parts = |parts| parts.td_quote = Some(vec![0; limits::QUOTE_BYTES + 1]);
    }),
    ("C27", Code::LengthOverflow, ALL, |b| b.report = |report| put(report, 1232, &u32::MAX.to_le_bytes())),
    ("C28 claims", Code::DuplicateKey, ALL, |b| b.claims = |claims| *claims = claims.replacen("user-data", "keys", 1)),
    ("C28 evidence", Code::DuplicateKey, ALL, |b| {
        b.finish = |evidence| drop(evidence.splice(..1, *b"{\"tpm_quote\":0,"))
    }),
    ("C30 claims", Code::JsonTrailing, ALL, |b| b.claims = |claims| claims.push_str("{}")),
    ("C30 evidence", Code::JsonTrailing, ALL, |b| b.finish = |evidence| evidence.push(b'{')),
    ("C32 TD quote", Code::BadEncoding, TDX, |b| {
        b.finish = |evidence| {
            let text = String::from_utf8(evidence.clone()).unwrap();
            *evidence = text.replacen("\"td_quote\":\"", "\"td_quote\":\"!", 1).into_bytes();
        }
    }),
    ("I11", Code::LowEvaluation, TDX, |b| b.policy.azure_vtpm.intel.lowest_evaluation = 21),
    // As Azure's recorded TD is: what a policy allows does not count.
    ("I30 attributes of zero", Code::SeptVeDisable, TDX, |b| {
        b.intel.body[120..128].fill(0);
        b.policy.azure_vtpm.intel.td_attributes = u64::MAX;
    }),
    ("I44", Code::TdAttributes, TDX, |b| b.intel.body[123] |= 0x40),
    ("V1 report", Code::VtpmClaimsHash, ALL, |b| b.bound = Some([1; 64])),
    ("V1 report, upper half", Code::VtpmClaimsHash, ALL, |b| b.bound = Some(with_upper_half(b))),
    ("V1 TD quote", Code::VtpmClaimsHash, TDX, |b| b.td_bound = Some([1; 64])),
    ("V1 TD quote, upper half", Code::VtpmClaimsHash, TDX, |b| b.td_bound = Some(with_upper_half(b))),
    ("V1 TD quote binds nothing", Code::VtpmClaimsHash, TDX, |b| b.td_bound = Some([0; 64])),
    ("V1 changed claims", Code::VtpmClaimsHash, ALL, |b| {
        b.report = |report| {
            let at = report.windows(4).position(|window| window == b"true").unwrap();
            put(report, at, b"null");
        }
    }),
    ("V2", Code::VtpmQuoteKey, ALL, |b| b.signer = &ENDORSEMENT),
    ("V3", Code::VtpmExtraData, ALL, |b| b.nonce = vec![9; 32]),
    ("V3 empty", Code::VtpmExtraData, ALL, |b| b.nonce = vec![]),
    ("V4", Code::VtpmPcrDigest, ALL, |b| b.digest = Some([1; 32])),
    ("V4 more values than selected", Code::VtpmPcrDigest, ALL, |b| {
        b.finish = |evidence| {
            let text = String::from_utf8(evidence.clone()).unwrap();
            let more = format!("\"pcrs\":[\"{}\",", "00".repeat(32));
            *evidence = text.replacen("\"pcrs\":[", &more, 1).into_bytes();
        }
    }),
    ("V5", Code::VtpmPcrSelection, ALL, |b| b.selection = [0xfe, 0, 0]),
    ("V5 another bank", Code::VtpmPcrSelection, ALL, |b| b.bank = 0x0004),
    ("V6 magic", Code::VtpmMagic, ALL, |b| b.magic = 0),
    ("V6 type", Code::VtpmMagic, ALL, |b| b.kind = 0x8017),
    ("V7 says TDX", Code::VtpmReportType, SNP, |b| b.report_type = Some(4)),
    ("V7 is a TDREPORT", Code::VtpmReportType, SNP, |b| b.report = |report| report[32] = 0x81),
    ("V7 says SNP", Code::VtpmReportType, TDX, |b| b.report_type = Some(2)),
    ("V7 is an SNP report", Code::VtpmReportType, TDX, |b| b.report = |report| report[32] = 5),
    ("V7 a quote of an enclave", Code::VtpmReportType, TDX, |b| b.intel = Intel::new(Base::Sgx)),
    ("V7 another", Code::VtpmReportType, ALL, |b| b.report_type = Some(1)),
    ("V8", Code::VtpmConsole, ALL, |b| b.console = true),
    ("V9", Code::VtpmSecureBoot, ALL, |b| b.secure_boot = Some(false)),
    ("V9 unsaid", Code::ClaimMissing, ALL, |b| b.secure_boot = None),
    ("V10", Code::VtpmTwoKeys, ALL, |b| b.keys.push(("HCLAkPub", &ENDORSEMENT))),
    ("no key", Code::BadEncoding, ALL, |b| b.keys.truncate(0)),
    ("another magic word", Code::BadEncoding, ALL, |b| b.report = |report| report[0] = b'h'),
    ("another request", Code::BadEncoding, ALL, |b| b.request = 1),
    ("VMPL of the paravisor", Code::SnpVmpl1, SNP, |b| put(&mut b.amd.report, 0x30, &[1])),
    ("the paravisor can be debugged", Code::SnpDebugPolicy, SNP, |b| put(&mut b.amd.report, 0xa, &[0xb])),
];

/// Every code that some case here is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    CASES.iter().map(|(_, code, ..)| *code)
}

fn name(build: &Build) -> String {
    match build.hardware {
        Hardware::Snp => "SNP".to_owned(),
        Hardware::Tdx => format!("{:?}", build.intel.base),
    }
}

/// The claims' hash with something behind it.
fn with_upper_half(build: &Build) -> [u8; 64] {
    let mut bound = build.claims_hash();
    bound[63] = 1;
    bound
}

#[test]
fn nothing_wrong_is_accepted() {
    for machine in ALL {
        let mut build = machine();
        assert_eq!(build.verdict(), Ok(()), "{}", name(&build));
        build.version = 2;
        build.selection = [0xff; 3];
        build.keys.truncate(1);
        build.console = true;
        build.policy.azure_vtpm.allow_console = true;
        build.secure_boot = None;
        build.policy.azure_vtpm.require_secure_boot = false;
        // What is asked of TDs and guests that stand for themselves is not asked of a paravisor.
        build.policy.intel.statuses.clear();
        build.policy.snp.lowest_version = u64::MAX;
        assert_eq!(build.verdict(), Ok(()), "{}", name(&build));
    }
}

#[test]
fn claims_are_those_of_the_hardware_and_of_the_tpm() {
    for machine in TDX {
        let build = machine();
        let claims = build.verifier()(&build.evidence()).unwrap();
        assert_eq!((claims.kind, claims.text("hardware")), (Kind::AzureVtpm, Ok("tdx")));
        assert_eq!((claims.status, claims.evaluation), (Some(Status::UpToDate), Some(20)));
        assert_eq!(claims.measurements["mrtd"].as_ref(), [0x4d; 48]);
        assert_eq!(claims.measurements["pcr7"].as_ref(), [7; 32]);
        assert!(claims.report_data.0.starts_with(&build.nonce), "the guest's, and not what the paravisor bound");
    }
}

#[test]
fn each_change_has_its_code() {
    for (what, expected, machines, change) in CASES {
        for machine in *machines {
            let mut build = machine();
            change(&mut build);
            let what = format!("{what} on {}", name(&build));
            let refusal = build.verdict().expect_err(&what);
            assert_eq!(refusal.code, *expected, "{what}: {refusal}");
        }
    }
}
