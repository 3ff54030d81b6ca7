//! The constitution of our own judges as a small model in Rust does, whatever the members, the policies and the votes.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::collections::BTreeMap;

use governance::ProposalState;
use governance::constitution::DEFAULT;
use proptest::prelude::*;
use serde_json::{Value, json};
use world::{NO, World, YES, put_json};

const MEMBERS: usize = 5;
const THROWS: &str = "export function vote () { throw new Error('I cannot say'); }";

#[derive(Clone, Debug)]
enum Agree {
    Majority,
    Unanimous,
    Count(usize),
    Weight(u64),
}

#[derive(Clone, Debug)]
struct Policy {
    agree: Agree,
    weights: Vec<u64>,
    voters: Option<Vec<bool>>,
    veto: Vec<bool>,
    delay: u64,
    spared: Vec<bool>,
}

impl Policy {
    fn row(&self, world: &World) -> Value {
        let chosen = |flags: &[bool]| -> Vec<String> {
            let members = world.members.iter().zip(flags).filter(|(_, chosen)| **chosen);
            members.map(|(member, _)| member.id.to_string()).collect()
        };
        let agree = match self.agree {
            Agree::Majority => json!("majority"),
            Agree::Unanimous => json!("unanimous"),
            Agree::Count(count) => json!({ "count": count }),
            Agree::Weight(weight) => json!({ "weight": weight }),
        };
        let weights: BTreeMap<String, u64> =
            world.members.iter().zip(&self.weights).map(|(member, weight)| (member.id.to_string(), *weight)).collect();
        let mut row = json!({
            "agree": agree, "weights": weights, "veto": chosen(&self.veto), "delay_seconds": self.delay,
            "automatic": [{ "when": "proposer_in", "members": chosen(&self.spared) }]
        });
        if let Some(voters) = &self.voters {
            row["voters"] = json!(chosen(voters));
        }
        row
    }

    /// What must come out, said once more.
    fn model(&self, active: &[bool], cast: &BTreeMap<usize, (bool, u64)>, proposer: usize, now: u64) -> ProposalState {
        if self.spared[proposer] && active[proposer] {
            return ProposalState::Accepted;
        }
        let weight = |member: usize| match self.agree {
            Agree::Weight(_) => self.weights[member],
            _ => 1,
        };
        let may_vote = |member: &usize| active[*member] && self.voters.as_ref().is_none_or(|voters| voters[*member]);
        let electorate: Vec<usize> = (0..MEMBERS).filter(may_vote).collect();
        let needed = match self.agree {
            Agree::Majority => electorate.len() as u64 / 2 + 1,
            Agree::Unanimous => (electorate.len() as u64).max(1),
            Agree::Count(count) => count as u64,
            Agree::Weight(weight) => weight,
        };
        // How much had been said by a moment.
        let said = |what: bool, by: u64| -> u64 {
            let of = |member: &&usize| cast.get(member).is_some_and(|(vote, at)| *vote == what && *at <= by);
            electorate.iter().filter(of).map(|member| weight(*member)).sum()
        };
        let all: u64 = electorate.iter().map(|member| weight(*member)).sum();
        let guards: Vec<usize> = (0..MEMBERS).filter(|member| active[*member] && self.veto[*member]).collect();
        let vetoed = guards.iter().any(|guard| matches!(cast.get(guard), Some((false, _))));
        if vetoed || said(false, now) + needed > all {
            return ProposalState::Rejected;
        }
        if said(true, now) < needed {
            return ProposalState::Open;
        }
        let agreed = if self.delay == 0 {
            guards.iter().all(|guard| matches!(cast.get(guard), Some((true, _))))
        } else {
            let since = cast.values().map(|(_, at)| *at).filter(|at| said(true, *at) >= needed).min().unwrap();
            since + self.delay * 1_000 <= now
        };
        if agreed { ProposalState::Accepted } else { ProposalState::Open }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Vote(usize, Option<bool>),
    Status(usize, bool),
    Wait,
}

fn flags(weight: f64) -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(prop::bool::weighted(weight), MEMBERS)
}

