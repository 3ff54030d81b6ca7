//! Every action under CCF's names, with arguments that must be taken and arguments that must be refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::ForeignKey;
use crypto::foreign_key::Numbers;
use serde_json::{Value, json};

use super::{Member, World, put, put_json};

pub const RSA_2048: &str = include_str!("../data/rsa-2048.pem");
pub const RSA_1024: &str = include_str!("../data/rsa-1024.pem");
pub const PENDING: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub const TRUSTED: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const OTHER_HASH: &str = "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1";

/// A name, arguments to take, arguments to refuse.
pub type Case = (&'static str, Value, Value);

/// What the cases find: two nodes, an issuer, a bundle of certificates, a processor's minimum.
pub fn furnish(world: &mut World) {
    let node = |status: &str| {
        json!({
            "status": status, "certificate_signing_request": "CSR", "code_digest": "ab",
            "quote_info": { "format": "Insecure_Virtual", "quote": "", "endorsements": "" }
        })
    };
    world.change(|world, tx| {
        put_json(tx, "public:ccf.gov.nodes.info", PENDING.as_bytes(), &node("Pending"));
        put_json(tx, "public:ccf.gov.nodes.info", TRUSTED.as_bytes(), &node("Trusted"));
        put_json(tx, "public:ccf.gov.jwt.issuers", b"https://issuer", &json!({ "issuer": "https://issuer" }));
        put_json(tx, "public:ccf.gov.tls.ca_cert_bundles", b"bundle", &json!(world.service_pem));
        put_json(tx, "public:ccf.gov.nodes.snp.tcb_versions", b"00a00f11", &json!({ "snp": 1 }));
        let recovering = world.members[0].id.to_string();
        put(tx, "public:ccf.gov.members.encryption_public_keys", recovering.as_bytes(), RSA_2048.as_bytes());
    });
}

fn jwk(member: &Member) -> Value {
    let key = ForeignKey::from_spki_der(member.key.public().spki_der()).unwrap();
    let Numbers::Ec { x, y, .. } = key.numbers() else { panic!("members' keys are on a curve") };
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kid": "key", "kty": "EC", "crv": "P-384", "x": text(x), "y": text(y) })
}

/// All of them, on a furnished world.
pub fn cases(world: &World, constitution: &str) -> Vec<Case> {
    let stranger = Member::new("stranger");
    let cert = stranger.pem.as_str();
    let (member, service) = (world.members[2].id.to_string(), world.service_pem.as_str());
    let policy_hash = crypto::sha256(b"policy").to_string();
    let key = jwk(&stranger);
    let valid = json!({ "node_id": TRUSTED, "valid_from": "260101000000Z", "validity_period_days": 30 });
    let (none, odd) = (Value::Null, json!({ "odd": 1 }));
    vec![
        ("set_constitution", json!({ "constitution": constitution }), json!({ "constitution": "export const x = 1" })),
        (
            "set_member",
            json!({ "cert": cert, "encryption_pub_key": RSA_2048, "member_data": { "a": 1 }, "recovery_role": "Participant" }),
            json!({ "cert": cert, "encryption_pub_key": RSA_1024 }),
        ),
        ("set_member", json!({ "cert": cert }), json!({ "cert": cert, "recovery_role": "Owner" })),
        ("remove_member", json!({ "member_id": member }), json!({ "member_id": "abc" })),
        (
            "set_member_data",
            json!({ "member_id": member, "member_data": { "x": 1 } }),
            json!({ "member_id": member, "member_data": 7 }),
        ),
        ("set_user", json!({ "cert": cert, "user_data": { "x": 1 } }), json!({ "cert": "no" })),
        ("remove_user", json!({ "user_id": member }), json!({ "user_id": 7 })),
        (
            "set_user_data",
            json!({ "user_id": member, "user_data": { "x": 1 } }),
            json!({ "user_id": member, "user_data": "x" }),
        ),
        ("set_recovery_threshold", json!({ "recovery_threshold": 1 }), json!({ "recovery_threshold": 255 })),
        ("trigger_recovery_shares_refresh", none.clone(), odd.clone()),
        ("trigger_ledger_rekey", none.clone(), odd.clone()),
        (
            "transition_service_to_open",
            json!({ "next_service_identity": service }),
            json!({ "next_service_identity": "no" }),
        ),
        (
            "set_js_runtime_options",
            json!({ "max_heap_bytes": 1, "max_stack_bytes": 2, "max_execution_time_ms": 3, "return_exception_details": true }),
            json!({ "max_heap_bytes": 1, "max_stack_bytes": 2 }),
        ),
        (
            "set_ca_cert_bundle",
            json!({ "name": "b", "cert_bundle": service }),
            json!({ "name": "b", "cert_bundle": cert }),
        ),
        ("remove_ca_cert_bundle", json!({ "name": "bundle" }), json!({})),
        (
            "set_jwt_issuer",
            json!({ "issuer": "https://issuer", "auto_refresh": true, "ca_cert_bundle_name": "bundle", "jwks": { "keys": [key.clone()] } }),
            json!({ "issuer": "http://issuer" }),
        ),
        (
            "set_jwt_public_signing_keys",
            json!({ "issuer": "https://issuer", "jwks": { "keys": [key] } }),
            json!({ "issuer": "https://issuer", "jwks": { "keys": [{ "kid": "a", "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }] } }),
        ),
        ("remove_jwt_issuer", json!({ "issuer": "https://issuer" }), json!({})),
        ("add_snp_measurement", json!({ "measurement": "ab" }), json!({ "measurement": 7 })),
        ("remove_snp_measurement", json!({ "measurement": "ab" }), json!({})),
        ("add_snp_uvm_endorsement", json!({ "did": "d", "feed": "f", "svn": "1" }), json!({ "did": "d", "feed": "f" })),
        ("remove_snp_uvm_endorsement", json!({ "did": "d", "feed": "f" }), json!({ "did": "d" })),
        (
            "add_snp_host_data",
            json!({ "host_data": policy_hash, "security_policy": "policy" }),
            json!({ "host_data": OTHER_HASH, "security_policy": "policy" }),
        ),
        ("remove_snp_host_data", json!({ "host_data": policy_hash }), json!({})),
        (
            "set_snp_minimum_tcb_version",
            json!({ "cpuid": "00a00f11", "tcb_version": { "boot_loader": 1, "tee": 0, "snp": 2, "microcode": 3 } }),
            json!({ "cpuid": "00A00F11", "tcb_version": { "boot_loader": 1, "tee": 0, "snp": 2, "microcode": 3 } }),
        ),
        (
            "set_snp_minimum_tcb_version_hex",
            json!({ "cpuid": "00a00f11", "tcb_version": "d315000000000004" }),
            json!({ "cpuid": "00a00f11", "tcb_version": "d3" }),
        ),
        ("remove_snp_minimum_tcb_version", json!({ "cpuid": "00a00f11" }), json!({ "cpuid": "x" })),
        (
            "set_node_data",
            json!({ "node_id": TRUSTED, "node_data": { "x": 1 } }),
            json!({ "node_id": "x", "node_data": 1 }),
        ),
        (
            "transition_node_to_trusted",
            json!({ "node_id": PENDING, "valid_from": "260101000000Z" }),
            json!({ "node_id": PENDING, "valid_from": "260101000000Z", "validity_period_days": 0 }),
        ),
        ("remove_node", json!({ "node_id": TRUSTED }), json!({ "node_id": "x" })),
        ("set_node_certificate_validity", valid, json!({ "node_id": TRUSTED })),
        ("set_all_nodes_certificate_validity", json!({ "valid_from": "260101000000Z" }), json!({})),
        ("set_service_certificate_validity", json!({ "valid_from": "260101000000Z" }), json!({ "valid_from": 7 })),
        (
            "set_service_configuration",
            json!({ "recent_cose_proposals_window_size": 7 }),
            json!({ "maximum_node_certificate_validity_days": 7 }),
        ),
        ("trigger_ledger_chunk", none.clone(), none.clone()),
        ("trigger_snapshot", none.clone(), none.clone()),
        ("assert_service_identity", json!({ "service_identity": service }), json!({ "service_identity": cert })),
        ("set_node_join_policy", json!({ "policy": "export function x() {}" }), json!({ "policy": 7 })),
        ("remove_node_join_policy", none.clone(), none),
    ]
}

/// Those of an application in JavaScript, which this network does not run: only constitutions for CCF have them.
pub fn cases_of_applications() -> Vec<Case> {
    let properties = json!({
        "js_module": "m.js", "js_function": "f", "mode": "readwrite", "forwarding_required": "always", "authn_policies": ["user_cert"]
    });
    let bundle = |module: &str| {
        let modules = json!([{ "name": module, "module": "export function f() {}" }]);
        json!({ "bundle": { "modules": modules, "metadata": { "endpoints": { "/x": { "get": properties } } } } })
    };
    vec![
        ("set_js_app", bundle("m.js"), bundle("other.js")),
        ("remove_js_app", Value::Null, Value::Null),
        ("refresh_js_app_bytecode_cache", Value::Null, Value::Null),
        ("cleanup_legacy_jwt_records", json!({}), json!({ "ensure_new_records_exist": 7 })),
    ]
}

/// Proposes each of these: the good one is accepted by all members, the bad one is not even voted on.
pub fn check(constitution: &str, cases: impl Fn(&World) -> Vec<Case>) -> usize {
    let mut template = World::new(constitution, 3);
    furnish(&mut template);
    let count = cases(&template).len();
    for place in 0..count {
        let mut world = World::new(constitution, 3);
        furnish(&mut world);
        let (name, good, bad) = cases(&world).swap_remove(place);
        if bad != good {
            let refusal = world.act(0, name, bad).expect_err(name);
            assert_eq!(refusal.code(), "ProposalFailedToValidate", "{name}: {refusal}");
        }
        let mut proposal = world.act(0, name, good).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        for member in 0..3 {
            if proposal.proposal_state == governance::ProposalState::Open {
                let id = proposal.proposal_id.clone();
                proposal = world.vote(member, &id, super::YES).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            }
        }
        assert_eq!(proposal.proposal_state, governance::ProposalState::Accepted, "{name}");
    }
    count
}
