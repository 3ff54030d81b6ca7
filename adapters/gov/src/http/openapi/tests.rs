//! The documents against the router: what is served is described, what is described is served, and answers are as they are described.

use std::collections::BTreeSet;
use std::sync::Arc;

use adapter::{LedgerId, Plumbing, Role, Status};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use base::{Digest, NodeId, TxId, View};
use kv::{NoHistory, Section, Snapshot, State, Tables, WriteSet};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::decide::Deciding;
use crate::http::sample::Ledger;
use crate::http::{endpoints, router};
use crate::{Founding, Gov, Joining};

const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "options"];

fn documents() -> [Value; 2] {
    [GOV, NODE].map(|text| serde_json::from_str(text).unwrap())
}

/// Every operation: its path, its method, and what is said of it, with the document that says it.
fn operations(documents: &[Value]) -> Vec<(&str, &str, &Value, &Value)> {
    let mut all = Vec::new();
    for document in documents {
        for (path, methods) in document["paths"].as_object().unwrap() {
            all.extend(methods.as_object().unwrap().iter().map(|(method, told)| (&**path, &**method, told, document)));
        }
    }
    all
}

const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// Of a node that was let go.
const GONE: &str = "b1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// A described path as a client would write it.
fn filled(path: &str) -> String {
    let segment = |segment: &str| match segment.split_once('}') {
        Some(("{transaction", rest)) => format!("1.1{rest}"),
        Some((_, rest)) => format!("{ID}{rest}"),
        None => segment.to_owned(),
    };
    let path = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    if ["/node/tx", "/node/receipt"].contains(&&*path) { format!("{path}?transaction_id=1.1") } else { path }
}

async fn ask(deciding: &Deciding, method: &str, path: &str) -> (StatusCode, String, Bytes) {
    let request = Request::builder().method(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap()).uri(path);
    let response: Response = router(deciding.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let media = response.headers().get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap()).to_owned();
    (response.status(), media, to_bytes(response.into_body(), 1 << 24).await.unwrap())
}

#[tokio::test]
async fn what_is_served_is_described_and_what_is_described_is_served() {
    let (deciding, documents) = (network(), documents());
    let described: BTreeSet<(&str, &str)> =
        operations(&documents).iter().map(|(path, method, ..)| (*path, *method)).collect();
    let served: BTreeSet<&str> = endpoints().into_iter().map(|(path, _)| path).collect();
    let paths: BTreeSet<&str> = described.iter().map(|(path, _)| *path).collect();
    assert_eq!(served, paths, "paths that are served (left) and described in src/http/openapi (right)");
    for path in served {
        for method in METHODS {
            let (status, ..) = ask(&deciding, method, &filled(path)).await;
            let served = status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(
                served,
                described.contains(&(path, method)),
                "{method} {path}: served (left), described (right)"
            );
        }
    }
}

