//! A member's share of a node's time for scripts. Whose requests and scripts take more waits until its next request is looked at,
//! and keeps nobody else waiting: neither other members nor the road.
//!
//! What a request took by the clock is a debt many times as long, which goes down as time passes. Up to a second of it is nobody's
//! business; whoever owes more waits. Who asks pays for every script that runs for that, and who wrote a script pays for it,
//! too, where others ask: neither a ballot that is dear nor a request that calls many of them is free. Waiting for a place to run
//! a script in is: else whoever holds all places would make others owe.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governance::MemberId;
use governance::engine::{Done, Failure, Job, Runner};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// What runs well is owed so many times: a quarter of a core for a member, on each node. An ordinary request takes a few milliseconds.
const WELL: u32 = 4;
/// What fails is owed so many times: a twentieth. A hundred scripts a second that fail at once take a third of two cores.
const FAILING: u32 = 20;
/// Owing so much has no consequence: many requests in a row, or some on a busy machine.
const FREE: Duration = Duration::from_secs(1);
/// Nobody waits longer: whoever made a mistake wants to withdraw it, and has a client that gives up after a minute. A script that
/// takes all its time, a second, is paid by then.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Requests of a member that are here at once; more are told to come again.
const REQUESTS_MAX: usize = 16;

/// What members owe. Only for those whose signatures were verified, and whoever owes nothing is forgotten.
#[derive(Clone, Default)]
pub struct Patience(Arc<Mutex<BTreeMap<MemberId, Account>>>);

struct Account {
    /// One request of the member is judged at a time.
    gate: Arc<tokio::sync::Mutex<()>>,
    /// When nothing will be owed any more.
    clear: Instant,
}

/// A member's turn. It goes where the work goes, which runs to its end though nobody may wait for it any more.
pub struct Turn {
    member: MemberId,
    _gate: OwnedMutexGuard<()>,
}

/// How long scripts ran.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Spent {
    well: Duration,
    failing: Duration,
}

impl Spent {
    fn owed(self) -> Duration {
        self.well * WELL + self.failing * FAILING
    }
}

/// What scripts of a request took.
#[derive(Clone, Default, Debug)]
pub struct Bill {
    /// Of all of them, the constitution too, which fails by what it is given.
    failing: Duration,
    /// In which none could run: others held all places.
    waited: Duration,
    authors: BTreeMap<MemberId, Spent>,
}

impl Patience {
    /// Waits for the member's turn. `None`: too many of its requests wait already.
    pub async fn turn(&self, member: MemberId) -> Option<Turn> {
        let gate = self.account(member, |account| {
            // Each waiter has a handle, and the account.
            (Arc::strong_count(&account.gate) <= REQUESTS_MAX).then(|| account.gate.clone())
        });
        let gate = gate?.lock_owned().await;
        // What others make the member owe from here on is for its next turn: else it might wait for ever.
        let begin = self.account(member, |account| account.clear.checked_sub(FREE));
        if let Some(begin) = begin {
            tokio::time::sleep_until(begin).await;
        }
        Some(Turn { member, _gate: gate })
    }

    /// A request was judged, and that took so long.
    pub fn end(&self, turn: Option<Turn>, took: Duration, bill: Bill) {
        let Bill { failing, waited, authors } = bill;
        if let Some(Turn { member, .. }) = &turn {
            self.owe(*member, Spent { well: took.saturating_sub(waited + failing), failing });
        }
        for (author, spent) in authors {
            if turn.as_ref().is_none_or(|turn| turn.member != author) {
                self.owe(author, spent);
            }
        }
    }

    fn owe(&self, member: MemberId, spent: Spent) {
        let now = Instant::now();
        self.account(member, |account| {
            account.clear = (account.clear.max(now) + spent.owed()).min(now + FREE + WAIT_MAX);
        });
    }

    fn account<T>(&self, member: MemberId, with: impl FnOnce(&mut Account) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Whoever is alone with its account and owes nothing has no use for it.
        all.retain(|_, account| Arc::strong_count(&account.gate) > 1 || account.clear > now);
        with(all.entry(member).or_insert_with(|| Account { gate: Arc::default(), clear: now }))
    }
}

