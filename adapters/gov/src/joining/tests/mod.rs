//! Nodes that ask, by the same door as real ones; rows, scripts and verification are the real ones too.

mod hardware;
#[expect(dead_code, reason = "written for the tests of verifiers, and more than is needed here")]
#[path = "../../../../../crates/attestation/tests/mock/mod.rs"]
mod mock;
pub mod network;

use std::sync::Arc;

use adapter::http::ClientCertificate;
use attestation::{Statement, virtual_tee};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base::NodeId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::certificate::{self, Validity};
use crypto::{Certificate, KeyPair};
use governance::Refusal;
use kv::Tx;
use ledger::genesis::node_key;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::duties::{Duty, next};
use network::{CODE, Network, node, row};

struct Joiner {
    key: KeyPair,
    der: Arc<[u8]>,
}

impl Joiner {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let shown = certificate::lone_node(&key, &[], Validity { from: 0, until: 1 << 32 }).unwrap();
        Self { der: shown.der().into(), key }
    }

    fn id(&self) -> NodeId {
        self.key.public().node_id()
    }

    /// Bound to the key, as CCF's nodes do.
    fn report_data(&self) -> [u8; 64] {
        let mut data = [0; 64];
        data[..32].copy_from_slice(&self.id().0.0);
        data
    }

    fn request(&self, code: [u8; 32], report_data: &[u8; 64]) -> Value {
        let quote = STANDARD.encode(virtual_tee::evidence(&code, report_data, None));
        json!({
            "node_info_network": { "node_to_node_interface": { "bind_address": "0.0.0.0:1", "published_address": "new:1" } },
            "quote_info": { "format": "Insecure_Virtual", "quote": quote, "endorsements": "" },
            "certificate_signing_request": certificate::request(&self.key, &["new".to_owned()]).unwrap(),
        })
    }

    fn good(&self) -> Value {
        self.request(CODE, &self.report_data())
    }

    async fn ask(&self, network: &Network, body: &Value) -> (StatusCode, Value) {
        let mut request = Request::post("/node/join").body(Body::from(body.to_string())).unwrap();
        request.extensions_mut().insert(ClientCertificate(self.der.clone()));
        network.send(request).await
    }

    /// The code and the sentence of a refusal.
    async fn refused(&self, network: &Network, body: &Value) -> (String, String) {
        let (status, answer) = self.ask(network, body).await;
        assert!(!status.is_success(), "{answer}");
        let text = |field: &str| answer["error"][field].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }

    async fn trusted(network: &mut Network) -> Self {
        let joiner = Self::new();
        assert_eq!(joiner.ask(network, &joiner.good()).await.1["node_status"], "Pending");
        let args = json!({ "node_id": joiner.id().to_string(), "valid_from": "260101000000Z" });
        network.pass("transition_node_to_trusted", args).await;
        joiner
    }
}

#[tokio::test]
async fn a_node_waits_for_members_and_is_told_the_secrets_once_they_trust_it() {
    let mut network = Network::new();
    let joiner = Joiner::trusted(&mut network).await;
    let (status, answer) = joiner.ask(&network, &joiner.good()).await;
    assert_eq!((status, &answer["node_status"]), (StatusCode::OK, &json!("Trusted")), "{answer}");
    let info = &answer["network_info"];
    assert_eq!(info["ledger_secrets"]["1"]["raw_key"], STANDARD.encode([9; 32]));
    assert_eq!(info["coco"]["number"], 2);
    assert_eq!(info["coco"]["dual_signatures"], true);
    let endorsed = Certificate::from_pem(info["endorsed_certificate"].as_str().unwrap()).unwrap();
    assert_eq!(endorsed.public_key().unwrap().node_id(), joiner.id());
    endorsed.check_issued_by(&network.service_certificate.public_key().unwrap()).unwrap();
    let thief = Joiner::new();
    let (code, _) = thief.refused(&network, &joiner.good()).await;
    assert_eq!(code, "CSRPublicKeyInvalid", "another key with the same request");
    let mut stolen = thief.request(CODE, &joiner.report_data());
    stolen["node_info_network"]["node_to_node_interface"]["published_address"] = json!("thief:1");
    assert_eq!(thief.refused(&network, &stolen).await.0, "InvalidQuote", "another key with the same evidence");
}