#[tokio::test]
async fn who_asks_the_wrong_way_is_told_the_right_one() {
    let deciding = network();
    let proposal = format!("/gov/members/proposals/{ID}");
    for (method, path, allowed) in [
        ("POST", proposal.clone(), "GET,HEAD"),
        ("GET", format!("{proposal}:withdraw"), "POST"),
        ("DELETE", "/gov/members/proposals:create".to_owned(), "POST"),
    ] {
        let request = Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
        let response = router(deciding.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers()[header::ALLOW], allowed, "{path}");
    }
    for path in [
        format!("{proposal}:burn"),
        format!("{proposal}//do:withdraw"),
        "/gov/members/proposals:destroy".into(),
        "/gov/members/state-digests:ack".into(),
    ] {
        assert_eq!(ask(&deciding, "post", &path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn answers_are_as_they_are_described() {
    let (deciding, documents) = (network(), documents());
    let mut seen = BTreeSet::new();
    for (path, method, told, document) in operations(&documents) {
        if method != "get" {
            continue;
        }
        let other = filled(path).replace(ID, &"0".repeat(64));
        // The last entry of a batch is its signature, and what comes later is not in the ledger file yet.
        let (signature, later) = (filled(path).replace("1.1", "1.4"), filled(path).replace("1.1", "1.30"));
        for path in [filled(path), other.replace("1.1", "0.x"), signature, later] {
            let (status, media, body) = ask(&deciding, method, &path).await;
            let answer = resolved(&told["responses"][status.as_str()], document);
            assert!(answer.is_object(), "{path} answers {status}, which is not described");
            let Some(content) = answer.get("content") else { continue };
            let schema = &content[&media]["schema"];
            assert!(schema.is_object(), "{path} answers {status} as {media:?}, which is not described");
            let value = if media == "application/json" {
                serde_json::from_slice(&body).unwrap()
            } else {
                Value::String(String::from_utf8(body.to_vec()).unwrap())
            };
            fits(schema, &value, document, &mut seen).unwrap_or_else(|why| panic!("{path}: {why}\n{value:#}"));
        }
    }
    // To join takes a TLS client and members: here is what it takes and answers at its fullest.
    for (name, value) in joined() {
        let document = &documents[1];
        let schema = &document["components"]["schemas"][name];
        fits(schema, &value, document, &mut seen).unwrap_or_else(|why| panic!("{name}: {why}\n{value:#}"));
    }
    // And no field is described that nobody ever sees.
    const SENT: [&str; 2] = ["Ballot", "Acknowledgement"];
    for document in &documents {
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            if !SENT.contains(&&**name) {
                unseen(name, schema, &seen);
            }
        }
    }
}

fn joined() -> [(&'static str, Value); 2] {
    let door = json!({ "bind_address": ":1", "published_address": "h:1" });
    let request = json!({
        "node_info_network": { "node_to_node_interface": door, "rpc_interfaces": { "governance": door } },
        "quote_info": { "format": "f", "quote": "", "endorsements": "", "uvm_endorsements": "" },
        "public_encryption_key": "PEM", "startup_seqno": 1, "certificate_signing_request": "PEM", "node_data": 1,
    });
    let answer = json!({
        "node_status": "Trusted", "node_id": ID,
        "network_info": {
            "public_only": false, "last_recovered_signed_idx": 0, "ledger_secrets": { "1": { "raw_key": "" } },
            "identity": { "cert": "PEM", "priv_key": "PEM" }, "service_status": "Open", "endorsed_certificate": "PEM",
            "coco": {
                "number": 2, "nodes": [{ "number": 1, "id": GONE, "address": "h:1" }], "ledgers": { "main": {} },
                "dual_signatures": true,
            },
        },
    });
    let request: governance::join::Request = serde_json::from_value(request).unwrap();
    let answer: governance::join::Answer = serde_json::from_value(answer).unwrap();
    // As the code writes them, not as they stand here.
    [("JoinRequest", json!(request)), ("JoinAnswer", json!(answer))]
}

#[tokio::test]
async fn who_joins_without_a_certificate_or_forgets_a_node_in_use_is_told() {
    let deciding = network();
    let large = "x".repeat(governance::join::REQUEST_BYTES_MAX + 1);
    let request = Request::post("/node/join").body(Body::from(large)).unwrap();
    let response = router(deciding.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "the certificate comes before the body");
    assert_eq!(response.headers()["x-ms-error-code"], "UnknownCertificate");
    for (node, status, code) in [
        (ID.to_owned(), StatusCode::BAD_REQUEST, "NodeNotRetiredCommitted"),
        (ID.to_uppercase(), StatusCode::BAD_REQUEST, "NodeNotRetiredCommitted"),
        ("0".repeat(64), StatusCode::NOT_FOUND, "ResourceNotFound"),
        ("self".to_owned(), StatusCode::NOT_FOUND, "ResourceNotFound"),
    ] {
        let (told, _, body) = ask(&deciding, "delete", &format!("/node/network/nodes/{node}")).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((told, &body["error"]["code"]), (status, &json!(code)), "{node}");
    }
}

/// Where a schema is in its document, which lives as long as the test.
type Place = usize;

fn place(schema: &Value) -> Place {
    std::ptr::from_ref(schema) as usize
}

fn unseen(name: &str, schema: &Value, seen: &BTreeSet<Place>) {
    match schema {
        Value::Object(fields) => {
            for (field, schema) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
                assert!(seen.contains(&place(schema)), "{name}.{field} is described, and no answer here has it");
            }
            fields.iter().for_each(|(field, schema)| unseen(&format!("{name}.{field}"), schema, seen));
        }
        Value::Array(items) => items.iter().for_each(|schema| unseen(name, schema, seen)),
        _ => {}
    }
}

fn resolved<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("no {target}")),
        None => schema,
    }
}

