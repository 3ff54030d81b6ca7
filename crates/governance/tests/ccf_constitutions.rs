//! Constitutions that were written for CCF, unmodified: each action proposed once well and once badly.
//!
//! They are not part of this project. `COCO_CCF_CONSTITUTION` names a folder with `actions.js`, `validate.js`, `apply.js` and
//! `resolve.js` of CCF's default constitution.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what failed by where it panics")]

mod world;

use std::fs;
use std::path::PathBuf;

use governance::engine::{Bounds, check_constitution};
use world::actions::{cases, cases_of_applications, check};
use world::{World, clock};

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
fn every_action_of_ccf_is_carried_out_and_refuses_what_it_must() {
    let Some(script) = constitution() else { return };
    let actions = |world: &World| [cases(world, &script), cases_of_applications()].concat();
    assert_eq!(check(&script, actions), 43);
}
