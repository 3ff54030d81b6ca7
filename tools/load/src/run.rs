//! One measurement of an Ethereum ledger: lanes are sent, every node's blocks are followed, every transaction's time is taken.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use crate::book::{Book, Measured};
use crate::follow::{Heads, Receipts};
use crate::pace::{Due, Pace, Schedule};
use crate::supply::Feed;
use crate::transaction::Signed;
use crate::{Endpoint, Error, Refusal, Rpc};

/// For a call to be answered, for a receipt to appear after that, for a busy node to take a transaction.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before a busy node is asked again.
const BREATH: Duration = Duration::from_millis(5);
/// Blocks whose receipts are asked for in one request.
const BLOCKS_MAX: usize = 32;

/// Sends what the feeds give, waits for all receipts on all nodes. Lanes take turns with the nodes. `progress` hears how
/// many were seen, after every block.
///
/// A refusal that does not pass ends the run: a load that is refused measures nothing.
pub async fn run(
    nodes: &[Endpoint],
    feeds: &mut [Feed],
    pace: Pace,
    mut progress: impl FnMut(u64),
) -> Result<Measured, Error> {
    if !pace.is_possible() || nodes.is_empty() {
        return Err(Error::Load("a run needs a batch of one at least, a rate above zero, and a node".into()));
    }
    let mut followed = Vec::new();
    for node in nodes {
        followed.push((Heads::subscribe(node).await?, Receipts::of(node).await?));
    }
    let mut connections = Vec::new();
    for i in 0..feeds.len() {
        let mut rpc = Rpc::new(nodes[i % nodes.len()].clone(), PATIENCE);
        rpc.connect().await?;
        connections.push(rpc);
    }
    let lanes = feeds.len();
    let started = Instant::now();
    let shared = Shared { book: RefCell::new(Book::new(nodes.len(), started)), news: Notify::new() };

    let sending = async {
        let mut sending = Vec::new();
        for (lane, (feed, rpc)) in feeds.iter_mut().zip(connections).enumerate() {
            let schedule = Schedule { started, lane, lanes, pace };
            sending.push(send(feed, rpc, schedule, lane % nodes.len(), &shared.book));
        }
        try_join_all(sending).await?;
        shared.book.borrow_mut().all_sent();
        shared.news.notify_one();
        Ok(())
    };
    let following = followed
        .into_iter()
        .enumerate()
        .map(|(node, (heads, receipts))| follow(node, nodes.len(), heads, receipts, &shared));
    let waiting = async {
        while !shared.book.borrow().complete() {
            let confirmed = shared.book.borrow().measured.confirmed;
            progress(confirmed);
            let heard = timeout(PATIENCE, shared.news.notified()).await;
            let missing = shared.book.borrow().missing();
            if heard.is_err() && missing > 0 {
                let seconds = PATIENCE.as_secs();
                return Err(Error::Load(format!("{missing} transactions got no receipt within {seconds} s")));
            }
        }
        Ok(())
    };
    let all_done = async { tokio::try_join!(sending, waiting).map(drop) };
    tokio::select! {
        done = all_done => done?,
        failed = try_join_all(following) => { failed?; }
    }
    Ok(shared.book.into_inner().end())
}

struct Shared {
    book: RefCell<Book>,
    /// Something was counted, or all is sent.
    news: Notify,
}

async fn send(
    feed: &mut Feed,
    mut rpc: Rpc,
    schedule: Schedule,
    node: usize,
    book: &RefCell<Book>,
) -> Result<(), Error> {
    for call in 0.. {
        let request = match feed.ready() {
            Some(request) => request,
            None => {
                let Some(request) = feed.next().await else { break };
                book.borrow_mut().measured.unsigned += 1;
                request
            }
        };
        let Some(Due { at, lateness }) = schedule.wait(call).await else {
            feed.put_back(request);
            break;
        };
        {
            let mut book = book.borrow_mut();
            lateness.into_iter().for_each(|lateness| book.measured.lateness.record(lateness));
            book.begin(&request.transactions, at, node);
        }
        let busy = until_taken(&mut rpc, &request.transactions).await?;
        book.borrow_mut().answered(request.transactions.len(), at, busy);
    }
    book.borrow_mut().measured.wire += rpc.wire();
    Ok(())
}

/// Hears of one node's blocks and reads the receipts of every `nodes`th of them.
async fn follow(node: usize, nodes: usize, heads: Heads, receipts: Receipts, shared: &Shared) -> Result<(), Error> {
    // As short as the number of blocks with work of this run, which waits for its answers.
    let (announce, announced) = mpsc::unbounded_channel();
    let share = move |number: &u64| number % nodes as u64 == node as u64;
    tokio::try_join!(hear(node, heads, share, announce, shared), read(receipts, announced, shared)).map(drop)
}

async fn hear(
    node: usize,
    mut heads: Heads,
    share: impl Fn(&u64) -> bool,
    announce: mpsc::UnboundedSender<u64>,
    shared: &Shared,
) -> Result<(), Error> {
    loop {
        let numbers = heads.next().await?;
        shared.book.borrow_mut().announced(node, numbers.clone(), Instant::now());
        shared.news.notify_one();
        for number in numbers.filter(&share) {
            // The other end lives as long as this one.
            let _ = announce.send(number);
        }
    }
}

async fn read(
    mut receipts: Receipts,
    mut announced: mpsc::UnboundedReceiver<u64>,
    shared: &Shared,
) -> Result<(), Error> {
    let mut numbers = Vec::new();
    while announced.recv_many(&mut numbers, BLOCKS_MAX).await > 0 {
        let blocks = receipts.read(&numbers).await?;
        shared.book.borrow_mut().seen(&numbers, &blocks);
        shared.news.notify_one();
        numbers.clear();
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
