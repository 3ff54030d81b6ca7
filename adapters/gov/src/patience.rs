//! A member's share of a node's time for scripts. Whose scripts take long, or fail, waits the longer until its next request is looked
//! at, and keeps nobody else waiting: neither other members nor the road.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governance::MemberId;
use governance::engine::{Done, Failure, Job, Runner};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// What a request may take without any consequence: ten times what an ordinary one takes, on a busy machine too. Not for a script
/// that fails: a hundred of them a second take a third of two cores, however short each is.
const FREE: Duration = Duration::from_millis(50);
/// For all beyond that the member waits so many times as long: it has a twentieth of a core at most, on each node.
const WAITS: u32 = 19;
/// But never longer than that: whoever made a mistake wants to withdraw it, and has a client that gives up after a minute.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// When each member's next request is looked at. Only for those whose signatures were verified, so as many as there are members.
#[derive(Clone, Default)]
pub struct Patience(Arc<Mutex<BTreeMap<MemberId, Account>>>);

struct Account {
    /// One request of the member is judged at a time.
    gate: Arc<tokio::sync::Mutex<()>>,
    next: Instant,
}

/// A member's turn. It goes where the work goes, which runs to its end though nobody may wait for it any more.
pub struct Turn {
    member: MemberId,
    _gate: OwnedMutexGuard<()>,
}

/// How long scripts of a member ran.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Spent {
    well: Duration,
    failing: Duration,
}

impl Patience {
    /// Waits for the member's turn.
    pub async fn turn(&self, member: MemberId) -> Turn {
        let gate = self.account(member, |account| account.gate.clone());
        let gate = gate.lock_owned().await;
        loop {
            // Its scripts may fail in the requests of others meanwhile.
            let next = self.account(member, |account| account.next);
            if next <= Instant::now() {
                return Turn { member, _gate: gate };
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// A request was judged, and that took so long: its member pays, but for what it was others' scripts that ran.
    pub fn end(&self, turn: Option<Turn>, took: Duration, mut scripts: BTreeMap<MemberId, Spent>) {
        if let Some(Turn { member, .. }) = &turn {
            let of_all: Duration = scripts.values().map(|spent| spent.well + spent.failing).sum();
            scripts.entry(*member).or_default().well += took.saturating_sub(of_all);
        }
        for (member, Spent { well, failing }) in scripts {
            let wait = (failing + well.saturating_sub(FREE)) * WAITS;
            if !wait.is_zero() {
                let now = Instant::now();
                self.account(member, |account| account.next = (account.next.max(now) + wait).min(now + WAIT_MAX));
            }
        }
    }

    fn account<T>(&self, member: MemberId, with: impl FnOnce(&mut Account) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Whoever is alone with its account and need not wait has no use for it.
        all.retain(|_, account| Arc::strong_count(&account.gate) > 1 || account.next > now);
        with(all.entry(member).or_insert_with(|| Account { gate: Arc::default(), next: now }))
    }
}

/// Runs scripts and notes whose they were.
pub struct Metered<'a> {
    runner: &'a dyn Runner,
    spent: RefCell<BTreeMap<MemberId, Spent>>,
}

impl<'a> Metered<'a> {
    pub fn new(runner: &'a dyn Runner) -> Self {
        Self { runner, spent: RefCell::default() }
    }

    pub fn spent(self) -> BTreeMap<MemberId, Spent> {
        self.spent.into_inner()
    }
}

impl Runner for Metered<'_> {
    fn run(&self, job: Job) -> Result<Done, Failure> {
        let (author, begun) = (job.author, Instant::now());
        let result = self.runner.run(job);
        if let Some(author) = author {
            let mut spent = self.spent.borrow_mut();
            let spent = spent.entry(author).or_default();
            match &result {
                // It did not run.
                Err(Failure::Busy) => {}
                Err(_) => spent.failing += begun.elapsed(),
                Ok(_) => spent.well += begun.elapsed(),
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use base::Digest;

    use super::*;

    const LONG: Duration = Duration::from_millis(200);

    fn member(number: u8) -> MemberId {
        MemberId(Digest([number; 32]))
    }

    async fn judged(patience: &Patience, member: MemberId, took: Duration, scripts: &[(MemberId, Spent)]) {
        let turn = patience.turn(member).await;
        patience.end(Some(turn), took, scripts.iter().copied().collect());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_long_waits_and_nobody_else() {
        let patience = Patience::default();
        let (slow, quick) = (member(1), member(2));
        let (begun, quickly) = (Instant::now(), FREE);
        judged(&patience, slow, FREE + LONG, &[]).await;
        for _ in 0..3 {
            judged(&patience, quick, quickly, &[]).await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO, "the others did not wait");
        judged(&patience, slow, quickly, &[]).await;
        assert_eq!(begun.elapsed(), LONG * WAITS);
        judged(&patience, slow, quickly, &[]).await;
        assert_eq!(begun.elapsed(), LONG * WAITS, "it was quick this time");
        drop(patience.turn(quick).await);
        assert_eq!(patience.0.lock().unwrap().len(), 1, "nobody is remembered for nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn who_wrote_a_script_pays_for_it_whoever_asked() {
        let patience = Patience::default();
        let (author, voter) = (member(1), member(2));
        let begun = Instant::now();
        let slow = Spent { well: FREE + LONG, ..Spent::default() };
        judged(&patience, voter, FREE + LONG + FREE, &[(author, slow), (voter, Spent::default())]).await;
        drop(patience.turn(voter).await);
        assert_eq!(begun.elapsed(), Duration::ZERO, "the voter's own part was quick");
        drop(patience.turn(author).await);
        assert_eq!(begun.elapsed(), LONG * WAITS);
        // And what nobody asked for is paid, too.
        patience.end(None, slow.well, [(author, slow)].into());
        drop(patience.turn(author).await);
        assert_eq!(begun.elapsed(), 2 * LONG * WAITS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_script_that_fails_is_never_free() {
        let patience = Patience::default();
        let begun = Instant::now();
        let failing = Duration::from_millis(5);
        for _ in 0..20 {
            let spent = Spent { failing, ..Spent::default() };
            judged(&patience, member(1), failing + FREE, &[(member(1), spent)]).await;
        }
        drop(patience.turn(member(1)).await);
        assert_eq!(begun.elapsed(), 20 * failing * WAITS);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let patience = Patience::default();
        let begun = Instant::now();
        judged(&patience, member(1), Duration::from_secs(3_600), &[]).await;
        patience.end(None, LONG, [(member(1), Spent { failing: LONG, ..Spent::default() })].into());
        drop(patience.turn(member(1)).await);
        assert_eq!(begun.elapsed(), WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_waits_waits_longer_if_more_is_to_pay() {
        let patience = Patience::default();
        let begun = Instant::now();
        let slow = Spent { well: FREE + LONG, ..Spent::default() };
        patience.end(None, LONG, [(member(1), slow)].into());
        let waits = patience.turn(member(1));
        let more = async {
            tokio::time::sleep(LONG).await;
            patience.end(None, LONG, [(member(1), slow)].into());
        };
        tokio::join!(waits, more);
        assert_eq!(begun.elapsed(), 2 * LONG * WAITS);
    }
}
