//! One measurement: lanes are sent, receipts are awaited, and every transaction's time is taken.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use futures::future::try_join_all;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until, timeout};

use crate::follow::{Follower, SeenBlock};
use crate::transaction::Signed;
use crate::{Endpoint, Error, Histogram, Lane, Refusal, Rpc};

/// For a call to be answered, for a receipt to appear after that, for a busy node to take a transaction.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before a busy node is asked again.
const BREATH: Duration = Duration::from_millis(5);

/// Who is sent to, and who is asked for receipts.
#[derive(Clone, Debug)]
pub struct Target {
    /// Lanes take turns.
    pub submit: Vec<Endpoint>,
    pub follow: Endpoint,
}

/// How fast to send.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Transactions in one request; 1 = single calls.
    pub batch: usize,
    /// Transactions a second over all lanes; `None` = as fast as the answers come.
    pub rate: Option<f64>,
    /// When to stop sending.
    pub length: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Accepted by a node.
    pub sent: u64,
    /// Whose receipt was seen.
    pub confirmed: u64,
    /// Of these, the ones that did not do what they were meant to.
    pub failed: u64,
    /// Answers that said "later"; the transaction was sent again.
    pub busy: u64,
    /// From the start to the last receipt.
    pub elapsed: Duration,
    /// From due to receipt seen.
    pub receipt: Histogram,
    /// From due to the call's answer.
    pub answer: Histogram,
    /// Blocks with transactions of this run, by number.
    pub blocks: BTreeMap<u64, B256>,
}

impl Measured {
    #[must_use]
    pub fn per_second(&self) -> f64 {
        if self.confirmed == 0 { 0.0 } else { self.confirmed as f64 / self.elapsed.as_secs_f64() }
    }
}

/// Sends the lanes, waits for all receipts. `progress` hears how many were seen, after every block.
///
/// A refusal that does not pass ends the run: a load that is refused measures nothing.
pub async fn run(
    target: &Target,
    lanes: &[Lane],
    pace: Pace,
    mut progress: impl FnMut(u64),
) -> Result<Measured, Error> {
    if pace.batch == 0 || pace.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) || target.submit.is_empty() {
        return Err(Error::Load("a run needs a batch of one at least, a rate above zero, and a node".into()));
    }
    let mut follower = Follower::start(&target.follow).await?;
    let mut connections = Vec::new();
    for i in 0..lanes.len() {
        let mut rpc = Rpc::new(target.submit[i % target.submit.len()].clone(), PATIENCE);
        rpc.connect().await?;
        connections.push(rpc);
    }
    let started = Instant::now();
    let book = RefCell::new(Book { started, ..Book::new() });
    let complete = Notify::new();

    let sending = async {
        let schedules = (0..lanes.len()).map(|i| Schedule { started, lane: i, lanes: lanes.len(), pace });
        let sending = lanes.iter().zip(connections).zip(schedules);
        try_join_all(sending.map(|((lane, rpc), schedule)| send(lane, rpc, schedule, &book))).await?;
        let mut book = book.borrow_mut();
        book.all_sent = true;
        if book.complete() {
            complete.notify_one();
        }
        Ok(())
    };
    let following = async {
        loop {
            match timeout(PATIENCE, follower.blocks()).await {
                Ok(blocks) => blocks?.iter().for_each(|block| book.borrow_mut().seen(block)),
                Err(_) if book.borrow().due.is_empty() => {}
                Err(_) => {
                    let missing = book.borrow().due.len();
                    let seconds = PATIENCE.as_secs();
                    return Err(Error::Load(format!("{missing} transactions got no receipt within {seconds} s")));
                }
            }
            progress(book.borrow().measured.confirmed);
            if book.borrow().complete() {
                return Ok(());
            }
        }
    };
    let followed = async {
        tokio::select! {
            result = following => result,
            () = complete.notified() => Ok(()),
        }
    };
    tokio::try_join!(sending, followed)?;
    Ok(book.into_inner().measured)
}

/// When a lane's calls are due.
#[derive(Clone, Copy)]
struct Schedule {
    started: Instant,
    lane: usize,
    lanes: usize,
    pace: Pace,
}

impl Schedule {
    /// Calls of all lanes alternate at equal distances. `None` without a rate: a call is due when the one before was answered.
    fn due(&self, call: usize) -> Option<Instant> {
        let rate = self.pace.rate?;
        let before = (call * self.lanes + self.lane) * self.pace.batch;
        Some(self.started + Duration::from_secs_f64(before as f64 / rate))
    }

    fn over(&self, due: Instant) -> bool {
        self.pace.length.is_some_and(|length| due.duration_since(self.started) >= length)
    }
}

async fn send(lane: &Lane, mut rpc: Rpc, schedule: Schedule, book: &RefCell<Book>) -> Result<(), Error> {
    for (call, transactions) in lane.transactions.chunks(schedule.pace.batch).enumerate() {
        let due = schedule.due(call).unwrap_or_else(Instant::now);
        if schedule.over(due) {
            return Ok(());
        }
        sleep_until(due.into()).await;
        book.borrow_mut().begin(transactions, due);
        let busy = until_taken(&mut rpc, transactions).await?;
        book.borrow_mut().answered(transactions.len(), due, busy);
    }
    Ok(())
}

