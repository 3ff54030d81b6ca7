//! One thing wrong at a time: each is refused, with its own code.

use attestation::intel::event_log::{check, replay};
use attestation::{Code, CodeEntry, Kind, Statement, Status};
use serde_json::{Value, json};

use crate::mock::der::Key;
use crate::mock::intel::{ALL, Base, Build, Crl, NEXT, NOW, SGX, TD15, TDX, event_log, put};

/// What is wrong, what the verdict must be, for which quotes, and how it is made so.
type Case = (&'static str, Code, &'static [Base], fn(&mut Build));

const PAST: (&str, &str) = ("20200101000000Z", "20250601000000Z");
const FUTURE: (&str, &str) = ("20270101000000Z", "20320101000000Z");

/// Where signature data starts.
fn data_at(quote: &[u8]) -> usize {
    match quote[0] {
        3 => 48 + 384 + 4,
        4 => 48 + 584 + 4,
        _ => 54 + u32::from_le_bytes(quote[50..54].try_into().unwrap()) as usize + 4,
    }
}

/// Where the QE part starts.
fn part_at(quote: &[u8]) -> usize {
    data_at(quote) + 128 + if quote[0] == 3 { 0 } else { 6 }
}

/// Where the length of the QE's auth data stands.
fn auth_at(quote: &[u8]) -> usize {
    part_at(quote) + 448
}

const ENVELOPE: &[Case] = &[
    ("C1", Code::Empty, ALL, |b| b.finish = Vec::clear),
    ("C2 in the header", Code::Truncated, ALL, |b| b.finish = |quote| quote.truncate(40)),
    ("C2 in the body", Code::Truncated, ALL, |b| b.finish = |quote| quote.truncate(200)),
    ("C2 by one byte", Code::Truncated, ALL, |b| {
        b.finish = |quote| {
            quote.pop();
        };
    }),
    ("C3", Code::TrailingBytes, ALL, |b| b.finish = |quote| quote.push(1)),
    ("C4", Code::WrongVersion, ALL, |b| b.header[0] = 2),
    ("C4 another TEE", Code::WrongVersion, TDX, |b| b.header[4] = 0x82),
    ("C5 P-384", Code::WrongAlgorithm, ALL, |b| b.header[2] = 3),
    ("C6: to a verifier, any other's signature", Code::BadSignature, ALL, |b| {
        b.finish = |quote| {
            let base = match quote[0] {
                3 => Base::Sgx,
                4 => Base::Tdx4,
                _ if quote[48] == 3 => Base::Tdx5,
                _ => Base::Tdx5Ex,
            };
            let mut other = Build::new(base);
            other.presented = Statement::new(b"another key", b"nonce");
            other.body[136] ^= 1;
            let other = other.evidence();
            let at = data_at(quote);
            put(quote, at, &other[at..at + 64]);
        };
    }),
    ("C7 quote", Code::BadSignature, ALL, |b| b.quote_signer = "another key"),
    ("C7 QE report", Code::BadSignature, ALL, |b| b.qe_signer = "another key"),
    ("C25 reserved in an enclave's report", Code::ReservedNotZero, SGX, |b| b.body[25] = 1),
    ("C25 between measurement and signer", Code::ReservedNotZero, SGX, |b| b.body[100] = 1),
    ("C25 behind the signer", Code::ReservedNotZero, SGX, |b| b.body[170] = 1),
    ("C25 before the family", Code::ReservedNotZero, SGX, |b| b.body[300] = 1),
    ("C25 in the QE report", Code::ReservedNotZero, ALL, |b| b.qe_report[100] = 1),
    ("C25 TEE type", Code::ReservedNotZero, SGX, |b| b.header[4] = 0x81),
    ("C25 TD attributes", Code::ReservedNotZero, TDX, |b| b.body[120] |= 2),
    ("C26 signature data", Code::OversizedLength, ALL, |b| {
        b.finish = |quote| {
            let at = data_at(quote) - 4;
            put(quote, at, &20_000_u32.to_le_bytes());
        };
    }),
    ("C26 QE auth data beyond its container", Code::OversizedLength, ALL, |b| {
        b.finish = |quote| {
            let at = auth_at(quote);
            put(quote, at, &9_000_u16.to_le_bytes());
        };
    }),
    ("C26 certification data beyond its container", Code::OversizedLength, ALL, |b| {
        b.finish = |quote| {
            let at = auth_at(quote) + 2 + 32 + 2;
            put(quote, at, &9_000_u32.to_le_bytes());
        };
    }),
    ("C3 between certification data and the end", Code::TrailingBytes, ALL, |b| {
        b.finish = |quote| {
            let at = auth_at(quote) + 2 + 32 + 2;
            let length = u32::from_le_bytes(quote[at..at + 4].try_into().unwrap());
            put(quote, at, &(length - 1).to_le_bytes());
        };
    }),
    ("C27", Code::LengthOverflow, ALL, |b| {
        b.finish = |quote| {
            let at = data_at(quote) - 4;
            put(quote, at, &u32::MAX.to_le_bytes());
        };
    }),
    ("I24 type", Code::CertificationNesting, TDX, |b| b.nesting = 5),
    ("I24 nested in itself", Code::CertificationNesting, ALL, |b| b.certification = 6),
    ("I24 too short", Code::CertificationNesting, TDX, |b| {
        b.finish = |quote| {
            let at = part_at(quote) - 4;
            let length = u32::from_le_bytes(quote[at..at + 4].try_into().unwrap());
            put(quote, at, &(length - 1).to_le_bytes());
        };
    }),
    ("I36 type", Code::BodyType, TD15, |b| b.body_type = 5),
    ("I36 size", Code::BodyType, TD15, |b| b.body_size -= 1),
    ("I37 TEE type", Code::SgxBodyInV4, TDX, |b| b.header[4] = 0),
    ("I37 body type", Code::SgxBodyInV4, TD15, |b| b.body_type = 1),
    ("I46", Code::QeVendor, ALL, |b| b.header[12] = 0),
];

