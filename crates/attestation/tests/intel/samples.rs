//! The verdicts on recorded quotes.

use attestation::intel::document::Signed;
use attestation::intel::quote::Quote;
use attestation::intel::{self, Collateral, ROOT, event_log};
use attestation::{
    Binding, Bytes, Claims, Code, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Roots, Status,
};

use crate::containers::{collateral, fortanix, quote, ravl};
use crate::mock::vectors::{date, folder, read};

const JUNE: u64 = date(2025, 6, 20);

fn verify(quote: &[u8], collateral: &Collateral, now: u64) -> Result<Claims, Refusal> {
    intel::verify(quote, collateral, ROOT, now)
}

/// The default policy, with the claims' own code in the manifest and their own report data asked for.
fn decide(claims: &Claims, change: impl FnOnce(&mut Policy)) -> Result<(), Code> {
    let names: &[&str] = if claims.kind == Kind::Sgx { &["mrenclave"] } else { &["mrtd", "rtmr0", "rtmr1", "rtmr2"] };
    let measurements: Vec<_> = names.iter().map(|name| (*name, claims.measurements[*name].as_ref())).collect();
    let mut policy = Policy { manifest: vec![CodeEntry::new(claims.kind, &measurements)], ..Policy::default() };
    change(&mut policy);
    let binding = Binding::Exact(claims.report_data.0.clone());
    attestation::policy(claims, &policy, &binding).map_err(|refusal| refusal.code)
}

fn default(claims: &Claims) -> Result<(), Code> {
    decide(claims, |_| ())
}

fn code(result: Result<Claims, Refusal>) -> Code {
    result.unwrap_err().code
}

/// One row that verifies: its status, its advisories, and the default policy's word.
pub struct Good {
    pub quote: &'static str,
    pub collateral: &'static str,
    pub now: u64,
    pub status: Status,
    pub advisories: &'static [&'static str],
    pub default: Result<(), Code>,
}

pub const GOOD: &[Good] = &[
    Good {
        quote: "sgx/dcap-qvl/sgx_quote",
        collateral: "sgx/dcap-qvl/sgx_quote_collateral.json",
        now: JUNE,
        status: Status::ConfigurationAndSWHardeningNeeded,
        advisories: &["INTEL-SA-00289", "INTEL-SA-00615"],
        default: Err(Code::StatusConfigurationAndSwHardeningNeeded),
    },
    Good {
        quote: "sgx/automata/quotev3.hex",
        collateral: "sgx/composed/00606A000000-eval17.json",
        now: JUNE,
        status: Status::SWHardeningNeeded,
        advisories: &["INTEL-SA-00615"],
        default: Err(Code::StatusSwHardeningNeeded),
    },
    Good {
        quote: "sgx/automata/quotev3.hex",
        collateral: "sgx/composed/00606A000000-eval18.json",
        now: JUNE,
        status: Status::OutOfDate,
        advisories: &["INTEL-SA-00615", "INTEL-SA-00657", "INTEL-SA-00767", "INTEL-SA-01079", "INTEL-SA-01103"],
        default: Err(Code::StatusOutOfDate),
    },
    Good {
        quote: "tdx/dcap-qvl/tdx_quote",
        collateral: "tdx/dcap-qvl/tdx_quote_collateral.json",
        now: JUNE,
        status: Status::UpToDate,
        advisories: &[],
        default: Ok(()),
    },
    Good {
        quote: "tdx/dcap-qvl/tdx_quote_td15ex",
        collateral: "tdx/dcap-qvl/tdx_quote_td15ex_collateral.json",
        now: date(2026, 10, 20),
        status: Status::UpToDate,
        advisories: &[],
        default: Ok(()),
    },
    Good {
        quote: "tdx/go-tdx-guest/quote_v5_sample.dat",
        collateral: "tdx/dcap-qvl/tdx_quote_outdated_collateral.json",
        now: date(2026, 2, 25),
        status: Status::UpToDate,
        advisories: &[],
        default: Ok(()),
    },
    Good {
        quote: "tdx/go-tdx-guest/quote_v5_sample.dat",
        collateral: "tdx/composed/90C06F000000-2026-02b.json",
        now: date(2026, 2, 25),
        status: Status::UpToDate,
        advisories: &[],
        default: Ok(()),
    },
    Good {
        quote: "tdx/openenclave/tdx_quote-moduleupdate-seamldr5.dat",
        collateral: "tdx/composed/90C06F000000-2025-06.json",
        now: JUNE,
        status: Status::UpToDate,
        advisories: &[],
        default: Ok(()),
    },
    Good {
        quote: "tdx/openenclave/tdx_quote-moduleupdate-seamldr5.dat",
        collateral: "tdx/composed/90C06F000000-2025-02.json",
        now: date(2025, 3, 10),
        status: Status::TDRelaunchAdvised,
        advisories: &["INTEL-SA-01036", "INTEL-SA-01099"],
        default: Err(Code::StatusTdRelaunchAdvised),
    },
    Good {
        quote: "tdx/openenclave/tdx_quote-moduleupdate-seamldr5.dat",
        collateral: "tdx/composed/90C06F000000-2026-02b.json",
        now: date(2026, 2, 25),
        status: Status::TDRelaunchAdvised,
        advisories: &["INTEL-SA-01036", "INTEL-SA-01099"],
        default: Err(Code::StatusTdRelaunchAdvised),
    },
    Good {
        quote: "tdx/automata/quotev4.hex",
        collateral: "tdx/composed/00806F050000-2025-06.json",
        now: JUNE,
        status: Status::OutOfDate,
        advisories: &["INTEL-SA-00960", "INTEL-SA-00982", "INTEL-SA-00986"],
        default: Err(Code::StatusOutOfDate),
    },
    Good {
        quote: "tdx/go-tdx-guest/ccel/cos-113-tdx-quote.dat",
        collateral: "tdx/composed/00806F050000-2025-06.json",
        now: JUNE,
        status: Status::UpToDate,
        advisories: &[],
        default: Ok(()),
    },
];

