//! Scripts in processes of their own: they can be ended, and what they say is believed no more than a script is.
//!
//! The processes are this test again, told to play a part: so it has a `main` of its own, and runs on the first thread as they do in
//! a node.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use governance::constitution::DEFAULT;
use governance::engine::{Answer, Apart, Bounds, Call, Compiled, Done, Failure, Job, Runner, serve};
use minicbor::Encoder;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use world::{NO, Obliging, World, YES, clock, inline};

type Part = (&'static str, fn());

/// What a process does that this test starts.
const PARTS: [Part; 16] = [
    ("engine_that_is_measured", engine),
    ("engine", engine),
    ("engine_that_is_ended", engine),
    ("engine_whose_places_are_taken", engine),
    ("engine_that_starts_slowly", engine_that_starts_slowly),
    ("liar_in_cbor", liar_in_cbor),
    ("liar_about_lengths", liar_about_lengths),
    ("liar_who_says_too_much", liar_who_says_too_much),
    ("liar_about_the_question", liar_about_the_question),
    ("liar_with_many_lines", liar_with_many_lines),
    ("liar_who_is_never_ready", liar_who_is_never_ready),
    ("liar_who_waits", liar_who_waits),
    ("liar_who_dribbles", liar_who_dribbles),
    ("liar_who_asks_for_ever", liar_who_asks_for_ever),
    ("liar_who_reads_nothing", liar_who_reads_nothing),
    ("liar_who_tries", liar_who_tries),
];

const TESTS: [Part; 9] = [
    ("what_calls_take", what_calls_take),
    ("a_script_comes_to_the_same_end_in_a_process_of_its_own", a_script_comes_to_the_same_end_in_a_process_of_its_own),
    (
        "a_built_in_function_that_does_not_end_is_ended_again_and_again",
        a_built_in_function_that_does_not_end_is_ended_again_and_again,
    ),
    ("calls_at_once_wait_for_each_other", calls_at_once_wait_for_each_other),
    ("a_call_that_waits_has_no_place_yet", a_call_that_waits_has_no_place_yet),
    ("what_a_process_needs_to_start_is_not_its_first_call", what_a_process_needs_to_start_is_not_its_first_call),
    (
        "memory_is_bounded_and_a_script_that_eats_it_fails_alone",
        memory_is_bounded_and_a_script_that_eats_it_fails_alone,
    ),
    ("a_process_that_is_ended_fails_its_call_alone", a_process_that_is_ended_fails_its_call_alone),
    ("what_a_process_says_is_believed_no_more_than_a_script", what_a_process_says_is_believed_no_more_than_a_script),
];

fn main() {
    let asked = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, play)) = PARTS.iter().find(|(name, _)| *name == asked) {
        return play();
    }
    for (name, test) in TESTS.iter().filter(|(name, _)| asked.starts_with('-') || name.contains(&asked)) {
        test();
        println!("test {name} ... ok");
    }
}

const SHORT: Bounds = Bounds { time: Duration::from_millis(100), ..Bounds::LEAST };

/// A runner whose processes are a function of this test, and how many it started.
fn apart(function: &'static str) -> (Apart, Arc<AtomicUsize>) {
    let started = Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let runner = Apart::new(Arc::new(clock), move || {
        count.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::new("/proc/self/exe");
        command.arg(function);
        command
    });
    (runner, started)
}

fn job(world: &World, script: &str, call: Call, bounds: Bounds) -> Job {
    let state = world.store.head().clone();
    Job {
        script: script.into(),
        author: None,
        call,
        before: state.clone(),
        state,
        bounds,
        time: world.time,
        seed: 5,
        service: Arc::new(Obliging),
        given: Arc::new(["public:app".to_owned()].into()),
        compiled: None,
    }
}

fn ballot(world: &World, script: &str, bounds: Bounds) -> Job {
    job(world, script, Call::Vote { proposal: "{}".into(), proposer: "p".into() }, bounds)
}

fn vote(runner: &Apart, world: &World, script: &str, bounds: Bounds) -> Result<Answer, Failure> {
    runner.run(ballot(world, script, bounds)).map(|done| done.answer)
}

