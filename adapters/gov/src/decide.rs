//! A request, carried out: scripts run on what is committed, and what they decided goes down the road.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adapter::{Blame, Node, Reject, Submitted, Work};
use base::{Digest, Seqno, TxId};
use bytes::Bytes;
use governance::engine::{Effect, Runner};
use governance::{At, Decision, MemberId, Outcome, Refusal, state};
use kv::{State, Tx, WriteSet};
use tokio::sync::{Mutex, MutexGuard};

use crate::change::Change;
use crate::http::files::Downloads;
use crate::joining::{Endorsing, Verifying};
use crate::patience::{Metered, Patience, Turn};
use crate::scripts::Scripts;
use crate::{Gov, ledgers};

/// For so long nothing else is judged on this node beside a request: several times what an ordinary one takes …
const TURN: Duration = Duration::from_millis(20);
/// … and for so long nothing before it is committed: without a majority that may never be.
const COMMITTING: Duration = Duration::from_secs(1);
/// For so long a node waits to see what overtook its decision: a backup hears of it with the next batch.
const OVERTAKEN: Duration = Duration::from_millis(250);
/// How often a request is judged anew because something else was decided meanwhile …
const ATTEMPTS: usize = 16;
/// … and how long in all.
const SPENT_MAX: Duration = Duration::from_secs(5);

/// Why nothing was decided.
#[derive(Debug)]
pub enum Undecided {
    Refused(Refusal),
    Rejected(Reject),
    /// It was decided on something that this node cannot do.
    NotImplemented(&'static str),
}

impl From<Refusal> for Undecided {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Reject> for Undecided {
    fn from(reject: Reject) -> Self {
        Self::Rejected(reject)
    }
}

/// Carries out requests on one node.
#[derive(Clone)]
pub struct Deciding {
    pub gov: Arc<Gov>,
    pub node: Node,
    pub verifying: Verifying,
    pub downloads: Downloads,
    runner: Scripts,
    /// Whose request is judged. Of several that are judged at once on the same version all but one are judged in vain.
    turn: Arc<Mutex<()>>,
    patience: Patience,
}

impl Deciding {
    pub fn new(gov: Arc<Gov>, node: Node) -> Self {
        let (verifying, runner) = (Verifying::default(), gov.scripts.clone());
        let downloads = Downloads::default();
        Self { gov, node, verifying, downloads, runner, turn: Arc::default(), patience: Patience::default() }
    }

    /// Carries out a request of a member: `act` judges it in a transaction, again if need be. Resolves once what was decided is
    /// committed and visible on this node. The place in the ledger is absent where there was nothing to decide.
    pub async fn request<T, F>(&self, envelope: Bytes, act: F) -> Result<(T, Option<TxId>), Undecided>
    where
        T: Send + 'static,
        F: Fn(&Gov, &mut Tx<'_>, &At<'_>, &[u8]) -> Result<Outcome<T>, Refusal> + Send + Sync + 'static,
    {
        let (deciding, signed) = (self.clone(), envelope.clone());
        let signer = blocking(move || {
            let snapshot = deciding.node.snapshot();
            let tx = Tx::new(snapshot.state());
            Ok(deciding.gov.governance.verify_any(&tx, &signed)?.signer)
        });
        let signer = signer.await?;
        self.decide(Some(signer), move |gov, tx, at| act(gov, tx, at, &envelope)).await
    }

    /// The same for what nobody asked for.
    pub async fn decide<T, F>(&self, signer: Option<MemberId>, act: F) -> Result<(T, Option<TxId>), Undecided>
    where
        T: Send + 'static,
        F: Fn(&Gov, &mut Tx<'_>, &At<'_>) -> Result<Outcome<T>, Refusal> + Send + Sync + 'static,
    {
        let act = Arc::new(act);
        let mut spent = Duration::ZERO;
        for attempt in 0..ATTEMPTS {
            let own_turn = match signer {
                Some(signer) => Some(self.patience.turn(signer).await.ok_or_else(Reject::busy)?),
                None => None,
            };
            let mut turn = Some(self.turn.lock().await);
            // Who takes longer than others does not keep them waiting; who lost a race for that has much longer the next time.
            let patience = TURN * (1 << (3 * attempt.min(2)));
            let judging = self.judge(act.clone(), own_turn);
            let (answer, change, took) = with_turn(&mut turn, patience, judging).await?;
            spent += took;
            let Some(change) = change else { return Ok((answer, None)) };
            if turn.is_none() {
                // And does not decide in front of who has the turn now.
                turn = Some(self.turn.lock().await);
            }
            let number = change.number();
            let work = Work { ledger: self.gov.ledger, body: change.encode() };
            match with_turn(&mut turn, COMMITTING, self.node.submit(work)).await {
                Ok(Submitted::Committed { txid, .. }) => return Ok((answer, Some(txid))),
                Ok(Submitted::Waiting) => return Err(Reject::new(Blame::Node, 0, "a decision never waits").into()),
                Err(reject) if reject.blame == Blame::Conflict && spent < SPENT_MAX => {
                    // Others need not wait for that.
                    drop(turn);
                    self.overtaken(number).await;
                }
                Err(reject) if reject.blame == Blame::Conflict => break,
                Err(reject) => return Err(reject.into()),
            }
        }
        Err(Reject::busy().into())
    }

