//! Promises of the driver that need no network: proposals, bounds, and what a restart hands out.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use base::View;
use base::limits::BATCH_BYTES_MAX;
use bytes::Bytes;
use consensus::{
    Accepted, Body, Config, Configuration, Content, Driver, Effects, Entry, HardState, Index, Input, Member,
    Membership, Message, Point, Refusal, Stored,
};

fn driver(nodes: u64, stored: Stored) -> Driver {
    let config = Config {
        append_bytes_max: 100,
        uncommitted_bytes_max: 100,
        ..Config::new(Member(1), (1..=nodes).map(Member).collect(), 5)
    };
    Driver::new(config, stored).unwrap()
}

/// Steps and syncs at once. What was committed, and the last effects.
fn step(driver: &mut Driver, input: Input) -> (Vec<Entry>, Effects) {
    let mut effects = driver.step(input);
    let mut committed = std::mem::take(&mut effects.committed);
    if let Some(write) = &effects.write {
        committed.extend(step(driver, Input::Persisted(write.number)).0);
    }
    (committed, effects)
}

fn primary() -> Driver {
    let mut driver = driver(1, Stored::default());
    step(&mut driver, Input::Campaign);
    driver
}

fn propose(driver: &mut Driver, bytes: usize) -> Result<Accepted, Refusal> {
    driver.step(Input::Propose(vec![1; bytes].into())).proposed.unwrap()
}

fn stored(entries: u64, commit: u64, applied: u64) -> Stored {
    let content = |index| Content::Batch(Bytes::from(vec![index as u8; 10]));
    let entry = |index| Entry { index: Index(index), view: View(2), content: content(index) };
    Stored {
        hard_state: HardState { view: View(2), vote: None, commit: Index(commit) },
        start: Point::default(),
        entries: (1..=entries).map(entry).collect(),
        applied: Index(applied),
        membership: None,
    }
}

#[test]
fn a_proposal_has_its_place_before_it_is_written() {
    let mut driver = primary();
    let effects = driver.step(Input::Propose(Bytes::from_static(b"batch")));
    assert_eq!(effects.proposed, Some(Ok(Accepted { index: Index(2), view: View(2) })));
    let append = effects.write.unwrap().append.unwrap();
    assert_eq!(append.truncate_from, None);
    assert_eq!(append.entries[0].batch(), "batch");
    assert_eq!(effects.committed, []);
}

#[test]
fn what_cannot_be_proposed_takes_no_place() {
    let mut driver = primary();
    let max = BATCH_BYTES_MAX;
    assert_eq!(propose(&mut driver, 0), Err(Refusal::Empty));
    assert_eq!(propose(&mut driver, max + 1), Err(Refusal::TooLarge { bytes: max + 1, max }));
    assert_eq!(driver.status().last, Point::new(1, 2));
}

#[test]
fn uncommitted_bytes_are_bounded_but_one_proposal_always_fits() {
    let mut driver = primary();
    assert_eq!(propose(&mut driver, 1000).map(|accepted| accepted.index), Ok(Index(2)));
    assert_eq!(propose(&mut driver, 1), Err(Refusal::Full));
    let effects = driver.step(Input::Persisted(consensus::WriteNumber(2)));
    assert_eq!(effects.committed.len(), 1);
    assert_eq!(propose(&mut driver, 60).map(|accepted| accepted.index), Ok(Index(3)));
    assert_eq!(propose(&mut driver, 40).map(|accepted| accepted.index), Ok(Index(4)));
    assert_eq!(propose(&mut driver, 1), Err(Refusal::Full));
}

#[test]
fn a_backup_refuses_and_never_forwards() {
    let mut driver = driver(3, Stored::default());
    let message = Message { view: View(2), body: Body::Heartbeat { commit: Index(0) } }.encode();
    driver.step(Input::Receive { from: Member(2), message });
    let effects = driver.step(Input::Propose(Bytes::from_static(b"batch")));
    assert_eq!(effects.proposed, Some(Err(Refusal::NotPrimary)));
    assert_eq!((effects.send, effects.write), (vec![], None));
}

