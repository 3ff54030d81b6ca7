//! Proposals and ballots: what a member's text makes of the engine and of the default constitution.

use governance::constitution::DEFAULT;
use governance::engine::Bounds;
use governance::{Kind, Refusal, engine};

use crate::input::{Input, pieces};
use crate::world::actions::{cases, furnish};
use crate::world::{World, clock};

thread_local! {
    static WORLD: World = {
        let mut world = World::new(DEFAULT, 3);
        furnish(&mut world);
        world
    };
    static OPEN: (World, String) = {
        let mut world = World::new(DEFAULT, 3);
        let proposal = world.act(0, "set_member_data", serde_json::json!({ "member_id": world.members[1].id.to_string(), "member_data": {} }));
        (world, proposal.expect("three members have to agree on it").proposal_id)
    };
}

/// A proposal as text, or as the arguments of an action that the first byte chooses. The constitution finds it valid or says
/// why it is not; only what is no JSON may stop it. If its proposer's vote decides, it is carried out.
pub fn proposal(data: &[u8]) {
    let mut input = Input(data);
    let choice = usize::from(input.byte());
    WORLD.with(|world| {
        let text = String::from_utf8_lossy(input.0);
        let body = match names(world).get(choice) {
            Some(name) => format!(r#"{{"actions":[{{"name":"{name}","args":{text}}}]}}"#),
            None => text.into_owned(),
        };
        let bytes = world.members[0].sign(Kind::Proposal, 1_800_000_000, None, body.as_bytes());
        let mut tx = world.store.tx();
        let signed = world.governance.verify(&tx, Kind::Proposal, &bytes).expect("a member signed it");
        let created = world.governance.create(&mut tx, &signed, &world.at());
        let foreseen = matches!(created, Ok(_) | Err(Refusal::ProposalFailedToValidate(_)));
        let json = serde_json::from_str::<serde_json::Value>(&body).is_ok();
        assert!(foreseen || !json, "{body}: {:?}", created.err());
    });
}

fn names(world: &World) -> Vec<&'static str> {
    thread_local! {
        static NAMES: std::cell::OnceCell<Vec<&'static str>> = const { std::cell::OnceCell::new() };
    }
    NAMES.with(|names| names.get_or_init(|| cases(world, DEFAULT).into_iter().map(|(name, ..)| name).collect()).clone())
}

pub fn proposal_seeds() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        let all = (0..).zip(cases(world, DEFAULT));
        let short = |args: &serde_json::Value| args.to_string().len() < 4 << 10;
        let seeds = all.flat_map(|(choice, (_, good, bad))| {
            [good, bad].into_iter().filter(short).map(move |args| pieces(choice, &[], args.to_string().as_bytes()))
        });
        let whole = br#"{"actions":[{"name":"remove_user","args":{"user_id":7}}]}"#;
        seeds.chain([pieces(0xff, &[], whole)]).collect()
    })
}

/// A script as a ballot on an open proposal, and as a constitution. Both are bounded, whatever they are.
pub fn ballot(data: &[u8]) {
    let script = String::from_utf8_lossy(data);
    OPEN.with(|(world, id)| {
        let member = &world.members[1];
        let payload = serde_json::json!({ "ballot": script }).to_string();
        let bytes = member.sign(Kind::Ballot, 1_800_000_001, Some(id), payload.as_bytes());
        let mut tx = world.store.tx();
        let signed = world.governance.verify(&tx, Kind::Ballot, &bytes).expect("a member signed it");
        drop(world.governance.submit_ballot(&mut tx, &signed, id, &member.id.to_string(), &world.at()));
    });
    let bounds = Bounds::LEAST;
    drop(engine::check_constitution(&script, &bounds, clock(bounds.time)));
}

pub fn ballot_seeds() -> Vec<Vec<u8>> {
    let scripts = [
        "export function vote (proposal, proposer) { return JSON.parse(proposal).actions[0].name === 'set_member_data'; }",
        "export function vote () { while (true) {} }",
        "export function vote () { let a = []; for (;;) { a.push(new ArrayBuffer(1 << 20)); } }",
        "export function vote () { return ccf.kv['public:ccf.gov.members.info'].size > 1n; }",
        "export const validate = (x) => ({ valid: true, description: '' }); export const resolve = () => 'Open'; export const apply = () => {};",
        "export function vote () { return /^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'); }",
        "export function vote (p) { return [...p].map((c) => BigInt(c.charCodeAt(0)) ** 9n).sort().length > 3; }",
    ];
    scripts.iter().map(|script| script.as_bytes().to_vec()).collect()
}
