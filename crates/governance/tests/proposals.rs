//! The life of a proposal and of a member, and every way in which a request is refused.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use governance::engine::{Call, Done, Effect, Failure, Job, Runner};
use governance::{Kind, MemberId, Proposal, ProposalState, Refusal};
use serde_json::{Value, json};
use world::{Member, NO, World, YES, inline, put, put_json};

/// Accepts with more than half of the votes, rejects with as many against, and does what the proposal's text says.
const SIMPLE: &str = "
    export function validate(text) {
      const { valid = true, description = '', script } = JSON.parse(text);
      if (script === 'validate throws') throw new Error('no way');
      if (script === 'validate text') return 'fine';
      return { valid, description };
    }
    export function resolve(text, proposerId, votes, proposalId) {
      const { script } = JSON.parse(text);
      if (script === 'resolve throws') throw new Error('no way');
      if (script === 'resolve odd') return 'Withdrawn';
      if (script === 'resolve loops') for (;;);
      if (script === 'at once') return 'Accepted';
      if (proposalId.length !== 64) return 'Rejected';
      const half = ccf.kv['public:ccf.gov.members.info'].size / 2;
      const count = (wanted) => votes.filter(({ vote }) => vote === wanted).length;
      if (count(true) > half) return 'Accepted';
      return count(false) >= half ? 'Rejected' : 'Open';
    }
    export function apply(text, proposalId) {
      const { script, user } = JSON.parse(text);
      ccf.kv['public:ccf.gov.users.info'].set(ccf.strToBuf(user ?? 'user'), ccf.strToBuf('{}'));
      if (script === 'apply throws') throw new Error('no way');
      if (script === 'apply loops') for (;;);
      if (script === 'snapshot') ccf.node.triggerSnapshot();
      if (script === 'open') ccf.node.transitionServiceToOpen(undefined, ccf.strToBuf('next'));
    }";

fn world() -> World {
    World::new(SIMPLE, 3)
}

fn script(name: &str) -> String {
    json!({ "script": name }).to_string()
}

