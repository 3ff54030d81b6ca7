//! A batch of this ledger is one block.
//!
//! ```text
//! begin    fixes number, time, base fee, gas limit, randomness
//! execute  one transaction ⇒ one entry: accounts, storage, code, and the row of the transaction with its receipt
//!          (the first one kept carries the beacon root, the last entry the parent's hash for its contract)
//! close    requests, the head ⇒ what the next block must see        │ one more entry: the block
//! seal     roots, hash, header, while the next block executes        │
//! ```
//!
//! The next block can do without this one's hash: who asks for it waits ([`crate::tip`]).
//!
//! Times in seconds never go back, and blocks of one second share it: a strictly rising clock would run ahead of the
//! world by a second for each block, and no client asks for one.

use std::sync::Arc;

use adapter::{Batch, Closed, Fault, Opening, Outcome as Kept, Seal, Verdict, Wait, Work};
use alloy_consensus::{Header, ReceiptEnvelope, Transaction as _};
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use base::{Digest, Seqno};
use kv::{Derived, State, Tx, WriteSet};
use revm::context::result::ExecutionResult;
use revm::primitives::hardfork::SpecId;

use crate::execute::{Context, Refused, WRITES_MAX};
use crate::header::Parent;
use crate::import::Imported;
use crate::ledger::Ledger;
use crate::record::{Block, Outcome, Receipt, Transaction};
use crate::reject::{Refusal, failed};
use crate::tip::{Promise, Tip};
use crate::transaction::{self, Envelope};
use crate::work::Admitted;
use crate::{header, rows};

/// Transactions in a block from which on a second thread helps with its roots.
const SHARED_FROM: usize = 64;

/// The block in the making.
pub(crate) struct Making {
    ledger: Arc<Ledger>,
    parent: Arc<Tip>,
    header: Header,
    context: Context,
    /// The parent's hash goes into the history contract when the block is sealed. Else before the first transaction.
    late_history: bool,
    first: Seqno,
    body: Body,
}

enum Body {
    /// Made here, one transaction at a time.
    Own(Totals),
    /// Made elsewhere; it is the whole batch.
    Imported(Box<Imported>),
}

/// What the transactions so far add up to.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) gas_used: u64,
    pub(crate) blob_gas_used: u64,
    pub(crate) logs: u64,
    pub(crate) raw: Vec<Bytes>,
    pub(crate) hashes: Vec<B256>,
    pub(crate) receipts: Vec<ReceiptEnvelope>,
}

impl Making {
    pub(crate) fn begin(ledger: Arc<Ledger>, head: &State, opening: &Opening) -> Result<Self, Fault> {
        let parent = ledger.tip(head)?;
        let time = (opening.time / 1_000).max(parent.as_parent().header.timestamp);
        let header = ledger.next_header(parent.as_parent(), time, B256::from(opening.entropy));
        let mut context = ledger.own_context(&header, parent.as_parent().total_difficulty);
        let late_history = context.spec.is_enabled_in(SpecId::PRAGUE) && ledger.has_history_contract(head)?;
        context.tip = Some(parent.clone());
        let body = Body::Own(Totals::default());
        Ok(Self { ledger, parent, header, context, late_history, first: opening.first, body })
    }
}

impl Batch for Making {
    fn execute(&mut self, tx: &mut Tx<'_>, work: &Work) -> Verdict {
        match Admitted::decode(&work.body) {
            Ok(Admitted::Transaction { sender, raw }) => self.transaction(tx, sender, raw),
            Ok(Admitted::Block { senders, rlp }) => self.import(tx, senders, rlp),
            Err(error) => Verdict::Drop(failed(error)),
        }
    }

    fn close(self: Box<Self>, tx: &mut Tx<'_>) -> Result<Closed, Fault> {
        let Self { ledger, parent, mut header, context, late_history, first, body } = *self;
        rows::put_head(&ledger.layout, tx, header.number);
        let totals = match body {
            Body::Own(totals) => totals,
            Body::Imported(imported) => {
                let Imported { block, world } = *imported;
                let derived: Derived = Arc::new(Tip::new(&block, world));
                let seal: Seal = Box::new(move |tx, _| {
                    ledger.put_block(tx, &block);
                    Ok(())
                });
                return Ok(Closed { derived: Some(derived), seal: Some(seal) });
            }
        };
        let logs = totals.receipts.iter().flat_map(ReceiptEnvelope::logs);
        let requests = ledger
            .after_transactions(&context, tx, logs, false)
            .map_err(|error| Fault::new(format!("the block's requests could not be gathered: {error}")))?;
        header.gas_used = totals.gas_used;
        header.blob_gas_used = header.blob_gas_used.map(|_| totals.blob_gas_used);
        header.requests_hash = context.spec.is_enabled_in(SpecId::PRAGUE).then(|| requests.requests_hash());
        let total_difficulty = parent.as_parent().total_difficulty.saturating_add(header.difficulty);
        let imported = parent.as_parent().imported;
        let (tip, promise) = Tip::promised(Parent { header: &header, total_difficulty, imported }, late_history);
        let unsealed =
            Unsealed { ledger, parent, header, total_difficulty, context, late_history, first, totals, promise };
        Ok(Closed { derived: Some(tip), seal: Some(Box::new(move |tx, writes| unsealed.seal(tx, writes))) })
    }
}

