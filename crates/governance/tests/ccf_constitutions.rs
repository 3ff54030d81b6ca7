//! Constitutions that were written for CCF, unmodified: each action proposed once well and once badly.
//!
//! They are not part of this project. `COCO_CCF_CONSTITUTION` names a folder with `actions.js`, `validate.js`, `apply.js` and
//! `resolve.js` of CCF's default constitution.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what failed by where it panics")]

mod world;

use std::fs;
use std::path::PathBuf;

use governance::engine::{Bounds, check_constitution};
use serde_json::{Value, json};
use world::{World, YES, clock};

fn constitution() -> Option<String> {
    let Some(folder) = std::env::var_os("COCO_CCF_CONSTITUTION").map(PathBuf::from) else {
        eprintln!("SKIPPED: COCO_CCF_CONSTITUTION names no folder with CCF's default constitution");
        return None;
    };
    let read = |name: &str| fs::read_to_string(folder.join(format!("{name}.js"))).unwrap();
    Some(["actions", "validate", "apply", "resolve"].map(read).join("\n"))
}

#[test]
fn the_default_constitution_of_ccf_is_a_constitution() {
    let Some(script) = constitution() else { return };
    check_constitution(&script, &Bounds::LEAST, clock(Bounds::LEAST.time)).unwrap();
}

#[test]
fn smoke() {
    let Some(script) = constitution() else { return };
    let mut world = World::new(&script, 3);
    let user = world::Member::new("user").pem;
    let proposal = world.act(0, "set_user", json!({ "cert": user })).unwrap();
    let p = world.vote(1, &proposal.proposal_id, YES).unwrap();
    eprintln!("{p:?}");
    let p = world.vote(2, &proposal.proposal_id, YES).unwrap();
    eprintln!("{p:?} {:?}", world.log);
    let _: Option<Value> = world.json("public:ccf.gov.users.info", b"x");
    assert_eq!(world.rows("public:ccf.gov.users.certs"), 1);
}
