//! Admission: bytes from a stranger become work, or a refusal that says why. On any node, in parallel, without a write.
//!
//! Everything that can be known without executing is checked here, against the newest committed version, so that the
//! error is in the reply. The primary checks again what may have changed meanwhile.

use std::time::{SystemTime, UNIX_EPOCH};

use adapter::{Reject, Work};
use alloy_consensus::{Block as RlpBlock, Transaction as _};
use alloy_eips::eip2718::Typed2718;
use alloy_primitives::B256;
use alloy_rlp::Decodable;
use base::limits::ENTRY_BYTES_MAX;
use kv::State;
use rayon::prelude::*;
use revm::context::result::InvalidTransaction;

use crate::execute::Refused;
use crate::ledger::Ledger;
use crate::reject::{Refusal, SERVER_ERROR, cost, wrong_chain_id};
use crate::transaction::{self, Envelope};
use crate::work::Admitted;

impl Ledger {
    pub(crate) fn admit(&self, state: &State, raw: &[u8]) -> Result<Work, Reject> {
        let envelope = transaction::decode(raw)?;
        if envelope.is_eip4844() && !self.config.blobs {
            let text = "transaction type not supported: this ledger has no place for blobs (type 3), send the data in calldata";
            return Err(Reject::caller(SERVER_ERROR, text));
        }
        // Before the signature, which is the costly part.
        let chain_id = self.config.genesis.forks.chain_id;
        if envelope.chain_id().is_some_and(|id| id != chain_id) {
            return Err(wrong_chain_id(&envelope, chain_id));
        }
        let sender = transaction::sender(&envelope, true)?;
        let tip = self.tip(state)?;
        let parent = tip.as_parent();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let header = self.next_header(parent, now.max(parent.header.timestamp), B256::ZERO);
        let refusal = Refusal { envelope: &envelope, sender, chain_id, base_fee: header.base_fee_per_gas.unwrap_or(0) };
        if envelope.gas_limit() > header.gas_limit {
            return Err(refusal.block_gas_limit(header.gas_limit));
        }
        match self.validate(self.own_context(&header, parent.total_difficulty), state, &envelope, sender) {
            Ok(_) => {}
            // It may wait for those before it, as long as it could ever be paid for.
            Err(Refused::Invalid(InvalidTransaction::NonceTooHigh { .. })) => {
                let balance = self.rows_of(state).account(sender)?.unwrap_or_default().balance;
                let fee = cost(&envelope);
                if fee > balance {
                    let lack =
                        InvalidTransaction::LackOfFundForMaxFee { fee: Box::new(fee), balance: Box::new(balance) };
                    return Err(refusal.of(Refused::Invalid(lack)));
                }
            }
            Err(refused) => return Err(refusal.of(refused)),
        }
        let (bare, _) = transaction::encoded(&envelope);
        Ok(Work { ledger: self.id, body: Admitted::Transaction { sender, raw: &bare }.encode() })
    }

    /// A foreign block: decoded, and every signature recovered. All else needs the parent's state.
    pub(crate) fn admit_block(&self, rlp: &[u8]) -> Result<Work, Reject> {
        if rlp.len() > ENTRY_BYTES_MAX / 2 {
            let text = format!("the block has {} bytes: at most {} fit into an entry", rlp.len(), ENTRY_BYTES_MAX / 2);
            return Err(Reject::caller(SERVER_ERROR, text));
        }
        let block = decode_block(rlp)?;
        let header = &block.header;
        let homestead = matches!(self.config.genesis.forks.find("homestead"), Some(crate::forks::At::Block(from)) if header.number >= from);
        let recovered = block.body.transactions.par_iter().enumerate().map(|(index, envelope)| {
            transaction::sender(envelope, homestead).map_err(|error| {
                let text = format!("block {}: transaction {index}: {error}", header.number);
                Reject::caller(SERVER_ERROR, text)
            })
        });
        let senders = recovered.collect::<Result<Vec<_>, Reject>>()?;
        Ok(Work { ledger: self.id, body: Admitted::Block { senders, rlp }.encode() })
    }
}

/// Reads a block: all bytes, in canonical form.
pub(crate) fn decode_block(mut rlp: &[u8]) -> Result<RlpBlock<Envelope>, Reject> {
    let whole = rlp;
    let block = RlpBlock::<Envelope>::decode(&mut rlp)
        .map_err(|error| Reject::caller(SERVER_ERROR, format!("the block is not RLP of a block: {error}")))?;
    if !rlp.is_empty() || alloy_rlp::encode(&block) != whole {
        return Err(Reject::caller(SERVER_ERROR, "the block is not in canonical RLP, or bytes follow it"));
    }
    if block.body.transactions.iter().any(|transaction| transaction.ty() > 4) {
        return Err(Reject::caller(SERVER_ERROR, "the block has a transaction of an unknown type"));
    }
    Ok(block)
}
