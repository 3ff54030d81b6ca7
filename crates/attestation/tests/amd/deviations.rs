//! One thing wrong at a time: each is refused, with its own code.

use attestation::amd::Product;
use attestation::{Code, CodeEntry, Kind, Statement};

use crate::mock::amd::{Build, MEASUREMENT, NOW, THREE, TWO, WINDOW, did, put};
use crate::mock::der::{Key, Style};
use crate::mock::vectors::date;

/// What is wrong, what the verdict must be, and how it is made so.
type Case = (&'static str, Code, fn(&mut Build));

const PAST: (&str, &str) = ("20200101000000Z", "20250601000000Z");
const FUTURE: (&str, &str) = ("20270101000000Z", "20320101000000Z");

fn uvm(build: &mut Build) -> &mut crate::mock::amd::Uvm {
    build.uvm.as_mut().unwrap()
}

const REPORT: &[Case] = &[
    ("C1", Code::Empty, |b| b.finish = Vec::clear),
    ("C2", Code::Truncated, |b| b.finish = |report| report.truncate(1183)),
    ("C3", Code::TrailingBytes, |b| b.finish = |report| report.push(0)),
    ("C4", Code::WrongVersion, |b| put(&mut b.report, 0, &[1])),
    ("C5 algorithm", Code::WrongAlgorithm, |b| put(&mut b.report, 0x34, &[2])),
    ("C5 no signing key", Code::WrongAlgorithm, |b| put(&mut b.report, 0x48, &[7 << 2])),
    ("C6: to a verifier, any other's signature", Code::BadSignature, |b| {
        b.finish = |report| {
            let mut other = Build::new();
            put(&mut other.report, 4, &[8]);
            let other = other.evidence();
            put(report, 0x2a0, &other[0x2a0..0x330]);
        };
    }),
    ("C7", Code::BadSignature, |b| b.signer = "another key"),
    ("C25 after the key flags", Code::ReservedNotZero, |b| put(&mut b.report, 0x4c, &[1])),
    ("C25 in the key flags", Code::ReservedNotZero, |b| put(&mut b.report, 0x49, &[1])),
    ("C25 after the CPUID", Code::ReservedNotZero, |b| put(&mut b.report, 0x18b, &[1])),
    ("C25 after the current version", Code::ReservedNotZero, |b| put(&mut b.report, 0x1eb, &[1])),
    ("C25 after the committed version", Code::ReservedNotZero, |b| put(&mut b.report, 0x1ef, &[1])),
    ("C25 at the signed end", Code::ReservedNotZero, |b| put(&mut b.report, 0x29f, &[1])),
    ("C25 after the signature", Code::ReservedNotZero, |b| b.finish = |report| put(report, 0x49f, &[1])),
    ("C25 mitigations before version 5", Code::ReservedNotZero, |b| {
        put(&mut b.report, 0, &[4]);
        put(&mut b.report, 0x1f8, &[1]);
    }),
    ("C25 CPUID before version 3", Code::ReservedNotZero, |b| put(&mut b.report, 0, &[2])),
    ("A1", Code::SnpVersionLow, |b| {
        put(&mut b.report, 0, &[2]);
        put(&mut b.report, 0x188, &[0; 3]);
    }),
    ("A2", Code::SnpVersionUnknown, |b| put(&mut b.report, 0, &[6])),
    ("A4", Code::SnpMaskedChipKey, |b| put(&mut b.report, 0x48, &[2])),
    ("A5", Code::SnpAuthorKey, |b| put(&mut b.report, 0x48, &[1])),
    ("A5 another digest", Code::SnpAuthorKey, |b| {
        put(&mut b.report, 0x48, &[1]);
        b.policy.snp.author_key = Some([1; 48][..].into());
    }),
    ("A6 boot loader", Code::SnpTcbMismatch, |b| put(&mut b.report, 0x180, &[5])),
    ("A6 TEE", Code::SnpTcbMismatch, |b| put(&mut b.report, 0x181, &[1])),
    ("A6 SNP", Code::SnpTcbMismatch, |b| put(&mut b.report, 0x186, &[0x19])),
    ("A6 microcode", Code::SnpTcbMismatch, |b| put(&mut b.report, 0x187, &[0xdc])),
    ("A7", Code::SnpHwid, |b| put(&mut b.report, 0x1a0, &[1])),
    ("A8 reported", Code::SnpLayout, |b| put(&mut b.report, 0x180, &[1, 4, 0, 0x18, 0, 0, 0, 0xdb])),
    ("A8 current", Code::SnpLayout, |b| put(&mut b.report, 0x38, &[1, 4, 0, 0x18, 0, 0, 0, 0xdb])),
    ("A9", Code::SnpDebugPolicy, |b| put(&mut b.report, 0xa, &[0xb])),
    ("A10", Code::SnpMigrationAgent, |b| put(&mut b.report, 0xa, &[0x7])),
    ("A11", Code::SnpVmpl1, |b| put(&mut b.report, 0x30, &[1])),
    ("A12", Code::SnpVmpl2, |b| put(&mut b.report, 0x30, &[2])),
    ("A13", Code::SnpVmpl3, |b| put(&mut b.report, 0x30, &[3])),
    ("A14 SNP", Code::SnpReportedTcb, |b| {
        put(&mut b.report, 0x186, &[0x14]);
        b.vek.tcb[2] = 0x14;
    }),
    ("A14 no line for the platform", Code::SnpReportedTcb, |b| put(&mut b.report, 0x18a, &[2])),
    ("A15 boot loader", Code::SnpCommittedTcb, |b| put(&mut b.report, 0x1e0, &[3])),
    ("A15 microcode", Code::SnpCommittedTcb, |b| put(&mut b.report, 0x1e7, &[0xd2])),
    ("A16", Code::SnpHostData, |b| put(&mut b.report, 0xc0, &[0])),
    ("A24 r", Code::SnpSignaturePadding, |b| b.finish = |report| put(report, 0x2a0 + 48, &[1])),
    ("A24 s", Code::SnpSignaturePadding, |b| b.finish = |report| put(report, 0x2e8 + 71, &[1])),
    ("A25", Code::SnpPolicyBit17, |b| put(&mut b.report, 0xa, &[1])),
    ("A26", Code::SnpCpuid, |b| put(&mut b.report, 0x188, &[0x19, 0x50, 1])),
    ("C19", Code::ReportData, |b| put(&mut b.report, 0x50, &[0; 64])),
    ("C20", Code::Nonce, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C22", Code::Measurement, |b| {
        b.uvm = None;
        b.policy.manifest = vec![CodeEntry::new(Kind::SevSnp, &[("measurement", &[1; 48])])];
    }),
    ("C23", Code::LowSvn, |b| put(&mut b.report, 4, &[6])),
    ("C24", Code::OtherNode, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
];

const CHAIN: &[Case] = &[
    ("C7 leaf", Code::BadSignature, |b| b.vek.issued.signer = &THREE),
    ("C7 ASK", Code::BadSignature, |b| b.ask.signer = &THREE),
    ("C8 no ASK", Code::ChainIncomplete, |b| b.chain = |chain| drop(chain.remove(1))),
    ("C8 leaf only", Code::ChainIncomplete, |b| b.chain = |chain| chain.truncate(1)),
    ("C8 no leaf", Code::ChainIncomplete, |b| b.chain = |chain| drop(chain.remove(0))),
    ("C8 nothing", Code::ChainIncomplete, |b| b.chain = Vec::clear),
    ("C9 root first", Code::ChainOrder, |b| b.chain = |chain| chain.reverse()),
    ("C9 issuer first", Code::ChainOrder, |b| b.chain = |chain| chain.swap(0, 1)),
    ("C9 root before issuer", Code::ChainOrder, |b| b.chain = |chain| chain.swap(1, 2)),
    ("C9 one too many", Code::ChainOrder, |b| b.chain = |chain| chain.push(chain[2].clone())),
    ("C10 by name", Code::OtherProduct, |b| b.vek.issued.issuer = "SEV-Genoa"),
    ("C10 by what it says", Code::OtherProduct, |b| b.vek.product = "Genoa"),
    ("C10 a whole chain of another product", Code::OtherProduct, |b| {
        genoa_issuers(b);
        b.vek.product = "Genoa";
    }),
    ("C10 a product nobody knows", Code::OtherProduct, |b| b.vek.product = "Rome"),
    ("C10 report of a cloud's key, certificate of a chip's", Code::OtherProduct, |b| put(&mut b.report, 0x48, &[4])),
    ("A23", Code::SnpAsk, genoa_issuers),
    ("A23 an issuer of clouds' keys issued a chip's", Code::SnpAsk, |b| {
        b.vek.issued.issuer = "SEV-VLEK-Milan";
        b.ask.subject = "SEV-VLEK-Milan";
    }),
    ("C11 right name, own key", Code::OtherRoot, |b| {
        b.ask.signer = &THREE;
        b.chain = |chain| chain[2] = crate::mock::amd::root("ARK-Milan", &THREE);
    }),
    ("C11 unknown name", Code::OtherRoot, |b| b.ask.issuer = "ARK-Nowhere"),
    ("C12 leaf", Code::Expired, |b| b.vek.issued.window = PAST),
    ("C12 ASK", Code::Expired, |b| b.ask.window = PAST),
    ("C12 all", Code::Expired, |b| b.now = date(2040, 1, 1)),
    ("C13 leaf", Code::NotYetValid, |b| b.vek.issued.window = FUTURE),
    ("C13 ASK", Code::NotYetValid, |b| b.ask.window = FUTURE),
    ("C14", Code::CrlMissing, |b| b.crls.clear()),
    ("C15", Code::CrlExpired, |b| b.crls[0].1 = PAST),
    ("C31", Code::CrlFromFuture, |b| b.crls[0].1 = FUTURE),
    ("C16", Code::CrlOfOther, |b| b.crls.push(("ARK-Genoa", WINDOW, vec![], &THREE))),
    ("C7 revocation list", Code::BadSignature, |b| b.crls[0].3 = &THREE),
    ("C17", Code::LeafRevoked, |b| b.crls.push(("SEV-Milan", WINDOW, vec![3, 0], &TWO))),
    ("C18", Code::IntermediateRevoked, |b| b.crls[0].2 = vec![77, 1]),
    ("C26 a certificate", Code::OversizedLength, |b| b.chain = |chain| chain[0].resize(8193, 0)),
    ("C26 a chain", Code::OversizedLength, |b| b.chain = |chain| chain.resize(7, vec![])),
    ("C3 after a certificate", Code::TrailingBytes, |b| b.chain = |chain| chain[1].push(0)),
    ("A22 PKCS#1", Code::SnpPss, |b| b.vek.issued.style = Style::Pkcs1Sha384),
    ("A22 PKCS#1 above", Code::SnpPss, |b| b.ask.style = Style::Pkcs1Sha384),
    ("A22 another salt", Code::SnpPss, |b| b.vek.issued.style = Style::PssSaysSalt32),
    ("C7 a salt that is not as long as it says", Code::BadSignature, |b| b.vek.issued.style = Style::PssIsSalt32),
    ("A22 another hash", Code::SnpPss, |b| b.vek.issued.style = Style::Pss32),
    ("A8 parts of Turin in a Milan's certificate", Code::SnpLayout, |b| b.vek.fmc = Some(1)),
    ("a key of neither chip nor cloud", Code::BadEncoding, |b| b.vek.hwid = None),
    ("a chip id too short", Code::BadEncoding, |b| b.vek.hwid = Some(vec![0xc1; 8])),
];

const UVM: &[Case] = &[
    ("C1", Code::Empty, |b| uvm(b).finish = Vec::clear),
    ("C2", Code::Truncated, |b| uvm(b).finish = |message| message.truncate(message.len() - 1)),
    ("C3", Code::TrailingBytes, |b| uvm(b).finish = |message| message.push(0)),
    ("C5", Code::WrongAlgorithm, |b| uvm(b).algorithm = -37),
    ("C7", Code::BadSignature, |b| uvm(b).signer = &THREE),
    ("C8", Code::ChainIncomplete, |b| uvm(b).chain = |chain| chain.truncate(1)),
    ("C9", Code::ChainOrder, |b| uvm(b).chain = |chain| chain.insert(0, chain[1].clone())),
    ("C12", Code::Expired, |b| uvm(b).leaf_window = PAST),
    ("C13", Code::NotYetValid, |b| uvm(b).leaf_window = FUTURE),
    ("C22", Code::Measurement, |b| uvm(b).measurement = vec![1; 48]),
    ("C26", Code::OversizedLength, |b| {
        uvm(b).finish = |message| drop(message.splice(2..5, [0x5a, 0x7f, 0xff, 0xff, 0xff]));
    }),
    ("C27", Code::LengthOverflow, |b| {
        uvm(b).finish = |message| drop(message.splice(2..5, [0x5b, 255, 255, 255, 255, 255, 255, 255, 255]));
    }),
    ("C28 CBOR", Code::DuplicateKey, |b| {
        uvm(b).finish = |message| drop(message.splice(2.., [0x45, 0xa2, 1, 0, 1, 0, 0xa0, 0x40, 0x40]))
    }),
    ("C28 JSON", Code::DuplicateKey, |b| uvm(b).payload = Some(r#"{"a":1,"a":2}"#)),
    ("C29", Code::NotCanonical, |b| uvm(b).finish = |message| drop(message.splice(1..2, [0x98, 4]))),
    ("C30", Code::JsonTrailing, |b| uvm(b).payload = Some("{} {}")),
    ("A17", Code::UvmIssuer, |b| b.policy.snp.endorsers[0].issuer = did().replace("59.1.2", "59.1.3")),
    ("A17 no DID", Code::UvmIssuer, |b| uvm(b).issuer = Some("somebody".to_owned())),
    ("A18", Code::UvmSvn, |b| uvm(b).svn = 100),
    ("A19", Code::UvmFeed, |b| uvm(b).feed = "another feed"),
    ("A20", Code::UvmRoot, |b| uvm(b).chain = |chain| chain[1] = crate::mock::amd::root("UVM root", &THREE)),
    ("A21", Code::UvmEku, |b| uvm(b).purpose = "1.3.6.1.4.1.311.76.59.1.3"),
    ("not tagged", Code::BadEncoding, |b| uvm(b).tagged = false),
    ("another's issuer", Code::ChainOrder, |b| {
        uvm(b).chain = |chain| chain.insert(1, crate::mock::amd::root("other", &TWO))
    }),
    ("short measurement", Code::BadEncoding, |b| uvm(b).measurement = vec![1; 32]),
];

fn genoa_issuers(b: &mut Build) {
    b.vek.issued.issuer = "SEV-Genoa";
    b.ask.subject = "SEV-Genoa";
    b.ask.issuer = "ARK-Genoa";
    b.ask.signer = &THREE;
    b.crls = vec![("ARK-Genoa", WINDOW, vec![], &THREE)];
}

fn check(cases: &[Case]) {
    for (what, expected, change) in cases {
        let mut build = Build::new();
        change(&mut build);
        let refusal = build.verdict().expect_err(what);
        assert_eq!(refusal.code, *expected, "{what}: {refusal}");
    }
}

/// Every code that some case here, or a test below, is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    REPORT.iter().chain(CHAIN).chain(UVM).map(|(_, code, _)| *code).chain([Code::SnpVlek])
}

#[test]
fn nothing_wrong_is_accepted() {
    assert_eq!(Build::new().verdict(), Ok(()));
    assert_eq!(Build::turin().verdict(), Ok(()));
    assert_eq!(Build::vlek().verdict(), Ok(()));
    let mut older = Build::new();
    put(&mut older.report, 0, &[2]);
    put(&mut older.report, 0x188, &[0; 3]);
    older.policy.snp.lowest_version = 2;
    older.policy.snp.lowest_tcb.insert("unknown".to_owned(), [("snp".to_owned(), 0x18)].into());
    assert_eq!(older.verdict(), Ok(()));
}

#[test]
fn parts_that_may_be_absent_may_be() {
    let mut build = Build::new();
    build.chain = |chain| chain.truncate(2);
    assert_eq!(build.verdict(), Ok(()), "the root is pinned and need not come");
    build.uvm = None;
    build.policy.manifest = vec![CodeEntry::new(Kind::SevSnp, &[("measurement", &MEASUREMENT)])];
    assert_eq!(build.verdict(), Ok(()));
    build.crls.clear();
    build.policy.snp.require_crl = false;
    assert_eq!(build.verdict(), Ok(()));
    let mut author = Build::new();
    put(&mut author.report, 0x48, &[1]);
    author.policy.snp.author_key = Some([0; 48][..].into());
    assert_eq!(author.verdict(), Ok(()));
    let mut newer = Build::new();
    uvm(&mut newer).newer = true;
    assert_eq!(newer.verdict(), Ok(()));
    for (key, algorithm) in [(Key::p384("UVM"), -35), (Key::p256("UVM"), -7)] {
        let mut curve = Build::new();
        uvm(&mut curve).curve = Some(key);
        uvm(&mut curve).algorithm = algorithm;
        assert_eq!(curve.verdict(), Ok(()));
        uvm(&mut curve).algorithm = -38;
        assert_eq!(curve.verdict().unwrap_err().code, Code::BadSignature, "an algorithm of another kind of key");
    }
    let mut number = Build::new();
    let measurement = "4d".repeat(48);
    let payload = format!(r#"{{"x-ms-sevsnpvm-guestsvn":101,"x-ms-sevsnpvm-launchmeasurement":"{measurement}"}}"#);
    uvm(&mut number).payload = Some(payload.leak());
    assert_eq!(number.verdict(), Ok(()), "a svn that is a number");
}

#[test]
fn each_change_of_the_report_has_its_code() {
    check(REPORT);
}

#[test]
fn each_change_of_the_chain_has_its_code() {
    check(CHAIN);
}

#[test]
fn each_change_of_the_firmware_endorsement_has_its_code() {
    check(UVM);
}

#[test]
fn a_loaded_key_needs_the_policys_word() {
    let mut build = Build::vlek();
    build.policy.snp.allow_vlek = false;
    assert_eq!(build.verdict().unwrap_err().code, Code::SnpVlek, "A3");
    let mut build = Build::vlek();
    put(&mut build.report, 0x1a0, &[1]);
    assert_eq!(build.verdict().unwrap_err().code, Code::SnpHwid, "such a report names no chip");
}

#[test]
fn each_part_of_a_turins_tcb_is_compared() {
    for at in [0x180, 0x181, 0x182, 0x183, 0x187] {
        let mut build = Build::turin();
        build.report[at] += 1;
        assert_eq!(build.verdict().unwrap_err().code, Code::SnpTcbMismatch, "A6, byte {at:#x}");
    }
    let mut milan = Build::turin();
    put(&mut milan.report, 0x180, &[4, 0, 0, 0, 0, 0, 0x18, 0xdb]);
    assert_eq!(milan.verdict().unwrap_err().code, Code::SnpLayout, "A8");
}

#[test]
fn an_endorsement_outlives_its_leaf() {
    let mut build = Build::new();
    uvm(&mut build).leaf_window = PAST;
    uvm(&mut build).signed_at = date(2025, 1, 1);
    assert_eq!(build.verdict(), Ok(()));
    assert_eq!(build.now, NOW);
}

#[test]
fn the_product_of_the_root_is_that_of_its_folder() {
    let mut build = Build::new();
    build.roots[0].0 = Product::Genoa;
    assert_eq!(build.verdict().unwrap_err().code, Code::SnpAsk);
}