fn thrown(result: Result<Answer, Failure>) -> String {
    match result {
        Err(Failure::Thrown { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn engine() {
    serve(&(Arc::new(clock) as _)).unwrap();
}

/// Longer than any ordinary call.
fn engine_that_starts_slowly() {
    let used = || clock_gettime(ClockId::ProcessCPUTime).tv_nsec;
    let begun = used();
    while used() - begun < 20_000_000 {}
    engine();
}

fn what_a_process_needs_to_start_is_not_its_first_call() {
    let world = World::new("", 1);
    let (runner, started) = apart("engine_that_starts_slowly");
    for _ in 0..5 {
        assert_eq!(vote(&runner, &world, YES, Bounds::LEAST), Ok(Answer::Vote(true)));
    }
    // One that was slow to start is kept all the same.
    assert_eq!(started.load(Ordering::Relaxed), 1);
}

fn a_script_comes_to_the_same_end_in_a_process_of_its_own() {
    let world = World::new(DEFAULT, 10);
    let (runner, started) = apart("engine");
    let same = |made: &dyn Fn() -> Job| {
        let (here, there) = (inline().run(made()), runner.run(made()));
        let parts = |done: Done| (done.answer, done.writes, done.effects, done.log);
        assert_eq!(here.map(parts), there.map(parts));
    };
    let cert = world::Member::new("user").pem;
    let proposal: Arc<str> =
        json!({ "actions": [{ "name": "set_user", "args": { "cert": cert } }] }).to_string().into();
    let compiled = Compiled::default();
    let votes: Vec<_> = world.members.iter().map(|member| (member.id.to_string(), true)).collect();
    let (proposer, proposal_id) = (world.members[0].id.to_string(), "00".repeat(32));
    for _ in 0..3 {
        for call in [
            Call::Validate { proposal: proposal.clone() },
            Call::Validate { proposal: r#"{"actions":[{"name":"no"}]}"#.into() },
            Call::Resolve {
                proposal: proposal.clone(),
                proposer: proposer.clone(),
                votes: votes.clone(),
                proposal_id: proposal_id.clone(),
            },
            Call::Apply { proposal: proposal.clone(), proposal_id: proposal_id.clone() },
        ] {
            same(&|| Job { compiled: Some(compiled.clone()), ..job(&world, DEFAULT, call.clone(), Bounds::LEAST) });
        }
    }
    // Constitutions that are kept compiled are looked through as others are.
    for script in [
        "export function validate() { return { valid: 1n == 1 } }",
        "function validate() { return { valid: true } }",
        "export function validate() { return { valid: true } }",
        "export function validate(",
    ] {
        let call = Call::Validate { proposal: "{}".into() };
        for compiled in [Compiled::default(), compiled.clone()] {
            same(&|| Job { compiled: Some(compiled.clone()), ..job(&world, script, call.clone(), Bounds::LEAST) });
        }
    }
    for script in [
        YES,
        NO,
        "export function vote() { console.log(Math.random(), Date.now()); console.warn('x'); return true }",
        "export function vote() { ccf.kv['public:ccf.gov.users.info'].clear() }",
        "export function vote() { ccf.kv['private'].get(new ArrayBuffer(1)) }",
        "export function vote() { ccf.kv['public:ccf.gov.x'].get(new ArrayBuffer(9 << 20)) }",
        "export function vote() { let n = 0; ccf.kv['public:ccf.gov.members.info'].forEach(() => n++); return n === 10 }",
        "export function vote() { throw Error('no') }",
        "export function vote() { const down = (n) => down(n + 1) + 1; return down(0) > 0 }",
        "export function vote() { return 1n }",
        "export function vote(",
    ] {
        same(&|| ballot(&world, script, Bounds::LEAST));
    }
    for body in [
        "const t = ccf.kv['public:ccf.gov.users.info']; for (let i = 0; i < 300; i++) t.set(ccf.strToBuf(`${i}`), ccf.strToBuf('v'));
         let n = 0; t.forEach(() => { t.delete(ccf.strToBuf(`${n}`)); n++ }); console.log(n, t.size);
         ccf.kv['public:app'].set(new ArrayBuffer(1), new ArrayBuffer(2)); t.clear(); t.set(new ArrayBuffer(3), new ArrayBuffer(4))",
        "ccf.node.triggerLedgerChunk(); ccf.node.triggerSnapshot(); ccf.node.transitionServiceToOpen(undefined, 'next')",
        "ccf.kv['public:ccf.gov.users.info'].set(new ArrayBuffer(1), new ArrayBuffer(9 << 20))",
        "for (let i = 0; i < 20000; i++) ccf.kv['public:ccf.gov.users.info'].set(ccf.strToBuf(`${i}`), new ArrayBuffer(1))",
    ] {
        let script = format!("export function apply(text, id) {{ {body} }}");
        let call = || Call::Apply { proposal: "{}".into(), proposal_id: "id".into() };
        same(&|| job(&world, &script, call(), Bounds::LEAST));
    }
    let long = "export function validate() { return { valid: true, description: 'x'.repeat(9 << 20) } }";
    same(&|| job(&world, long, Call::Validate { proposal: "{}".into() }, Bounds::LEAST));
    assert!(started.load(Ordering::Relaxed) < 30, "a process runs many calls");
}

fn a_built_in_function_that_does_not_end_is_ended_again_and_again() {
    let world = World::new("", 1);
    let (runner, _) = apart("engine");
    for script in [
        "export function vote() { const a = 'a'.repeat(1e6); return a.includes(a.slice(5e5) + 'b'); }",
        "export function vote() { return /^(a+)+$/.test('a'.repeat(40) + 'b'); }",
        "export function vote() { new Array(5e7).join(''); return Array(2 ** 32 - 1).includes(1); }",
        "export function vote() { return Array(2 ** 31).fill(0).sort().length; }",
    ] {
        for _ in 0..5 {
            assert!(vote(&runner, &world, script, SHORT).is_err(), "{script}");
        }
        assert_eq!(vote(&runner, &world, YES, SHORT), Ok(Answer::Vote(true)));
    }
}

fn calls_at_once_wait_for_each_other() {
    let world = World::new("", 1);
    let (runner, _) = apart("engine");
    let slow = "export function vote() { const a = 'a'.repeat(1e6); return a.includes(a.slice(5e5) + 'b'); }";
    thread::scope(|scope| {
        let start = |job: Job| scope.spawn(|| runner.run(job).unwrap_err());
        let threads: Vec<_> = (0..6).map(|_| start(ballot(&world, slow, SHORT))).collect();
        // A constitution does not wait for ballots.
        let call = Call::Validate { proposal: "{}".into() };
        let script = "export function validate() { return { valid: true } }";
        assert!(runner.run(job(&world, script, call, Bounds::LEAST)).is_ok());
        for thread in threads {
            assert!(matches!(thread.join().unwrap(), Failure::Overrun | Failure::Busy));
        }
    });
    assert_eq!(vote(&runner, &world, YES, SHORT), Ok(Answer::Vote(true)));
}

fn a_call_that_waits_has_no_place_yet() {
    let world = World::new("", 1);
    let (runner, _) = apart("engine_whose_places_are_taken");
    let patient = Bounds { time: Duration::from_secs(60), steps: u64::MAX, ..Bounds::LEAST };
    let kill = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    };
    let placed = AtomicUsize::new(0);
    let mut count = || {
        placed.fetch_add(1, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        let loops = || ballot(&world, "export function vote() { while (true) {} }", patient);
        // As many as there are places.
        let loops = [loops(), loops(), loops()].map(|job| scope.spawn(|| runner.run(job)));
        let taken = || processes("engine_whose_places_are_taken");
        while taken().len() < 3 {
            thread::yield_now();
        }
        let quick = ballot(&world, YES, patient);
        let waits = scope.spawn(|| runner.run_placed(quick, &mut count));
        // It waits by now. If it does not yet, what follows holds, too, and shows less.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(placed.load(Ordering::Relaxed), 0);
        taken().into_iter().for_each(kill);
        assert!(loops.into_iter().all(|thread| thread.join().unwrap().is_err()));
        assert_eq!(waits.join().unwrap().unwrap().answer, Answer::Vote(true));
        assert_eq!(placed.load(Ordering::Relaxed), 1);
    });
}

fn memory_is_bounded_and_a_script_that_eats_it_fails_alone() {
    let world = World::new("", 1);
    let (runner, _) = apart("engine");
    for script in [
        "export function vote() { const kept = []; while (true) kept.push([kept.length, {}]); }",
        "export function vote() { let text = 'x'; while (true) text += text; }",
        "export function vote() { const kept = []; while (true) kept.push(new Uint8Array(1 << 20).fill(1)); }",
    ] {
        assert!(vote(&runner, &world, script, Bounds { steps: 200, ..Bounds::LEAST }).is_err(), "{script}");
        assert_eq!(vote(&runner, &world, YES, SHORT), Ok(Answer::Vote(true)));
    }
}

/// What runs on behalf of this test by that name.
fn processes(function: &str) -> Vec<u32> {
    let own = std::process::id().to_string();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ours = |pid: &u32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        read("cmdline").split('\0').any(|arg| arg == function)
            && read("stat").rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)) == Some(&own)
    };
    all.filter(ours).collect()
}

fn a_process_that_is_ended_fails_its_call_alone() {
    let world = World::new("", 1);
    let (runner, started) = apart("engine_that_is_ended");
    assert_eq!(vote(&runner, &world, YES, SHORT), Ok(Answer::Vote(true)));
    let kill = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    };
    let patient = Bounds { time: Duration::from_secs(10), steps: 100_000, ..Bounds::LEAST };
    thread::scope(|scope| {
        let loops = "export function vote() { while (true) {} }";
        let job = ballot(&world, loops, patient);
        let running = scope.spawn(|| runner.run(job).map(|done| done.answer));
        let nice = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(17)).map(str::to_owned)
        };
        // It runs longer than an ordinary one.
        let pid = loop {
            match &processes("engine_that_is_ended")[..] {
                [pid] if nice(*pid).as_deref() == Some("19") => break *pid,
                _ => thread::yield_now(),
            }
        };
        // Where processors are shared among sessions, it has one of its own, which waits for all others.
        let session = |process: &str| std::fs::read_to_string(format!("/proc/{process}/autogroup"));
        if let (Ok(own), Ok(its)) = (session("self"), session(&pid.to_string())) {
            assert_ne!(its.split(' ').next(), own.split(' ').next());
            assert!(its.ends_with(" nice 19\n") || !rustix::process::geteuid().is_root(), "{its}");
        }
        // What it was given: its socket, no file of this process, no environment. (What whoever started this process leaves open
        // for every program is in both.)
        let target = |process: &str, number: &std::ffi::OsStr| {
            std::fs::read_link(std::path::Path::new("/proc").join(process).join("fd").join(number)).ok()
        };
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let number = entry.unwrap().file_name();
            let Some(theirs) = target(&pid.to_string(), &number) else { continue };
            let name = theirs.to_string_lossy().into_owned();
            let fine = name.starts_with("socket:") || name == "/dev/null" || target("self", &number) == Some(theirs);
            assert!(fine, "{number:?} is {name}");
        }
        assert!(std::fs::read(format!("/proc/{pid}/environ")).unwrap().is_empty());
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        assert!(limits.lines().any(|line| line.starts_with("Max open files            0 ")), "{limits}");
        assert!(limits.lines().all(|line| !line.starts_with("Max address space         unlimited")), "{limits}");
        kill(pid);
        assert!(thrown(running.join().unwrap()).contains("process ended"));
    });
    assert_eq!(vote(&runner, &world, YES, SHORT), Ok(Answer::Vote(true)));
    // And one that is ended while it waits is not missed.
    for pid in processes("engine_that_is_ended") {
        kill(pid);
        // Its memory goes first, and with that its name; it has ended once nobody but its parent cares.
        let ended = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")),
            Err(_) => true,
        };
        while !ended() {
            thread::yield_now();
        }
    }
    assert_eq!(vote(&runner, &world, YES, SHORT), Ok(Answer::Vote(true)));
    assert_eq!(started.load(Ordering::Relaxed), 3);
    drop(runner);
    assert!(processes("engine_that_is_ended").is_empty(), "a runner leaves nothing behind");
}