/// Whether a value is what a schema says, as far as our documents say anything. Notes which fields were there.
fn fits(schema: &Value, value: &Value, document: &Value, seen: &mut BTreeSet<Place>) -> Result<(), String> {
    let schema = resolved(schema, document);
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wrong = |what: &str| Err(format!("{value} is {what} {schema}"));
    if schema.get("type").is_some_and(|wanted| wanted != kind) {
        return wrong("not of the type of");
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        return wrong("none of");
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(part, value, document, seen)?;
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|choice| fits(choice, value, document, seen).is_ok()).count();
        if fitting != 1 {
            return wrong("not one of");
        }
    }
    if let Some(missing) = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|name| value.get(name.as_str().unwrap_or_default()).is_none())
    {
        return wrong(&format!("without {missing} of"));
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(known), _) => {
                seen.insert(place(known));
                fits(known, field, document, seen)?;
            }
            (None, Some(Value::Bool(false))) => return wrong(&format!("with {name}, which is not in")),
            (None, Some(any)) if any.is_object() => fits(any, field, document, seen)?,
            (None, _) => {}
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(&schema["items"], item, document, seen)?;
    }
    Ok(())
}

#[test]
fn what_both_documents_say_they_say_alike() {
    let [gov, node] = documents();
    for kind in ["headers", "responses"] {
        let of_gov = gov["components"][kind].as_object().unwrap();
        for (name, part) in node["components"][kind].as_object().unwrap() {
            assert!(of_gov.get(name).is_none_or(|told| told == part), "{kind} {name}");
        }
    }
    for name in ["Error", "Id", "TransactionId"] {
        assert_eq!(node["components"]["schemas"][name], gov["components"]["schemas"][name], "{name}");
    }
    let in_header = &gov["components"]["headers"]["Code"]["schema"]["enum"];
    assert!(in_header.is_array());
    assert_eq!(*in_header, gov["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]);
}

/// A network with a row of everything that is shown.
fn network() -> Deciding {
    let tables = Tables::new();
    let founding = Founding { members: Vec::new(), constitution: "export function validate () {}".into(), code: None };
    let gov = Gov::new(LedgerId(0), founding, Joining::default(), crate::watched(), &tables).unwrap();
    let one = "\0".repeat(8);
    let ledger = Ledger::new(true);
    let (signer, endorsed) = (ledger.node.public().node_id().to_string(), ledger.node_certificate());
    let pem = "-----BEGIN CERTIFICATE-----";
    let rows = [
        ("ccf.gov.nodes.endorsed_certificates", &*signer, json!(endorsed)),
        (
            "ccf.gov.service.info",
            &*one,
            json!({ "status": "Open", "cert": pem, "current_service_create_txid": "2.1", "service_data": {} }),
        ),
        (
            "ccf.internal.recovery_shares",
            &one,
            json!({ "wrapped_latest_ledger_secret": "AAAA", "encrypted_shares": { ID: "AAAA" } }),
        ),
        ("ccf.gov.service.config", &one, json!({ "recovery_threshold": 1 })),
        ("ccf.gov.constitution", &one, json!("export function validate () {}")),
        ("ccf.gov.members.info", ID, json!({ "status": "Active", "member_data": { "name": "ann" } })),
        ("ccf.gov.members.certs", ID, json!(pem)),
        ("ccf.gov.members.encryption_public_keys", ID, json!(pem)),
        ("ccf.gov.members.acks", ID, json!({ "state_digest": ID })),
        ("ccf.gov.users.certs", ID, json!(pem)),
        ("ccf.gov.users.info", ID, json!({ "user_data": 1 })),
        (
            "ccf.gov.nodes.info",
            ID,
            json!({
                "status": "Trusted", "number": 1, "node_data": null, "code_digest": "00",
                "quote_info": { "format": "Insecure_Virtual", "quote": "", "endorsements": "", "uvm_endorsements": "" },
                "node_to_node_interface": { "bind_address": "127.0.0.1:2" },
                "rpc_interfaces": { "governance": { "bind_address": ":1", "published_address": "127.0.0.1:1", "protocol": "tcp" } },
            }),
        ),
        (
            "ccf.gov.nodes.info",
            GONE,
            json!({
                "status": "Retired", "retired_committed": true, "number": 2, "code_digest": "00",
                "quote_info": { "format": "Insecure_Virtual", "quote": "", "endorsements": "" },
            }),
        ),
        ("ccf.gov.service.previous_service_identity", &one, json!(pem)),
        (
            "ccf.gov.endpoints",
            "GET /log",
            json!({ "js_module": "m.js", "js_function": "log", "mode": "readonly", "openapi": { "a_b": 1 }, "other": 1 }),
        ),
        ("ccf.gov.modules", ID, json!("export function log () {}")),
        (
            "coco.gov.nodes.leases",
            ID,
            json!({ "renewed": 1, "evidence": ID, "lapsed": true, "evaluation": { "tee": "tdx", "number": 17 } }),
        ),
        ("coco.gov.nodes.owners", ID, json!({ "owner": "ann" })),
        ("coco.gov.ledgers", "main", json!({ "kind": "evm", "status": "open" })),
        (
            "coco.gov.manifest.code",
            "virtual:00",
            json!({
                "tee": "virtual", "measurement": "00", "version": "1", "expires": 1, "measurements": { "pcr1": "00" },
                "host_data": "00", "lowest_svn": 1,
            }),
        ),
        ("coco.gov.manifest.tee", "virtual", json!({ "tee": "virtual", "minimum_tcb": {}, "expires": 1 })),
        (
            "coco.gov.manifest.roots",
            "snp:own",
            json!({ "tee": "snp", "name": "own", "root": pem, "product": "Milan", "issuer": "i" }),
        ),
        ("ccf.gov.nodes.node_join_policy", &one, json!("export function apply () { return true; }")),
        ("ccf.gov.nodes.snp.host_data", ID, json!("policy")),
        ("ccf.gov.nodes.snp.uvm_endorsements", "did", json!({ "feed": { "svn": "1" } })),
        ("ccf.gov.nodes.snp.tcb_versions", "00a00f11", json!({ "hexstring": "d3" })),
        ("ccf.gov.jwt.issuers", "https://issuer", json!({ "auto_refresh": true, "ca_cert_bundle_name": "b" })),
        (
            "ccf.gov.jwt.public_signing_keys_metadata_v2",
            "kid",
            json!([{ "public_key": "k", "issuer": "i", "constraint": "c" }]),
        ),
        ("ccf.gov.tls.ca_cert_bundles", "b", json!(pem)),
        ("ccf.gov.proposals", ID, json!({ "actions": [{ "name": "set_member_data", "args": {} }] })),
        (
            "ccf.gov.proposals_info",
            ID,
            json!({
                "proposer_id": ID, "state": "Failed", "ballots": { ID: "export function vote () { return true; }" },
                "final_votes": { ID: true }, "vote_failures": { ID: { "reason": "r", "trace": "t" } }, "failure": { "reason": "r" },
            }),
        ),
        ("coco.gov.proposals_times", ID, json!({ "submitted": 1, "ballots": { ID: 2 } })),
        (
            "coco.gov.policies",
            "set_user",
            json!({
                "agree": { "weight": 60 }, "weights": { ID: 60 }, "voters": [ID], "veto": [ID], "delay_seconds": 1,
                "automatic": [{ "when": "proposer_in", "members": [ID] }],
            }),
        ),
        ("coco.gov.policies", "set_member", json!({ "agree": { "count": 2 } })),
    ];
    let sections = rows.map(|(table, key, row)| {
        let table = tables.find(&format!("public:{table}")).unwrap();
        // PEM stands in its rows as it is.
        let raw = [
            table_of(&tables, "members.certs"),
            table_of(&tables, "members.encryption_public_keys"),
            table_of(&tables, "users.certs"),
            table_of(&tables, "nodes.endorsed_certificates"),
        ];
        let row = if raw.contains(&table) { row.as_str().unwrap().to_owned() } else { row.to_string() };
        Section { table, puts: vec![(key.as_bytes().into(), row.as_bytes().into())], removes: vec![] }
    });
    let mut state = State::new(Arc::new(tables), Arc::new(NoHistory));
    for section in sections {
        state.apply(state.seqno().next(), &WriteSet { sections: vec![section] });
    }
    let committed = TxId { view: View(1), seqno: state.seqno() };
    gov.views.note(View(1), base::Seqno(1), committed.seqno);
    let id = NodeId(ID.parse().unwrap());
    let status = Status {
        id,
        role: Role::Primary,
        view: View(1),
        committed,
        root: Digest::ZERO,
        transactions: 1,
        voters: vec![1],
        learners: vec![],
    };
    Deciding::new(Arc::new(gov), Plumbing::new(Snapshot::of(state), status, Arc::new(ledger), drop).node)
}

fn table_of(tables: &Tables, name: &str) -> kv::TableId {
    tables.find(&format!("public:ccf.gov.{name}")).unwrap()
}

#[tokio::test]
async fn an_application_is_shown_as_its_rows_have_it() {
    let deciding = network();
    let app = async |query: &str| {
        let (status, _, body) = ask(&deciding, "get", &format!("/gov/service/javascript-app{query}")).await;
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let told = json!({ "jsModule": "m.js", "jsFunction": "log", "mode": "readonly", "openApi": { "a_b": 1 } });
    assert_eq!(app("").await, (StatusCode::OK, json!({ "endpoints": { "/log": { "GET": told } } })));
    let original = app("?case=original").await.1;
    assert_eq!(original["endpoints"]["/log"]["GET"]["js_module"], "m.js");
    assert_eq!(app("?case=camel").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn only_a_node_in_good_standing_is_ready() {
    let deciding = network();
    // Its lease has run out.
    for path in ["/node/ready/gov", "/node/ready/app"] {
        assert_eq!(ask(&deciding, "get", path).await.0, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
}

#[tokio::test]
async fn nodes_are_chosen_by_their_doors_and_their_status() {
    let deciding = network();
    let chosen = async |query: &str| {
        let (status, _, body) = ask(&deciding, "get", &format!("/node/network/nodes{query}")).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let ids: Vec<String> = body["nodes"].as_array().map_or_else(Vec::new, |nodes| {
            nodes.iter().map(|node| node["node_id"].as_str().unwrap().to_owned()).collect()
        });
        (status, ids)
    };
    let found = |ids: &[&str]| (StatusCode::OK, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    assert_eq!(chosen("").await, found(&[ID, GONE]));
    assert_eq!(chosen("?status=Retired").await, found(&[GONE]));
    assert_eq!(chosen("?host=127.0.0.1&port=1").await, found(&[ID]));
    assert_eq!(chosen("?port=2").await, found(&[]));
    assert_eq!(chosen("?status=retired").await.0, StatusCode::BAD_REQUEST);
}
