//! An executor by itself, with the threads around it played by the test: hosted ledgers open, and open once, whoever leads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use adapter::{
    Adapter, Batch, Blame, Closed, Committed, Host, LedgerId, Listener, Node, Opening, Outcome, Submitted, Verdict,
    Work,
};
use crossbeam_channel::unbounded;
use crypto::{KeyPair, Secret};
use kv::{Derived, Kind, NoHistory, Snapshot, State, TableId, Tables, Tx, WriteSet};
use ledger::Signer;
use tokio::sync::oneshot;

use super::*;
use crate::genesis::First;
use crate::ordering::Proposal;
use crate::sealer::Sealer;
use crate::work::{ReplyTo, Rooms};

/// Writes into the table of ledgers whatever it is asked to: `name\0row`.
pub struct Governing;

/// A ledger that keeps what it is sent, under its length.
struct Shelf {
    name: String,
    table: TableId,
}

/// Makes shelves, and counts how often each of them began.
#[derive(Default)]
pub struct Shelves {
    pub begun: Arc<Mutex<BTreeMap<String, u32>>>,
}

struct Counted {
    shelf: Shelf,
    begun: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Host for Shelves {
    fn check(&self, _: &str, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn make(&self, name: &str, _: LedgerId, row: &[u8], tables: &Tables) -> Result<Arc<dyn Adapter>, Fault> {
        let kind = adapter::LedgerRow::read(row).map_err(Fault::new)?.kind;
        if kind != "shelf" {
            return Err(Fault::new(format!("{kind} is not hosted here")));
        }
        let table = tables.add(format!("{name}.shelf"), Kind::State).map_err(Fault::new)?;
        let shelf = Shelf { name: name.to_owned(), table };
        Ok(Arc::new(Counted { shelf, begun: self.begun.clone() }))
    }
}

macro_rules! plain {
    ($adapter:ty) => {
        fn derive(&self, _: Option<&Derived>, _: &State, _: &[WriteSet]) -> Result<Option<Derived>, Fault> {
            Ok(None)
        }
        fn published(&self, _: &Snapshot, _: &Committed) {}
        fn listeners(self: Arc<Self>, _: Node) -> Vec<Listener> {
            Vec::new()
        }
    };
}

impl Adapter for Governing {
    fn name(&self) -> &str {
        "governance"
    }

    fn open(&self, _: &mut Tx<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn begin(&self, _: &State, _: &Opening) -> Result<Box<dyn Batch>, Fault> {
        Ok(Box::new(Deciding))
    }

    plain!(Governing);
}

impl Adapter for Counted {
    fn name(&self) -> &str {
        &self.shelf.name
    }

    fn open(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        *self.begun.lock().unwrap().entry(self.shelf.name.clone()).or_default() += 1;
        tx.put(self.shelf.table, *b"first", *b"row");
        Ok(())
    }

    fn begin(&self, _: &State, _: &Opening) -> Result<Box<dyn Batch>, Fault> {
        Ok(Box::new(Keeping(self.shelf.table)))
    }

    plain!(Counted);
}

struct Deciding;
struct Keeping(TableId);

impl Batch for Deciding {
    fn execute(&mut self, tx: &mut Tx<'_>, work: &Work) -> Verdict {
        let at = work.body.iter().position(|byte| *byte == 0).unwrap();
        let table = tx.base().tables().find(adapter::LEDGERS).unwrap();
        tx.put(table, &work.body[..at], &work.body[at + 1..]);
        Verdict::Keep(Outcome::default())
    }

    fn close(self: Box<Self>, _: &mut Tx<'_>) -> Result<Closed, Fault> {
        Ok(Closed { derived: None, seal: None })
    }
}

impl Batch for Keeping {
    fn execute(&mut self, tx: &mut Tx<'_>, work: &Work) -> Verdict {
        tx.put(self.0, &work.body[..], *b"kept");
        Verdict::Keep(Outcome::default())
    }

    fn close(self: Box<Self>, _: &mut Tx<'_>) -> Result<Closed, Fault> {
        Ok(Closed { derived: None, seal: None })
    }
}

type Answered = oneshot::Receiver<Result<Submitted, adapter::Reject>>;

/// One node's executor and sealer, and what the others would have done.
struct Alone {
    executor: Executor,
    closed: Receiver<ClosedBatch>,
    sealer: Sealer,
    commands: Receiver<Command>,
    proposals: Receiver<Proposal>,
    publications: Receiver<Publication>,
    begun: Arc<Mutex<BTreeMap<String, u32>>>,
}

/// What every node of the service has.
fn secrets(tables: &ServiceTables) -> Arc<LedgerSecrets> {
    let held = [(Seqno(1), Secret::from_slice(&[7; 32]).unwrap())];
    let node = Arc::new(KeyPair::generate().unwrap());
    Arc::new(LedgerSecrets::new(&held, node, tables.secrets(), Box::new(|_| Ok(()))).unwrap())
}

impl Alone {
    fn new() -> Self {
        let shelves = Shelves::default();
        let begun = shelves.begun.clone();
        let tables = Tables::new();
        let service = ServiceTables::register(&tables).unwrap();
        let tables = Arc::new(tables);
        let hosting = Arc::new(Hosting::new(Arc::new(Governing), Arc::new(shelves), tables.clone(), service));
        let (closed_sender, closed) = unbounded();
        let (publisher, publications) = unbounded();
        let (command_sender, commands) = unbounded();
        let (proposal_sender, proposals) = unbounded();
        let node = First {
            number: 1,
            id: base::NodeId(base::Digest([1; 32])),
            certificate: String::new(),
            public_key: String::new(),
            peer_address: "127.0.0.1:1".into(),
            governance: None,
        };
        let genesis = Genesis { tables: service, service_certificate: String::new(), nodes: vec![node] };
        let peers = Peers::default();
        let tools = Tools {
            hosting,
            secrets: secrets(&service),
            tables: service,
            genesis: Some(genesis),
            route: Arc::new(Route::new(unbounded().0, unbounded().0, peers.clone()).unwrap()),
            peers,
            sealer: closed_sender,
            publisher,
            history_on_disk: Arc::default(),
        };
        let signer = Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None };
        let sealer = Sealer { signer, executor: command_sender, proposals: proposal_sender };
        let store = Store::new(tables, Arc::new(NoHistory));
        let executor = Executor::new(tools, Replayed { store, head: Head::new() }).unwrap();
        Self { executor, closed, sealer, commands, proposals, publications, begun }
    }

    fn command(&mut self, command: Command) {
        self.executor.command(command, &crossbeam_channel::never()).unwrap();
    }

    fn lead(&mut self, view: u64) {
        self.command(Command::Lead { view: View(view) });
    }

    /// Runs a piece of work on this primary, and gives where its answer comes.
    fn work(&mut self, ledger: u16, body: &str) -> Answered {
        let (answer, answered) = oneshot::channel();
        let work = Work { ledger: LedgerId(ledger), body: body.as_bytes().to_vec().into() };
        let room = Rooms::default().take(&work).unwrap();
        self.executor.execute(Pending { work, reply: ReplyTo::Here(answer), room }).unwrap();
        answered
    }

    fn decide(&mut self, name: &str, row: &str) -> Answered {
        self.work(0, &format!("{name}\0{row}"))
    }

    /// The open batch closes, if there is one with anything in it, and is sealed: what would go to the log.
    fn propose(&mut self) -> Option<Proposal> {
        // The road may rest first.
        while self.executor.nap().is_some() && self.closed.is_empty() {
            self.executor.close_if_due().unwrap();
        }
        if self.closed.is_empty() {
            self.executor.close_if_due().unwrap();
        }
        let batch = self.closed.try_recv().ok()?;
        let (sender, batches) = unbounded();
        sender.send(batch).unwrap();
        drop(sender);
        self.sealer.run(&batches).unwrap();
        let sealed = self.commands.recv().unwrap();
        self.command(sealed);
        self.proposals.recv().ok()
    }

    fn commit(&mut self, proposal: &Proposal) {
        self.command(Command::Committed { batch: proposal.batch.clone(), head: proposal.head.clone() });
    }

    /// Closes and commits until there is nothing more, and gives what was committed.
    fn settle(&mut self) -> Vec<Proposal> {
        let mut settled = Vec::new();
        while let Some(proposal) = self.propose() {
            self.commit(&proposal);
            settled.push(proposal);
        }
        settled
    }

    /// Answers that became due are given.
    fn publish(&self) {
        for publication in self.publications.try_iter() {
            let answers = match publication {
                Publication::Batch(batch) => batch.answers,
                Publication::Answer(answer) => vec![answer],
                Publication::Stop => Vec::new(),
            };
            for Answer { to, txid, reply } in answers {
                to.answer(&Peers::default(), reply.map(|reply| Submitted::Committed { txid, reply }));
            }
        }
    }

    fn row(&self, table: &str, key: &str) -> Option<Vec<u8>> {
        let state = self.executor.store.committed();
        let table = state.tables().find(table)?;
        Some(state.get(table, key.as_bytes()).unwrap()?.to_vec())
    }

    fn begun(&self, name: &str) -> u32 {
        self.begun.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

fn row(number: u32) -> String {
    format!(r#"{{"number":{number},"kind":"shelf","status":"Open"}}"#)
}

const OPENED: &str = "public:coco.internal.ledgers_opened";

fn blame(answered: &mut Answered) -> Blame {
    answered.try_recv().unwrap().unwrap_err().blame
}

#[test]
fn a_ledger_begins_once_its_row_is_committed_and_takes_work_from_the_next_batch_on() {
    let mut node = Alone::new();
    node.lead(1);
    node.settle();
    let mut decided = node.decide("a", &row(1));
    let with_row = node.propose().unwrap();
    assert_eq!(blame(&mut node.work(1, "x")), Blame::Caller, "nobody follows what is not committed");
    assert_eq!(node.executor.ledgers.len(), 1);
    node.commit(&with_row);
    node.publish();
    assert!(decided.try_recv().unwrap().is_ok());
    assert_eq!(blame(&mut node.work(1, "x")), Blame::Busy, "it is being opened");
    // The batch with its beginning is on its way, and not committed; the next one takes work already.
    let beginning = node.propose().unwrap();
    let mut kept = node.work(1, "x");
    assert!(node.row(OPENED, "a").is_none() && kept.try_recv().is_err());
    node.commit(&beginning);
    node.settle();
    node.publish();
    assert!(kept.try_recv().unwrap().is_ok());
    assert_eq!(node.row("a.shelf", "first").as_deref(), Some(&b"row"[..]));
    assert_eq!(node.row("a.shelf", "x").as_deref(), Some(&b"kept"[..]));
    assert_eq!(node.row(OPENED, "a").as_deref(), Some(&br#"{"number":1}"#[..]));
    assert_eq!(node.begun("a"), 1);
}

#[test]
fn it_begins_in_a_batch_that_is_open_already_if_there_is_one() {
    let mut node = Alone::new();
    node.lead(1);
    node.settle();
    drop(node.decide("a", &row(1)));
    drop(node.decide("b", &row(2)));
    let with_rows = node.propose().unwrap();
    // Executes meanwhile, on top of a batch that may never be committed.
    let mut third = node.decide("c", &row(3));
    node.commit(&with_rows);
    assert_eq!(node.settle().len(), 2, "the beginnings of two joined the open batch, and the third has one of its own");
    node.publish();
    assert!(third.try_recv().unwrap().is_ok());
    for name in ["a", "b", "c"] {
        assert_eq!((node.begun(name), node.row(&format!("{name}.shelf"), "first").is_some()), (1, true), "{name}");
    }
}

#[test]
fn a_new_primary_opens_what_is_decided_and_not_opened() {
    let (mut first, mut second) = (Alone::new(), Alone::new());
    first.lead(1);
    for proposal in first.settle() {
        second.commit(&proposal);
    }
    drop(first.decide("a", &row(1)));
    let decision = first.propose().unwrap();
    first.commit(&decision);
    // The beginning is proposed, and the primary dies with it.
    let lost = first.propose().unwrap();
    second.commit(&decision);
    assert_eq!(
        (second.begun("a"), second.executor.ledgers.len()),
        (0, 2),
        "a backup makes the adapter and opens nothing"
    );
    second.lead(2);
    let beginning = second.settle();
    assert_eq!((beginning.len(), second.begun("a")), (1, 1));
    assert!(second.row("a.shelf", "first").is_some());
    // The first one comes back and follows: what it had begun is undone, and the other's beginning applied.
    first.command(Command::Follow { primary: Some(2) });
    assert!(first.executor.store.head().seqno() < lost.head.seqno());
    first.commit(&beginning[0]);
    assert_eq!(first.row("a.shelf", "first"), second.row("a.shelf", "first"));
    // Once it is open nobody opens it again.
    first.lead(3);
    assert!(first.settle().is_empty());
    assert_eq!(first.begun("a"), 1);
    let mut kept = first.work(1, "y");
    first.settle();
    first.publish();
    assert!(kept.try_recv().unwrap().is_ok());
}

#[test]
fn a_backup_has_the_tables_before_rows_of_them_come() {
    let (mut primary, mut backup) = (Alone::new(), Alone::new());
    primary.lead(1);
    let mut all = primary.settle();
    for number in 1..=20 {
        drop(primary.decide(&format!("l{number}"), &row(number)));
        all.extend(primary.settle());
        drop(primary.work(u16::try_from(number).unwrap(), "x"));
        all.extend(primary.settle());
    }
    for proposal in all {
        backup.commit(&proposal);
        primary.publish();
    }
    for number in 1..=20 {
        assert_eq!(backup.row(&format!("l{number}.shelf"), "x").as_deref(), Some(&b"kept"[..]));
    }
    assert!(backup.begun.lock().unwrap().is_empty());
}

#[test]
fn what_cannot_be_hosted_is_never_opened_and_stops_nothing() {
    let mut node = Alone::new();
    node.lead(1);
    node.settle();
    drop(node.decide("odd", r#"{"number":1,"kind":"unheard","status":"Open"}"#));
    drop(node.decide("a", &row(2)));
    node.settle();
    assert!(node.row(OPENED, "odd").is_none() && node.row(OPENED, "a").is_some());
    let (mut refused, mut kept) = (node.work(1, "x"), node.work(2, "x"));
    node.settle();
    node.publish();
    assert_eq!(blame(&mut refused), Blame::Node);
    assert!(kept.try_recv().unwrap().is_ok());
}

#[test]
fn members_decisions_on_work_hold_from_the_next_batch_on() {
    let mut node = Alone::new();
    node.lead(1);
    node.settle();
    drop(node.decide("a", &row(1)));
    node.settle();
    for (status, told) in [("Paused", Some(Blame::Busy)), ("Open", None), ("Closed", Some(Blame::Caller))] {
        drop(node.decide("a", &row(1).replace("Open", status)));
        node.settle();
        let mut answered = node.work(1, status);
        node.settle();
        node.publish();
        assert_eq!(answered.try_recv().unwrap().err().map(|reject| reject.blame), told, "{status}");
    }
}