fn policy() -> impl Strategy<Value = Policy> {
    let agree = prop_oneof![
        Just(Agree::Majority),
        Just(Agree::Unanimous),
        (1..MEMBERS + 1).prop_map(Agree::Count),
        (1..12u64).prop_map(Agree::Weight),
    ];
    let weights = prop::collection::vec(0..5u64, MEMBERS);
    let delay = prop_oneof![2 => Just(0), 1 => 1..30u64];
    (agree, weights, prop::option::weighted(0.3, flags(0.7)), flags(0.15), delay, flags(0.05)).prop_map(
        |(agree, weights, voters, veto, delay, spared)| Policy { agree, weights, voters, veto, delay, spared },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let vote = prop_oneof![6 => Just(Some(true)), 3 => Just(Some(false)), 1 => Just(None)];
    prop_oneof![
        8 => (0..MEMBERS, vote).prop_map(|(member, vote)| Event::Vote(member, vote)),
        1 => (0..MEMBERS, any::<bool>()).prop_map(|(member, active)| Event::Status(member, active)),
        2 => Just(Event::Wait),
    ]
}

fn set_status(world: &mut World, member: usize, active: bool) {
    let id = world.members[member].id.to_string();
    let status = json!({ "status": if active { "Active" } else { "Suspended" } });
    world.change(|_, tx| put_json(tx, "public:ccf.gov.members.info", id.as_bytes(), &status));
}

/// Rejected if one says so, accepted if all do.
fn both(one: ProposalState, other: ProposalState) -> ProposalState {
    match (one, other) {
        (ProposalState::Rejected, _) | (_, ProposalState::Rejected) => ProposalState::Rejected,
        (ProposalState::Accepted, other) => other,
        (one, _) => one,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outcomes_are_those_of_the_model(
        first in policy(),
        second in prop::option::weighted(0.4, policy()),
        inactive in flags(0.15),
        events in prop::collection::vec((event(), 0..20_000u64), 0..12),
    ) {
        let mut world = World::new(DEFAULT, MEMBERS);
        let mut active: Vec<bool> = inactive.iter().map(|inactive| !inactive).collect();
        active[0] = true;
        for (member, active) in active.iter().enumerate() {
            set_status(&mut world, member, *active);
        }
        let rows = [("trigger_snapshot", Some(first.row(&world))), ("trigger_ledger_chunk", second.as_ref().map(|policy| policy.row(&world)))];
        world.change(|_, tx| {
            for (action, row) in &rows {
                if let Some(row) = row {
                    put_json(tx, "public:coco.gov.policies", action.as_bytes(), row);
                }
            }
        });
        let mut actions = vec![json!({ "name": "trigger_snapshot" })];
        if second.is_some() {
            actions.push(json!({ "name": "trigger_ledger_chunk", "args": {} }));
        }
        let mut cast = BTreeMap::new();
        let expected = |active: &[bool], cast: &BTreeMap<usize, (bool, u64)>, now: u64| {
            let one = first.model(active, cast, 0, now);
            second.as_ref().map_or(one, |policy| both(one, policy.model(active, cast, 0, now)))
        };
        let mut proposal = world.propose(0, json!(actions)).unwrap();
        prop_assert_eq!(proposal.proposal_state, expected(&active, &cast, world.time));
        let id = proposal.proposal_id.clone();
        let mut voted = [false; MEMBERS];
        for (event, pause) in events {
            if proposal.proposal_state != ProposalState::Open {
                break;
            }
            world.time += pause;
            match event {
                Event::Status(member, status) => {
                    active[member] = status;
                    set_status(&mut world, member, status);
                }
                Event::Vote(member, vote) if active[member] && !voted[member] => {
                    voted[member] = true;
                    if let Some(vote) = vote {
                        cast.insert(member, (vote, world.time));
                    }
                    let ballot = match vote { Some(true) => YES, Some(false) => NO, None => THROWS };
                    proposal = world.vote(member, &id, ballot).unwrap();
                }
                Event::Vote(..) | Event::Wait => proposal = world.settle(&id).unwrap(),
            }
            if !matches!(event, Event::Status(..)) {
                prop_assert_eq!(proposal.proposal_state, expected(&active, &cast, world.time));
            }
        }
        let snapshots = usize::from(proposal.proposal_state == ProposalState::Accepted);
        prop_assert_eq!(world.effects.len(), snapshots * (1 + usize::from(second.is_some())));
    }
}
