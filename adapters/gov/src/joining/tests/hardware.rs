//! Nodes on hardware of every kind, by what members decided through their constitution. Hardware and vendors are mocks: the
//! verifier and the way to it are what ships, and members named the mock's root. Windows VBS has never been seen on
//! hardware, here least of all.

use std::time::Duration;

use attestation::{Bytes, Endorsements, Kind, Presented};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::KeyPair;
use governance::Refusal;
use kv::Tx;
use ledger::genesis::{QuoteInfo, node_key};
use serde_json::{Value, json};

use super::mock::intel::{Base, pem};
use super::mock::vectors::date;
use super::mock::{amd, azure, cca, intel, maa, nitro, vbs};
use super::network::{Network, node, row};

/// A kind, and everything about it that members or an attacker choose.
struct Hardware {
    kind: Kind,
    /// How members call it.
    tee: &'static str,
    /// Arguments of `set_endorsement_root`: the vendor's that made the evidence, and another one's.
    root: Value,
    other_root: Value,
    /// What refuses the evidence where nobody vouches for the kind but its vendor, and where another one of the same name does.
    of_no_root: &'static str,
    of_other_root: &'static str,
    /// Of `add_tee`.
    minimum_tcb: Option<Value>,
    measurement: String,
    measurements: Option<Value>,
    /// Evidence that binds this.
    shown: fn(&[u8; 64]) -> Presented,
    now: u64,
    /// When its endorsements, or itself, have expired; nothing of the kind has a time in it otherwise.
    expired: Option<(u64, &'static str)>,
    /// Evidence of one that can be debugged.
    debug: fn(&[u8; 64]) -> Presented,
    of_debug: &'static str,
    /// What refuses evidence for another key.
    of_other_key: &'static str,
}

fn root(tee: &str, text: impl Into<String>) -> Value {
    json!({ "tee": tee, "name": "mock", "root": text.into() })
}

fn certificate(tee: &str, der: Vec<u8>) -> Value {
    root(tee, pem(&[der]))
}

fn processor(der: Vec<u8>) -> Value {
    let mut arguments = certificate("snp", der);
    arguments["product"] = json!("Milan");
    arguments
}

fn instance(issuer: &str) -> Value {
    let mut arguments = root("maa", maa::Build::jwks());
    arguments["issuer"] = json!(issuer);
    arguments
}

fn quote(base: Base, data: &[u8; 64], change: fn(&mut intel::Build)) -> Presented {
    let mut build = intel::Build::new(base);
    build.bind(data);
    change(&mut build);
    build.shown()
}

fn of_intel(kind: Kind, tee: &'static str, main: &[u8]) -> Hardware {
    let mut other = intel::Build::new(Base::Sgx).root;
    (other.key, other.signer) = ("another root", "another root");
    Hardware {
        kind,
        tee,
        root: certificate(tee, intel::Build::pinned()),
        other_root: certificate(tee, other.certificate(None)),
        of_no_root: "C11",
        of_other_root: "C11",
        minimum_tcb: Some(json!({ "lowest_evaluation": 20 })),
        measurement: const_hex::encode(main),
        measurements: None,
        shown: |data| quote(Base::Sgx, data, |_| ()),
        now: intel::NOW,
        expired: Some((date(2026, 2, 1), "C12")),
        debug: |data| quote(Base::Sgx, data, |build| build.body[48] |= 2),
        of_debug: "C21",
        of_other_key: "C19",
    }
}

fn of_amd() -> Hardware {
    Hardware {
        root: processor(amd::root("ARK-Milan", &amd::ONE)),
        other_root: processor(amd::root("ARK-Milan", &amd::THREE)),
        minimum_tcb: Some(json!({ "require_crl": true })),
        measurement: const_hex::encode(amd::MEASUREMENT),
        shown: |data| guest(data, |_| ()),
        now: amd::NOW,
        expired: Some((date(2040, 1, 1), "C12")),
        debug: |data| guest(data, |build| amd::put(&mut build.report, 0xa, &[0xb])),
        of_debug: "A9",
        ..of_intel(Kind::SevSnp, "snp", &[])
    }
}

fn guest(data: &[u8; 64], change: fn(&mut amd::Build)) -> Presented {
    let mut build = amd::Build::new();
    build.uvm = None;
    build.bind(data);
    change(&mut build);
    build.shown()
}

fn enclave(data: &[u8; 64], change: fn(&mut nitro::Build)) -> Presented {
    let mut build = nitro::Build::new();
    build.bind(data);
    change(&mut build);
    build.shown()
}

fn realm(data: &[u8; 64], change: fn(&mut cca::Build)) -> Presented {
    let mut build = cca::Build::new();
    build.bind(data);
    change(&mut build);
    build.shown()
}

fn machine(data: &[u8; 64], change: fn(&mut azure::Build)) -> Presented {
    let mut build = azure::Build::new();
    build.bind(data);
    change(&mut build);
    build.shown()
}

fn token(data: &[u8; 64], change: fn(&mut maa::Build)) -> Presented {
    let mut build = maa::Build::new();
    build.bind(data);
    change(&mut build);
    build.shown()
}

fn windows(data: &[u8; 64], change: fn(&mut vbs::Build)) -> Presented {
    let mut build = vbs::Build::new();
    build.bind(data);
    change(&mut build);
    build.shown()
}

fn of_sgx() -> Hardware {
    of_intel(Kind::Sgx, "sgx", &[0x4d; 32])
}

fn of_tdx_4() -> Hardware {
    Hardware {
        shown: |data| quote(Base::Tdx4, data, |_| ()),
        debug: |data| quote(Base::Tdx4, data, |build| build.body[120] |= 1),
        ..of_intel(Kind::Tdx, "tdx", &[0x4d; 48])
    }
}

fn of_tdx_5() -> Hardware {
    Hardware {
        shown: |data| quote(Base::Tdx5, data, |_| ()),
        debug: |data| quote(Base::Tdx5, data, |build| build.body[120] |= 1),
        ..of_intel(Kind::Tdx, "tdx", &[0x4d; 48])
    }
}

fn of_aws() -> Hardware {
    Hardware {
        root: certificate("nitro", nitro::ROOT.to_vec()),
        other_root: {
            let link = nitro::Build::new().links.remove(0);
            certificate("nitro", nitro::Link { signer: "another", ..link }.certificate())
        },
        of_no_root: "N4",
        of_other_root: "N4",
        minimum_tcb: Some(json!({ "require_public_key": true })),
        measurement: const_hex::encode(nitro::PCR),
        measurements: Some(json!({ "pcr8": const_hex::encode(nitro::PCR) })),
        shown: |data| enclave(data, |_| ()),
        now: nitro::NOW,
        expired: Some((nitro::NOW + 3 * 3_600, "C12")),
        debug: |data| enclave(data, |build| build.pcrs[..3].iter_mut().for_each(|(_, pcr)| pcr.fill(0))),
        of_debug: "N1",
        ..of_intel(Kind::Nitro, "nitro", &[])
    }
}

fn of_arm() -> Hardware {
    Hardware {
        root: root("cca", cca::Build::new().jwk()),
        other_root: {
            let mut other = cca::Build::new();
            other.key = super::mock::der::Key::p384("another platform");
            root("cca", other.jwk())
        },
        of_other_root: "C7",
        minimum_tcb: None,
        measurement: "05".repeat(64),
        measurements: Some(json!({ "platform0": "06".repeat(32) })),
        shown: |data| realm(data, |_| ()),
        expired: None,
        debug: |data| realm(data, |build| build.lifecycle = 0x4000),
        of_debug: "R2",
        ..of_intel(Kind::ArmCca, "cca", &[])
    }
}

fn of_azures_tpm() -> Hardware {
    Hardware {
        kind: Kind::AzureVtpm,
        tee: "vtpm",
        minimum_tcb: None,
        measurement: "04".repeat(32),
        measurements: Some(json!({ "measurement": const_hex::encode(amd::MEASUREMENT), "pcr7": "07".repeat(32) })),
        shown: |data| machine(data, |_| ()),
        debug: |data| machine(data, |build| amd::put(&mut build.amd.report, 0xa, &[0xb])),
        of_other_key: "V3",
        ..of_amd()
    }
}

fn of_azures_tpm_on_tdx() -> Hardware {
    Hardware {
        kind: Kind::AzureVtpm,
        tee: "vtpm",
        minimum_tcb: Some(json!({ "intel": { "lowest_evaluation": 20 } })),
        measurement: "04".repeat(32),
        measurements: Some(json!({ "mrtd": "4d".repeat(48), "pcr7": "07".repeat(32) })),
        shown: |data| machine(data, |build| build.hardware = azure::Hardware::Tdx),
        debug: |data| {
            machine(data, |build| {
                build.hardware = azure::Hardware::Tdx;
                build.intel.body[120] |= 1;
            })
        },
        of_other_key: "V3",
        ..of_tdx_4()
    }
}

fn of_azure_attestation() -> Hardware {
    Hardware {
        root: instance(maa::ISSUER),
        other_root: instance("https://other.attest.azure.net"),
        of_no_root: "M7",
        of_other_root: "M7",
        minimum_tcb: Some(json!({ "policy_hashes": ["hash"] })),
        measurement: "04".repeat(48),
        shown: |data| token(data, |_| ()),
        now: maa::NOW,
        expired: Some((maa::NOW + 101, "M5")),
        debug: |data| {
            token(data, |build| build.payload["x-ms-isolation-tee"]["x-ms-sevsnpvm-is-debuggable"] = true.into())
        },
        of_debug: "M9",
        of_other_key: "M11",
        ..of_intel(Kind::Maa, "maa", &[])
    }
}

fn never_seen() -> Hardware {
    Hardware {
        root: certificate("vbs", vbs::root("TPM authority")),
        other_root: certificate("vbs", vbs::root("another")),
        of_other_root: "C7",
        minimum_tcb: Some(json!({ "lowest_secure_kernel_svn": 6, "lowest_platform_svn": 7 })),
        measurement: "11".repeat(32),
        measurements: Some(json!({ "author-id": "22".repeat(32) })),
        shown: |data| windows(data, |_| ()),
        expired: Some((date(2040, 1, 1), "C12")),
        debug: |data| windows(data, |build| build.flags = 1),
        of_debug: "B1",
        ..of_intel(Kind::Vbs, "vbs", &[])
    }
}

/// What members' rows say to evidence, for a node of this key.
fn verdict(network: &Network, info: &QuoteInfo, key: &KeyPair, now: u64) -> Result<String, String> {
    let snapshot = network.deciding.node.snapshot();
    let binding = attestation::Binding::public_key(key.public().spki_der());
    let (governance, now) = (&network.deciding.gov.governance, Duration::from_secs(now));
    let verdict = super::super::verdict::verdict_at(governance, &Tx::new(snapshot.state()), info, &binding, now);
    verdict.map(|judged| judged.measurement).map_err(|refusal| match refusal {
        Refusal::InvalidQuote(message) => message,
        other => panic!("nobody's fault but the evidence's: {other:?}"),
    })
}

fn is_refused(verdict: &Result<String, String>, code: &str, what: &str) {
    let message = verdict.as_ref().expect_err(what);
    assert!(message.contains(&format!("({code})")), "{what}: {message}");
}

/// Members decide one thing after the other, and only when all is decided is the node let in: for this key, now, and not
/// debugged.
async fn story(hardware: Hardware) {
    let Hardware { kind, tee, ref measurement, now, .. } = hardware;
    let mut network = Network::new();
    let (key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let data = |key: &KeyPair| {
        let mut data = [0; 64];
        data[..32].copy_from_slice(&key.public().node_id().0.0);
        data
    };
    let info = super::super::quote_info(&(hardware.shown)(&data(&key)));
    assert_eq!(info.format, kind.name());
    let told = |network: &Network, what: &str| {
        let told = verdict(network, &info, &key, now);
        (told, format!("{kind}, {what}"))
    };
    let refused = |network: &Network, code: &str, what: &str| {
        let (verdict, what) = told(network, what);
        is_refused(&verdict, code, &what);
    };
    refused(&network, hardware.of_no_root, "and members know nothing of it");
    network.pass("set_endorsement_root", hardware.other_root.clone()).await;
    refused(&network, hardware.of_other_root, "and another vouches for such");
    // Beside the right one it does no harm, whichever was named first.
    let mut beside = hardware.other_root.clone();
    beside["name"] = json!("another");
    network.pass("set_endorsement_root", beside).await;
    network.pass("set_endorsement_root", hardware.root.clone()).await;
    let (verdict_without, what) = told(&network, "not in the TEE manifest");
    assert!(verdict_without.as_ref().is_err_and(|message| message.contains("TEE manifest")), "{what}");
    let mut allowed = json!({ "tee": tee });
    if let Some(minimum) = &hardware.minimum_tcb {
        allowed["minimum_tcb"] = minimum.clone();
    }
    network.pass("add_tee", allowed).await;
    refused(&network, "C22", "no code is approved");
    let mut code = json!({ "tee": tee, "measurement": "ee".repeat(measurement.len() / 2) });
    if let Some(more) = &hardware.measurements {
        code["measurements"] = more.clone();
    }
    network.pass("add_code", code.clone()).await;
    refused(&network, "C22", "other code is approved");
    code["measurement"] = json!(measurement);
    if let Some(more) = &hardware.measurements {
        let mut wrong = code.clone();
        wrong["measurements"] = more.as_object().unwrap().keys().map(|name| (name.clone(), json!("00"))).collect();
        network.pass("add_code", wrong).await;
        refused(&network, "C22", "what it loads afterwards is not approved");
    }
    network.pass("add_code", code).await;
    assert_eq!(told(&network, "").0.as_ref(), Ok(measurement), "{kind}");
    // What is not the members' to decide.
    is_refused(&verdict(&network, &info, &other_key, now), hardware.of_other_key, &format!("{kind}, another key"));
    if let Some((late, code)) = hardware.expired {
        is_refused(&verdict(&network, &info, &key, late), code, &format!("{kind}, late"));
    }
    let debugged = super::super::quote_info(&(hardware.debug)(&data(&key)));
    is_refused(&verdict(&network, &debugged, &key, now), hardware.of_debug, &format!("{kind}, debugged"));
    // And what members take back.
    network.pass("remove_code", json!({ "tee": tee, "measurement": measurement })).await;
    refused(&network, "C22", "its code was removed");
    for name in ["mock", "another"] {
        let named = json!({ "tee": hardware.root["tee"], "name": name });
        network.pass("remove_endorsement_root", named).await;
    }
    refused(&network, hardware.of_no_root, "its root was removed");
}

macro_rules! stories {
    ($($name:ident: $hardware:expr;)*) => {
        $(#[tokio::test] async fn $name() { story($hardware).await; })*
    };
}

stories! {
    an_sgx_enclave: of_sgx();
    a_td: of_tdx_4();
    a_td_of_version_5: of_tdx_5();
    an_snp_guest: of_amd();
    a_guest_behind_azures_paravisor: of_azures_tpm();
    a_guest_behind_azures_paravisor_on_tdx: of_azures_tpm_on_tdx();
    a_nitro_enclave: of_aws();
    a_realm: of_arm();
    a_machine_that_azure_attests: of_azure_attestation();
    a_windows_enclave_never_seen_on_hardware: never_seen();
}

/// CCF's own two forms say the same as the kinds' own.
#[tokio::test]
async fn evidence_in_ccfs_forms_has_the_same_verdict() {
    for hardware in [of_sgx(), of_amd()] {
        let mut network = Network::new();
        network.pass("set_endorsement_root", hardware.root.clone()).await;
        network.pass("add_tee", json!({ "tee": hardware.tee })).await;
        network.pass("add_code", json!({ "tee": hardware.tee, "measurement": hardware.measurement })).await;
        let key = KeyPair::generate().unwrap();
        let mut data = [0; 64];
        data[..32].copy_from_slice(&key.public().node_id().0.0);
        let Presented { evidence: Bytes(evidence), endorsements, .. } = (hardware.shown)(&data);
        let (format, endorsements) = match endorsements {
            Endorsements::Intel(collateral) => ("OE_SGX_v1", serde_json::to_vec(&collateral).unwrap()),
            Endorsements::Amd(given) => ("AMD_SEV_SNP_v1", pem(&given.chain).into_bytes()),
            Endorsements::None => panic!("both have some"),
        };
        let mut info = QuoteInfo {
            format: format.to_owned(),
            quote: STANDARD.encode(&evidence),
            endorsements: STANDARD.encode(endorsements),
            uvm_endorsements: None,
        };
        assert_eq!(verdict(&network, &info, &key, hardware.now).as_ref(), Ok(&hardware.measurement));
        let other = KeyPair::generate().unwrap();
        is_refused(&verdict(&network, &info, &other, hardware.now), "C19", format);
        info.endorsements = STANDARD.encode("{}");
        assert!(verdict(&network, &info, &key, hardware.now).is_err());
    }
}

/// A vendor's word of before it mended a weakness, though it still holds.
#[tokio::test]
async fn an_older_word_than_most_nodes_have_shown_is_refused() {
    for hardware in [of_tdx_4(), of_azures_tpm_on_tdx()] {
        let Hardware { tee, now, ref measurement, .. } = hardware;
        let mut network = Network::new();
        network.pass("set_endorsement_root", hardware.root.clone()).await;
        network.pass("add_tee", json!({ "tee": tee })).await;
        let more = hardware.measurements.clone().unwrap_or_else(|| json!({}));
        network.pass("add_code", json!({ "tee": tee, "measurement": measurement, "measurements": more })).await;
        let key = KeyPair::generate().unwrap();
        let mut data = [0; 64];
        data[..32].copy_from_slice(&key.public().node_id().0.0);
        let info = super::super::quote_info(&(hardware.shown)(&data));
        let told = |network: &Network| verdict(network, &info, &key, now);
        let roots = attestation::Roots { intel: intel::Build::pinned(), ..attestation::Roots::vendors() };
        let own = super::super::evidence::presented(&info).unwrap().verify(&roots, now).unwrap();
        let evaluation = own.evaluation.unwrap();
        // Nodes of the service, and what their evidence said when they joined.
        let shown = |network: &mut Network, number: u64, status: &str, tee: &str, evaluation: u32| {
            let mut info = node(number, status, &format!("10.0.0.{number}:1"));
            info["evaluation"] = json!({ "tee": tee, "number": evaluation });
            let id = KeyPair::generate().unwrap().public().node_id();
            network.write(|tx| row(tx, "nodes.info", &node_key(id), &info));
        };
        shown(&mut network, 11, "Trusted", tee, evaluation);
        shown(&mut network, 12, "Trusted", tee, evaluation + 1);
        shown(&mut network, 13, "Pending", tee, evaluation + 1);
        shown(&mut network, 14, "Trusted", "sgx", evaluation + 1);
        assert_eq!(told(&network).as_ref(), Ok(measurement), "{tee}: one of two, a stranger, another kind");
        // More than all others, those who founded the service among them.
        (15..=20).for_each(|number| shown(&mut network, number, "Trusted", tee, evaluation + 1));
        is_refused(&told(&network), "I11", "most have shown a newer one");
    }
}

/// Whoever has such hardware runs a paravisor of its own there, and that reports any registers.
#[tokio::test]
async fn registers_alone_let_no_machine_in() {
    for hardware in [of_azures_tpm(), of_azures_tpm_on_tdx()] {
        let mut network = Network::new();
        network.pass("set_endorsement_root", hardware.root.clone()).await;
        network.pass("add_tee", json!({ "tee": "vtpm" })).await;
        let code = json!({ "tee": "vtpm", "measurement": hardware.measurement });
        // As members' own constitution could write it.
        let place = format!("vtpm:{}", hardware.measurement);
        network.write(|tx| row(tx, "public:coco.gov.manifest.code", place.as_bytes(), &code));
        let key = KeyPair::generate().unwrap();
        let mut data = [0; 64];
        data[..32].copy_from_slice(&key.public().node_id().0.0);
        let info = super::super::quote_info(&(hardware.shown)(&data));
        is_refused(&verdict(&network, &info, &key, hardware.now), "C22", "no paravisor is named");
    }
}
