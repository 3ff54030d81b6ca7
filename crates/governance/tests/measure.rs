//! What calls of scripts take of the CPU, all threads of this process together: that says more on a busy machine than a
//! clock does. Prints; asserts nothing about time.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that prints what it measures")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::sync::Arc;
use std::time::Duration;

use governance::constitution::DEFAULT;
use governance::engine::{Answer, Bounds, Call, Compiled, Done, Failure, Given, Job, NoService, Runner, Watched};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use world::{World, YES, clock, inline};

const ROUNDS: u32 = 200;

fn job(world: &World, script: &str, call: Call, compiled: Option<&Compiled>) -> Job {
    let state = world.store.head().clone();
    Job {
        script: script.into(),
        author: None,
        call,
        before: state.clone(),
        state,
        bounds: Bounds::LEAST,
        time: world.time,
        seed: 0,
        service: Arc::new(NoService),
        given: Given::default(),
        compiled: compiled.cloned(),
    }
}

fn measure(name: &str, mut act: impl FnMut() -> Result<Done, Failure>) {
    act().unwrap();
    let begun = cpu_time();
    for _ in 0..ROUNDS {
        act().unwrap();
    }
    println!("{name:<46} {:>7.0} µs", ((cpu_time() - begun) / ROUNDS).as_secs_f64() * 1e6);
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

#[test]
fn what_calls_of_scripts_take() {
    let world = World::new(DEFAULT, 10);
    let user = world::Member::new("user").pem;
    let proposal: Arc<str> =
        json!({ "actions": [{ "name": "set_user", "args": { "cert": user } }] }).to_string().into();
    let proposer = world.members[0].id.to_string();
    let votes: Vec<_> = world.members.iter().map(|member| (member.id.to_string(), true)).collect();
    let vote = || Call::Vote { proposal: proposal.clone(), proposer: proposer.clone() };
    let resolve = || Call::Resolve {
        proposal: proposal.clone(),
        proposer: proposer.clone(),
        votes: votes.clone(),
        proposal_id: "00".repeat(32),
    };
    let compiled = Compiled::default();
    let kept = Some(&compiled);
    let watched = Watched::new(Arc::new(clock));
    println!("{} bytes of script, {} members", DEFAULT.len(), world.members.len());
    measure("a ballot", || inline().run(job(&world, YES, vote(), None)));
    measure("a ballot, watched on a thread of its own", || watched.run(job(&world, YES, vote(), None)));
    measure("resolve, compiled for each call", || inline().run(job(&world, DEFAULT, resolve(), None)));
    measure("validate", || inline().run(job(&world, DEFAULT, Call::Validate { proposal: proposal.clone() }, kept)));
    measure("resolve", || {
        let done = inline().run(job(&world, DEFAULT, resolve(), kept))?;
        assert_eq!(done.answer, Answer::Resolution("Accepted".into()));
        Ok(done)
    });
    if let Some(folder) = std::env::var_os("COCO_CCF_CONSTITUTION").map(std::path::PathBuf::from) {
        let read = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.js"))).unwrap();
        let script = ["actions", "validate", "apply", "resolve"].map(read).join("\n");
        println!("{} bytes of another script", script.len());
        measure("resolve", || inline().run(job(&world, &script, resolve(), kept)));
    }
    measure("apply", || {
        let call = Call::Apply { proposal: proposal.clone(), proposal_id: "00".repeat(32) };
        inline().run(job(&world, DEFAULT, call, kept))
    });
}