const CHAINS: &[Case] = &[
    ("C7 leaf", Code::BadSignature, ALL, |b| b.leaf.signer = "another key"),
    ("C7 intermediate", Code::BadSignature, ALL, |b| b.intermediate.signer = "another key"),
    ("C7 TCB signer", Code::BadSignature, ALL, |b| b.tcb_signer.signer = "another key"),
    ("C8 no leaf", Code::ChainIncomplete, ALL, |b| b.certification = 1),
    ("C8 no intermediate", Code::ChainIncomplete, ALL, |b| {
        b.chain = |chain| {
            chain.remove(1);
        };
    }),
    ("C8 no root", Code::ChainIncomplete, ALL, |b| {
        b.chain = |chain| {
            chain.pop();
        };
    }),
    ("C8 TCB signer without root", Code::ChainIncomplete, ALL, |b| {
        b.signer_chain = |chain| {
            chain.pop();
        };
    }),
    ("C9", Code::ChainOrder, ALL, |b| b.chain = |chain| chain.swap(1, 2)),
    ("C9 root first", Code::ChainOrder, ALL, |b| b.chain = |chain| chain.reverse()),
    ("C9 TCB signer", Code::ChainOrder, ALL, |b| b.signer_chain = |chain| chain.reverse()),
    ("C10", Code::OtherProduct, ALL, |b| b.leaf.subject = "Some other certificate"),
    ("C11", Code::OtherRoot, ALL, |b| {
        b.root.key = "self-made root";
        b.root.signer = "self-made root";
        b.intermediate.signer = "self-made root";
    }),
    ("C12 leaf", Code::Expired, ALL, |b| b.leaf.window = PAST),
    ("C12 intermediate", Code::Expired, ALL, |b| b.intermediate.window = PAST),
    ("C12 TCB signer", Code::Expired, ALL, |b| b.tcb_signer.window = PAST),
    ("C12 TCB info", Code::Expired, ALL, |b| b.tcb_info.value["nextUpdate"] = json!("2025-12-31T23:59:59Z")),
    ("C12 QE identity", Code::Expired, ALL, |b| b.qe_identity.value["nextUpdate"] = json!("2025-12-31T23:59:59Z")),
    ("C12 everything", Code::Expired, ALL, |b| b.now = NOW + 20 * 365 * 86_400),
    ("C13 leaf", Code::NotYetValid, ALL, |b| b.leaf.window = FUTURE),
    ("C13 intermediate", Code::NotYetValid, ALL, |b| b.intermediate.window = FUTURE),
    ("C13 TCB signer", Code::NotYetValid, ALL, |b| b.tcb_signer.window = FUTURE),
    ("C13 TCB info", Code::NotYetValid, ALL, |b| b.tcb_info.value["issueDate"] = json!("2026-01-01T00:00:01Z")),
    ("C13 QE identity", Code::NotYetValid, ALL, |b| b.qe_identity.value["issueDate"] = json!("2026-01-01T00:00:01Z")),
    ("C14 root", Code::CrlMissing, ALL, |b| b.collateral = |given| given.root_ca_crl.0.clear()),
    ("C14 PCK", Code::CrlMissing, ALL, |b| b.collateral = |given| given.pck_crl.0.clear()),
    ("C15 root", Code::CrlExpired, ALL, |b| b.root_crl.window = PAST),
    ("C15 PCK", Code::CrlExpired, ALL, |b| b.pck_crl.window = PAST),
    ("C16 root", Code::CrlOfOther, ALL, |b| b.root_crl = other_list()),
    ("C16 PCK", Code::CrlOfOther, ALL, |b| b.pck_crl = other_list()),
    ("C16 the root's in place of the PCK's", Code::CrlOfOther, ALL, |b| {
        b.collateral = |given| given.pck_crl = given.root_ca_crl.clone();
    }),
    ("C7 root's list", Code::BadSignature, ALL, |b| b.root_crl.key = "another key"),
    ("C7 PCK's list", Code::BadSignature, ALL, |b| b.pck_crl.key = "another key"),
    ("C17", Code::LeafRevoked, ALL, |b| b.pck_crl.serials.push(21)),
    ("C18", Code::IntermediateRevoked, ALL, |b| b.root_crl.serials.push(11)),
    ("C18 TCB signer", Code::IntermediateRevoked, ALL, |b| b.root_crl.serials.push(12)),
    ("C31 root", Code::CrlFromFuture, ALL, |b| b.root_crl.window = FUTURE),
    ("C31 PCK", Code::CrlFromFuture, ALL, |b| b.pck_crl.window = FUTURE),
    ("C32 certificate", Code::BadEncoding, ALL, |b| b.chain = |chain| chain[0] = vec![0x30, 0]),
    ("C32 list", Code::BadEncoding, ALL, |b| b.collateral = |given| given.pck_crl.0 = vec![0x30, 0]),
    ("C32 a list of some revocations only", Code::BadEncoding, ALL, |b| b.pck_crl.partial = true),
    ("I34", Code::TcbSignerAsPck, ALL, |b| {
        b.leaf.subject = "Intel SGX TCB Signing";
    }),
    ("I34 an authority", Code::TcbSignerAsPck, ALL, |b| b.leaf.authority = true),
    ("I34 issuer is none", Code::TcbSignerAsPck, ALL, |b| b.intermediate.authority = false),
    ("I34 PCK signs documents", Code::TcbSignerAsPck, ALL, |b| b.tcb_signer.subject = "Intel SGX PCK Certificate"),
    ("I35", Code::OtherPckChain, ALL, |b| {
        b.collateral = |given| given.pck_certificate_chain = Some(given.tcb_info_issuer_chain.clone());
    }),
    ("I42 no extension", Code::PckExtension, ALL, |b| b.pck.extension = false),
];

