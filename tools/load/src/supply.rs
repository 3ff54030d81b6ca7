//! Signed requests for each connection: many before the clock starts, more while it runs, and never more than a bound.
//!
//! ```text
//! before    all cores sign ──▶ each lane's queue, until all is signed or as many as may be
//! running   a lane takes a piece ──▶ one thread signs the next piece for it, if the run needs more than was signed ahead
//! after     what was not sent is taken back, and the senders' nonces are right for the next run
//! ```
//!
//! So a short run costs no signing while it is measured, and a long one takes the same memory as a short one. What the
//! signing thread takes of the CPU is this client's and is shown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc as wanting;
use std::thread::{self, JoinHandle};

use rayon::prelude::*;
use tokio::sync::mpsc;

use crate::Error;
use crate::workload::{Lane, Plan, Request, Sender};

/// Transactions that are signed ahead over all lanes unless somebody wants it otherwise: some 130 MB.
pub const AHEAD: usize = 500_000;
/// Transactions in a piece, unless that is more than a lane's share: a lane asks for more once a piece.
const PIECE: usize = 64;

/// Requests that go together through a queue.
type Piece = VecDeque<Request>;

/// What one connection sends, in this order.
pub struct Feed {
    lane: usize,
    piece: Piece,
    queue: mpsc::Receiver<Piece>,
    /// With so many pieces left there is no need for more yet.
    enough: usize,
    wanted: Option<wanting::Sender<usize>>,
}

/// The signing side.
pub struct Supply {
    signing: JoinHandle<Vec<Making>>,
}

/// One lane with what is left to be made for it.
struct Making {
    lane: Lane,
    /// Transactions; `None` = no end.
    left: Option<usize>,
    batch: usize,
    piece: usize,
    queue: Option<mpsc::Sender<Piece>>,
}

/// How much is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Transactions in a request.
    pub batch: usize,
    /// Transactions that will be needed, about. So many are signed before the clock, but never more than `ahead`.
    pub expected: usize,
    /// Transactions that are held at a time.
    pub ahead: usize,
    /// After so many there are no more; `None` = until nobody takes any more.
    pub total: Option<usize>,
}

impl Supply {
    /// Signs ahead. Each sender belongs to one lane; there are no more lanes than senders.
    pub async fn begin(
        plan: Plan,
        senders: Vec<Sender>,
        lanes: usize,
        amount: Amount,
    ) -> Result<(Self, Vec<Feed>), Error> {
        if senders.is_empty() || amount.batch == 0 {
            return Err(Error::Load("a load needs an account and a batch of one at least".into()));
        }
        let lanes = lanes.clamp(1, senders.len());
        let share = amount.expected.min(amount.ahead).div_ceil(lanes).next_multiple_of(amount.batch);
        let piece = PIECE.min(share.div_ceil(2)).next_multiple_of(amount.batch);
        let depth = share.div_ceil(piece).max(2);
        // What a short run needs is there before its clock starts; only if it takes more than expected is more signed.
        let enough = if amount.expected > amount.ahead { depth } else { 1 };
        let filled = tokio::task::spawn_blocking(move || {
            let plan = Arc::new(plan);
            let share = senders.len().div_ceil(lanes);
            let mut owned: Vec<Vec<Sender>> = (0..lanes).map(|_| Vec::with_capacity(share)).collect();
            senders.into_iter().enumerate().for_each(|(i, sender)| owned[i % lanes].push(sender));
            let fill = |(number, senders)| {
                let left = amount.total.map(|total| total / lanes + usize::from(number < total % lanes));
                let (queue, pieces) = mpsc::channel(depth);
                let lane = Lane::new(plan.clone(), number, lanes, senders);
                let mut making = Making { lane, left, batch: amount.batch, piece, queue: Some(queue) };
                (0..depth).for_each(|_| making.more());
                (making, pieces)
            };
            owned.into_par_iter().enumerate().map(fill).collect::<Vec<_>>()
        });
        let filled = filled.await.map_err(|e| Error::Load(format!("signing ahead ended early: {e}")))?;
        let (wanted, wants) = wanting::channel();
        let (making, queues): (Vec<_>, Vec<_>) = filled.into_iter().unzip();
        let feed = |(lane, queue)| Feed { lane, piece: Piece::new(), queue, enough, wanted: Some(wanted.clone()) };
        let feeds = queues.into_iter().enumerate().map(feed).collect();
        let signing = thread::Builder::new().name("sign".into()).spawn(move || sign(making, &wants));
        Ok((Self { signing: signing.map_err(|e| Error::Load(format!("no thread to sign on: {e}")))? }, feeds))
    }

