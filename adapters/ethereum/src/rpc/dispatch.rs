//! Runs calls: finds the method, runs it where it belongs, and writes replies in the order of the calls.
//!
//! ```text
//!  Message ─▶ start ─▶ Step::Done   read from memory, answered on the spot
//!                      Step::Work   runs code or reads much: on a worker thread, a bounded number at a time
//!                      Step::Wait   waits for a commit; costs nothing meanwhile
//!                      Step::Send   a signed transaction: admitted, then submitted in the order of its batch
//! ```
//!
//! Some calls of a batch run at the same time. Its transactions are admitted in parallel and submitted in order, so
//! that nonces of one sender stay in order; they are answered when the last of them is committed. Once the answers are
//! too large together no further call begins: few bytes of a request can ask for very many.

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
use tokio::sync::Semaphore;

use super::Rpc;
use super::errors::{Error, code};
use super::framing::{self, Answer, Call, Json, Message, Request};
use super::methods::{self, Handler};
use super::params::Params;
use super::replies::{Reply, Size, too_large};
use super::subscriptions::Subscriptions;
use super::transactions;
use super::workers::Lane;

/// Calls of a batch that are with the workers at a time: the others' calls have their turn too.
const WORK_MAX: usize = 16;
/// Signatures of a batch that one worker checks in a row: about a millisecond.
const ADMIT_CHUNK: usize = 16;

/// What becomes of a call once its parameters are read.
pub(super) enum Step {
    Done(Answer),
    Work(Lane, Box<dyn FnOnce() -> Answer + Send>),
    Wait(BoxFuture<'static, Answer>),
    Send(Bytes),
}

impl Step {
    pub(super) fn work(work: impl FnOnce() -> Answer + Send + 'static) -> Result<Self, Error> {
        Ok(Self::Work(Lane::Calls, Box::new(work)))
    }

    /// Work that may take seconds.
    pub(super) fn long(work: impl FnOnce() -> Answer + Send + 'static) -> Result<Self, Error> {
        Ok(Self::Work(Lane::Long, Box::new(work)))
    }

    pub(super) fn wait(future: impl Future<Output = Answer> + Send + 'static) -> Result<Self, Error> {
        Ok(Self::Wait(future.boxed()))
    }

    /// The same step, with an answer only if `size` has room for it. What waits has small ones.
    fn within(self, size: &Size) -> Self {
        match self {
            Self::Done(answer) => Self::Done(size.count(answer)),
            Self::Work(lane, work) => Self::Work(lane, Box::new(size.clone().bound(work))),
            other => other,
        }
    }

    pub(super) fn done<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        Ok(Self::Done(Json::of(value)))
    }
}

/// A body whose calls have begun. It holds nothing of the body itself.
pub(super) enum Begun {
    Wrong(Error),
    One(Id, Step, Size),
    Batch(Vec<(Id, Step)>, Size),
}

impl Begun {
    /// The replies of calls that are done already.
    pub(super) fn replies(self) -> Vec<Vec<u8>> {
        let reply = |id: Option<Id>, answer: Answer| {
            let answered = id.as_ref().is_none_or(|id| id.answered);
            answered.then(|| single(id.and_then(|id| id.text).as_deref(), &answer))
        };
        let calls = match self {
            Self::Wrong(error) => return reply(None, Err(error)).into_iter().collect(),
            Self::One(id, step, _) => vec![(id, step)],
            Self::Batch(calls, _) => calls,
        };
        let done = |(id, step)| if let Step::Done(answer) = step { reply(Some(id), answer) } else { None };
        calls.into_iter().filter_map(done).collect()
    }
}

/// Where a reply goes.
pub(super) struct Id {
    text: Option<Box<RawValue>>,
    /// A notification is not answered, not even with an error.
    answered: bool,
}

impl Id {
    fn of(call: &Call<'_>) -> Self {
        Self { text: call.id.map(RawValue::to_owned), answered: call.id.is_some() }
    }
}