#[test]
fn recorded_quotes_have_their_status_and_the_default_policy_its_word() {
    if folder().is_none() {
        return;
    }
    for row in GOOD {
        let evidence = quote(row.quote);
        let claims = verify(&evidence, &collateral(row.collateral), row.now)
            .unwrap_or_else(|refusal| panic!("{} with {}: {refusal}", row.quote, row.collateral));
        let advisories: Vec<&str> = claims.advisories.iter().map(String::as_str).collect();
        assert_eq!((claims.status, advisories.as_slice()), (Some(row.status), row.advisories), "{}", row.quote);
        assert_eq!(default(&claims), row.default, "{}", row.quote);
    }
}

/// One row that does not verify.
type Bad = (&'static str, &'static str, u64, Code);

const BAD: &[Bad] = &[
    ("sgx/dcap-qvl/sgx_quote", "sgx/dcap-qvl/sgx_quote_collateral.json", date(2026, 11, 26), Code::Expired),
    ("sgx/dcap-qvl/sgx_quote", "sgx/dcap-qvl/sgx_quote_collateral.json", date(2025, 6, 16), Code::NotYetValid),
    ("sgx/automata/quotev3.hex", "sgx/composed/00606A000000-eval17.json", date(2025, 6, 10), Code::CrlFromFuture),
    ("sgx/automata/quotev3.hex", "sgx/dcap-qvl/sgx_quote_collateral.json", JUNE, Code::CrlOfOther),
    ("sgx/fortanix/quote.bin", "sgx/dcap-qvl/sgx_quote_collateral.json", JUNE, Code::OtherFmspc),
    ("sgx/fortanix/quote_pck_cert_chain.bin", "sgx/dcap-qvl/sgx_quote_collateral.json", JUNE, Code::ChainOrder),
    (
        "sgx/fortanix/quote_pck_cert_chain_corrupted.bin",
        "sgx/dcap-qvl/sgx_quote_collateral.json",
        JUNE,
        Code::BadSignature,
    ),
    ("maa/attest_sgx_enclave_quote.bin", "sgx/dcap-qvl/sgx_quote_collateral.json", JUNE, Code::OtherFmspc),
    (
        "tdx/dcap-qvl/tdx_quote_outdated",
        "tdx/dcap-qvl/tdx_quote_outdated_collateral.json",
        date(2026, 2, 25),
        Code::NoTcbLevel,
    ),
    ("tdx/dcap-qvl/tdx_quote_outdated", "tdx/composed/90C06F000000-2026-02b.json", date(2026, 2, 25), Code::NoTcbLevel),
    ("tdx/go-tdx-guest/quote_v5_sample.dat", "tdx/composed/90C06F000000-2025-06.json", JUNE, Code::NotYetValid),
    ("tdx/automata/quotev5.dat", "tdx/composed/90C06F000000-2025-06.json", JUNE, Code::MrServiceTd),
    ("tdx/automata/quotev5.dat", "tdx/composed/90C06F000000-2026-02b.json", date(2026, 2, 25), Code::MrServiceTd),
    ("tdx/automata/quotev5.dat", "tdx/composed/90C06F000000-2025-02.json", date(2025, 3, 10), Code::NotYetValid),
    (
        "tdx/go-tdx-guest/tdx_prod_quote_SPR_E4.dat",
        "tdx/composed/50806F000000-2023-06.json",
        date(2023, 6, 20),
        Code::TrailingBytes,
    ),
    ("tdx/openenclave/tdx_quote.bin", "tdx/composed/50806F000000-2023-06.json", date(2023, 6, 20), Code::SeptVeDisable),
    (
        "azure-vtpm/trustee/az-tdx-vtpm/td-quote.bin",
        "tdx/composed/00806F050000-2025-06.json",
        JUNE,
        Code::SeptVeDisable,
    ),
    ("tdx/dcap-qvl/tdx_quote", "tdx/composed/90C06F000000-2025-06.json", JUNE, Code::OtherFmspc),
    ("tdx/go-tdx-guest/ccel/cos-113-tdx-quote.dat", "tdx/dcap-qvl/tdx_quote_collateral.json", JUNE, Code::OtherFmspc),
    ("tdx/go-tdx-guest/report.dat", "tdx/dcap-qvl/tdx_quote_collateral.json", JUNE, Code::WrongVersion),
];