/// A block without its roots.
struct Unsealed {
    ledger: Arc<Ledger>,
    parent: Arc<Tip>,
    header: Header,
    total_difficulty: U256,
    context: Context,
    late_history: bool,
    first: Seqno,
    totals: Totals,
    promise: Promise,
}

impl Unsealed {
    fn seal(self, tx: &mut Tx<'_>, writes: &[&WriteSet]) -> Result<(), Fault> {
        let Self { ledger, parent, mut header, total_difficulty, context, late_history, first, totals, promise } = self;
        let before = parent.sealed()?;
        header.parent_hash = before.hash;
        // In a transaction of its own, to know what it writes before the root is computed.
        let mut late = Tx::new(tx.base());
        if late_history {
            ledger.note_parent(&context, &header, &mut late).map_err(|refused| {
                Fault::new(format!("the parent's hash could not be given to its contract: {refused:?}"))
            })?;
        }
        let late = late.finish().writes;
        copy(&late, tx);
        let mut world = before.world.after(&ledger.layout, writes.iter().copied().chain([&late]))?;
        let lists = || (header::transactions_root(&totals.raw), header::receipts_root(&totals.receipts));
        let (state_root, lists) = if totals.hashes.len() < SHARED_FROM {
            (world.settle(), lists())
        } else {
            rayon::join(|| world.settle(), lists)
        };
        header.state_root = state_root;
        (header.transactions_root, header.receipts_root) = lists;
        header.logs_bloom = header::bloom(&totals.receipts);
        let block = Block {
            hash: header.hash_slow(),
            total_difficulty,
            withdrawals: header.withdrawals_root.map(|_| Vec::new()),
            header,
            transactions: totals.hashes,
            ommers: Vec::new(),
            imported: parent.as_parent().imported,
            first,
            size: 0,
        };
        let block = block.measured(&totals.raw);
        ledger.put_block(tx, &block);
        promise.keep(&block, world);
        Ok(())
    }
}

impl Making {
    fn transaction(&mut self, tx: &mut Tx<'_>, sender: Address, raw: &[u8]) -> Verdict {
        let Self { ledger, parent, header, context, late_history, body, .. } = self;
        let Body::Own(totals) = body else { return Verdict::Full };
        let envelope = match transaction::read(raw) {
            Ok(envelope) => envelope,
            Err(error) => return Verdict::Drop(failed(error)),
        };
        let refusal = Refusal {
            envelope: &envelope,
            sender,
            chain_id: ledger.config.genesis.forks.chain_id,
            base_fee: header.base_fee_per_gas.unwrap_or(0),
        };
        if envelope.gas_limit() > header.gas_limit {
            return Verdict::Drop(refusal.block_gas_limit(header.gas_limit));
        }
        let blob_gas = envelope.blob_gas_used().unwrap_or(0);
        let blob_gas_max = ledger.config.genesis.forks.blob_params(header.timestamp).max_blob_gas_per_block();
        // What is used so far never exceeds the limit.
        let no_room =
            envelope.gas_limit() > header.gas_limit - totals.gas_used || totals.blob_gas_used + blob_gas > blob_gas_max;
        if no_room && !totals.hashes.is_empty() {
            return Verdict::Full;
        }
        match ledger.rows(tx).account(sender).map(Option::unwrap_or_default) {
            Ok(account) if envelope.nonce() < account.nonce => {
                return Verdict::Drop(refusal.nonce_too_low(account.nonce));
            }
            Ok(account) if envelope.nonce() > account.nonce => {
                return Verdict::Later(Wait {
                    key: turn(sender, envelope.nonce()),
                    owner: sender.to_vec().into(),
                    // What a unit of gas would bring.
                    rank: envelope.effective_gas_price(header.base_fee_per_gas),
                });
            }
            Ok(_) => {}
            Err(error) => return Verdict::Drop(error.into()),
        }
        if totals.hashes.is_empty() {
            let noted = ledger.note_beacon_root(context, header, tx).and_then(|()| match late_history {
                true => Ok(()),
                false => {
                    header.parent_hash = parent.sealed()?.hash;
                    ledger.note_parent(context, header, tx)
                }
            });
            if let Err(refused) = noted {
                return Verdict::Drop(refusal.of(refused));
            }
        }
        match ledger.include(context, header, tx, envelope.clone(), Bytes::copy_from_slice(raw), sender, totals) {
            Ok(included) => {
                tx.set_claims(Digest(included.hash.0));
                let reply = included.hash.to_vec().into();
                let row = included.encode();
                if row.len() > WRITES_MAX {
                    return Verdict::Drop(refusal.of(Refused::TooMuch));
                }
                // More than one nonce may be used: a sender can authorize itself (EIP-7702), and then create contracts.
                let next = match ledger.rows(tx).account(sender) {
                    Ok(account) => account.unwrap_or_default().nonce,
                    Err(error) => return Verdict::Drop(error.into()),
                };
                totals.add(&included);
                tx.put(ledger.layout.transactions, included.hash.as_slice(), row);
                let wakes = Some(turn(sender, next));
                Verdict::Keep(Kept { reply, wakes, closes: false })
            }
            Err(refused) => Verdict::Drop(refusal.of(refused)),
        }
    }