#[tokio::test]
async fn who_waits_or_is_retired_gets_no_secrets() {
    let network = Network::new();
    let joiner = Joiner::new();
    for _ in 0..2 {
        let (_, answer) = joiner.ask(&network, &joiner.good()).await;
        assert_eq!((&answer["node_status"], &answer["network_info"]), (&json!("Pending"), &Value::Null));
    }
    network.write(|tx| row(tx, "nodes.info", &node_key(joiner.id()), &node(2, "Retired", "new:1")));
    assert_eq!(joiner.refused(&network, &joiner.good()).await.0, "InvalidNodeState");
    network.write(|tx| row(tx, "nodes.info", &node_key(network.own), &node(1, "Retired", "own:1")));
    let other = Joiner::new();
    assert!(other.refused(&network, &other.good()).await.1.contains("good standing"));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let network = Network::new();
    let joiner = Joiner::new();
    let changed = |path: &str, value: Value| {
        let mut request = joiner.good();
        *request.pointer_mut(path).unwrap() = value;
        request
    };
    let other = certificate::request(&KeyPair::generate().unwrap(), &[]).unwrap();
    let address = "/node_info_network/node_to_node_interface/published_address";
    let cases = [
        (json!({}), "InvalidInput"),
        (changed("/certificate_signing_request", json!(other)), "CSRPublicKeyInvalid"),
        (changed("/certificate_signing_request", json!("no")), "CSRPublicKeyInvalid"),
        (changed(address, json!("nowhere")), "InvalidInput"),
        (changed(address, json!("own:1")), "NodeAlreadyExists"),
        (changed("/quote_info/format", json!("tdx")), "InvalidQuote"),
        (changed("/quote_info/format", json!("sgx-9")), "InvalidQuote"),
        (changed("/quote_info/quote", json!("??")), "InvalidQuote"),
    ];
    for (request, code) in cases {
        assert_eq!(joiner.refused(&network, &request).await.0, code, "{request}");
    }
    let wrong_code = joiner.refused(&network, &joiner.request([8; 32], &joiner.report_data())).await;
    assert_eq!(wrong_code.0, "InvalidQuote");
    let wrong_key = joiner.refused(&network, &joiner.request(CODE, &[5; 64])).await;
    assert_eq!(wrong_key.0, "InvalidQuote");
    assert_ne!(wrong_code.1, wrong_key.1);
    let none = Request::post("/node/join").body(Body::from(joiner.good().to_string())).unwrap();
    assert_eq!(network.send(none).await.1["error"]["code"], "UnknownCertificate");
    let huge = json!({ "x": "x".repeat(governance::join::REQUEST_BYTES_MAX) });
    assert_eq!(joiner.ask(&network, &huge).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(joiner.ask(&network, &joiner.good()).await.0, StatusCode::OK, "nothing was kept of all that");
}

#[tokio::test]
async fn code_that_was_removed_or_a_tee_that_was_is_not_let_in() {
    let mut network = Network::new();
    let joiner = Joiner::new();
    let measurement = "07".repeat(32);
    network.pass("add_code", json!({ "tee": "virtual", "measurement": measurement, "expires": 1 })).await;
    assert_eq!(joiner.refused(&network, &joiner.good()).await.0, "InvalidQuote", "expired");
    network.pass("add_code", json!({ "tee": "virtual", "measurement": measurement })).await;
    network.pass("remove_tee", json!({ "tee": "virtual" })).await;
    assert!(joiner.refused(&network, &joiner.good()).await.1.contains("S1"), "nobody says virtual");
    network.pass("add_virtual_measurement", json!({ "measurement": measurement })).await;
    assert_eq!(joiner.ask(&network, &joiner.good()).await.0, StatusCode::OK, "CCF's table does");
}

#[tokio::test]
async fn a_script_of_members_is_asked_too_and_can_only_refuse() {
    let mut network = Network::new();
    let joiner = Joiner::new();
    let policies = [
        (
            "export function apply(statements, node) { return `no ${node.evidence.kind}, ${statements.length}`; }",
            "no virtual, 0",
        ),
        ("export function apply() { return false; }", "it answered false, and not true"),
        ("export function apply() { return 1; }", "it answered int, and not true"),
        ("export function apply() { return { then: true }; }", "it answered object, and not true"),
        ("export function apply() {}", "it answered undefined, and not true"),
        ("export async function apply() { return true; }", "and not true"),
        ("export function apply() { throw new Error('no mood'); }", "it threw Error: no mood"),
        ("export function apply() { throw null; }", "it threw"),
        ("export function apply() { for (;;) {} }", "Operation took too long to complete."),
        (
            "export function apply() { const all = []; for (;;) all.push(new Array(1e5).fill(all)); }",
            "not let the node in",
        ),
        ("export function apply() { const deep = () => deep() + 1; return deep(); }", "it threw"),
        (
            "export function apply() { ccf.kv['public:ccf.gov.users.certs'].set(new ArrayBuffer(1), new ArrayBuffer(1)); return true; }",
            "it threw",
        ),
        ("export function apply() { return ccf.kv['private'].size === 0; }", "it threw"),
        ("export function apply() { return 'x'.repeat(1e6); }", "xxx"),
        ("export function other() { return true; }", "there is no function apply"),
        ("this is no script", "it threw SyntaxError"),
    ];
    for (policy, reason) in policies {
        network.pass("set_node_join_policy", json!({ "policy": policy })).await;
        let (code, message) = joiner.refused(&network, &joiner.good()).await;
        assert_eq!(code, "InvalidQuote", "{policy}");
        assert!(message.contains("nodes.node_join_policy") && message.contains(reason), "{policy}: {message}");
        assert!(message.len() < 8 << 10);
    }
    // It reads what members decided, and what the verifier found; the tables were asked before it.
    let reads = "export function apply(statements, node) {
        const info = ccf.bufToJsonCompatible(ccf.kv['public:ccf.gov.service.info'].get(new ArrayBuffer(8)));
        return info.status === 'Open' && node.format === 'Insecure_Virtual' && node.measurement === node.evidence.measurements.code;
    }";
    network.pass("set_node_join_policy", json!({ "policy": reads })).await;
    let other_code = joiner.request([8; 32], &joiner.report_data());
    assert!(!joiner.refused(&network, &other_code).await.1.contains("node_join_policy"), "the tables refuse it");
    assert_eq!(joiner.ask(&network, &joiner.good()).await.1["node_status"], "Pending");
    network.pass("set_node_join_policy", json!({ "policy": "export function apply() { return 'closed'; }" })).await;
    let late = Joiner::new();
    let mut request = late.good();
    request["node_info_network"]["node_to_node_interface"]["published_address"] = json!("late:1");
    assert!(late.refused(&network, &request).await.1.ends_with("closed"));
    network.pass("remove_node_join_policy", json!(null)).await;
    assert_eq!(late.ask(&network, &request).await.1["node_status"], "Pending");
}