fn other_list() -> Crl {
    Crl {
        partial: false,
        issuer: "Intel SGX PCK Processor CA",
        window: ("20250101000000Z", "20320101000000Z"),
        serials: vec![],
        key: "processor CA",
    }
}

/// The level that the platform reaches.
fn reached(build: &mut Build) -> &mut Value {
    &mut build.tcb_info.value["tcbLevels"][1]
}

const DOCUMENTS: &[Case] = &[
    ("C28 TCB info", Code::DuplicateKey, ALL, |b| {
        b.tcb_info.edit = |text| text.replacen('{', "{\"fmspc\":\"000000000000\",", 1);
    }),
    ("C28 QE identity, deep inside", Code::DuplicateKey, ALL, |b| {
        b.qe_identity.edit = |text| text.replacen("\"isvsvn\":8", "\"isvsvn\":8,\"isvsvn\":1", 1);
    }),
    ("C30", Code::JsonTrailing, ALL, |b| b.tcb_info.edit = |text| text + "{}"),
    ("C32", Code::BadEncoding, ALL, |b| b.tcb_info.value["fmspc"] = json!("00")),
    ("C32 a status that Intel does not give there", Code::BadEncoding, ALL, |b| {
        reached(b)["tcbStatus"] = json!("TDRelaunchAdvised");
    }),
    ("C26 TCB info", Code::OversizedLength, ALL, |b| b.tcb_info.edit = |text| text + &" ".repeat(300_000)),
    ("I1", Code::QeIdentityUnsigned, ALL, |b| b.qe_identity.signed = false),
    ("I2", Code::QeIdentitySigner, ALL, |b| b.qe_identity.key = "another key"),
    ("I2 changed after signing", Code::QeIdentitySigner, ALL, |b| {
        b.collateral = |given| given.qe_identity = given.qe_identity.replace("\"isvsvn\":6", "\"isvsvn\":0");
    }),
    ("I3", Code::QeMrsigner, ALL, |b| b.qe_report[128] ^= 1),
    ("I4", Code::QeIsvSvn, ALL, |b| put(&mut b.qe_report, 258, &[3])),
    ("I5 attributes", Code::QeAttributes, ALL, |b| b.qe_report[48] ^= 0x10),
    ("I5 miscselect", Code::QeAttributes, ALL, |b| b.qe_report[16] ^= 1),
    ("I6", Code::QeProdId, ALL, |b| b.qe_report[256] ^= 2),
    ("I7", Code::OtherFmspc, ALL, |b| b.pck.fmspc[5] ^= 1),
    ("I8", Code::OtherPceId, ALL, |b| b.pck.pceid[1] ^= 1),
    ("I9 TCB info", Code::SgxTcbForTd, TDX, |b| b.tcb_info.value["id"] = json!("SGX")),
    ("I9 QE identity", Code::SgxTcbForTd, TDX, |b| b.qe_identity.value["id"] = json!("QE")),
    ("I10 TCB info", Code::TdxTcbForSgx, SGX, |b| b.tcb_info.value["id"] = json!("TDX")),
    ("I10 QE identity", Code::TdxTcbForSgx, SGX, |b| b.qe_identity.value["id"] = json!("TD_QE")),
    ("I20 TCB level", Code::StatusRevoked, ALL, |b| reached(b)["tcbStatus"] = json!("Revoked")),
    ("I20 quoting enclave", Code::StatusRevoked, ALL, |b| put(&mut b.qe_report, 258, &[5])),
    ("I20 TDX module", Code::StatusRevoked, TDX, |b| {
        b.tcb_info.value["tdxModuleIdentities"][0]["tcbLevels"][0]["tcbStatus"] = json!("Revoked");
    }),
    ("I20 TDX module now", Code::StatusRevoked, TD15, |b| {
        b.tcb_info.value["tdxModuleIdentities"][0]["tcbLevels"][1]["tcbStatus"] = json!("Revoked");
        b.body[584] = 3;
    }),
    ("I22", Code::QeReportData, ALL, |b| b.qe_binding = |data| data[0] ^= 1),
    ("I22 another attestation key", Code::QeReportData, ALL, |b| {
        b.finish = |quote| {
            // Signed well by a key that no quoting enclave vouches for.
            let (at, key) = (data_at(quote), Key::p256("another attestation key"));
            let signature = key.sign_fixed(&quote[..at - 4]);
            put(quote, at, &signature);
            put(quote, at + 64, &key.public()[1..]);
        };
    }),
    ("I23", Code::QeReportDataUpper, ALL, |b| b.qe_report[352] = 1),
    ("I27", Code::MrSignerSeam, TDX, |b| b.body[64] ^= 1),
    ("I28", Code::SeamAttributes, TDX, |b| b.body[112] = 1),
    ("I29", Code::ModuleIdentityMissing, TDX, |b| b.body[1] = 2),
    ("I29 now", Code::ModuleIdentityMissing, TD15, |b| b.body[585] = 2),
    ("I32", Code::TcbInfoUnsigned, ALL, |b| b.tcb_info.signed = false),
    ("I33", Code::TcbInfoVersion, ALL, |b| b.tcb_info.value["version"] = json!(2)),
    ("I40 component", Code::NoTcbLevel, ALL, |b| b.pck.components[15] = 2),
    ("I40 PCESVN", Code::NoTcbLevel, ALL, |b| b.pck.pcesvn = 7),
    ("I40 TDX component", Code::NoTcbLevel, TDX, |b| b.body[3] = 2),
    ("I40 TDX module", Code::NoTcbLevel, TDX, |b| b.body[0] = 1),
    ("I40 TDX component now", Code::NoTcbLevel, TD15, |b| b.body[587] = 2),
    ("I41", Code::TcbInfoSigner, ALL, |b| b.tcb_info.key = "another key"),
    ("I41 changed after signing", Code::TcbInfoSigner, ALL, |b| {
        b.collateral = |given| given.tcb_info = given.tcb_info.replace("\"pcesvn\":8", "\"pcesvn\":0");
    }),
    ("I45", Code::QeAttributes, ALL, |b| b.qe_report[48] |= 2),
    ("I45 where the identity does not look", Code::QeDebug, ALL, |b| {
        b.qe_report[48] |= 2;
        b.qe_identity.value["attributesMask"] = json!("F9FFFFFFFFFFFFFF0000000000000000");
    }),
    ("C4 QE identity", Code::WrongVersion, ALL, |b| b.qe_identity.value["version"] = json!(4)),
    ("I47 auth data that the other verifier does not take", Code::SecondOpinion, ALL, |b| b.qe_auth_data = vec![1; 33]),
];

