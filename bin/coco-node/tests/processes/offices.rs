//! Who is primary, and what becomes of requests while that changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::network::{Network, wait};

#[test]
fn a_request_during_an_election_is_held_and_then_answered() {
    let mut network = Network::start(3);
    let primary = network.primary(1);
    let other = primary % 3 + 1;
    network.node(other).put("before", b"1");
    network.kill(primary);
    // What is sent at the very moment may be lost with the connection, and the client is told so. From then on the
    // backup holds what it is given until there is a primary again.
    let answers: Vec<_> = (0..3).map(|n| network.node(other).try_put(&format!("during{n}"), b"2")).collect();
    assert!(matches!(answers[..], [Some(200 | 503), Some(200), Some(200)]), "{answers:?}");
    network.node(other).shows("during2", b"2");
    network.node(other).put("after", b"3");
}

#[test]
fn a_frozen_primary_wakes_up_as_a_backup_and_loses_nothing() {
    let mut network = Network::start(3);
    let primary = network.primary(1);
    let others = [primary % 3 + 1, (primary + 1) % 3 + 1];
    network.node(primary).put("before", b"1");
    let stop = AtomicBool::new(false);
    let acknowledged = thread::scope(|scope| {
        let writers: Vec<_> = (1..=3)
            .map(|node| {
                let (network, stop) = (&network, &stop);
                scope.spawn(move || {
                    let mut done = Vec::new();
                    for n in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let key = format!("n{node}-{n}");
                        if network.node(node).try_put(&key, key.as_bytes()) == Some(200) {
                            done.push(key);
                        }
                    }
                    done
                })
            })
            .collect();
        let seqno = || network.node(primary).status()?["seqno"].as_u64();
        let begun = seqno().unwrap();
        wait("some writes", || seqno().filter(|seqno| *seqno > begun + 80));
        for _ in 0..2 {
            let frozen = network.primary(others[0]);
            let awake = frozen % 3 + 1;
            let view = network.node(awake).status().unwrap()["view"].as_u64().unwrap();
            network.signal(frozen, "STOP");
            let elected = wait("another primary", || {
                let status = network.node(awake).status()?;
                (status["view"].as_u64()? > view && status["primary"].as_u64()? != frozen as u64).then_some(())
            });
            assert!(elected.is_some(), "{}", network.log(awake));
            network.node(awake).put(&format!("meanwhile{frozen}"), b"2");
            network.signal(frozen, "CONT");
            // Until it hears of the other one it may show what was; its status says up to where. Then it follows.
            let follows = wait("the frozen one to follow", || {
                let status = network.node(frozen).status()?;
                (status["role"] == "backup" && status["view"].as_u64()? > view).then_some(())
            });
            assert!(follows.is_some(), "{}", network.log(frozen));
            network.node(frozen).shows(&format!("meanwhile{frozen}"), b"2");
        }
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect::<Vec<String>>()
    });
    assert!(acknowledged.len() > 30);
    for key in &acknowledged {
        (1..=3).for_each(|number| network.node(number).shows(key, key.as_bytes()));
    }
    network.assert_same_ledgers();
}

#[test]
fn whoever_waits_at_a_deposed_primary_is_told() {
    let network = Network::start(3);
    let primary = network.primary(1);
    let others = [primary % 3 + 1, (primary + 1) % 3 + 1];
    network.node(primary).put("before", b"1");
    // Alone it cannot commit: the write stays on its way.
    others.iter().for_each(|number| network.signal(*number, "STOP"));
    let code = thread::scope(|scope| {
        let asking = scope.spawn(|| network.node(primary).try_put("on-its-way", b"1"));
        let deposed =
            wait("the primary to step down", || (network.node(primary).status()?["role"] != "primary").then_some(()));
        assert!(deposed.is_some());
        others.iter().for_each(|number| network.signal(*number, "CONT"));
        // Nobody writes anything more: the election alone must decide what becomes of it.
        asking.join().unwrap()
    });
    assert!(matches!(code, Some(200 | 503)), "{code:?}");
    network.node(others[0]).put("after", b"2");
}

#[test]
fn a_refusal_waits_for_the_commit_of_what_it_saw() {
    let network = Network::start(3);
    let primary = network.primary(1);
    let others = [primary % 3 + 1, (primary + 1) % 3 + 1];
    network.node(primary).put("before", b"1");
    let batches = || {
        let metrics = network.node(primary).metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix("coco_batch_entries_count ").map(str::to_owned));
        line.unwrap().parse::<u64>().unwrap()
    };
    let closed = batches();
    others.iter().for_each(|number| network.signal(*number, "STOP"));
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| network.node(primary).try_put("new", b"1"));
        wait("the write to be on its way", || (batches() > closed).then_some(()));
        let second = scope.spawn(|| network.node(primary).try_put_new("new", b"2"));
        let deposed =
            wait("the primary to step down", || (network.node(primary).status()?["role"] != "primary").then_some(()));
        assert!(deposed.is_some());
        assert!(!second.is_finished(), "nobody may be told of a write that may never be committed");
        others.iter().for_each(|number| network.signal(*number, "CONT"));
        (first.join().unwrap(), second.join().unwrap())
    });
    println!("the write: {first:?}, the refused one: {second:?}");
    assert!(matches!(first, Some(200 | 503)) && matches!(second, Some(200 | 412 | 503)), "{first:?} {second:?}");
    if second == Some(412) {
        network.node(primary).shows("new", b"1");
    }
}

#[test]
fn a_conditional_write_is_refused_on_every_node() {
    let network = Network::start(3);
    network.primary(1);
    network.node(1).put("taken", b"1");
    for number in 1..=3 {
        assert_eq!(network.node(number).try_put_new("taken", b"2"), Some(412));
        network.node(number).shows("taken", b"1");
    }
}