    /// Waits until this node sees the decision that took a number, or a while: judged before that, the request would only be overtaken
    /// again. What else is committed meanwhile says nothing.
    async fn overtaken(&self, number: u64) {
        let mut status = self.node.watch();
        // Nothing that waits in here: who tells the status would wait, too. The row is in memory.
        let seen = status.wait_for(|_| {
            let snapshot = self.node.snapshot();
            let last = Decision::last(self.gov.decisions(), &Tx::new(snapshot.state()));
            // An error is met again by who judges next.
            last.map_or(true, |last| last.number >= number)
        });
        let _ = tokio::time::timeout(OVERTAKEN, seen).await;
    }

    /// Judges a request on a thread that may take its time, and says how long it took. A request that only reads leaves no change.
    async fn judge<T, F>(&self, act: Arc<F>, turn: Option<Turn>) -> Result<(T, Option<Change>, Duration), Undecided>
    where
        T: Send + 'static,
        F: Fn(&Gov, &mut Tx<'_>, &At<'_>) -> Result<Outcome<T>, Refusal> + Send + Sync + 'static,
    {
        let deciding = self.clone();
        let judge = move || {
            let begun = Instant::now();
            let metered = Metered::new(&*deciding.runner);
            let judged = deciding.judge_now(&*act, &metered);
            let took = begun.elapsed();
            // Here and not where the answer is waited for: a client that goes away does not end the work.
            deciding.patience.end(turn, took, metered.bill());
            judged.map(|(answer, change)| (answer, change, took))
        };
        blocking(judge).await
    }

    fn judge_now<T>(
        &self,
        act: impl Fn(&Gov, &mut Tx<'_>, &At<'_>) -> Result<Outcome<T>, Refusal>,
        runner: &dyn Runner,
    ) -> Result<(T, Option<Change>), Undecided> {
        let root = self.root();
        let version = self.gov.governance.signed(self.node.snapshot().state(), root);
        let mut tx = Tx::new(&version);
        // Clocks of nodes differ; that of the ledger does not go back.
        let decision = Decision::last(self.gov.decisions(), &tx)?.next(now());
        let service = Arc::new(Endorsing {
            service: self.node.service(),
            certificate: state::service::certificate(self.gov.governance.tables(), &tx)?,
        });
        let at = At { root, time: decision.time, seed: decision.seed(), service, runner };
        let Outcome { answer, effects, log } = act(&self.gov, &mut tx, &at)?;
        for line in log {
            tracing::info!(target: "gov::script", line);
        }
        if let Some(what) = effects.iter().find_map(beyond_this_node) {
            return Err(Undecided::NotImplemented(what));
        }
        let writes = tx.finish().writes;
        ledgers::check(&writes, &version, &*self.gov.host)?;
        if let Some(what) = beyond_this_version(&writes, &version) {
            return Err(Undecided::NotImplemented(what));
        }
        let change = (!writes.is_empty()).then(|| Change::new(decision, &writes, version.tables()));
        Ok((answer, change))
    }

    /// Of what is committed. Absent before the first signature.
    fn root(&self) -> Option<Digest> {
        let status = self.node.status();
        (status.committed.seqno > Seqno(0)).then_some(status.root)
    }
}

/// Keeps the turn until the work is done, but no longer than that.
async fn with_turn<T>(turn: &mut Option<MutexGuard<'_, ()>>, patience: Duration, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    match tokio::time::timeout(patience, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            *turn = None;
            work.await
        }
    }
}

/// Runs what takes its time on a thread that may.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Undecided> + Send + 'static,
) -> Result<T, Undecided> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Reject::new(Blame::Node, 0, "the request's handler crashed").into()))
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(now).unwrap_or(u64::MAX)
}

/// What a node would have to do after the decision and cannot: better to refuse than to decide on what does not happen.
fn beyond_this_node(effect: &Effect) -> Option<&'static str> {
    match effect {
        // All but the first are rows, which nodes act on.
        Effect::OpenService { .. }
        | Effect::RefreshBytecode
        | Effect::CloseChunk
        | Effect::TakeSnapshot
        | Effect::RekeyLedger
        | Effect::RefreshRecoveryShares => None,
    }
}

/// Rows that no node acts on yet. Nobody shall believe that something holds because a row says so.
const NOT_ACTED_ON: [(&str, &str); 3] = [
    ("public:ccf.gov.modules", "applications in JavaScript"),
    ("public:ccf.gov.endpoints", "applications in JavaScript"),
    ("public:ccf.gov.jwt.issuers", "tokens of issuers"),
];