/// Runs scripts and notes whose they were.
pub struct Metered<'a> {
    runner: &'a dyn Runner,
    bill: RefCell<Bill>,
}

impl<'a> Metered<'a> {
    pub fn new(runner: &'a dyn Runner) -> Self {
        Self { runner, bill: RefCell::default() }
    }

    pub fn bill(self) -> Bill {
        self.bill.into_inner()
    }
}

impl Runner for Metered<'_> {
    fn run_placed(&self, job: Job, placed: &mut dyn FnMut()) -> Result<Done, Failure> {
        let (author, asked) = (job.author, Instant::now());
        let mut begun = None;
        let result = self.runner.run_placed(job, &mut || {
            begun = Some(Instant::now());
            placed();
        });
        let ended = Instant::now();
        // Where nothing could be run, all of it was waiting.
        let begun = begun.filter(|_| !matches!(result, Err(Failure::Busy))).unwrap_or(ended);
        self.bill.borrow_mut().add(author, begun - asked, ended - begun, result.is_ok());
        result
    }
}

impl Bill {
    fn add(&mut self, author: Option<MemberId>, waited: Duration, ran: Duration, well: bool) {
        let spent =
            if well { Spent { well: ran, ..Spent::default() } } else { Spent { failing: ran, ..Spent::default() } };
        self.waited += waited;
        self.failing += spent.failing;
        if let Some(author) = author {
            let of_author = self.authors.entry(author).or_default();
            of_author.well += spent.well;
            of_author.failing += spent.failing;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use base::Digest;
    use governance::engine::{Bounds, Call, Given, NoService};
    use kv::{NoHistory, State, Tables};

    use super::*;

    const FIVE: Duration = Duration::from_millis(5);
    const SECOND: Duration = Duration::from_secs(1);

    fn member(number: u8) -> MemberId {
        MemberId(Digest([number; 32]))
    }

    fn failed(author: Option<MemberId>, took: Duration) -> Bill {
        let mut bill = Bill::default();
        bill.add(author, Duration::ZERO, took, false);
        bill
    }

    fn well(author: MemberId, took: Duration) -> Bill {
        Bill { authors: [(author, Spent { well: took, ..Spent::default() })].into(), ..Bill::default() }
    }

    async fn judged(patience: &Patience, member: MemberId, took: Duration, bill: Bill) {
        let turn = patience.turn(member).await;
        patience.end(turn, took, bill);
    }

    /// How long a member's next request would wait.
    async fn waits(patience: &Patience, member: MemberId) -> Duration {
        let begun = Instant::now();
        drop(patience.turn(member).await);
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_long_waits_and_nobody_else() {
        let patience = Patience::default();
        judged(&patience, member(1), SECOND, Bill::default()).await;
        for _ in 0..40 {
            judged(&patience, member(2), FIVE, Bill::default()).await;
        }
        assert_eq!(waits(&patience, member(2)).await, Duration::ZERO);
        assert_eq!(waits(&patience, member(1)).await, SECOND * WELL - FREE);
        assert_eq!(waits(&patience, member(1)).await, Duration::ZERO, "it was quick this time");
        tokio::time::sleep(FREE).await;
        assert_eq!(waits(&patience, member(2)).await, Duration::ZERO);
        assert_eq!(patience.0.lock().unwrap().len(), 1, "nobody is remembered for nothing");
    }

    /// In the long run a member gets no more than its share, in whatever pieces.
    #[tokio::test(start_paused = true)]
    async fn shares_are_kept_by_many_short_requests() {
        for (bill, share) in [(Bill::default(), WELL), (failed(None, FIVE), FAILING)] {
            let (patience, begun) = (Patience::default(), Instant::now());
            for _ in 0..1_000 {
                judged(&patience, member(1), FIVE, bill.clone()).await;
            }
            assert!(!waits(&patience, member(1)).await.is_zero());
            assert_eq!(begun.elapsed(), 1_000 * FIVE * share - FREE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_script_is_paid_by_who_wrote_it_and_by_who_asked() {
        let patience = Patience::default();
        let (author, voter) = (member(1), member(2));
        judged(&patience, voter, SECOND + FIVE, well(author, SECOND)).await;
        let begun = Instant::now();
        assert_eq!(waits(&patience, voter).await, (SECOND + FIVE) * WELL - FREE);
        drop(patience.turn(author).await);
        assert_eq!(begun.elapsed(), (SECOND + FIVE) * WELL - FREE, "the author waited meanwhile");
        // What nobody asked for is paid, too; and one's own script once.
        tokio::time::sleep(FREE).await;
        patience.end(None, SECOND, failed(Some(author), SECOND / 2));
        assert_eq!(waits(&patience, author).await, SECOND / 2 * FAILING - FREE);
        tokio::time::sleep(FREE).await;
        judged(&patience, author, SECOND / 2, failed(Some(author), SECOND / 2)).await;
        assert_eq!(waits(&patience, author).await, SECOND / 2 * FAILING - FREE);
    }

    /// Says when there is a place, and what comes of the call, after these times.
    struct Waits(Option<Duration>, Duration, Failure);

    impl Runner for Waits {
        fn run_placed(&self, _: Job, placed: &mut dyn FnMut()) -> Result<Done, Failure> {
            let Self(wait, ran, failure) = self;
            if let Some(wait) = wait {
                pass(*wait);
                placed();
            }
            pass(*ran);
            Err(failure.clone())
        }
    }

    /// Time goes by while a thread waits.
    fn pass(time: Duration) {
        let advance = pin!(tokio::time::advance(time));
        let _ = advance.poll(&mut Context::from_waker(Waker::noop()));
    }

    fn ballot(author: MemberId) -> Job {
        let state = State::new(Arc::new(Tables::new()), Arc::new(NoHistory));
        Job {
            script: "".into(),
            author: Some(author),
            call: Call::Vote { proposal: "{}".into(), proposer: String::new() },
            before: state.clone(),
            state,
            bounds: Bounds::LEAST,
            time: 0,
            seed: 0,
            service: Arc::new(NoService),
            given: Given::default(),
            compiled: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_place_to_run_in_costs_nothing() {
        let patience = Patience::default();
        for (runner, owed) in [
            (Waits(None, SECOND, Failure::Busy), Duration::ZERO),
            (Waits(Some(SECOND), SECOND / 2, Failure::Overrun), SECOND / 2 * FAILING - FREE),
        ] {
            let metered = Metered::new(&runner);
            let begun = Instant::now();
            assert!(metered.run(ballot(member(1))).is_err());
            judged(&patience, member(2), begun.elapsed(), metered.bill()).await;
            let begun = Instant::now();
            for payer in [member(1), member(2)] {
                drop(patience.turn(payer).await);
                assert_eq!(begun.elapsed(), owed);
            }
            tokio::time::sleep(FREE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let patience = Patience::default();
        judged(&patience, member(1), Duration::from_secs(3_600), Bill::default()).await;
        let asks = waits(&patience, member(1));
        let others = async {
            for _ in 0..100 {
                tokio::time::sleep(SECOND).await;
                patience.end(None, SECOND, failed(Some(member(1)), SECOND));
            }
        };
        let (waited, ()) = tokio::join!(asks, others);
        assert_eq!(waited, WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_too_much_at_once_is_told_so() {
        let patience = Patience::default();
        let first = patience.turn(member(1)).await;
        let waiting: Vec<_> = (1..REQUESTS_MAX)
            .map(|_| {
                let patience = patience.clone();
                tokio::spawn(async move { patience.turn(member(1)).await.is_some() })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(patience.turn(member(1)).await.is_none());
        assert!(patience.turn(member(2)).await.is_some(), "others are not concerned");
        drop(first);
        for waiting in waiting {
            assert!(waiting.await.unwrap());
        }
        assert!(patience.turn(member(1)).await.is_some());
    }
}