/// Status, code and message.
type Refused = (u16, &'static str, String);

fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Refused {
    let refusal = result.unwrap_err();
    (refusal.status(), refusal.code(), refusal.to_string())
}

#[test]
fn a_proposal_is_accepted_when_enough_members_say_yes() {
    let mut world = world();
    let proposal = world.propose_text(0, "{}").unwrap();
    assert_eq!((proposal.proposal_state, proposal.ballot_count), (ProposalState::Open, 0));
    let id = proposal.proposal_id;
    let proposal = world.vote(1, &id, YES).unwrap();
    assert_eq!(
        (proposal.proposal_state, &proposal.ballot_submitters[..]),
        (ProposalState::Open, &[world.members[1].id][..])
    );
    assert_eq!(proposal.final_votes, None);
    let proposal = world.vote(2, &id, YES).unwrap();
    assert_eq!(proposal.proposal_state, ProposalState::Accepted);
    assert_eq!(proposal.final_votes.unwrap().len(), 2);
    assert_eq!(world.rows("public:ccf.gov.users.info"), 1);
    assert!(world.row("public:ccf.gov.cose_history", world.members[2].id.to_string().as_bytes()).is_some());
    let stored = world.json("public:ccf.gov.proposals_info", id.as_bytes()).unwrap();
    assert_eq!(stored["state"], "Accepted");
    assert_eq!(stored["ballots"].as_object().unwrap().len(), 2);
}

#[test]
fn what_clients_see_is_camel_case() {
    let mut world = world();
    let id = world.propose_text(0, "{}").unwrap().proposal_id;
    world.vote(1, &id, "export function vote() { throw new Error('I cannot') }").unwrap();
    world.vote(0, &id, YES).unwrap();
    let proposal = world.vote(2, &id, YES).unwrap();
    let [m0, m1, m2] = [0, 1, 2].map(|place: usize| world.members[place].id.to_string());
    let mut submitters = vec![m0.clone(), m1.clone(), m2.clone()];
    submitters.sort();
    let trace = serde_json::to_value(&proposal).unwrap()["voteFailures"][&m1]["trace"].clone();
    assert!(trace.as_str().unwrap().contains("vote"));
    assert_eq!(
        serde_json::to_value(&proposal).unwrap(),
        json!({
            "proposalId": id, "proposerId": m0, "proposalState": "Accepted", "ballotCount": 3,
            "ballotSubmitters": submitters,
            "finalVotes": { m0: true, m2: true },
            "voteFailures": { m1: { "reason": "Error: I cannot", "trace": trace } },
        })
    );
}

#[test]
fn a_proposal_is_rejected_withdrawn_or_goes_when_another_is_decided() {
    let mut world = world();
    let rejected = world.propose_text(0, "{}").unwrap().proposal_id;
    world.vote(0, &rejected, NO).unwrap();
    assert_eq!(world.vote(1, &rejected, NO).unwrap().proposal_state, ProposalState::Rejected);
    assert_eq!(world.rows("public:ccf.gov.users.info"), 0);
    let withdrawn = world.propose_text(0, "{}").unwrap().proposal_id;
    let open = world.propose_text(1, "{}").unwrap().proposal_id;
    assert_eq!(refused(world.withdraw(1, &withdrawn)).1, "AuthorizationFailed");
    let proposal = world.withdraw(0, &withdrawn).unwrap().unwrap();
    assert_eq!(proposal.proposal_state, ProposalState::Withdrawn);
    assert_eq!(world.withdraw(0, &withdrawn).unwrap(), Some(proposal));
    // The rejected one went with the decision about the withdrawn one; the open one stays.
    let tx = world.store.tx();
    let left: Vec<Proposal> = world.governance.proposals(&tx).unwrap();
    let mut ids: Vec<_> = left.into_iter().map(|proposal| proposal.proposal_id).collect();
    ids.sort();
    let mut wanted = vec![withdrawn.clone(), open];
    wanted.sort();
    assert_eq!(ids, wanted);
    assert_eq!(world.withdraw(0, &rejected).unwrap(), None);
    assert_eq!(world.rows("public:ccf.gov.proposals"), 2);
}

#[test]
fn the_id_binds_a_proposal_to_the_state_and_to_its_signature() {
    let mut world = world();
    let bytes = world.members[0].sign(Kind::Proposal, world.created_at, None, b"{}");
    let id = world.propose_signed(&bytes).unwrap().proposal_id;
    let expected = crypto::sha256_pair(&world.root.unwrap(), &crypto::sha256(&bytes[bytes.len() - 96..]));
    assert_eq!(id, expected.to_string());
    let tx = world.store.tx();
    let upper = id.to_uppercase();
    assert_eq!(world.governance.proposal(&tx, &upper).unwrap().proposal_id, id);
    assert_eq!(world.governance.actions(&tx, &upper).unwrap(), b"{}");
}

#[test]
fn many_requests_of_one_second_are_taken_each_once() {
    let mut world = world();
    with_window(&mut world, 4);
    let requests: Vec<Vec<u8>> = (0..12)
        .map(|number| {
            let body = json!({ "number": number }).to_string();
            world.members[0].sign(Kind::Proposal, 1_000, None, body.as_bytes())
        })
        .collect();
    let mut taken = 0;
    for request in &requests {
        match world.propose_signed(request) {
            Ok(_) => taken += 1,
            Err(refusal) => assert_eq!(refusal.code(), "ProposalCreatedTooLongAgo"),
        }
    }
    // As many as the window has places are never refused for their second alone.
    assert!(taken >= 4, "{taken}");
    for request in &requests {
        assert!(world.propose_signed(request).is_err(), "a request was taken twice");
    }
}

fn with_window(world: &mut World, window: u64) {
    world.change(|_, tx| {
        let config = json!({ "recent_cose_proposals_window_size": window });
        world::put_json(tx, "public:ccf.gov.service.config", &[0; 8], &config);
    });
}

/// The order of P-384.
const ORDER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";

/// The other signature that verifies where this one does: `s` becomes the order less `s`.
fn twin(envelope: &[u8]) -> Vec<u8> {
    let order = const_hex::decode(ORDER).unwrap();
    let mut twin = envelope.to_vec();
    let start = twin.len() - order.len();
    let mut borrow = 0;
    for (byte, order) in twin[start..].iter_mut().zip(&order).rev() {
        let difference = i16::from(*order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
    twin
}

#[test]
fn a_request_under_the_twin_of_its_signature_is_the_same_request() {
    let mut world = world();
    let signed = world.members[0].sign(Kind::Proposal, 1_000, None, b"{}");
    world.propose_signed(&signed).unwrap();
    let other = twin(&signed);
    assert_ne!(other, signed);
    assert!(world.governance.verify(&world.store.tx(), Kind::Proposal, &other).is_ok(), "it is a good signature");
    assert_eq!(refused(world.propose_signed(&other)).1, "ProposalReplay");
    // Signed once more it is another request.
    let again = world.members[0].sign(Kind::Proposal, 1_000, None, b"{}");
    world.propose_signed(&again).unwrap();
}

#[test]
fn requests_to_propose_are_taken_once_and_in_time() {
    let mut world = world();
    let sign = |world: &World, created_at: u64| world.members[0].sign(Kind::Proposal, created_at, None, b"{}");
    let first = sign(&world, 1_000);
    let id = world.propose_signed(&first).unwrap().proposal_id;
    let (status, code, message) = refused(world.propose_signed(&first));
    assert_eq!((status, code), (400, "ProposalReplay"));
    assert!(message.ends_with(&format!("already exists as proposal {id}.")), "{message}");
    for created_at in [1_010, 1_020, 1_030] {
        let bytes = sign(&world, created_at);
        world.propose_signed(&bytes).unwrap();
    }
    // The median of four is the third.
    let old = sign(&world, 1_019);
    assert_eq!(refused(world.propose_signed(&old)).1, "ProposalCreatedTooLongAgo");
    let later = sign(&world, 1_021);
    world.propose_signed(&later).unwrap();
    let never = sign(&world, 10_000_000_000);
    assert_eq!(refused(world.propose_signed(&never)).1, "InvalidCreatedAt");
    let last = sign(&world, 9_999_999_999);
    world.propose_signed(&last).unwrap();
    // The window shrinks to what members decided.
    let window = json!({ "recent_cose_proposals_window_size": 2 });
    world.change(|_, tx| put_json(tx, "public:ccf.gov.service.config", &[0; 8], &window));
    let bytes = sign(&world, 2_000);
    world.propose_signed(&bytes).unwrap();
    assert_eq!(world.rows("public:ccf.gov.cose_recent_proposals"), 2);
}

#[test]
fn a_step_that_fails_leaves_nothing() {
    let mut world = world();
    let count = |world: &World| {
        let tables = ["proposals", "proposals_info", "cose_history", "cose_recent_proposals", "users.info"];
        tables.map(|table| world.rows(&format!("public:ccf.gov.{table}")))
    };
    for (name, reason) in [
        ("validate throws", "Failed to validate(): Error: no way"),
        ("validate text", "Failed to validate(): TypeError: validate must return an object"),
        ("resolve throws", "Failed to resolve(): Error: no way"),
        ("resolve odd", "Failed to resolve(): it gave Resolution(\"Withdrawn\")"),
        ("resolve loops", "Failed to resolve(): Operation took too long to complete."),
    ] {
        let (status, code, message) = refused(world.propose_text(0, &script(name)));
        assert_eq!((status, code), (500, "InternalError"), "{name}");
        assert!(message.starts_with(reason), "{message}");
        assert_eq!(count(&world), [0; 5], "{name}");
    }
    for name in ["apply throws", "apply loops"] {
        let id = world.propose_text(0, &script(name)).unwrap().proposal_id;
        world.vote(1, &id, YES).unwrap();
        let before = count(&world);
        let (status, _, message) = refused(world.vote(2, &id, YES));
        assert_eq!(status, 500);
        assert!(message.starts_with("Failed to apply(): "), "{message}");
        assert_eq!(count(&world), before);
        assert_eq!(world.json("public:ccf.gov.proposals_info", id.as_bytes()).unwrap()["state"], "Open");
    }
    // The same signed ballot may come again: the script may have been repaired meanwhile.
    assert!(world.effects.is_empty());
}

/// Counts the calls of scripts that do not end.
struct Counting(Arc<AtomicUsize>);

impl Runner for Counting {
    fn run_placed(&self, job: Job, placed: &mut dyn FnMut()) -> Result<Done, Failure> {
        if job.script.contains("for (;;);") && matches!(job.call, Call::Vote { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        inline().run_placed(job, placed)
    }
}

#[test]
fn ballots_that_loop_or_eat_memory_fail_alone() {
    let mut world = World::new(SIMPLE, 4);
    let loops = Arc::new(AtomicUsize::new(0));
    world.runner = Box::new(Counting(loops.clone()));
    let id = world.propose_text(0, "{}").unwrap().proposal_id;
    world.vote(0, &id, "export function vote() { for (;;); }").unwrap();
    let hungry = "export function vote() { const a = []; for (;;) a.push(new Uint8Array(1e6)); }";
    let proposal = world.vote(1, &id, hungry).unwrap();
    assert_eq!(proposal.proposal_state, ProposalState::Open);
    assert_eq!(proposal.vote_failures.unwrap().len(), 1, "what took too long is kept at once");
    let proposal = world.vote(2, &id, NO).unwrap();
    assert_eq!(proposal.proposal_state, ProposalState::Open);
    let proposal = world.vote(3, &id, NO).unwrap();
    assert_eq!(proposal.proposal_state, ProposalState::Rejected);
    let failures = proposal.vote_failures.unwrap();
    assert_eq!(failures[&world.members[0].id].reason, "Operation took too long to complete.");
    assert!(failures[&world.members[1].id].reason.contains("out of memory"));
    assert_eq!(loops.load(Ordering::Relaxed), 1, "a ballot that took too long is not asked again");
}

#[test]
fn each_refusal_has_its_code_and_status() {
    let mut world = world();
    let open = world.propose_text(0, "{}").unwrap().proposal_id;
    let decided = world.propose_text(0, &script("at once")).unwrap().proposal_id;
    world.vote(1, &open, YES).unwrap();
    let unknown = "ab".repeat(32);
    let same = world.vote(1, &open, YES).unwrap();
    assert_eq!(same.ballot_count, 1, "the same ballot again is no error");
    let mut table: Vec<(&str, u16, &str, Refused)> = vec![
        ("other ballot", 400, "VoteAlreadyExists", refused(world.vote(1, &open, NO))),
        ("no proposal", 404, "ProposalNotFound", refused(world.vote(1, &unknown, YES))),
        ("decided", 400, "ProposalNotOpen", refused(world.vote(1, &decided, YES))),
        ("decided", 400, "ProposalNotOpen", refused(world.withdraw(0, &decided))),
        ("not the proposer", 403, "AuthorizationFailed", refused(world.withdraw(1, &open))),
        (
            "invalid",
            400,
            "ProposalFailedToValidate",
            refused(world.propose_text(0, "{\"valid\":false,\"description\":\"why\"}")),
        ),
    ];
    let member = world.members[2].id.to_string();
    let sign = |payload: &str| world.members[2].sign(Kind::Ballot, 1, Some(&open), payload.as_bytes());
    let tx = world.store.tx();
    let ballot = |bytes: &[u8], proposal: &str, voter: &str| {
        let mut tx = world.store.tx();
        let signed = world.governance.verify(&tx, Kind::Ballot, bytes).unwrap();
        refused(world.governance.submit_ballot(&mut tx, &signed, proposal, voter, &world.at()))
    };
    let yes = sign(&json!({ "ballot": YES }).to_string());
    table.extend([
        ("no ballot", 400, "InvalidInput", ballot(&sign("{}"), &open, &member)),
        ("no text", 400, "InvalidInput", ballot(&sign("{\"ballot\":7}"), &open, &member)),
        ("no json", 400, "InvalidInput", ballot(&sign(""), &open, &member)),
        ("other proposal", 400, "InvalidResourceName", ballot(&yes, &decided, &member)),
        ("other member", 400, "InvalidResourceName", ballot(&yes, &open, &world.members[1].id.to_string())),
        ("no vote", 404, "VoteNotFound", refused(world.governance.ballot(&tx, &open, &member))),
        ("no vote", 404, "VoteNotFound", refused(world.governance.ballot(&tx, &open, "x"))),
        ("no proposal", 404, "ProposalNotFound", refused(world.governance.ballot(&tx, &unknown, &member))),
        ("no proposal", 404, "ProposalNotFound", refused(world.governance.proposal(&tx, &unknown))),
        ("no proposal", 404, "ProposalNotFound", refused(world.governance.actions(&tx, &unknown))),
        ("no ack", 404, "ResourceNotFound", refused(world.governance.state_digest(&tx, &world.members[0].id))),
        ("stranger", 401, "InvalidAuthenticationInfo", {
            let bytes = Member::new("stranger").sign(Kind::Proposal, 1, None, b"{}");
            refused(world.governance.verify(&tx, Kind::Proposal, &bytes))
        }),
    ]);
    drop(tx);
    world.root = None;
    table.push(("no root", 500, "InternalError", refused(world.propose_text(0, "{}"))));
    world.root = Some(crypto::sha256(b"root"));
    let binary = world.members[0].sign(Kind::Proposal, world.created_at, None, &[0xff]);
    table.push(("not a text", 400, "InvalidInput", refused(world.propose_signed(&binary))));
    world.change(|_, tx| {
        let table = tx.base().tables().find("public:ccf.gov.constitution").unwrap();
        tx.remove(table, &[0; 8][..]);
    });
    table.push(("no constitution", 500, "InternalError", refused(world.propose_text(0, "{}"))));
    for (name, status, code, found) in table {
        assert_eq!((found.0, found.1), (status, code), "{name}: {}", found.2);
    }
}

fn acknowledge(world: &mut World, member: &Member, digest: &str) -> Result<Vec<Effect>, Refusal> {
    let payload = json!({ "stateDigest": digest }).to_string();
    let bytes = member.sign(Kind::Ack, 1, None, payload.as_bytes());
    let path = member.id.to_string().to_uppercase();
    world.change(|world, tx| {
        let signed = world.governance.verify(tx, Kind::Ack, &bytes)?;
        Ok(world.governance.acknowledge(tx, &signed, &path)?.effects)
    })
}

fn update(world: &mut World, member: &Member, path: MemberId) -> Result<String, Refusal> {
    let bytes = member.sign(Kind::StateDigest, 1, None, b"");
    world.change(|world, tx| {
        let signed = world.governance.verify(tx, Kind::StateDigest, &bytes)?;
        let answer = world.governance.update_state_digest(tx, &signed, &path.to_string(), &world.at())?;
        assert_eq!(serde_json::to_value(&answer).unwrap()["memberId"], Value::String(path.to_string()));
        Ok(answer.state_digest)
    })
}

#[test]
fn a_member_counts_once_it_has_signed_the_state() {
    let mut world = world();
    let newcomer = Member::new("newcomer");
    let id = newcomer.id.to_string();
    world.change(|_, tx| {
        put(tx, "public:ccf.gov.members.certs", id.as_bytes(), newcomer.pem.as_bytes());
        put_json(tx, "public:ccf.gov.members.info", id.as_bytes(), &json!({ "status": "Accepted", "extra": 7 }));
    });
    assert_eq!(refused(acknowledge(&mut world, &newcomer, "00")).0, 403);
    let other = world.members[0].id;
    assert_eq!(refused(update(&mut world, &newcomer, other)).1, "InvalidAuthenticationInfo");
    let digest = update(&mut world, &newcomer, newcomer.id).unwrap();
    assert_eq!(digest, world.root.unwrap().to_string());
    let (status, code, _) = refused(acknowledge(&mut world, &newcomer, "00"));
    assert_eq!((status, code), (400, "StateDigestMismatch"));
    assert_eq!(acknowledge(&mut world, &newcomer, &digest).unwrap(), []);
    let info = world.json("public:ccf.gov.members.info", id.as_bytes()).unwrap();
    assert_eq!(info, json!({ "status": "Active", "extra": 7 }));
    assert!(world.json("public:ccf.gov.members.acks", id.as_bytes()).unwrap()["cose_sign1_req"].is_string());
    world.root = None;
    assert_eq!(refused(update(&mut world, &newcomer, newcomer.id)).0, 500);
}

#[test]
fn a_recovery_member_gets_its_share_and_not_while_shares_are_collected() {
    let mut world = world();
    let newcomer = Member::new("newcomer");
    let id = newcomer.id.to_string();
    world.change(|_, tx| {
        put(tx, "public:ccf.gov.members.certs", id.as_bytes(), newcomer.pem.as_bytes());
        put(tx, "public:ccf.gov.members.encryption_public_keys", id.as_bytes(), b"PEM");
        put_json(tx, "public:ccf.gov.members.info", id.as_bytes(), &json!({ "status": "Accepted" }));
        put_json(tx, "public:ccf.gov.service.info", &[0; 8], &json!({ "status": "Recovering" }));
    });
    let digest = update(&mut world, &newcomer, newcomer.id).unwrap();
    assert_eq!(refused(acknowledge(&mut world, &newcomer, &digest)).0, 403);
    world.change(|_, tx| put_json(tx, "public:ccf.gov.service.info", &[0; 8], &json!({ "status": "Open" })));
    assert_eq!(acknowledge(&mut world, &newcomer, &digest).unwrap(), [Effect::RefreshRecoveryShares]);
    // A suspended member may sign, and stays suspended.
    world.change(|_, tx| put_json(tx, "public:ccf.gov.members.info", id.as_bytes(), &json!({ "status": "Suspended" })));
    acknowledge(&mut world, &newcomer, &digest).unwrap();
    assert_eq!(world.json("public:ccf.gov.members.info", id.as_bytes()).unwrap()["status"], "Suspended");
}

#[test]
fn an_approved_service_opens_or_waits_for_shares() {
    for (from, to) in [("Opening", "Open"), ("Open", "Open"), ("Recovering", "WaitingForRecoveryShares")] {
        let mut world = world();
        world.change(|_, tx| {
            put_json(tx, "public:ccf.gov.service.info", &[0; 8], &json!({ "status": from, "cert": "c" }))
        });
        let id = world.propose_text(0, &script("open")).unwrap().proposal_id;
        world.vote(0, &id, YES).unwrap();
        world.vote(1, &id, YES).unwrap();
        let info = world.json("public:ccf.gov.service.info", &[0; 8]).unwrap();
        assert_eq!(info, json!({ "status": to, "cert": "c" }));
        assert_eq!(world.effects, [Effect::OpenService { previous: None, next: "next".into() }]);
    }
}