/// Any enclave of the signer's product, from version 4 on.
fn by_signer() -> CodeEntry {
    let entry = CodeEntry::new(Kind::Sgx, &[("mrsigner", &[0x77; 32]), ("isvprodid", &[0, 1])]);
    CodeEntry { lowest_svn: Some(4), ..entry }
}

/// The reached level has another status.
fn status(build: &mut Build, text: &str) {
    reached(build)["tcbStatus"] = json!(text);
}

const POLICY: &[Case] = &[
    ("C19", Code::ReportData, ALL, |b| b.presented = Statement::new(b"something else", b"nonce")),
    ("C19 nothing bound", Code::ReportData, ALL, |b| {
        let at = if b.base == Base::Sgx { 320 } else { 520 };
        put(&mut b.body, at, &[0; 64]);
    }),
    ("C20", Code::Nonce, ALL, |b| b.expected = Statement::new(b"node key", b"fresh nonce")),
    ("C21", Code::DebugBit, SGX, |b| b.body[48] |= 2),
    ("C21 TD", Code::DebugBit, TDX, |b| b.body[120] |= 1),
    ("C22", Code::Measurement, ALL, |b| b.policy.manifest.clear()),
    ("C22 measured otherwise", Code::Measurement, ALL, |b| {
        let at = if b.base == Base::Sgx { 64 } else { 136 };
        b.body[at] ^= 1;
    }),
    ("C22 host data", Code::Measurement, ALL, |b| b.policy.manifest[0].host_data = Some([1; 64][..].into())),
    ("C22 another product of the signer", Code::Measurement, SGX, |b| {
        b.policy.manifest = vec![by_signer()];
        b.body[256] = 2;
    }),
    ("C23 by signer", Code::LowSvn, SGX, |b| {
        b.policy.manifest = vec![by_signer()];
        b.body[258] = 3;
    }),
    ("C23", Code::LowSvn, SGX, |b| b.policy.manifest[0].lowest_svn = Some(6)),
    ("C23 a TD has no version of its own", Code::LowSvn, TDX, |b| b.policy.manifest[0].lowest_svn = Some(0)),
    ("C24", Code::OtherNode, ALL, |b| b.expected = Statement::new(b"another node's key", b"nonce")),
    ("I11", Code::LowEvaluation, ALL, |b| b.policy.intel.lowest_evaluation = 21),
    ("I11 QE identity", Code::LowEvaluation, ALL, |b| {
        b.policy.intel.lowest_evaluation = 20;
        b.qe_identity.value["tcbEvaluationDataNumber"] = json!(19);
    }),
    ("I12", Code::StatusUpToDate, ALL, |b| b.policy.intel.statuses.clear()),
    ("I13", Code::StatusSwHardeningNeeded, ALL, |b| status(b, "SWHardeningNeeded")),
    ("I14", Code::StatusConfigurationNeeded, ALL, |b| status(b, "ConfigurationNeeded")),
    ("I15", Code::StatusConfigurationAndSwHardeningNeeded, ALL, |b| status(b, "ConfigurationAndSWHardeningNeeded")),
    ("I16", Code::StatusOutOfDate, ALL, |b| status(b, "OutOfDate")),
    ("I16 an older component", Code::StatusOutOfDate, ALL, |b| b.pck.components[15] = 4),
    ("I16 quoting enclave", Code::StatusOutOfDate, ALL, |b| put(&mut b.qe_report, 258, &[7])),
    ("I16 TDX module", Code::StatusOutOfDate, TDX, |b| {
        b.body[0] = 4;
        if b.base != Base::Tdx4 {
            b.body[584] = 4;
        }
    }),
    ("I17", Code::StatusOutOfDateConfigurationNeeded, ALL, |b| {
        status(b, "ConfigurationNeeded");
        put(&mut b.qe_report, 258, &[7]);
    }),
    ("I18", Code::StatusTdRelaunchAdvised, TD15, |b| b.body[0] = 4),
    ("I19", Code::StatusTdRelaunchAdvisedConfigurationNeeded, TD15, |b| {
        status(b, "ConfigurationNeeded");
        b.body[0] = 4;
    }),
    ("I21", Code::DeniedAdvisory, ALL, |b| {
        put(&mut b.qe_report, 258, &[7]);
        b.policy.intel.denied_advisories.insert("TEST-SA-2".to_owned());
    }),
    ("I25", Code::Migratable, TDX, |b| b.body[123] |= 0x20),
    ("I26", Code::MrServiceTd, TD15, |b| b.body[600] = 1),
    ("I26 attribute", Code::MrServiceTd, TDX, |b| b.body[122] |= 2),
    ("I26 bound since", Code::MrServiceTd, &[Base::Tdx5Ex], |b| b.body[884] = 1),
    ("I30", Code::SeptVeDisable, TDX, |b| b.body[123] = 0),
    ("I31", Code::Profiling, TDX, |b| b.body[120] |= 0x10),
    ("I43", Code::PlatformFlag, ALL, |b| b.policy.intel.allow_smt = false),
    ("I43 dynamic platform", Code::PlatformFlag, ALL, |b| b.policy.intel.allow_dynamic_platform = false),
    ("I44 PKS", Code::TdAttributes, TDX, |b| b.body[123] |= 0x40),
    ("I44 PERFMON", Code::TdAttributes, TDX, |b| b.body[127] |= 0x80),
    ("I44 XFAM", Code::TdAttributes, TDX, |b| b.policy.intel.xfam = Some(3)),
    ("I16 after its grace", Code::StatusOutOfDate, ALL, |b| {
        status(b, "OutOfDate");
        b.policy.intel.grace.insert(Status::OutOfDate, 200 * 86_400);
    }),
];