#[test]
fn other_recorded_quotes_are_refused_each_with_its_code() {
    if folder().is_none() {
        return;
    }
    for (path, with, now, wanted) in BAD {
        let refusal = verify(&quote(path), &collateral(with), *now).expect_err(path);
        assert_eq!(refusal.code, *wanted, "{path} with {with}: {refusal}");
    }
    // Open Enclave's header of 16 bytes stands before the quote.
    let report = quote("maa/attest_open_enclave_oe_report.bin");
    let refusal = verify(&report[16..], &collateral("sgx/dcap-qvl/sgx_quote_collateral.json"), JUNE).unwrap_err();
    assert_eq!(refusal.code, Code::OtherFmspc, "{refusal}");
    let spr = quote("tdx/go-tdx-guest/tdx_prod_quote_SPR_E4.dat");
    let cut = &spr[..spr.len() - 39];
    let refusal = verify(cut, &collateral("tdx/composed/50806F000000-2023-06.json"), date(2023, 6, 20)).unwrap_err();
    assert_eq!(refusal.code, Code::NoTcbLevel, "{refusal}");
}

#[test]
fn collateral_older_than_seen_is_refused_as_a_rollback() {
    if folder().is_none() {
        return;
    }
    let evidence = quote("sgx/automata/quotev3.hex");
    let newer = verify(&evidence, &collateral("sgx/composed/00606A000000-eval18.json"), JUNE).unwrap();
    let older = verify(&evidence, &collateral("sgx/composed/00606A000000-eval17.json"), JUNE).unwrap();
    let lenient = |policy: &mut Policy| policy.intel.statuses = Status::ALL.into();
    assert_eq!(decide(&older, lenient), Ok(()));
    let remembering = |policy: &mut Policy| {
        lenient(policy);
        policy.intel.lowest_evaluation = newer.evaluation.unwrap();
    };
    assert_eq!(decide(&newer, remembering), Ok(()));
    assert_eq!(decide(&older, remembering), Err(Code::LowEvaluation));
}

#[test]
fn report_data_is_told_as_it_was_bound() {
    if folder().is_none() {
        return;
    }
    let evidence = quote("sgx/dcap-qvl/sgx_quote");
    let claims = verify(&evidence, &collateral("sgx/dcap-qvl/sgx_quote_collateral.json"), JUNE).unwrap();
    assert_eq!(claims.platform.as_deref(), Some("00a067110000"));
    assert_eq!(Binding::Exact(b"Hello, world!".to_vec()).check(&claims), Ok(()));
    assert_eq!(Binding::Exact(b"Hello, world".to_vec()).check(&claims).unwrap_err().code, Code::ReportData);
}

/// What a ledger keeps of a verified quote does not change its form: old claims are read and compared for ever.
#[test]
fn the_form_of_claims_is_pinned() {
    if folder().is_none() {
        return;
    }
    for (path, with, now, golden) in [
        ("sgx/dcap-qvl/sgx_quote", "sgx/dcap-qvl/sgx_quote_collateral.json", JUNE, include_str!("golden/sgx.json")),
        ("tdx/dcap-qvl/tdx_quote", "tdx/dcap-qvl/tdx_quote_collateral.json", JUNE, include_str!("golden/tdx.json")),
    ] {
        let claims = verify(&quote(path), &collateral(with), now).unwrap();
        let text = serde_json::to_string_pretty(&claims).unwrap();
        assert_eq!(text, golden.trim_end(), "{path}");
        assert_eq!(serde_json::from_str::<Claims>(golden).unwrap(), claims);
    }
}

