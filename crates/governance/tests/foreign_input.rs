//! Whatever strangers and members send: no panic, and an answer that says whose fault it is.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use governance::constitution::DEFAULT;
use governance::{Kind, Refusal};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use world::World;
use world::actions::{cases, furnish};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,6}", "[0-9a-f]{64}", Just("__proto__".into()), Just("constructor".into()), ".{0,20}"]
}

/// Any JSON that is not large.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..4).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// Arguments that are good but for one field, which may be anything or missing.
fn nearly_good() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, Option<Value>)> {
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::option::weighted(0.8, any_json()))
}

/// The default constitution finds a proposal valid or says why it is not; only what is no JSON may stop it.
fn judged(world: &mut World, body: &str) {
    match world.propose_text(0, body) {
        Ok(_) | Err(Refusal::ProposalFailedToValidate(_)) => {}
        Err(other) => panic!("{body}: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_proposal_is_judged(actions in any_json(), name in text(), args in any_json()) {
        let mut world = World::new(DEFAULT, 3);
        judged(&mut world, &json!({ "actions": actions }).to_string());
        judged(&mut world, &json!({ "actions": [{ "name": name, "args": args }] }).to_string());
        judged(&mut world, &actions.to_string());
    }

    #[test]
    fn nearly_good_arguments_are_judged((action, field, value) in nearly_good()) {
        let mut world = World::new(DEFAULT, 3);
        furnish(&mut world);
        let (name, mut args, _) = action.get(&cases(&world, DEFAULT)).clone();
        if let Some(fields) = args.as_object_mut().filter(|fields| !fields.is_empty()) {
            let field = field.get(&fields.keys().cloned().collect::<Vec<_>>()).clone();
            match value {
                Some(value) => drop(fields.insert(field, value)),
                None => drop(fields.remove(&field)),
            }
        }
        judged(&mut world, &json!({ "actions": [{ "name": name, "args": args }] }).to_string());
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>()) {
        let world = World::new("", 1);
        let tx = world.store.tx();
        for kind in [Kind::Proposal, Kind::Ballot, Kind::Ack] {
            prop_assert!(world.governance.verify(&tx, kind, &bytes).is_err());
            // With the frame of a good one.
            let mut framed = world.members[0].sign(kind, 1, Some("id"), b"{}");
            let place = at.index(framed.len());
            framed.splice(place..place, bytes.iter().copied());
            prop_assert!(bytes.is_empty() || world.governance.verify(&tx, kind, &framed).is_err());
        }
    }
}
