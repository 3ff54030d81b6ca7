//! The process itself: runs one call after the other until its socket closes.

use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;

use super::confine;
use super::exchange::{Order, Said};
use super::wire::{Cut, Wire};
use crate::engine::ask::{Answers, Ask, Task, Told};
use crate::engine::host::Refused;
use crate::engine::{Answer, Clock, Compiled, Failure, compiled};

/// The name under which a program is started that is to run scripts and do nothing else.
pub const PROCESS: &str = "coco-script";

/// Runs the calls that come through standard input, a socket. Returns when that is closed.
pub fn serve(clock: &Clock) -> io::Result<()> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let memory_before = confine::memory();
    confine::confine()?;
    let node = Rc::new(Node(RefCell::new(Wire::new(stream, None)?)));
    let scripts = Compiled::default();
    let mut kept: Option<Arc<str>> = None;
    loop {
        match node.next() {
            Ok(Order::Prepare { bounds, keep }) => {
                confine::bound(&bounds, memory_before)?;
                compiled::prepare(keep.as_deref().map(|script| (&scripts, script)), &bounds);
                kept = keep.or(kept);
                node.say(&Said::Ready)
            }
            Ok(Order::Run { task, script }) => {
                confine::bound(&task.bounds, memory_before)?;
                let keeping = script.is_none().then_some(&scripts);
                let script = script.or_else(|| kept.clone()).ok_or(io::ErrorKind::InvalidData)?;
                node.say_how_it_ended(run(&task, &script, keeping, &node, clock))
            }
            Err(Cut::Ended) => return Ok(()),
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
        .map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
}

fn run(
    task: &Task,
    script: &str,
    compiled: Option<&Compiled>,
    node: &Rc<Node>,
    clock: &Clock,
) -> Result<(Answer, Vec<String>), Failure> {
    let (answer, said) = task.run(script, compiled, node.clone(), clock(task.bounds.time))?;
    let text = match &answer {
        Answer::Validity { description: text, .. } | Answer::Resolution(text) => text.len(),
        Answer::Admission(reason) => reason.as_ref().map_or(0, String::len),
        Answer::Vote(_) | Answer::Applied => 0,
    };
    // The node would say the same, but not take so much to find out.
    if text > task.bounds.output_bytes { Err(Failure::too_long()) } else { Ok((answer, said)) }
}

/// The node, at the other end of the socket.
struct Node(RefCell<Wire>);

impl Node {
    fn next(&self) -> Result<Order, Cut> {
        let frame = self.0.borrow_mut().receive(usize::MAX, &mut never)?;
        minicbor::decode(&frame).map_err(|_| Cut::Nonsense)
    }

    fn say_how_it_ended(&self, result: Result<(Answer, Vec<String>), Failure>) -> Result<(), Cut> {
        let mut wire = self.0.borrow_mut();
        match result {
            Ok((answer, said)) => wire.queue_all(&Said::Done(answer), &said),
            Err(Failure::Thrown { reason, trace }) => wire.queue(&Said::Thrown(reason, trace)),
            Err(Failure::Overrun | Failure::Busy) => wire.queue(&Said::Overrun),
        }?;
        wire.flush(&mut never)
    }

    fn say(&self, said: &Said) -> Result<(), Cut> {
        let mut wire = self.0.borrow_mut();
        wire.queue(said)?;
        wire.flush(&mut never)
    }

    fn exchange(&self, ask: Ask) -> Result<Result<Told, Refused>, Cut> {
        self.say(&Said::Ask(ask))?;
        let frame = self.0.borrow_mut().receive(usize::MAX, &mut never)?;
        minicbor::decode(&frame).map_err(|_| Cut::Nonsense)
    }
}

impl Answers for Node {
    fn ask(&self, ask: Ask) -> Result<Told, Refused> {
        // Without a node there is nobody to run for.
        self.exchange(ask).unwrap_or_else(|_| std::process::exit(1))
    }
}

/// The process waits as long as its node does not speak.
fn never() -> bool {
    false
}
