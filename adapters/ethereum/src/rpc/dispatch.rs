//! Runs calls: finds the method, runs it where it belongs, and writes replies in the order of the calls.
//!
//! ```text
//!  Message ─▶ start ─▶ Step::Done   read from memory, answered on the spot
//!                      Step::Work   runs code or reads much: on a worker thread, a bounded number at a time
//!                      Step::Wait   waits for a commit; costs nothing meanwhile
//!                      Step::Send   a signed transaction: admitted, then submitted in the order of its batch
//! ```
//!
//! The calls of a batch run at the same time. Its transactions are admitted in parallel and submitted in order, so
//! that nonces of one sender stay in order; they are answered when the last of them is committed.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use adapter::Work;
use alloy_primitives::{B256, Bytes};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use serde_json::value::RawValue;

use super::Rpc;
use super::errors::{Error, code};
use super::framing::{self, Answer, Call, Json, Message, Request};
use super::methods::{self, Handler};
use super::params::Params;
use super::subscriptions::Subscriptions;
use super::transactions;

/// Bytes of answers in one batch; calls past that are answered with an error.
const ANSWERS_MAX: usize = 25_000_000;
/// Signatures of a batch that one worker checks in a row: about a millisecond.
const ADMIT_CHUNK: usize = 16;

/// What becomes of a call once its parameters are read.
pub(super) enum Step {
    Done(Answer),
    Work(Box<dyn FnOnce() -> Answer + Send>),
    Wait(BoxFuture<'static, Answer>),
    Send(Bytes),
}

impl Step {
    pub(super) fn work(work: impl FnOnce() -> Answer + Send + 'static) -> Result<Self, Error> {
        Ok(Self::Work(Box::new(work)))
    }

    pub(super) fn wait(future: impl Future<Output = Answer> + Send + 'static) -> Result<Self, Error> {
        Ok(Self::Wait(future.boxed()))
    }

    pub(super) fn done<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        Ok(Self::Done(Json::of(value)))
    }
}

/// A body whose calls have begun. It holds nothing of the body itself.
pub(super) enum Begun {
    Wrong(Error),
    One(Id, Step),
    Batch(Vec<(Id, Step)>),
}

/// Where a reply goes.
pub(super) struct Id {
    text: Option<Box<RawValue>>,
    /// A notification is not answered, not even with an error.
    answered: bool,
}

/// Reads a body and begins its calls. `subscriptions` are those of the connection, if it can have any.
pub(super) fn begin(rpc: &Arc<Rpc>, body: &[u8], mut subscriptions: Option<&mut Subscriptions>) -> Begun {
    let mut start = |message| start(rpc, message, subscriptions.as_deref_mut());
    match framing::read(body) {
        Request::Wrong(error) => Begun::Wrong(error),
        Request::One(message) => {
            let (id, step) = start(message);
            Begun::One(id, step)
        }
        Request::Batch(messages) => Begun::Batch(messages.into_iter().map(start).collect()),
    }
}

/// Runs calls to their end. `None`: there was nothing but notifications.
pub(super) async fn finish(rpc: Arc<Rpc>, begun: Begun) -> Option<Vec<u8>> {
    match begun {
        Begun::Wrong(error) => Some(single(None, &Err(error))),
        Begun::One(id, step) => {
            let answer = run_alone(&rpc, step).await;
            id.answered.then(|| single(id.text.as_deref(), &answer))
        }
        Begun::Batch(calls) => batch(&rpc, calls).await,
    }
}

fn single(id: Option<&RawValue>, answer: &Answer) -> Vec<u8> {
    let result = answer.as_ref().map_or(96, |Json(json)| json.len());
    let mut out = Vec::with_capacity(result + 64);
    framing::write(&mut out, id, answer);
    out
}

fn start(rpc: &Arc<Rpc>, message: Message<'_>, subscriptions: Option<&mut Subscriptions>) -> (Id, Step) {
    match message {
        Message::Wrong { id, error } => {
            (Id { text: id.map(RawValue::to_owned), answered: true }, Step::Done(Err(error)))
        }
        Message::Call(call) => {
            let id = Id { text: call.id.map(RawValue::to_owned), answered: call.id.is_some() };
            let step = catch_unwind(AssertUnwindSafe(|| call_method(rpc, &call, subscriptions)));
            (id, step.unwrap_or_else(|_| Err(crashed())).unwrap_or_else(|error| Step::Done(Err(error))))
        }
    }
}

