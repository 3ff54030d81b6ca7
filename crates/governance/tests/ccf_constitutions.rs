//! Constitutions that were written for CCF, unmodified: each action proposed once well and once badly.
//!
//! They are not part of this project. `COCO_CCF_CONSTITUTION` names a folder with `actions.js`, `validate.js`, `apply.js` and
//! `resolve.js` of CCF's default constitution, and if wanted with other models' `resolve.js` in `veto/` and `operator/`.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::fs;
use std::path::PathBuf;

use governance::ProposalState::{Accepted, Open, Rejected};
use governance::engine::{Bounds, check_constitution};
use serde_json::{Value, json};
use world::actions::{cases, cases_of_applications, check};
use world::{Member, NO, World, YES, clock, put_json};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("COCO_CCF_CONSTITUTION").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: COCO_CCF_CONSTITUTION names no folder with CCF's default constitution");
    }
    folder
}

/// The default constitution, with another model's `resolve` if one is named.
fn constitution(model: Option<&str>) -> Option<String> {
    let folder = folder()?;
    let resolve = model.map_or_else(|| folder.clone(), |model| folder.join(model)).join("resolve.js");
    if !resolve.exists() {
        eprintln!("SKIPPED: there is no {}", resolve.display());
        return None;
    }
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    Some([read("actions.js"), read("validate.js"), read("apply.js"), fs::read_to_string(resolve).unwrap()].join("\n"))
}

#[test]
fn those_of_ccf_are_constitutions() {
    for model in [None, Some("veto"), Some("operator")] {
        let Some(script) = constitution(model) else { continue };
        check_constitution(&script, &Bounds::LEAST, clock(Bounds::LEAST.time)).unwrap();
    }
}

#[test]
fn every_action_of_ccf_is_carried_out_and_refuses_what_it_must() {
    let Some(script) = constitution(None) else { return };
    let actions = |world: &World| [cases(world, &script), cases_of_applications()].concat();
    assert_eq!(check(&script, actions), 43);
}

#[test]
fn one_no_is_enough_under_the_veto_model() {
    let Some(script) = constitution(Some("veto")) else { return };
    let mut world = World::new(&script, 3);
    let propose = |world: &mut World| world.act(0, "trigger_snapshot", Value::Null).unwrap().proposal_id;
    let id = propose(&mut world);
    world.vote(0, &id, YES).unwrap();
    assert_eq!(world.vote(1, &id, NO).unwrap().proposal_state, Rejected);
    let id = propose(&mut world);
    world.vote(0, &id, YES).unwrap();
    assert_eq!(world.vote(1, &id, YES).unwrap().proposal_state, Accepted);
}

#[test]
fn operators_admit_operators_under_the_operator_model() {
    let Some(script) = constitution(Some("operator")) else { return };
    let mut world = World::new(&script, 3);
    let operator = world.members[2].id.to_string();
    let row = json!({ "status": "Active", "member_data": { "is_operator": true } });
    world.change(|_, tx| put_json(tx, "public:ccf.gov.members.info", operator.as_bytes(), &row));
    let newcomer = json!({ "cert": Member::new("operator").pem, "member_data": { "is_operator": true } });
    assert_eq!(world.act(2, "set_member", newcomer.clone()).unwrap().proposal_state, Accepted);
    assert_eq!(world.act(0, "set_member", newcomer).unwrap().proposal_state, Open);
    assert_eq!(world.act(2, "set_member", json!({ "cert": Member::new("m").pem })).unwrap().proposal_state, Open);
}