/// Reads a body and begins its calls. `subscriptions` are those of the connection, if it can have any.
pub(super) fn begin(rpc: &Arc<Rpc>, body: &[u8], mut subscriptions: Option<&mut Subscriptions>) -> Begun {
    let mut start = |message| start(rpc, message, subscriptions.as_deref_mut());
    match framing::read(body) {
        Request::Wrong(error) => Begun::Wrong(error),
        Request::One(message) => {
            let size = rpc.replies.one();
            let (id, step) = start(message);
            Begun::One(id, step.within(&size), size)
        }
        Request::Batch(messages) => {
            let size = rpc.replies.batch();
            let calls = messages.into_iter().map(|message| match message {
                Message::Call(call) if size.exceeded() => (Id::of(&call), Step::Done(Err(too_large()))),
                message => {
                    let (id, step) = start(message);
                    (id, step.within(&size))
                }
            });
            Begun::Batch(calls.collect(), size)
        }
    }
}

/// Runs calls to their end. `None`: there was nothing but notifications.
pub(super) async fn finish(rpc: Arc<Rpc>, begun: Begun) -> Option<Reply> {
    match begun {
        Begun::Wrong(error) => Some(Reply::new(single(None, &Err(error)), rpc.replies.one())),
        Begun::One(id, step, size) => {
            let answer = run_alone(&rpc, step).await;
            id.answered.then(|| Reply::new(single(id.text.as_deref(), &answer), size))
        }
        Begun::Batch(calls, size) => batch(&rpc, calls, size).await,
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
            let id = Id::of(&call);
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
        Step::Work(lane, work) => rpc.workers.of(lane).run(work).await.unwrap_or_else(Err),
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

async fn batch(rpc: &Arc<Rpc>, calls: Vec<(Id, Step)>, size: Size) -> Option<Reply> {
    let raws = calls.iter().filter_map(|(_, step)| match step {
        Step::Send(raw) => Some(raw.clone()),
        _ => None,
    });
    let mut admitted = admit_all(rpc, raws.collect()).await.into_iter();
    let turns = Semaphore::new(WORK_MAX);
    let mut ids = Vec::with_capacity(calls.len());
    let mut answers: Vec<BoxFuture<'_, Answer>> = Vec::with_capacity(calls.len());
    for (id, step) in calls {
        ids.push(id);
        answers.push(match step {
            Step::Send(_) => match admitted.next().unwrap_or_else(|| Err(crashed())) {
                Ok((hash, work)) => submitted(rpc, hash, work).await,
                Err(error) => std::future::ready(Err(error)).boxed(),
            },
            work @ Step::Work(..) => {
                let turns = &turns;
                let run = async move {
                    // Never closed.
                    let _turn = turns.acquire().await;
                    run_alone(rpc, work).await
                };
                run.boxed()
            }
            other => run_alone(rpc, other).boxed(),
        });
    }
    let answers = join_all(answers).await;

    let mut out = vec![b'['];
    for (id, answer) in ids.into_iter().zip(answers).filter(|(id, _)| id.answered) {
        if out.len() > 1 {
            out.push(b',');
        }
        framing::write(&mut out, id.text.as_deref(), &answer);
    }
    out.push(b']');
    (out.len() > 2).then(|| Reply::new(out, size))
}

/// Checks many transactions at a time, and keeps their order.
async fn admit_all(rpc: &Arc<Rpc>, raws: Vec<Bytes>) -> Vec<Admitted> {
    let chunks = raws.chunks(ADMIT_CHUNK).map(|chunk| {
        let (rpc, chunk) = (rpc.clone(), chunk.to_vec());
        let size = chunk.len();
        async move {
            let work = rpc.clone();
            let admit = move || chunk.iter().map(|raw| admit(&work, raw)).collect::<Vec<_>>();
            let done = rpc.workers.of(Lane::Admission).run(admit).await;
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