#[test]
fn the_log_in_memory_shrinks_to_what_is_not_applied() {
    let mut driver = primary();
    for _ in 0..50 {
        step(&mut driver, Input::Propose(vec![1; 100].into()));
    }
    driver.step(Input::Compact(Index(50)));
    assert_eq!(driver.status().log_bytes, 5000, "nothing was applied yet");
    driver.step(Input::Applied(Index(40)));
    driver.step(Input::Compact(Index(50)));
    let status = driver.status();
    assert_eq!((status.start.index, status.log_bytes), (Index(40), 1100));
    driver.step(Input::Applied(Index(u64::MAX)));
    driver.step(Input::Compact(Index(u64::MAX)));
    assert_eq!(driver.status().log_bytes, 0);
    assert_eq!(propose(&mut driver, 10).map(|accepted| accepted.index), Ok(Index(52)));
}

#[test]
fn a_restart_hands_out_what_was_committed_and_not_applied() {
    let mut driver = driver(3, stored(5, 4, 2));
    let effects = driver.step(Input::Tick);
    let indexes: Vec<_> = effects.committed.iter().map(|entry| entry.index.0).collect();
    assert_eq!(indexes, [3, 4]);
    assert_eq!(driver.step(Input::Tick).committed, []);
}

/// A crash came between the end of a catch-up and the log's restart: the ledger is ahead of the log.
#[test]
fn a_ledger_ahead_of_the_log_restarts_the_log() {
    let mut driver = driver(3, stored(5, 4, 0));
    let effects = driver.step(Input::Installed(Point::new(9, 3)));
    assert_eq!((effects.committed, effects.write), (vec![], None), "who takes part there is not known yet");
    let mut offer = |known| {
        let configuration = Configuration::new([Member(1), Member(2)], [Member(4)]).unwrap();
        let membership = Membership { since: Index(7), configuration };
        let body = Body::CatchUp { to: Point::new(8, 3), known: Index(known), membership };
        let message = Message { view: View(3), body }.encode();
        driver.step(Input::Receive { from: Member(2), message })
    };
    let early = offer(8);
    assert_eq!((early.catch_up, early.configuration), (None, None), "a change may have come between");
    let effects = offer(9);
    assert_eq!(effects.configuration.unwrap().to_string(), "1 2 + 4");
    let write = effects.write.unwrap();
    assert_eq!(write.membership.unwrap().since, Index(7));
    assert_eq!(write.restart, Some(Point::new(9, 3)));
    assert_eq!(write.hard_state, Some(HardState { view: View(3), vote: None, commit: Index(9) }));
    let status = driver.status();
    assert_eq!((status.last, status.committed, status.applied), (Point::new(9, 3), Index(9), Index(9)));
}

/// A handover is the one way to ask for votes while the primary lives, and votes are only given once a view.
#[test]
fn a_vote_is_given_once_a_view_and_only_when_it_is_durable() {
    let mut driver = driver(3, Stored::default());
    let mut ask = |from| {
        let message = Message { view: View(2), body: Body::Vote { last: Point::default(), handover: false } }.encode();
        step(&mut driver, Input::Receive { from: Member(from), message }).1
    };
    let first = ask(2);
    assert_eq!(first.write.unwrap().hard_state.unwrap().vote, Some(Member(2)));
    assert_eq!(first.send, [], "the vote waits for the write");
    let [(to, answer)] = &ask(3).send[..] else { panic!("one answer") };
    assert_eq!(*to, Member(3));
    assert_eq!(Message::decode(answer.clone()).unwrap().body, Body::Voted { granted: false });
    // The first one asks again, because the answer was lost: it is durable by now.
    let again = ask(2);
    assert_eq!((again.write, again.send.len()), (None, 1));
}

#[test]
fn one_append_to_several_backups_is_encoded_once() {
    let mut driver = driver(3, Stored::default());
    step(&mut driver, Input::Campaign);
    for body in [Body::PreVoted { granted: true }, Body::Voted { granted: true }] {
        let message = Message { view: View(2), body }.encode();
        step(&mut driver, Input::Receive { from: Member(2), message });
    }
    for peer in [2, 3] {
        let message = Message { view: View(2), body: Body::Appended { index: Index(1), commit: Index(0) } }.encode();
        step(&mut driver, Input::Receive { from: Member(peer), message });
    }
    let effects = driver.step(Input::Propose(Bytes::from_static(b"batch")));
    let [(_, first), (_, second)] = &effects.send[..] else { panic!("an append to each") };
    assert_eq!(first.as_ptr(), second.as_ptr());
}
