//! Whatever Intel may sign about whatever platform: the two verifiers come to one status.

use attestation::Code;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::mock::intel::{ALL, Base, Build};

const PLATFORM: &[&str] = &[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
];
const QE: &[&str] = &["UpToDate", "OutOfDate", "ConfigurationNeeded", "OutOfDateConfigurationNeeded", "Revoked"];
const MODULE: &[&str] = &["UpToDate", "OutOfDate", "Revoked"];

/// Low numbers meet each other often.
fn svns<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    prop::collection::vec(prop_oneof![20 => Just(1_u8), 1 => 0_u8..3], N).prop_map(|svns| svns.try_into().unwrap())
}

fn components(svns: &[u8]) -> Value {
    svns.iter().map(|svn| json!({ "svn": svn })).collect()
}

fn levels() -> impl Strategy<Value = Value> {
    let level = (svns::<16>(), 0_u16..3, svns::<16>(), prop::sample::select(PLATFORM), 1_u8..29, 0_u8..4);
    prop::collection::vec(level, 1..6).prop_map(|levels| {
        let level = |(sgx, pcesvn, tdx, status, day, advisory): (_, _, _, _, u8, u8)| {
            let (sgx, tdx): ([u8; 16], [u8; 16]) = (sgx, tdx);
            json!({
                "tcb": { "sgxtcbcomponents": components(&sgx), "pcesvn": pcesvn, "tdxtcbcomponents": components(&tdx) },
                "tcbDate": format!("2025-06-{day:02}T00:00:00Z"),
                "tcbStatus": status,
                "advisoryIDs": [format!("TEST-SA-{advisory}")],
            })
        };
        levels.into_iter().map(level).collect()
    })
}

/// Levels of one version each, the highest first, as Intel lists them.
fn versions(statuses: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let level = (prop::sample::select(statuses), 0_u8..4);
    prop::collection::btree_map(0_u16..4, level, 2..5).prop_map(|levels| {
        let level = |(svn, (status, advisory))| {
            json!({
                "tcb": { "isvsvn": svn },
                "tcbDate": "2025-06-01T00:00:00Z",
                "tcbStatus": status,
                "advisoryIDs": [format!("TEST-SA-{advisory}")],
            })
        };
        levels.into_iter().rev().map(level).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_two_verifiers_agree_on_every_status(
        base in prop::sample::select(ALL),
        levels in levels(),
        qe in versions(QE),
        module in versions(MODULE),
        (platform, pcesvn, qe_svn) in (svns::<16>(), 0_u8..3, 1_u8..5),
        (launched, current) in (svns::<16>(), svns::<16>()),
    ) {
        let mut build = Build::new(base);
        build.tcb_info.value["tcbLevels"] = levels;
        build.qe_identity.value["tcbLevels"] = qe;
        build.pck.components = platform;
        build.pck.pcesvn = pcesvn;
        build.qe_report[258] = qe_svn;
        if base != Base::Sgx {
            build.tcb_info.value["tdxModuleIdentities"][0]["tcbLevels"] = module;
            // Modules of version 0 and 1 are known, one of version 2 is not.
            build.body[..16].copy_from_slice(&launched);
            if base != Base::Tdx4 {
                build.body[584..600].copy_from_slice(&current);
            }
        }
        if let Err(refusal) = build.verify() {
            prop_assert_ne!(refusal.code, Code::SecondOpinion, "{}", refusal);
        }
    }
}
