//! Newcomers and what they are given.

mod giver;

use std::path::Path;

use development::Joining;

use super::*;
use giver::{Giver, Service, answer, body_at, file, files, redirect, told};

/// Takes what these nodes give into a new node's directory.
fn taken(service: &Service, dir: &Path, doors: &[String]) -> bool {
    let identity = service.newcomer(dir);
    let (file, join) = told(doors);
    fetch(dir, &file, &join, &identity, &CancellationToken::new()).unwrap()
}

/// Nodes that answer while the test goes on.
fn givers() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// As it would be after a start: what there is opens.
fn end(service: &Service, dir: &Path) -> Seqno {
    let identity = service.newcomer(dir);
    let keys = LedgerKeys::holding(&identity.ledger_secrets).unwrap().unwrap();
    Files::open(Disk::open(dir.join("ledger")).unwrap(), Some(&keys)).unwrap().0.end()
}

#[test]
fn the_ledger_comes_chunk_by_chunk_and_nobody_is_asked_by_a_node_that_ran() {
    let (service, runtime, dir) = (Service::new(), givers(), tempfile::tempdir().unwrap());
    let honest = runtime.block_on(Giver::start(&service, Box::new(|_, _, honest| honest)));
    assert!(service.files().len() > 3);
    assert!(taken(&service, dir.path(), &[honest.door()]));
    assert_eq!(end(&service, dir.path()), service.end);
    let joining = Joining::read(dir.path()).unwrap().unwrap();
    let fetched = joining.fetched.unwrap();
    assert_eq!((joining.state, fetched.seqno), (development::JoiningState::Trusted, service.end.0));
    // What is there is not asked for again …
    let times = || honest.asked.lock().unwrap().iter().filter(|path| path.starts_with("/node/ledger_chunk/")).count();
    let before = times();
    assert!(taken(&service, dir.path(), &[honest.door()]));
    assert_eq!(times(), before);
    // … and nothing by a node that has a log.
    std::fs::create_dir(dir.path().join("log")).unwrap();
    std::fs::remove_dir_all(dir.path().join("ledger")).unwrap();
    let asked = honest.asked.lock().unwrap().len();
    assert!(taken(&service, dir.path(), &[honest.door()]));
    assert_eq!(honest.asked.lock().unwrap().len(), asked);
    assert!(!dir.path().join("ledger").exists());
}

#[test]
fn a_connection_that_breaks_is_gone_on_with_where_it_broke() {
    let (service, runtime, dir) = (Service::new(), givers(), tempfile::tempdir().unwrap());
    // Nothing but the first third of what is left, each time.
    let breaks = |_: &str, _: Option<u64>, mut honest: Vec<u8>| {
        let (begin, end) = (body_at(&honest), honest.len());
        if end - begin > 1_000 {
            honest.truncate(begin + (end - begin) * 2 / 3 + 1);
        }
        honest
    };
    let broken = runtime.block_on(Giver::start(&service, Box::new(breaks)));
    assert!(taken(&service, dir.path(), &[broken.door()]));
    assert_eq!(end(&service, dir.path()), service.end);
}