#[tokio::test]
async fn a_lapsed_node_proves_itself_anew_before_it_gets_secrets() {
    let mut network = Network::new();
    let joiner = Joiner::trusted(&mut network).await;
    network.pass("set_lease", json!({ "seconds": 60 })).await;
    let lapsed = json!({ "renewed": 5, "lapsed": true });
    network.write(|tx| row(tx, "public:coco.gov.nodes.leases", &node_key(joiner.id()), &lapsed));
    let (code, _) = joiner.refused(&network, &joiner.good()).await;
    assert_eq!(code, "InvalidQuote", "what it was let in with is not for its lease");
    let statement = Statement { key: joiner.id().0, nonce: b"lease after 5".to_vec() };
    let anew = joiner.request(CODE, &statement.report_data());
    assert_eq!(joiner.ask(&network, &anew).await.1["node_status"], "Trusted");
    let (_, answer) = joiner.ask(&network, &joiner.good()).await;
    assert!(answer["network_info"]["identity"]["priv_key"].is_string(), "renewed: {answer}");
}

#[tokio::test(start_paused = true)]
async fn strangers_wait_in_vain_while_two_are_verified() {
    let network = Network::new();
    let _both = network.deciding.verifying.all().await;
    let joiner = Joiner::new();
    let (status, answer) = joiner.ask(&network, &joiner.good()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
}

#[tokio::test]
async fn the_primary_does_one_thing_after_the_other() -> Result<(), Refusal> {
    let network = Network::new();
    let governance = &network.deciding.gov.governance;
    let duty = |now: u64, change: &dyn Fn(&mut adapter::Status)| {
        let mut status = network.deciding.node.status();
        change(&mut status);
        let snapshot = network.deciding.node.snapshot();
        next(governance, &Tx::new(snapshot.state()), &status, now)
    };
    let other = NodeId(base::Digest([2; 32]));
    network.write(|tx| row(tx, "nodes.info", &node_key(other), &node(2, "Retired", "b:1")));
    assert_eq!(duty(0, &|_| ())?, Some(Duty::LetGo(other)));
    assert_eq!(duty(0, &|status| status.learners.push(2))?, None, "consensus still counts it");
    assert_eq!(duty(0, &|status| status.voters.clear())?, None, "nothing is known of consensus");
    network.write(|tx| row(tx, "nodes.info", &node_key(other), &node(2, "Trusted", "b:1")));
    network.write(|tx| row(tx, "public:coco.gov.lease", &[0; 8], &json!({ "seconds": 60, "grace_seconds": 10 })));
    assert_eq!(duty(0, &|_| ())?, Some(Duty::BeginLease(network.own)));
    let lease = |id: NodeId, renewed: u64| {
        network.write(|tx| row(tx, "public:coco.gov.nodes.leases", &node_key(id), &json!({ "renewed": renewed })));
    };
    lease(network.own, 50_000);
    assert_eq!(duty(0, &|_| ())?, Some(Duty::BeginLease(other)));
    lease(other, 1);
    assert_eq!(duty(70_001, &|_| ())?, None);
    assert_eq!(duty(70_002, &|_| ())?, Some(Duty::Lapse(other)));
    network.write(|tx| row(tx, "nodes.info", &node_key(other), &node(2, "Retired", "b:1")));
    assert_eq!(duty(0, &|status| status.voters.push(2))?, Some(Duty::EndLease(other)));
    Ok(())
}

/// A report of real hardware, by rows as members write them. It is of another key, so it lets nobody in.
#[tokio::test]
async fn a_real_report_is_judged_by_rows() {
    let root = std::env::var_os("COCO_VECTORS").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors").into(),
        std::path::PathBuf::from,
    );
    let folder = root.join("attestation/snp/ms-tav");
    if !folder.is_dir() {
        println!("SKIPPED: no attestation samples at {}; set COCO_VECTORS", folder.display());
        return;
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let report = read("milan_attestation_report.bin");
    let chain = ["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"].map(|name| [read(name), b"\n".to_vec()].concat());
    let info = ledger::genesis::QuoteInfo {
        format: "AMD_SEV_SNP_v1".to_owned(),
        quote: STANDARD.encode(&report),
        endorsements: STANDARD.encode(chain.concat()),
        uvm_endorsements: None,
    };
    let june = std::time::Duration::from_secs(1_780_272_000);
    let network = Network::new();
    let verdict = |binding: &attestation::Binding| {
        let snapshot = network.deciding.node.snapshot();
        let tx = Tx::new(snapshot.state());
        super::verdict::verdict_at(&network.deciding.gov.governance, &tx, &info, binding, june)
            .map(|judged| judged.measurement)
    };
    // Where the report has them: report data, measurement, host data.
    let bound = attestation::Binding::Exact(report[0x50..0x90].to_vec());
    let (measurement, hosted) = (const_hex::encode(&report[0x90..0xc0]), const_hex::encode(&report[0xc0..0xe0]));
    let unheard = verdict(&bound).unwrap_err().to_string();
    assert!(unheard.contains("TEE manifest"), "{unheard}");
    let code = |fields: Value| {
        network.write(|tx| {
            row(tx, "public:coco.gov.manifest.code", format!("snp:{measurement}").as_bytes(), &fields);
            row(tx, "public:coco.gov.manifest.tee", b"snp", &json!({ "tee": "snp" }));
        });
    };
    code(json!({ "tee": "snp", "measurement": measurement, "host_data": "00".repeat(31) }));
    assert!(matches!(verdict(&bound), Err(Refusal::InvalidQuote(_))), "other host data");
    code(json!({ "tee": "snp", "measurement": measurement, "host_data": hosted }));
    assert_eq!(verdict(&bound), Ok(measurement.clone()));
    let other = verdict(&attestation::Binding::public_key(b"another key")).unwrap_err();
    assert_eq!(other.code(), "InvalidQuote");
    let strict = json!({ "tee": "snp", "minimum_tcb": { "lowest_version": 99 } });
    network.write(|tx| row(tx, "public:coco.gov.manifest.tee", b"snp", &strict));
    assert!(matches!(verdict(&bound), Err(Refusal::InvalidQuote(_))), "the platform is below what members ask");
    // CCF's tables, without the manifests.
    network.write(|tx| {
        let table = tx.base().tables().find("public:coco.gov.manifest.tee").unwrap();
        tx.remove(table, &b"snp"[..]);
        row(tx, "nodes.snp.measurements", measurement.as_bytes(), &json!("AllowedToJoin"));
    });
    assert!(verdict(&bound).is_err(), "no host data is listed");
    network.write(|tx| row(tx, "nodes.snp.host_data", hosted.as_bytes(), &json!("")));
    assert_eq!(verdict(&bound), Ok(measurement.clone()));
    let lowest = json!({ "boot_loader": 255, "tee": 0, "snp": 0, "microcode": 0 });
    network.write(|tx| row(tx, "nodes.snp.tcb_versions", b"00a00f11", &lowest));
    assert!(verdict(&bound).unwrap_err().to_string().contains("bootloader"), "below CCF's table");
}

proptest! {
    #[test]
    fn no_evidence_makes_a_verifier_panic(
        format in prop_oneof![
            Just("AMD_SEV_SNP_v1".to_owned()), Just("OE_SGX_v1".to_owned()), Just("Insecure_Virtual".to_owned()),
            Just("tdx".to_owned()), Just("virtual".to_owned()), ".{0,12}"
        ],
        quote in proptest::collection::vec(any::<u8>(), 0..200),
        endorsements in ".{0,80}",
    ) {
        let info = ledger::genesis::QuoteInfo {
            format, quote: STANDARD.encode(quote), endorsements: STANDARD.encode(endorsements), uvm_endorsements: None,
        };
        if let Ok(presented) = super::evidence::presented(&info) {
            let _ = presented.verify(&attestation::Roots::vendors(), 0);
        }
    }

    #[test]
    fn no_body_makes_a_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = attestation::json::parse::<governance::join::Request>(&body, 300, "the request");
    }
}