    fn import(&mut self, tx: &mut Tx<'_>, senders: Vec<Address>, rlp: &[u8]) -> Verdict {
        let Body::Own(totals) = &self.body else { return Verdict::Full };
        if !totals.hashes.is_empty() {
            return Verdict::Full;
        }
        match self.ledger.import(tx, &self.parent, self.first, senders, rlp) {
            Ok(imported) => {
                let hash = imported.block.hash;
                tx.set_claims(Digest(hash.0));
                self.body = Body::Imported(Box::new(imported));
                Verdict::Keep(Kept { reply: hash.to_vec().into(), wakes: None, closes: true })
            }
            Err(reject) => Verdict::Drop(reject),
        }
    }
}

impl Ledger {
    /// Executes a transaction as the next one of a block. Nothing of it is in `totals` yet.
    #[expect(
        clippy::too_many_arguments,
        reason = "a transaction and where it goes; a struct would be built for one call"
    )]
    pub(crate) fn include(
        &self,
        context: &Context,
        header: &Header,
        tx: &mut Tx<'_>,
        envelope: Envelope,
        raw: Bytes,
        sender: Address,
        totals: &Totals,
    ) -> Result<Transaction, Refused> {
        let result = self.transact(context, tx, &envelope, sender)?;
        let gas_used = result.tx_gas_used();
        let success = result.is_success();
        let logs: Vec<Log> = match result {
            ExecutionResult::Success { logs, .. } => logs,
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => Vec::new(),
        };
        let hash = keccak256(&raw);
        let receipt = Receipt {
            outcome: Outcome::Status(success),
            gas_used,
            cumulative_gas_used: totals.gas_used + gas_used,
            logs,
            first_log: totals.logs,
        };
        let index = u32::try_from(totals.hashes.len()).unwrap_or(u32::MAX);
        Ok(Transaction { envelope, raw, hash, sender, number: header.number, index, receipt })
    }

    /// Writes a block that is done.
    pub(crate) fn put_block(&self, tx: &mut Tx<'_>, block: &Block) {
        let number = block.header.number;
        tx.put(self.layout.blocks, &number.to_be_bytes()[..], block.encode());
        tx.put(self.layout.numbers, block.hash.as_slice(), &number.to_be_bytes()[..]);
        rows::put_recent(&self.layout, tx, number, block.hash);
        tx.set_claims(Digest(block.hash.0));
    }
}

impl Totals {
    pub(crate) fn add(&mut self, transaction: &Transaction) {
        self.gas_used += transaction.receipt.gas_used;
        self.blob_gas_used += transaction.envelope.blob_gas_used().unwrap_or(0);
        self.logs += transaction.receipt.logs.len() as u64;
        self.raw.push(transaction.raw.clone());
        self.hashes.push(transaction.hash);
        self.receipts.push(header::consensus_receipt(&transaction.receipt, &transaction.envelope));
    }
}

/// What a transaction waits under until it is its turn.
fn turn(sender: Address, nonce: u64) -> bytes::Bytes {
    [sender.as_slice(), &nonce.to_be_bytes()].concat().into()
}

/// Repeats finished writes in another transaction.
pub(crate) fn copy(writes: &WriteSet, tx: &mut Tx<'_>) {
    for section in &writes.sections {
        for (key, value) in &section.puts {
            tx.put(section.table, key.clone(), value.clone());
        }
        for key in &section.removes {
            tx.remove(section.table, key.clone());
        }
    }
}