/// Sends until the node has taken all, and tells how often it was too busy for one.
async fn until_taken(rpc: &mut Rpc, transactions: &[Signed]) -> Result<u64, Error> {
    let begun = Instant::now();
    let mut busy = 0;
    let mut left: Vec<&[u8]> = transactions.iter().map(|signed| &*signed.raw).collect();
    loop {
        let answers = rpc.send(&left).await?;
        let mut again = Vec::new();
        for (raw, answer) in left.iter().zip(answers) {
            match answer {
                Ok(()) => {}
                // A node that lost its primary says "later" of work that may be done already.
                Err(refusal) if busy > 0 && (refusal.nonce_is_used() || refusal.already_known()) => {}
                Err(refusal) if refusal.passes() && begun.elapsed() < PATIENCE => again.push(*raw),
                Err(refusal) => return Err(refused(rpc, refusal)),
            }
        }
        if again.is_empty() {
            return Ok(busy);
        }
        busy += again.len() as u64;
        left = again;
        sleep(BREATH).await;
    }
}

fn refused(rpc: &Rpc, refusal: Refusal) -> Error {
    Error::Refused { at: rpc.endpoint().to_string(), what: "a transaction".into(), refusal }
}

/// What is under way, and what is done.
struct Book {
    started: Instant,
    due: HashMap<B256, Instant>,
    all_sent: bool,
    measured: Measured,
}

impl Book {
    fn new() -> Self {
        Self { started: Instant::now(), due: HashMap::new(), all_sent: false, measured: Measured::default() }
    }

    /// Before it is sent, since its receipt may be seen before its answer.
    fn begin(&mut self, transactions: &[Signed], due: Instant) {
        self.due.extend(transactions.iter().map(|signed| (signed.hash, due)));
    }

    fn answered(&mut self, transactions: usize, due: Instant, busy: u64) {
        self.measured.sent += transactions as u64;
        self.measured.busy += busy;
        let taken = due.elapsed();
        (0..transactions).for_each(|_| self.measured.answer.record(taken));
    }

    fn seen(&mut self, block: &SeenBlock) {
        let now = Instant::now();
        let Self { started, due, measured, .. } = self;
        for receipt in &block.receipts {
            // Others may use the network at the same time.
            let Some(due) = due.remove(&receipt.transaction) else { continue };
            measured.receipt.record(now.duration_since(due));
            measured.confirmed += 1;
            measured.failed += u64::from(!receipt.succeeded);
            measured.elapsed = now.duration_since(*started);
            measured.blocks.insert(block.number, block.hash);
        }
    }

    fn complete(&self) -> bool {
        self.all_sent && self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::SeenReceipt;

    fn signed(n: u8) -> Signed {
        Signed { hash: B256::repeat_byte(n), raw: Box::default() }
    }

    #[test]
    fn only_own_transactions_with_a_receipt_count_and_each_once() {
        let mut book = Book::new();
        let own = [signed(1), signed(2)];
        book.begin(&own, Instant::now());
        book.answered(2, Instant::now(), 0);
        let receipt = |n, succeeded| SeenReceipt { transaction: B256::repeat_byte(n), succeeded };
        let block = SeenBlock { number: 7, hash: B256::ZERO, receipts: vec![receipt(1, true), receipt(9, true)] };
        book.seen(&block);
        book.seen(&block);
        book.all_sent = true;
        assert!(!book.complete());
        assert_eq!((book.measured.confirmed, book.measured.failed, book.measured.sent), (1, 0, 2));
        book.seen(&SeenBlock { number: 8, hash: B256::ZERO, receipts: vec![receipt(2, false)] });
        assert!(book.complete());
        assert_eq!((book.measured.confirmed, book.measured.failed), (2, 1));
        assert_eq!(book.measured.blocks.len(), 2);
        assert_eq!(book.measured.receipt.count(), 2);
    }

    #[test]
    fn a_rate_is_spread_over_lanes_at_equal_distances() {
        let started = Instant::now();
        let pace = Pace { batch: 10, rate: Some(1_000.0), length: Some(Duration::from_millis(100)) };
        let due = |lane, call| Schedule { started, lane, lanes: 2, pace }.due(call).unwrap() - started;
        let ms = Duration::from_millis;
        assert_eq!([due(0, 0), due(1, 0), due(0, 1), due(1, 1)], [ms(0), ms(10), ms(20), ms(30)]);
        let schedule = Schedule { started, lane: 0, lanes: 1, pace };
        assert!(schedule.over(started + ms(100)) && !schedule.over(started + ms(99)));
        assert_eq!(Schedule { pace: Pace { rate: None, ..pace }, ..schedule }.due(5), None);
    }
}
