//! The node's threads: how they start, how they end, and which failure was the first.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Duration;

use adapter::Fault;
use crossbeam_channel::{Receiver, Sender};

use crate::secrets::MissingSecret;

/// Threads that one failure ends do so within moments.
const AFTERMATH: Duration = Duration::from_secs(1);

/// How a thread ended.
pub(super) struct Ended {
    name: &'static str,
    outcome: Result<(), Fault>,
}

/// Starts a thread that says to `ended` how it ended, whatever happens.
pub(super) fn thread(
    name: &'static str,
    ended: &Sender<Ended>,
    body: impl FnOnce() -> Result<(), Fault> + Send + 'static,
) -> Result<JoinHandle<()>, Fault> {
    let ended = ended.clone();
    let run = move || {
        let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Fault::new(message(&*panic))));
        let _ = ended.send(Ended { name, outcome });
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(Fault::new)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

/// A thread that fails takes others with it, which end in good order and may be heard of before it.
pub(super) fn first_cause(mut end: Ended, ends: &Receiver<Ended>) -> Fault {
    while end.outcome.is_ok() {
        match ends.recv_timeout(AFTERMATH) {
            Ok(next) => end = next,
            Err(_) => break,
        }
    }
    failed(end)
}

/// The doors ended, and said so: where a thread failed, it was that which took them along.
pub(super) fn cause_or(said: Fault, ends: &Receiver<Ended>) -> Fault {
    ends.recv_timeout(AFTERMATH).map_or(said, |end| first_cause(end, ends))
}

/// Waits until so many threads have ended, all of them in good order.
pub(super) fn ended_well(threads: usize, ends: &Receiver<Ended>) -> Result<(), Fault> {
    for end in ends.iter().take(threads) {
        if end.outcome.is_err() {
            return Err(failed(end));
        }
    }
    Ok(())
}

fn failed(Ended { name, outcome }: Ended) -> Fault {
    match outcome {
        Ok(()) => Fault::new(format!("the {name} thread ended by itself")),
        // The program can do something about it.
        Err(fault) if fault.downcast_ref::<MissingSecret>().is_some() => fault,
        Err(fault) => {
            let mut text = format!("the {name} thread failed: {fault}");
            let mut source = std::error::Error::source(&fault);
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            Fault::new(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;

    #[test]
    fn the_thread_that_failed_is_named_and_not_those_it_took_along() {
        let (ended, ends) = unbounded();
        ended.send(Ended { name: "publisher", outcome: Ok(()) }).unwrap();
        ended.send(Ended { name: "orderer", outcome: Err(Fault::new("the disk is full")) }).unwrap();
        let cause = first_cause(Ended { name: "executor", outcome: Ok(()) }, &ends);
        assert_eq!(cause.to_string(), "the orderer thread failed: the disk is full");
        // The doors notice such an end sooner than anybody else.
        assert_eq!(cause_or(Fault::new("channel closed"), &ends).to_string(), "channel closed");
        ended.send(Ended { name: "orderer", outcome: Err(Fault::new("the disk is full")) }).unwrap();
        let cause = cause_or(Fault::new("channel closed"), &ends);
        assert_eq!(cause.to_string(), "the orderer thread failed: the disk is full");
        let missing = || Fault::new(MissingSecret { begins: base::Seqno(3), historical: vec![], doors: vec![] });
        ended.send(Ended { name: "executor", outcome: Err(missing()) }).unwrap();
        let cause = cause_or(Fault::new("channel closed"), &ends);
        assert!(cause.downcast_ref::<MissingSecret>().is_some(), "{cause}");
    }
}
