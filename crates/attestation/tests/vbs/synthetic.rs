//! One thing wrong at a time with a Windows of our own. Never compared with hardware.

use attestation::vbs::{self, Evidence};
use attestation::{Claims, Code, CodeEntry, Kind, Roots, Statement};

use crate::mock::der::Style;
use crate::mock::vbs::{AK, Build, FUTURE, IDK, PAST, boundary, idks, module, root, secure_boot};

/// The facts of register 13, with one of them changed.
fn fact(b: &mut Build, kind: u32) {
    let (_, _, data, _) = &mut b.events[8];
    let at = data.windows(4).position(|window| window == kind.to_le_bytes()).unwrap();
    data[at + 8] = 1;
}

type Case = (&'static str, Code, fn(&mut Build));

const CASES: &[Case] = &[
    ("C1", Code::Empty, |b| b.finish = Vec::clear),
    ("C2 report", Code::Truncated, |b| b.report = |report| report.truncate(report.len() - 1)),
    ("C2 log", Code::EventLogTruncated, |b| b.log_bytes = |log| log.truncate(log.len() - 1)),
    ("C3 report", Code::TrailingBytes, |b| b.report = |report| report.push(0)),
    ("C4", Code::WrongVersion, |b| b.package_version = 2),
    ("C6, C7 report", Code::BadSignature, |b| b.report_signer = &AK),
    ("C7 PKCS#1", Code::BadSignature, |b| b.style = Style::Pkcs1Sha384),
    ("C7 quote", Code::BadSignature, |b| b.quote_signer = &IDK),
    ("C7 AK", Code::BadSignature, |b| b.ca_signer = "another"),
    ("C8", Code::ChainIncomplete, |b| b.chain = Vec::clear),
    ("C9", Code::ChainOrder, |b| b.chain = |chain| chain.push(chain[0].clone())),
    ("C10 another purpose", Code::OtherProduct, |b| b.purpose = "2.23.133.8.1"),
    ("C11", Code::OtherRoot, |b| b.issuer = "somebody"),
    ("C11 right name, own key", Code::OtherRoot, |b| {
        b.ca_signer = "another";
        b.chain = |chain| chain.push(root("another"));
    }),
    ("C12", Code::Expired, |b| b.window = PAST),
    ("C13", Code::NotYetValid, |b| b.window = FUTURE),
    ("C20 of the quote", Code::Nonce, |b| b.nonce = Some(vec![9; 32])),
    ("C20 too short", Code::Nonce, |b| b.nonce = Some(b.presented.report_data()[..16].to_vec())),
    ("C20", Code::Nonce, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C21 boot loader", Code::DebugBit, |b| {
        let at = b.events[6].2.len() - 1;
        b.events[6].2[at] = 1;
    }),
    ("C21 kernel", Code::DebugBit, |b| fact(b, 0x0005_0001)),
    ("C21 test signing", Code::DebugBit, |b| fact(b, 0x0005_0003)),
    ("C21 hypervisor", Code::DebugBit, |b| fact(b, 0x0005_000d)),
    ("C22", Code::Measurement, |b| b.policy.manifest[0] = CodeEntry::new(Kind::Vbs, &[("unique-id", &[1; 32])])),
    ("C23 enclave", Code::LowSvn, |b| b.svns[0] = 4),
    ("C23 secure kernel", Code::LowSvn, |b| b.svns[1] = 5),
    ("C23 platform", Code::LowSvn, |b| b.svns[2] = 6),
    ("C24", Code::OtherNode, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
    ("C25", Code::ReservedNotZero, |b| b.report = |report| report[20] = 1),
    ("C26 package", Code::OversizedLength, |b| b.report = |report| report[0] ^= 1),
    ("C26 statement", Code::OversizedLength, |b| b.report = |report| report[14] = 0x7f),
    ("C27", Code::LengthOverflow, |b| b.report = |report| report[12..16].fill(0xff)),
    ("C28", Code::DuplicateKey, |b| b.finish = |evidence| drop(evidence.splice(..1, *b"{\"log\":\"\","))),
    ("C30", Code::JsonTrailing, |b| b.finish = |evidence| evidence.push(b'{')),
    ("B1", Code::VbsFullDebug, |b| b.flags = 1),
    ("B2", Code::VbsDynamicDebug, |b| b.flags = 2),
    ("B3", Code::VbsDynamicDebugActive, |b| b.flags = 4),
    ("B4", Code::VbsKeyNotInLog, |b| b.events[8].2 = boundary(&[])),
    ("B4 named twice", Code::VbsKeyNotInLog, |b| b.events[6].2 = boundary(&[idks(&AK)])),
    ("B4 after Windows closed the register", Code::VbsKeyNotInLog, |b| b.events.swap(8, 9)),
    ("B4 another register", Code::VbsKeyNotInLog, |b| b.events[8].0 = 10),
    ("B5 an event changed", Code::VbsLogReplay, |b| b.log = |events| events[1].2.push(0)),
    ("B5 an event left out", Code::VbsLogReplay, |b| b.log = |events| drop(events.remove(1))),
    ("B5 another key", Code::VbsLogReplay, |b| {
        b.report_signer = &AK;
        b.log = |events| {
            events[8].3 = Some(crypto::sha256(&events[8].2).0);
            events[8].2 = boundary(&[idks(&AK)]);
        };
    }),
    ("B5 another key, measured by itself", Code::VbsLogReplay, |b| {
        b.report_signer = &AK;
        b.log = |events| events[8].2 = boundary(&[idks(&AK)]);
    }),
    ("B5 the key's register is not quoted", Code::VbsLogReplay, |b| b.selection[1] = 0x1f),
    ("B5 Windows never closed the register", Code::VbsLogReplay, |b| drop(b.events.pop())),
    ("B5 firmware never closed its settings", Code::VbsLogReplay, |b| drop(b.events.remove(3))),
    ("B5 settings that were not measured", Code::VbsLogReplay, |b| {
        b.log = |events| {
            events[2].3 = Some(crypto::sha256(&events[2].2).0);
            events[2].2 = secure_boot(0);
        };
    }),
    ("B5 another locality", Code::VbsLogReplay, |b| b.log = |events| events[0].2[16] = 0),
    ("B6", Code::VbsSalt, |b| b.style = Style::Pss0),
    ("B7", Code::VbsScheme, |b| b.scheme = 2),
    ("B8", Code::VbsVersion, |b| b.report_version = 2),
    ("B9", Code::VbsBlockSize, |b| b.blocks = module(109)),
    ("B9 smaller than its header", Code::VbsBlockSize, |b| b.blocks = module(7)),
    ("B9 a module without its id", Code::VbsBlockSize, |b| b.blocks = [1, 0, 0, 0, 9, 0, 0, 0, 0].to_vec()),
    ("V5", Code::VtpmPcrSelection, |b| b.selection[0] = 0xfe),
    ("V5 another bank", Code::VtpmPcrSelection, |b| b.bank = 4),
    ("V6", Code::VtpmMagic, |b| b.magic = 0),
    ("V9", Code::VtpmSecureBoot, |b| b.events[2].2 = secure_boot(0)),
    ("V9 unsaid", Code::ClaimMissing, |b| drop(b.events.remove(2))),
];

/// Every code that some case here is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    CASES.iter().map(|(_, code, _)| *code)
}