/// Prints what calls take of the CPU, here and in the process; asserts nothing about time.
fn what_calls_take() {
    const ROUNDS: u32 = 200;
    let world = World::new(DEFAULT, 10);
    let (runner, _) = apart("engine_that_is_measured");
    let cert = world::Member::new("user").pem;
    let proposal: Arc<str> =
        json!({ "actions": [{ "name": "set_user", "args": { "cert": cert } }] }).to_string().into();
    let (proposer, proposal_id) = (world.members[0].id.to_string(), "00".repeat(32));
    let votes: Vec<_> = world.members.iter().map(|member| (member.id.to_string(), true)).collect();
    let compiled = Compiled::default();
    let constitution = |call| Job { compiled: Some(compiled.clone()), ..job(&world, DEFAULT, call, Bounds::LEAST) };
    let calls: [(&str, &dyn Fn() -> Job); 4] = [
        ("a ballot", &|| ballot(&world, YES, Bounds::LEAST)),
        ("validate", &|| constitution(Call::Validate { proposal: proposal.clone() })),
        ("resolve", &|| {
            let (proposal, proposer, proposal_id) = (proposal.clone(), proposer.clone(), proposal_id.clone());
            constitution(Call::Resolve { proposal, proposer, votes: votes.clone(), proposal_id })
        }),
        ("apply", &|| constitution(Call::Apply { proposal: proposal.clone(), proposal_id: proposal_id.clone() })),
    ];
    let here = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
    };
    let there = || -> Duration {
        let of = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        let nanos = |text: String| text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default();
        processes("engine_that_is_measured").iter().map(|pid| Duration::from_nanos(nanos(of(pid)))).sum()
    };
    for (name, call) in calls {
        runner.run(call()).unwrap();
        let jobs: Vec<Job> = (0..ROUNDS).map(|_| call()).collect();
        let (there_before, here_before) = (there(), here());
        for job in jobs {
            runner.run(job).unwrap();
        }
        let (here, there) = (here() - here_before, there().saturating_sub(there_before));
        let micros = |time: Duration| (time / ROUNDS).as_secs_f64() * 1e6;
        println!("{name:<10} {:>7.0} µs here, {:>7.0} µs in the process", micros(here), micros(there));
    }
}

