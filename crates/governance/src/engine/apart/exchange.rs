//! One call, seen from the node: what the process asks is answered until it says how the call ended.

use std::sync::Arc;
use std::time::Duration;

use minicbor::decode::{Decoder, Error};
use minicbor::{Decode, Encode};

use super::process::{End, Process};
use super::wire::Cut;
use crate::engine::ask::{Ask, Task};
use crate::engine::host::Host;
use crate::engine::sandbox::cut;
use crate::engine::{Answer, Bounds, Done, Failure, Job};

/// What a process is told to do.
#[derive(Encode, Decode, Debug)]
pub(super) enum Order {
    /// To compile what its next call would have to: that call does not answer for it. The process says when it is ready.
    #[n(0)]
    Prepare {
        #[n(0)]
        bounds: Bounds,
        /// It is called again and again, so it is kept compiled. Absent: the next call brings its own.
        #[cbor(n(1), with = "crate::engine::ask::maybe_shared")]
        keep: Option<Arc<str>>,
    },
    #[n(1)]
    Run {
        #[n(0)]
        task: Task,
        /// Absent: the one that is kept.
        #[cbor(n(1), with = "crate::engine::ask::maybe_shared")]
        script: Option<Arc<str>>,
    },
}

/// What a process says. Behind `Done` in the same frame are the lines of the console, each a text.
#[derive(Encode, Decode, Debug)]
pub(super) enum Said {
    #[n(0)]
    Ask(#[n(0)] Ask),
    #[n(1)]
    Done(#[n(0)] Answer),
    #[n(2)]
    Thrown(#[n(0)] String, #[n(1)] Option<String>),
    #[n(3)]
    Overrun,
    /// For the call.
    #[n(4)]
    Ready,
}

/// Everything in a frame beside what a script may say at once.
const FRAME_BYTES: usize = 32 << 10;

/// A call under way.
pub(super) struct Exchange {
    process: Process,
    host: Host,
    frame_bytes_max: usize,
}

impl Exchange {
    /// Returns once the process is ready. The call itself is queued, and goes out with [`Exchange::go_on`].
    pub(super) fn begin(mut process: Process, job: Job, late: &mut dyn FnMut() -> bool) -> Result<Self, Cut> {
        let host = Host::of(&job);
        let Job { script, call, bounds, time, seed, compiled, .. } = job;
        let (new, script) = match compiled {
            Some(_) => (process.keep(&script), None),
            None => (None, Some(script)),
        };
        if process.is_new() || new.is_some() {
            process.wire.queue(&Order::Prepare { bounds, keep: new })?;
            process.wire.flush(late)?;
            let frame = process.wire.receive(FRAME_BYTES, late)?;
            let Ok(Said::Ready) = minicbor::decode(&frame) else { return Err(Cut::Nonsense) };
        }
        process.begin();
        process.wire.queue(&Order::Run { task: Task { call, bounds, time, seed }, script })?;
        // A line of the console has at most as many bytes around it as it has itself.
        let frame_bytes_max = bounds.ask_bytes().saturating_add(2 * bounds.log_bytes + FRAME_BYTES);
        Ok(Self { process, host, frame_bytes_max })
    }

    /// Answers until the call ends, or this has lasted long enough.
    pub(super) fn go_on(&mut self, late: &mut dyn FnMut() -> bool) -> Result<Result<Done, Failure>, Cut> {
        loop {
            self.process.wire.flush(late)?;
            let frame = self.process.wire.receive(self.frame_bytes_max, late)?;
            let mut said = Decoder::new(&frame);
            match said.decode().map_err(nonsense)? {
                Said::Ask(ask) => {
                    let told = self.host.answer(ask);
                    self.process.wire.queue(&told)?;
                }
                Said::Done(answer) => return self.finish(answer, said),
                Said::Thrown(reason, trace) => {
                    return Ok(Err(Failure::Thrown { reason: cut(reason), trace: trace.map(cut) }));
                }
                Said::Overrun => return Ok(Err(Failure::Overrun)),
                Said::Ready => return Err(Cut::Nonsense),
            }
            // A script that asks and asks does not keep this thread.
            if late() {
                return Err(Cut::Late);
            }
        }
    }

    fn finish(&mut self, answer: Answer, mut rest: Decoder<'_>) -> Result<Result<Done, Failure>, Cut> {
        let mut lines = Vec::new();
        while rest.position() < rest.input().len() {
            lines.push(rest.str().map_err(nonsense)?);
        }
        Ok(self.host.finish(answer, lines))
    }

    /// What the process has used of the CPU since the call began; all there is if the system does not tell.
    pub(super) fn cpu_time(&self) -> Duration {
        self.process.cpu_time()
    }

    /// Lets the process run when nobody else wants to.
    pub(super) fn step_back(&self) -> End {
        self.process.step_back()
    }

    /// Why a call was not begun.
    pub(super) fn not_begun(cut: &Cut) -> Failure {
        match cut {
            // Nothing of it was run: who asks again may be luckier.
            Cut::Late => Failure::Busy,
            Cut::Ended | Cut::Nonsense => Self::failure(cut),
        }
    }

    /// How the call ended that did not end by itself.
    pub(super) fn failure(cut: &Cut) -> Failure {
        match cut {
            Cut::Late => Failure::Overrun,
            Cut::Ended => Failure::thrown("the script's process ended: it ran out of memory, or crashed"),
            Cut::Nonsense => Failure::thrown("the script's process said what no script may say"),
        }
    }

    /// For the next call.
    pub(super) fn into_process(self) -> Process {
        self.process
    }
}

fn nonsense(_: Error) -> Cut {
    Cut::Nonsense
}