    /// Takes back what was not sent, and gives the senders in their order.
    pub async fn end(self, mut feeds: Vec<Feed>) -> Result<Vec<Sender>, Error> {
        // The thread ends once nobody wants anything; then all that it made is in the queues.
        feeds.iter_mut().for_each(|feed| feed.wanted = None);
        let joined = tokio::task::spawn_blocking(|| self.signing.join()).await;
        let mut lanes = match joined {
            Ok(Ok(lanes)) => lanes,
            _ => return Err(Error::Load("the thread that signs ended early".into())),
        };
        for (Making { lane, .. }, feed) in lanes.iter_mut().zip(&mut feeds) {
            let queued = std::iter::from_fn(|| feed.queue.try_recv().ok());
            std::iter::once(std::mem::take(&mut feed.piece))
                .chain(queued.collect::<Vec<_>>())
                .flatten()
                .for_each(|request| lane.take_back(&request));
        }
        let mut lanes: Vec<_> = lanes.into_iter().map(|making| making.lane.senders.into_iter()).collect();
        let rounds = lanes.first().map_or(0, ExactSizeIterator::len);
        Ok((0..rounds).flat_map(|_| lanes.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect())
    }
}

fn sign(mut lanes: Vec<Making>, wants: &wanting::Receiver<usize>) -> Vec<Making> {
    while let Ok(lane) = wants.recv() {
        lanes[lane].more();
    }
    lanes
}

impl Making {
    /// Puts one more piece into the queue, or closes it if there is no more.
    fn more(&mut self) {
        let size = self.left.map_or(self.piece, |left| left.min(self.piece));
        if size == 0 {
            self.queue = None;
            return;
        }
        let Some(queue) = &self.queue else { return };
        let mut piece = Piece::new();
        let mut made = 0;
        while made < size {
            let request = self.lane.request(self.batch.min(size - made));
            made += request.transactions.len();
            piece.push_back(request);
        }
        self.left = self.left.map(|left| left - made);
        // There is room: a piece is made for each that was taken. And the other end outlives this one.
        if let Err(refused) = queue.try_send(piece) {
            refused.into_inner().iter().for_each(|request| self.lane.take_back(request));
        }
    }
}

impl Feed {
    /// The next request if it is signed already.
    pub fn ready(&mut self) -> Option<Request> {
        if self.piece.is_empty()
            && let Ok(piece) = self.queue.try_recv()
        {
            self.took(piece);
        }
        self.piece.pop_front()
    }

    /// The next request; `None` if there are no more.
    pub async fn next(&mut self) -> Option<Request> {
        if self.piece.is_empty() {
            let piece = self.queue.recv().await?;
            self.took(piece);
        }
        self.piece.pop_front()
    }

    /// Gives back what [`Feed::next`] gave and was not sent.
    pub fn put_back(&mut self, request: Request) {
        self.piece.push_front(request);
    }

    fn took(&mut self, piece: Piece) {
        self.piece = piece;
        if let Some(wanted) = self.wanted.as_ref().filter(|_| self.queue.len() < self.enough) {
            // Nobody is there any more if the thread failed; then the queue ends.
            let _ = wanted.send(self.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Account, Fees, Kind, Signer, Workload};

    fn plan(accounts: &[Account]) -> Plan {
        let signer = Signer { chain_id: 1, fees: Fees::default(), kind: Kind::Eip1559 };
        let addresses = Arc::new(accounts.iter().map(Account::address).collect());
        Plan { workload: Workload::Transfer, signer, addresses }
    }

    async fn begin(accounts: usize, lanes: usize, amount: Amount) -> (Supply, Vec<Feed>) {
        let accounts = Account::derived("test", accounts);
        let senders = accounts.iter().cloned().map(|account| Sender { account, nonce: 40 }).collect();
        Supply::begin(plan(&accounts), senders, lanes, amount).await.unwrap()
    }

    #[tokio::test]
    async fn a_total_is_spread_over_the_lanes_and_then_there_is_no_more() {
        let amount = Amount { batch: 7, expected: 20, ahead: AHEAD, total: Some(500) };
        let (supply, mut feeds) = begin(9, 3, amount).await;
        let mut sizes = Vec::new();
        for feed in &mut feeds {
            let mut size = 0;
            while let Some(request) = feed.next().await {
                assert!(request.transactions.len() <= 7);
                size += request.transactions.len();
            }
            sizes.push(size);
        }
        assert_eq!(sizes, [167, 167, 166]);
        let senders = supply.end(feeds).await.unwrap();
        assert_eq!(senders.iter().map(|sender| sender.nonce - 40).sum::<u64>(), 500);
    }

    #[tokio::test]
    async fn what_was_not_sent_is_taken_back_and_senders_keep_their_order() {
        let (supply, mut feeds) = begin(8, 3, Amount { batch: 1, expected: 100, ahead: AHEAD, total: None }).await;
        for _ in 0..200 {
            feeds[1].next().await.unwrap();
        }
        let request = feeds[2].next().await.unwrap();
        feeds[2].put_back(request);
        let senders = supply.end(feeds).await.unwrap();
        let addresses: Vec<_> = Account::derived("test", 8).iter().map(Account::address).collect();
        assert_eq!(senders.iter().map(|sender| sender.account.address()).collect::<Vec<_>>(), addresses);
        let sent: Vec<u64> = senders.iter().map(|sender| sender.nonce - 40).collect();
        assert_eq!(sent, [0, 67, 0, 0, 67, 0, 0, 66]);
    }

    #[tokio::test]
    async fn no_more_is_signed_ahead_than_was_asked_for() {
        let (supply, mut feeds) = begin(4, 2, Amount { batch: 10, expected: 400, ahead: AHEAD, total: None }).await;
        let mut ahead = 0;
        for feed in &mut feeds {
            feed.wanted = None;
            while let Some(request) = feed.ready() {
                ahead += request.transactions.len();
            }
        }
        assert!((400..600).contains(&ahead), "{ahead}");
        supply.end(feeds).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_to_sign_is_an_error() {
        let amount = Amount { batch: 1, expected: 1, ahead: AHEAD, total: None };
        assert!(Supply::begin(plan(&[]), Vec::new(), 1, amount).await.is_err());
    }
}