/// A lie, by its name.
type Lie = (&'static str, Box<giver::Says>);

fn lies(service: &Service) -> Vec<Lie> {
    let is_file = |path: &str| path.starts_with("/node/ledger_chunk/");
    let first = service.files()[0].1.clone();
    let alter = |with: fn(&mut Vec<u8>)| -> Box<giver::Says> {
        Box::new(move |path, range, mut honest| {
            if path.starts_with("/node/ledger_chunk/") && range.is_none() {
                with(&mut honest);
            }
            honest
        })
    };
    // Its digest is right: so it is on its disk.
    let rotten: Box<giver::Says> = Box::new(move |path, _, honest| {
        if !is_file(path) {
            return honest;
        }
        let mut content = honest[body_at(&honest)..].to_vec();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        file(&content, None)
    });
    let short: Box<giver::Says> = Box::new(move |path, _, honest| {
        let content = &honest[body_at(&honest)..];
        if is_file(path) { file(&content[..content.len() / 2], None) } else { honest }
    });
    let stale: Box<giver::Says> =
        Box::new(move |path, _, honest| if is_file(path) { file(&first, None) } else { honest });
    let large: Box<giver::Says> = Box::new(move |path, _, honest| match is_file(path) {
        true => b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n0123".to_vec(),
        false => honest,
    });
    let endless: Box<giver::Says> = Box::new(move |path, _, honest| match is_file(path) {
        true => {
            let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            (0..100).for_each(|_| answer.extend_from_slice(b"5\r\nagain\r\n"));
            answer
        }
        false => honest,
    });
    let elsewhere = |to: &'static str| -> Box<giver::Says> {
        Box::new(move |path, _, honest| if path.contains("since=") { redirect(to) } else { honest })
    };
    let snapshot: Box<giver::Says> = Box::new(|path, _, honest| match path {
        "/node/snapshot" => redirect("/node/snapshot/snapshot_9"),
        "/node/snapshot/snapshot_9" => file(&[7; 100_000], None),
        _ => honest,
    });
    let far: Box<giver::Says> = Box::new(|path, _, honest| match path {
        "/node/commit" => answer("200 OK", "", br#"{"transaction_id": "2.18446744073709551615"}"#),
        _ => honest,
    });
    vec![
        ("a flipped byte under a right digest", rotten),
        ("a flipped byte under a wrong digest", alter(|honest| *honest.last_mut().unwrap() ^= 1)),
        ("a file that was cut off", short),
        (
            "a connection that ends early, and nothing when it is gone on with",
            Box::new(move |path, range, mut honest| {
                if is_file(path) {
                    let keep = if range.is_some() { 0 } else { honest.len() / 2 };
                    honest.truncate(keep);
                }
                honest
            }),
        ),
        ("another chunk", stale),
        ("a file that is too large", large),
        ("a file without end", endless),
        ("a redirect to another machine", elsewhere("https://127.0.0.1:9/node/ledger_chunk/ledger_1")),
        ("a redirect to another file", elsewhere("/node/ledger_chunk/../../virtual-tee/service_key.sealed")),
        ("nonsense", Box::new(|path, _, honest| if path.contains("since=") { b"nonsense".to_vec() } else { honest })),
        (
            "no chunk at all",
            Box::new(|path, _, honest| match path.contains("since=") {
                true => answer("404 Not Found", "", b""),
                false => honest,
            }),
        ),
        (
            "an error",
            Box::new(|path, _, honest| match path.contains("since=") {
                true => answer("500 Internal Server Error", "", b"no"),
                false => honest,
            }),
        ),
        ("a snapshot that is none", snapshot),
        ("a ledger that is further than it is", far),
    ]
}

#[test]
fn whoever_lies_costs_time_and_nothing_else() {
    let (service, runtime) = (Service::new(), givers());
    let honest = runtime.block_on(Giver::start(&service, Box::new(|_, _, honest| honest)));
    for (lie, says) in lies(&service) {
        let dir = tempfile::tempdir().unwrap();
        let liar = runtime.block_on(Giver::start(&service, says));
        assert!(taken(&service, dir.path(), &[liar.door(), honest.door()]), "{lie}");
        assert_eq!(end(&service, dir.path()), service.end, "{lie}");
        assert!(!liar.asked.lock().unwrap().is_empty());
        assert!(files(&dir.path().join("snapshots")).is_empty(), "{lie}");
    }
}

#[test]
fn with_nobody_but_liars_or_with_nobody_the_node_starts_with_what_was_true() {
    let (service, runtime) = (Service::new(), givers());
    let known =
        lies(&service).into_iter().filter(|(lie, _)| lie.contains("right digest") || lie.contains("without end"));
    let mut doors: Vec<Vec<String>> =
        known.map(|(_, says)| vec![runtime.block_on(Giver::start(&service, says)).door()]).collect();
    doors.push(vec!["https://127.0.0.1:9".into()]);
    let service = &service;
    std::thread::scope(|scope| {
        for doors in &doors {
            scope.spawn(move || {
                let dir = tempfile::tempdir().unwrap();
                assert!(taken(service, dir.path(), doors));
                assert_eq!(end(service, dir.path()), Seqno(0));
            });
        }
    });
}

#[test]
fn a_stop_is_heard_while_files_come() {
    let (service, runtime, dir) = (Service::new(), givers(), tempfile::tempdir().unwrap());
    let stop = CancellationToken::new();
    let stops = stop.clone();
    let giver = Giver::start(
        &service,
        Box::new(move |path, _, honest| {
            if path.contains("since=") && !path.ends_with("since=1") {
                stops.cancel();
            }
            honest
        }),
    );
    let giver = runtime.block_on(giver);
    let identity = service.newcomer(dir.path());
    let (file, join) = told(&[giver.door()]);
    assert!(!fetch(dir.path(), &file, &join, &identity, &stop).unwrap());
    let stopped = end(&service, dir.path());
    assert!(stopped > Seqno(0) && stopped < service.end);
    // And is gone on from.
    assert!(taken(&service, dir.path(), &[giver.door()]));
    assert_eq!(end(&service, dir.path()), service.end);
}