#[test]
fn nothing_wrong_is_accepted() {
    let build = Build::new();
    assert_eq!(build.verdict(), Ok(()));
    let claims = build.claims().unwrap();
    assert_eq!(claims.flag("secure-boot"), Ok(true));
    assert_eq!(claims.flag("test-signing"), Ok(false));
    assert_eq!(claims.flag("boot-debugging"), Ok(false));
    let mut with_root = Build::new();
    with_root.chain = |chain| chain.push(root("TPM authority"));
    assert_eq!(with_root.claims().map(|claims| claims.debug), Ok(false));
}

#[test]
fn the_one_call_verifies_it_too() {
    let build = Build::new();
    let presented = build.shown();
    let roots = Roots { vbs: build.anchors(), ..Roots::vendors() };
    assert_eq!(presented.verify(&roots, build.now).map(|claims| claims.svn), Ok(Some(5)));
    assert_eq!(presented.verify(&Roots::vendors(), build.now).unwrap_err().code, Code::OtherRoot);
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

#[test]
fn whatever_is_cut_off_is_missed() {
    let build = Build::new();
    let (evidence, anchors) = (build.evidence(), build.anchors());
    for length in 0..evidence.report.len() {
        let mut cut = evidence.clone();
        cut.report.truncate(length);
        assert!(vbs::verify(&cut.to_json(), &anchors, build.now).is_err(), "{length}");
    }
    for length in 0..evidence.log.len() {
        let mut cut = evidence.clone();
        cut.log.truncate(length);
        assert!(vbs::verify(&cut.to_json(), &anchors, build.now).is_err(), "{length}");
    }
}

#[test]
fn no_accepted_change_of_one_bit_changes_a_claim() {
    let build = Build::new();
    let (evidence, anchors) = (build.evidence(), build.anchors());
    let claims = vbs::verify(&evidence.to_json(), &anchors, build.now).unwrap();
    let same = |changed: &Evidence, what: &str, at: usize| {
        if let Ok(other) = vbs::verify(&changed.to_json(), &anchors, build.now) {
            assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "{what}, byte {at}");
        }
    };
    for at in 0..evidence.report.len() {
        let mut changed = evidence.clone();
        changed.report[at] ^= 1 << (at % 8);
        same(&changed, "report", at);
    }
    for at in 0..evidence.log.len() {
        let mut changed = evidence.clone();
        changed.log[at] ^= 1 << (at % 8);
        same(&changed, "log", at);
    }
}