#[test]
fn a_td_15ex_verifies_with_and_without_the_chain_in_its_collateral() {
    if folder().is_none() {
        return;
    }
    let evidence = quote("tdx/dcap-qvl/tdx_quote_td15ex");
    let mut given = collateral("tdx/dcap-qvl/tdx_quote_td15ex_collateral.json");
    let with = verify(&evidence, &given, date(2026, 10, 20)).unwrap();
    given.pck_certificate_chain = None;
    assert_eq!(verify(&evidence, &given, date(2026, 10, 20)), Ok(with));
}

#[test]
fn debug_enclaves_are_known_by_their_report() {
    if folder().is_none() {
        return;
    }
    let (coffee, _) = ravl("sgx/ravl/sgx.coffeelake.att");
    let samples = [quote("sgx/fortanix/quote.bin"), quote("sgx/fortanix/quote_pck_cert_chain.bin"), coffee];
    for evidence in samples {
        let mut claims = Quote::parse(&evidence).unwrap().unverified_claims();
        assert!(claims.debug);
        // As if somebody vouched for it.
        claims.status = Some(Status::UpToDate);
        claims.evaluation = Some(17);
        assert_eq!(default(&claims), Err(Code::DebugBit));
    }
    let (plain, report) = (quote("maa/attest_sgx_enclave_quote.bin"), quote("maa/attest_open_enclave_oe_report.bin"));
    for evidence in [&plain[..], &report[16..]] {
        assert!(!Quote::parse(evidence).unwrap().unverified_claims().debug);
    }
}

#[test]
fn tcb_info_of_version_2_is_not_read() {
    if folder().is_none() {
        return;
    }
    let (evidence, given) = ravl("sgx/ravl/sgx.coffeelake.att");
    assert_eq!(code(verify(&evidence, &given, date(2022, 8, 20))), Code::TcbInfoVersion);
    let (evidence, given) = ravl("sgx/ravl/oe.coffelake.att");
    assert_eq!(code(verify(&evidence, &given, date(2022, 8, 20))), Code::TrailingBytes);
    let cut = evidence.len() - 53;
    assert_eq!(code(verify(&evidence[..cut], &given, date(2022, 8, 20))), Code::TcbInfoVersion);
}

#[test]
fn intels_synthetic_sets_lack_a_chain_and_stand_under_another_root() {
    if folder().is_none() {
        return;
    }
    for (set, info) in
        [("sgx", "sgx/dcap-qvl/sgx_quote_collateral.json"), ("tdx", "tdx/dcap-qvl/tdx_quote_collateral.json")]
    {
        let evidence = quote(&format!("{set}/intel-qvl-synthetic/quote.dat"));
        let mut given = collateral(info);
        let refusal = verify(&evidence, &given, date(2023, 6, 20)).unwrap_err();
        assert_eq!(refusal.code, Code::ChainIncomplete, "{set}: {refusal}");
        let text = |name: &str| String::from_utf8(read(&format!("{set}/intel-qvl-synthetic/{name}"))).unwrap();
        let signers = text("pckSignChain.pem");
        let mut signers: Vec<&str> = signers.split_inclusive("-----END CERTIFICATE-----").take(2).collect();
        if set == "tdx" {
            signers.reverse(); // That file has the root first.
        }
        let chain = text("pckCert.pem") + &signers.concat();
        given.pck_certificate_chain = Some(chain);
        let refusal = verify(&evidence, &given, date(2023, 6, 20)).unwrap_err();
        assert_eq!(refusal.code, Code::OtherRoot, "{set}: {refusal}");
    }
}