fn call_method(rpc: &Arc<Rpc>, call: &Call<'_>, subscriptions: Option<&mut Subscriptions>) -> Result<Step, Error> {
    let Some(method) = methods::find(&call.method) else { return Err(Error::method_not_found(&call.method)) };
    let params = Params::read(call.params, method.params.len())?;
    match (method.handler, subscriptions) {
        (Handler::Anywhere(run), _) => run(rpc, params),
        (Handler::Session(run), Some(subscriptions)) => run(rpc, subscriptions, params),
        (Handler::Session(_), None) => Err(Error::new(code::METHOD_NOT_FOUND, "notifications not supported")),
    }
}

fn crashed() -> Error {
    Error::internal("method handler crashed")
}

async fn run_alone(rpc: &Arc<Rpc>, step: Step) -> Answer {
    match step {
        Step::Done(answer) => answer,
        Step::Work(work) => rpc.workers.run(work).await.unwrap_or_else(Err),
        Step::Wait(future) => guarded(future).await,
        Step::Send(raw) => match admit(rpc, &raw) {
            Ok((hash, work)) => transactions::submit(rpc.clone(), hash, work).await,
            Err(error) => Err(error),
        },
    }
}

async fn guarded(future: BoxFuture<'static, Answer>) -> Answer {
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|_| Err(crashed()))
}

fn admit(rpc: &Rpc, raw: &[u8]) -> Result<(B256, Work), Error> {
    catch_unwind(AssertUnwindSafe(|| transactions::admit(rpc, raw))).unwrap_or_else(|_| Err(crashed()))
}

type Admitted = Result<(B256, Work), Error>;

async fn batch(rpc: &Arc<Rpc>, calls: Vec<(Id, Step)>) -> Option<Vec<u8>> {
    let raws = calls.iter().filter_map(|(_, step)| match step {
        Step::Send(raw) => Some(raw.clone()),
        _ => None,
    });
    let mut admitted = admit_all(rpc, raws.collect()).await.into_iter();
    let mut ids = Vec::with_capacity(calls.len());
    let mut answers: Vec<BoxFuture<'_, Answer>> = Vec::with_capacity(calls.len());
    for (id, step) in calls {
        ids.push(id);
        answers.push(match step {
            Step::Send(_) => match admitted.next().unwrap_or_else(|| Err(crashed())) {
                Ok((hash, work)) => submitted(rpc, hash, work).await,
                Err(error) => std::future::ready(Err(error)).boxed(),
            },
            other => run_alone(rpc, other).boxed(),
        });
    }
    let answers = join_all(answers).await;

    let mut out = vec![b'['];
    for (id, mut answer) in ids.into_iter().zip(answers).filter(|(id, _)| id.answered) {
        if out.len() > 1 {
            out.push(b',');
        }
        if answer.as_ref().is_ok_and(|Json(json)| out.len() + json.len() > ANSWERS_MAX) {
            answer = Err(Error::new(code::RESPONSE_TOO_LARGE, "response too large"));
        }
        framing::write(&mut out, id.text.as_deref(), &answer);
    }
    out.push(b']');
    (out.len() > 2).then_some(out)
}

/// Checks many transactions at a time, and keeps their order.
async fn admit_all(rpc: &Arc<Rpc>, raws: Vec<Bytes>) -> Vec<Admitted> {
    let chunks = raws.chunks(ADMIT_CHUNK).map(|chunk| {
        let (rpc, chunk) = (rpc.clone(), chunk.to_vec());
        let size = chunk.len();
        async move {
            let work = rpc.clone();
            let done = rpc.workers.run(move || chunk.iter().map(|raw| admit(&work, raw)).collect::<Vec<_>>()).await;
            done.unwrap_or_else(|error| vec![Err(error); size])
        }
    });
    join_all(chunks).await.into_iter().flatten().collect()
}

/// Submits now and leaves the waiting for later: the order of these calls is the order on the road.
async fn submitted(rpc: &Arc<Rpc>, hash: B256, work: Work) -> BoxFuture<'static, Answer> {
    let mut future = transactions::submit(rpc.clone(), hash, work).boxed();
    let first = poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context))).await;
    match first {
        Poll::Ready(answer) => std::future::ready(answer).boxed(),
        Poll::Pending => future,
    }
}