/// The socket of a process that lies, after it was ready and was told what to run.
fn liar() -> UnixStream {
    let mut stream = told();
    ready(&mut stream);
    frame(&mut stream).unwrap();
    stream
}

fn ready(stream: &mut UnixStream) {
    say(stream, |e| assert!(e.array(2).unwrap().u32(4).unwrap().array(0).is_ok()));
}

fn told() -> UnixStream {
    let mut stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    frame(&mut stream).unwrap();
    stream
}

fn frame(stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

fn say(stream: &mut UnixStream, write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    let length = u32::try_from(bytes.len()).unwrap();
    // The other side may have heard enough.
    let _ = stream.write_all(&[&length.to_le_bytes()[..], &bytes].concat());
}

/// `Ask` number `kind`, with texts or bytes.
fn ask(stream: &mut UnixStream, kind: u32, table: &str, blobs: &[&[u8]]) -> Vec<u8> {
    say(stream, |e| {
        e.array(2).unwrap().u32(0).unwrap().array(1).unwrap();
        e.array(2).unwrap().u32(kind).unwrap().array(1 + blobs.len() as u64).unwrap().str(table).unwrap();
        blobs.iter().for_each(|blob| assert!(e.bytes(blob).is_ok()));
    });
    frame(stream).unwrap_or_default()
}

fn liar_in_cbor() {
    say(&mut liar(), |e| assert!(e.str("nonsense").is_ok()));
}

fn liar_about_lengths() {
    let _ = liar().write_all(&[0xff; 64]);
}

fn liar_who_says_too_much() {
    let _ = liar().write_all(&[1, 0, 0, 0, 0xf6, 0, 0, 0]);
}

fn liar_about_the_question() {
    // `Applied`, to a ballot.
    say(&mut liar(), |e| {
        e.array(2).unwrap().u32(1).unwrap().array(1).unwrap().array(2).unwrap().u32(3).unwrap().array(0).unwrap();
    });
}

fn liar_with_many_lines() {
    let mut stream = liar();
    say(&mut stream, |e| {
        e.array(2).unwrap().u32(1).unwrap().array(1).unwrap();
        e.array(2).unwrap().u32(1).unwrap().array(1).unwrap().bool(true).unwrap();
        (0..30_000).for_each(|_| assert!(e.str("").is_ok()));
    });
    frame(&mut stream).unwrap_or_default();
}

fn liar_who_is_never_ready() {
    let mut stream = told();
    frame(&mut stream).unwrap_or_default();
}

fn liar_who_waits() {
    let mut stream = liar();
    frame(&mut stream).unwrap_or_default();
}

fn liar_who_dribbles() {
    let mut stream = liar();
    // A length that may be, and then a byte now and then.
    let _ = stream.write_all(&[0, 0, 8, 0]);
    while stream.write_all(&[1]).is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
}

fn liar_who_asks_for_ever() {
    let mut stream = liar();
    while !ask(&mut stream, 6, "public:ccf.gov.members.info", &[]).is_empty() {}
}

/// Says that it is ready, and reads nothing: whoever started it has to end it. It ends by itself only when nobody is there any more.
fn liar_who_reads_nothing() {
    let mut stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    ready(&mut stream);
    // Of no event that one can ask for: that the other side is gone is told in any case.
    poll(&mut [PollFd::new(&stream, PollFlags::empty())], None).unwrap();
}

/// Tries everything that a ballot may not do, and tells on the console what was answered.
fn liar_who_tries() {
    let mut stream = liar();
    let mut told = Vec::new();
    let public = "public:ccf.gov.users.info";
    told.push(ask(&mut stream, 1, public, &[b"k"]));
    say(&mut stream, |e| {
        e.array(2).unwrap().u32(0).unwrap().array(1).unwrap().array(2).unwrap().u32(0).unwrap().array(0).unwrap();
    });
    told.push(frame(&mut stream).unwrap());
    told.push(ask(&mut stream, 1, "private", &[b"k"]));
    told.push(ask(&mut stream, 3, public, &[b"k", b"v"]));
    told.push(ask(&mut stream, 4, public, &[b"k"]));
    told.push(ask(&mut stream, 5, public, &[]));
    told.push(ask(&mut stream, 7, "private", &[]));
    told.push(ask(&mut stream, 10, "rekey", &[]));
    told.push(ask(&mut stream, 1, public, &[b"k"]));
    say(&mut stream, |e| {
        e.array(2).unwrap().u32(1).unwrap().array(1).unwrap();
        e.array(2).unwrap().u32(1).unwrap().array(1).unwrap().bool(true).unwrap();
        told.iter().for_each(|frame| assert!(e.str(&String::from_utf8_lossy(frame)).is_ok()));
    });
    frame(&mut stream).unwrap_or_default();
}

fn what_a_process_says_is_believed_no_more_than_a_script() {
    let world = World::new("", 1);
    let says = |function| vote(&apart(function).0, &world, YES, SHORT);
    for nonsense in ["liar_in_cbor", "liar_about_lengths", "liar_who_says_too_much"] {
        assert!(thrown(says(nonsense)).contains("what no script may say"), "{nonsense}");
    }
    assert!(thrown(says("liar_about_the_question")).contains("another question"));
    for endless in ["liar_who_waits", "liar_who_dribbles", "liar_who_asks_for_ever"] {
        assert_eq!(says(endless), Err(Failure::Overrun), "{endless}");
    }
    // Nothing was run: who asks again may be luckier.
    assert_eq!(says("liar_who_is_never_ready"), Err(Failure::Busy));
    // More than a socket holds.
    let long = format!("export function vote() {{}} // {}", "x".repeat(1_000_000));
    assert_eq!(vote(&apart("liar_who_reads_nothing").0, &world, &long, SHORT), Err(Failure::Overrun));
    let lines = apart("liar_with_many_lines").0.run(ballot(&world, YES, SHORT)).unwrap().log;
    assert_eq!(lines.len(), SHORT.log_bytes);
    let done = apart("liar_who_tries").0.run(ballot(&world, YES, SHORT)).unwrap();
    assert!(done.writes.is_empty() && done.effects.is_empty());
    let refused = |frame: &String| frame.contains("may not be") || frame.contains("only apply()");
    let refusals: Vec<_> = done.log.iter().map(refused).collect();
    assert_eq!(refusals, [true, false, true, true, true, true, true, true, false], "{:?}", done.log);
}