#[test]
fn single_documents_verify_by_their_own_chain() {
    if folder().is_none() {
        return;
    }
    let info = |file: &str, now| {
        let (text, signature, chain) = fortanix(file);
        let signed = Signed { text: &text, signature: &signature, chain: &chain };
        signed.tcb_info(ROOT, now).map(|info| info.tcb_evaluation_data_number).map_err(|refusal| refusal.code)
    };
    assert_eq!(info("sgx/fortanix/tcb/00606a000000-8.tcb", JUNE), Err(Code::TcbInfoUnsigned));
    assert_eq!(info("sgx/fortanix/tcb/00606a000000-17.tcb", JUNE), Ok(17));
    assert_eq!(info("sgx/fortanix/tcb/00606a000000-18.tcb", JUNE), Ok(18));
    for (file, number) in [("qe3_identity-8.id", 8), ("qe3_identity-17.id", 17), ("qe3_identity-18.id", 18)] {
        let (text, signature, chain) = fortanix(&format!("sgx/fortanix/tcb/{file}"));
        let signed = Signed { text: &text, signature: &signature, chain: &chain };
        let issued: serde_json::Value = serde_json::from_str(&text).unwrap();
        let day = issued["issueDate"].as_str().unwrap();
        let part = |from: usize, to: usize| day[from..to].parse().unwrap();
        let now = date(part(0, 4), part(5, 7), part(8, 10)) + 86_400;
        let identity = signed.qe_identity(ROOT, now).unwrap_or_else(|refusal| panic!("{file}: {refusal}"));
        assert_eq!(identity.tcb_evaluation_data_number, number);
    }
}

#[test]
fn the_event_log_of_a_td_replays_to_its_registers_and_binds_nothing_by_itself() {
    if folder().is_none() {
        return;
    }
    let row = GOOD.iter().find(|row| row.quote.contains("cos-113")).unwrap();
    let claims = verify(&quote(row.quote), &collateral(row.collateral), row.now).unwrap();
    let log = read("tdx/go-tdx-guest/ccel/ccel_data.dat");
    let registers = event_log::replay(&log).unwrap();
    assert_eq!(registers[3], [0; 48]);
    assert!(registers[..3].iter().all(|register| *register != [0; 48]));
    let logged = event_log::check(claims.clone(), &log).unwrap();
    assert_eq!(logged.bytes("event-log"), Ok(&*crypto::sha256(&log).0.to_vec()));
    // Its report data is all zero: accepted only by whoever asks for just that.
    assert_eq!(claims.report_data.0, read("tdx/go-tdx-guest/ccel/nonce.dat"));
    assert_eq!(default(&claims), Ok(()));
    let entry = CodeEntry::new(Kind::Tdx, &[("mrtd", claims.measurements["mrtd"].as_ref())]);
    let policy = Policy { manifest: vec![entry], ..Policy::default() };
    let refusal = attestation::policy(&claims, &policy, &Binding::public_key(b"a key")).unwrap_err();
    assert_eq!(refusal.code, Code::ReportData);
}

#[test]
fn a_changed_or_cut_event_log_is_refused() {
    if folder().is_none() {
        return;
    }
    let row = GOOD.iter().find(|row| row.quote.contains("cos-113")).unwrap();
    let claims = verify(&quote(row.quote), &collateral(row.collateral), row.now).unwrap();
    let log = read("tdx/go-tdx-guest/ccel/ccel_data.dat");
    let end = log.iter().rposition(|byte| *byte != 0 && *byte != 0xFF).unwrap() + 1;
    for cut in 1..end {
        let refusal = event_log::check(claims.clone(), &log[..cut]).unwrap_err();
        assert!([Code::EventLogTruncated, Code::EventLogReplay].contains(&refusal.code), "{cut}: {refusal}");
    }
    let mut changed = log.clone();
    // The first digest of the first event after the header.
    let header = 32 + u32::from_le_bytes(log[28..32].try_into().unwrap()) as usize;
    changed[header + 14] ^= 1;
    assert_eq!(event_log::check(claims, &changed).unwrap_err().code, Code::EventLogReplay);
}

#[test]
fn what_a_node_shows_is_verified_by_its_kind() {
    if folder().is_none() {
        return;
    }
    let row = GOOD.iter().find(|row| row.quote.contains("cos-113")).unwrap();
    let presented = Presented {
        kind: Kind::Tdx,
        evidence: Bytes(quote(row.quote)),
        endorsements: Endorsements::Intel(Box::new(collateral(row.collateral))),
        event_log: Some(Bytes(read("tdx/go-tdx-guest/ccel/ccel_data.dat"))),
    };
    let sent = Presented::parse(&serde_json::to_vec(&presented).unwrap()).unwrap();
    let roots = Roots::vendors();
    let claims = sent.verify(&roots, row.now).unwrap();
    assert!(claims.bytes("event-log").is_ok());
    let as_sgx = Presented { kind: Kind::Sgx, event_log: None, ..sent.clone() };
    assert_eq!(code(as_sgx.verify(&roots, row.now)), Code::OtherProduct);
    let with_other_log = Presented { event_log: Some(Bytes(read("eventlogs/ubuntu-2404-amd-sevsnp.bin"))), ..sent };
    assert_eq!(code(with_other_log.verify(&roots, row.now)), Code::EventLogReplay);
}