fn beyond_this_version(writes: &WriteSet, version: &State) -> Option<&'static str> {
    let written = |name: &str| version.tables().find(name).and_then(|table| writes.section(table));
    NOT_ACTED_ON.iter().find(|(name, _)| written(name).is_some()).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use adapter::{LedgerId, NoService, Plumbing, Role, Status, Submission};
    use base::{NodeId, View};
    use kv::{NoHistory, Snapshot, Tables};
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::{Founding, Joining};

    /// A node whose road is the test: it sees what is submitted, and says what becomes of it.
    struct Road {
        deciding: Deciding,
        state: State,
        plumbing: Plumbing,
        submitted: mpsc::UnboundedReceiver<Submission>,
    }

    impl Road {
        fn new() -> Self {
            let tables = Tables::new();
            let founding = Founding { members: Vec::new(), constitution: String::new(), code: None };
            let gov = Gov::new(LedgerId(0), founding, Joining::default(), crate::watched(), &tables).unwrap();
            let state = State::new(Arc::new(tables), Arc::new(NoHistory));
            let status = Status {
                id: NodeId(Digest::ZERO),
                role: Role::Backup { primary: None },
                view: View(1),
                committed: TxId { view: View(1), seqno: Seqno(0) },
                root: Digest::ZERO,
                transactions: 0,
                voters: vec![1],
                learners: Vec::new(),
            };
            let (submit, submitted) = mpsc::unbounded_channel();
            let road = move |submission| drop(submit.send(submission));
            let plumbing = Plumbing::new(Snapshot::of(state.clone()), status, Arc::new(NoService), road);
            Self { deciding: Deciding::new(Arc::new(gov), plumbing.node.clone()), state, plumbing, submitted }
        }

        /// Decides on a row that means nothing.
        fn decide(&self) -> JoinHandle<Result<((), Option<TxId>), Undecided>> {
            let deciding = self.deciding.clone();
            let act = |gov: &Gov, tx: &mut Tx<'_>, _: &At<'_>| {
                tx.put(gov.governance.tables().members_info, &b"who"[..], &b"{}"[..]);
                Ok(Outcome { answer: (), effects: Vec::new(), log: Vec::new() })
            };
            tokio::spawn(async move { deciding.decide(None, act).await })
        }

        /// Something is committed, and this is the number of the last decision by then.
        fn publish(&mut self, number: u64) {
            let mut tx = Tx::new(&self.state);
            Decision { number, time: 0 }.write(self.deciding.gov.decisions(), &mut tx);
            let writes = tx.finish().writes;
            self.state.apply(self.state.seqno().next(), &writes);
            self.plumbing.publish(Snapshot::of(self.state.clone()));
            self.plumbing.status.send_modify(|status| status.committed.seqno = self.state.seqno());
        }

        /// The next decision that is submitted: its number, and where it is told what became of it.
        async fn next(&mut self) -> (u64, impl FnOnce(Result<Submitted, Reject>)) {
            let Submission { work, answer } = self.submitted.recv().await.unwrap();
            (Change::decode(&work.body).unwrap().number(), move |became| answer.send(became).unwrap())
        }
    }

    fn overtaken() -> Result<Submitted, Reject> {
        Err(Reject::new(Blame::Conflict, 0, "something else was decided meanwhile"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_decision_that_lost_a_race_waits_for_the_one_that_overtook_it() {
        let mut road = Road::new();
        road.publish(6);
        let decided = road.decide();
        let (number, answer) = road.next().await;
        assert_eq!(number, 7);
        answer(overtaken());
        // What else is committed meanwhile says nothing.
        for _ in 0..2 {
            tokio::time::sleep(OVERTAKEN / 5).await;
            road.publish(6);
        }
        tokio::time::sleep(OVERTAKEN / 5).await;
        assert!(road.submitted.is_empty(), "judged before it is seen by what, it would be overtaken again");
        road.publish(7);
        let seen = tokio::time::Instant::now();
        let (number, answer) = road.next().await;
        assert_eq!((number, seen.elapsed()), (8, Duration::ZERO));
        // What overtook it may be on its way for long, or lost with its primary.
        answer(overtaken());
        let (number, answer) = road.next().await;
        assert_eq!((number, seen.elapsed()), (8, OVERTAKEN));
        let txid = TxId { view: View(1), seqno: Seqno(9) };
        answer(Ok(Submitted::Committed { txid, reply: Bytes::new() }));
        assert_eq!(decided.await.unwrap().unwrap(), ((), Some(txid)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_kept_for_a_while_and_not_by_who_waits_for_ever() {
        let turns = Mutex::new(());
        let mut turn = Some(turns.lock().await);
        with_turn(&mut turn, TURN, tokio::time::sleep(TURN / 2)).await;
        assert!(turn.is_some());
        let for_ever = with_turn(&mut turn, TURN, std::future::pending::<()>());
        let next = async {
            let begun = tokio::time::Instant::now();
            drop(turns.lock().await);
            begun.elapsed()
        };
        tokio::select! {
            () = for_ever => panic!("it never ends"),
            waited = next => assert_eq!(waited, TURN),
        }
    }
}