#[test]
fn without_a_deviation_every_quote_is_accepted() {
    for base in ALL {
        let claims = Build::new(*base).verdict().unwrap_or_else(|refusal| panic!("{base:?}: {refusal}"));
        assert_eq!((claims.status, claims.evaluation), (Some(Status::UpToDate), Some(20)));
        assert_eq!(claims.platform.as_deref(), Some("00a06d102030"));
    }
}

#[test]
fn each_deviation_is_refused_with_its_own_code() {
    let mut wrong = Vec::new();
    for (name, wanted, bases, deviate) in [ENVELOPE, CHAINS, DOCUMENTS, POLICY].into_iter().flatten() {
        for base in *bases {
            let mut build = Build::new(*base);
            deviate(&mut build);
            match build.verdict() {
                Err(refusal) if refusal.code == *wanted => {}
                Err(refusal) => wrong.push(format!("{name} on {base:?}: {wanted} wanted, got {refusal}")),
                Ok(_) => wrong.push(format!("{name} on {base:?}: accepted")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// I38 and I39 concern what comes beside a quote.
#[test]
fn the_event_log_of_a_td_must_be_whole_and_replay() {
    let log = event_log(&[(1, [1; 48]), (2, [2; 48]), (1, [3; 48])]);
    let registers = replay(&log).unwrap();
    for base in TDX {
        let mut build = Build::new(*base);
        put(&mut build.body, 328, &registers.concat());
        let claims = build.verdict().unwrap();
        let code = |log: &[u8]| check(claims.clone(), log).map(|_| ()).map_err(|refusal| refusal.code);
        assert_eq!(code(&log), Ok(()));
        assert_eq!(code(&[&log[..], &[0xff; 64]].concat()), Ok(()));
        // An event of a register that nobody reads, and one of RTMR3, which is the guest's own and is zero here.
        assert_eq!(code(&event_log(&[(0, [9; 48]), (1, [1; 48]), (2, [2; 48]), (1, [3; 48])])), Ok(()));
        assert_eq!(
            code(&event_log(&[(1, [1; 48]), (2, [2; 48]), (1, [3; 48]), (4, [4; 48])])),
            Err(Code::EventLogReplay)
        );
        assert_eq!(code(&event_log(&[(1, [3; 48]), (2, [2; 48]), (1, [1; 48])])), Err(Code::EventLogReplay));
        assert_eq!(code(&event_log(&[(1, [1; 48]), (2, [2; 48])])), Err(Code::EventLogReplay));
        assert_eq!(code(&log[..log.len() - 1]), Err(Code::EventLogTruncated));
        assert_eq!(code(&[]), Err(Code::EventLogTruncated));
    }
}

/// What differs, for which quotes, and how it is made so.
type Allowed = (&'static str, &'static [Base], fn(&mut Build));

/// What may differ and is accepted, so that a rule that refuses too much shows.
const ACCEPTED: &[Allowed] = &[
    ("a signer's product in a recent version", SGX, |b| b.policy.manifest = vec![by_signer()]),
    ("zeros follow", ALL, |b| b.finish = |quote| quote.extend([0; 70])),
    ("chain in the collateral alone", ALL, |b| {
        b.certification = 1;
        b.collateral = |given| {
            let build = Build::new(Base::Sgx);
            given.pck_certificate_chain = Some(crate::mock::intel::pem(&build.pck_chain()));
        };
    }),
    ("a higher platform", ALL, |b| b.pck.components = [9; 16]),
    ("an older root certificate of the same key", ALL, |b| b.root.window = ("20180101000000Z", "20330101000000Z")),
    ("on the last second", ALL, |b| {
        b.tcb_info.value["nextUpdate"] = json!("2026-01-01T00:00:00Z");
        assert_ne!(NEXT, "2026-01-01T00:00:00Z");
    }),
    ("a status that was voted for", ALL, |b| {
        status(b, "SWHardeningNeeded");
        b.policy.intel.statuses.insert(Status::SWHardeningNeeded);
    }),
    ("a status in its grace", ALL, |b| {
        status(b, "OutOfDate");
        b.policy.intel.grace.insert(Status::OutOfDate, 300 * 86_400);
    }),
    ("PKS where allowed", TDX, |b| {
        b.body[123] |= 0x40;
        b.policy.intel.td_attributes |= 1 << 30;
    }),
    ("a module without a version of its own", TDX, |b| {
        b.body[1] = 0;
        b.tcb_info.value["tcbLevels"][1]["tcb"]["tdxtcbcomponents"][1] = json!({ "svn": 0 });
        if b.base != Base::Tdx4 {
            b.body[585] = 0;
        }
    }),
    ("QE identity of version 3", TDX, |b| b.qe_identity.value["version"] = json!(3)),
];

#[test]
fn what_is_allowed_to_differ_is_accepted() {
    for (name, bases, change) in ACCEPTED {
        for base in *bases {
            let mut build = Build::new(*base);
            change(&mut build);
            build.verdict().unwrap_or_else(|refusal| panic!("{name} on {base:?}: {refusal}"));
        }
    }
}
