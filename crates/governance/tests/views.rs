//! What anybody may ask, in the form of CCF's API.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use governance::ProposalState::Accepted;
use governance::constitution::DEFAULT;
use serde::Serialize;
use serde_json::{Value, json};
use world::actions::{RSA_2048, TRUSTED, cases, furnish};
use world::{Member, World, YES};

fn shown(view: impl Serialize) -> Value {
    serde_json::to_value(view).unwrap()
}

fn pass(world: &mut World, name: &str, args: Value) {
    let id = world.act(0, name, args).unwrap().proposal_id;
    let voters = 0..world.members.len() / 2 + 1;
    let states: Vec<_> = voters.map(|member| world.vote(member, &id, YES).unwrap().proposal_state).collect();
    assert_eq!(states.last(), Some(&Accepted), "{name}");
}

#[test]
fn members_and_users_are_shown() {
    let mut world = World::new(DEFAULT, 1);
    let newcomer = Member::new("newcomer");
    let id = newcomer.id.to_string();
    let args = json!({ "cert": newcomer.pem, "encryption_pub_key": RSA_2048, "member_data": { "name": "n" } });
    pass(&mut world, "set_member", args);
    pass(&mut world, "set_user", json!({ "cert": newcomer.pem, "user_data": { "u": 1 } }));
    let tx = world.store.tx();
    let member = json!({
        "memberId": id, "status": "Accepted", "memberData": { "name": "n" }, "certificate": newcomer.pem,
        "publicEncryptionKey": RSA_2048, "recoveryRole": "Participant"
    });
    assert_eq!(shown(world.governance.member(&tx, &id.to_uppercase()).unwrap()), member);
    assert!(shown(world.governance.members(&tx).unwrap()).as_array().unwrap().contains(&member));
    assert_eq!(world.governance.member(&tx, "00").unwrap(), None);
    let user = json!({ "userId": id, "certificate": newcomer.pem, "userData": { "u": 1 } });
    assert_eq!(shown(world.governance.users(&tx).unwrap()), json!([user]));
    assert_eq!(shown(world.governance.user(&tx, &id).unwrap()), user);
}

#[test]
fn the_service_and_its_nodes_are_shown() {
    let mut world = World::new(DEFAULT, 1);
    furnish(&mut world);
    pass(&mut world, "set_node_data", json!({ "node_id": TRUSTED, "node_data": { "rack": 3 } }));
    let tx = world.store.tx();
    assert_eq!(
        shown(world.governance.service(&tx).unwrap()),
        json!({
            "status": "Open", "certificate": world.service_pem, "recoveryCount": 0, "serviceData": null,
            "configuration": {
                "recoveryThreshold": 1, "maximumNodeCertificateValidityDays": 365,
                "maximumServiceCertificateValidityDays": 365, "recentCoseProposalsWindowSize": 100
            }
        })
    );
    let node = json!({
        "nodeId": TRUSTED, "status": "Trusted", "nodeData": { "rack": 3 }, "certificate": null, "retiredCommitted": false,
        "quoteInfo": { "format": "Insecure_Virtual", "rawQuote": "" }, "rpcInterfaces": {}
    });
    assert_eq!(shown(world.governance.node(&tx, TRUSTED).unwrap()), node);
    assert_eq!(world.governance.nodes(&tx).unwrap().len(), 2);
    assert_eq!(world.governance.constitution(&tx).unwrap().unwrap(), DEFAULT);
}

#[test]
fn who_may_join_and_who_issues_tokens_is_shown() {
    let mut world = World::new(DEFAULT, 3);
    furnish(&mut world);
    let all = cases(&world, DEFAULT);
    for name in [
        "add_snp_measurement",
        "add_snp_uvm_endorsement",
        "add_snp_host_data",
        "set_snp_minimum_tcb_version_hex",
        "set_jwt_issuer",
    ] {
        let args = all.iter().find(|case| case.0 == name).unwrap().1.clone();
        pass(&mut world, name, args);
    }
    pass(&mut world, "add_virtual_measurement", json!({ "measurement": "vm" }));
    pass(&mut world, "add_code", json!({ "tee": "tdx", "measurement": "ab", "measurements": { "rtmr1": "cd" } }));
    pass(&mut world, "add_tee", json!({ "tee": "tdx", "expires": 7 }));
    let root = json!({ "tee": "nitro", "name": "lab", "root": world.service_pem });
    pass(&mut world, "set_endorsement_root", root.clone());
    let tx = world.store.tx();
    let hash = crypto::sha256(b"policy").to_string();
    assert_eq!(
        shown(world.governance.join_policy(&tx).unwrap()),
        json!({
            "sgx": { "measurements": [] },
            "virtual": { "measurements": ["vm"], "hostData": [] },
            "manifests": {
                "code": [{ "tee": "tdx", "measurement": "ab", "measurements": { "rtmr1": "cd" } }],
                "tees": [{ "tee": "tdx", "expires": 7 }],
                "roots": [root]
            },
            "snp": {
                "measurements": ["ab"], "hostData": { hash: "policy" },
                "uvmEndorsements": { "d": { "f": { "svn": "1" } } },
                "tcbVersions": { "00a00f11": { "hexstring": "d315000000000004", "boot_loader": 4, "tee": 0, "snp": 0x15, "microcode": 0xd3 } }
            }
        })
    );
    let tokens = shown(world.governance.tokens(&tx).unwrap());
    assert_eq!(tokens["issuers"], json!({ "https://issuer": { "autoRefresh": true, "caCertBundleName": "bundle" } }));
    assert_eq!(tokens["keys"]["key"][0]["issuer"], "https://issuer");
    assert!(tokens["keys"]["key"][0]["publicKey"].is_string());
    assert_eq!(tokens["caCertBundles"], json!({ "bundle": world.service_pem }));
}
