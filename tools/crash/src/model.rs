//! What must be true, from what clients did and what they were told.
//!
//! An account's transfers are numbered by nonce. For each nonce a client makes one attempt, or another one when it never heard
//! what became of the first. So:
//! * nonces below the account's own: exactly one attempt was applied, and it is the acknowledged one if there is one;
//! * nonces from there on: none was applied, so none was acknowledged;
//! * a balance is what it was at the start, and the applied transfers, each once;
//! * a receipt that a client saw is still there, in the same block.

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::{Address, B256, U256};

/// A receipt as a node gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    pub block: u64,
    pub block_hash: B256,
    pub succeeded: bool,
    pub fee: U256,
}

/// A signed transfer that was sent, or was meant to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    pub transaction: B256,
    pub to: Address,
    pub value: U256,
}

/// One nonce of an account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Slot {
    attempts: Vec<Attempt>,
    acknowledged: Option<B256>,
}

/// One account, from the beginning of the test.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Line {
    first_nonce: u64,
    balance: U256,
    slots: Vec<Slot>,
}

/// What clients did and were told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Model {
    lines: BTreeMap<Address, Line>,
    receipts: BTreeMap<B256, Receipt>,
    acknowledged: u64,
}

/// What a node says at the end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Observed {
    /// Nonce and balance.
    pub accounts: BTreeMap<Address, (u64, U256)>,
    pub receipts: BTreeMap<B256, Receipt>,
}

/// Something that is not as it must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    ReceiptLost { transaction: B256, seen: Receipt },
    ReceiptChanged { transaction: B256, seen: Receipt, now: Receipt },
    TransferFailed { transaction: B256 },
    AcknowledgedLost { account: Address, nonce: u64, transaction: B256 },
    AppliedTwice { account: Address, nonce: u64 },
    NotApplied { account: Address, nonce: u64 },
    AppliedBeyondNonce { account: Address, nonce: u64 },
    NonceUnknown { account: Address, nonce: u64, attempted: u64 },
    Balance { account: Address, expected: U256, found: U256 },
    AccountMissing { account: Address },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReceiptLost { transaction, seen } => {
                write!(f, "transaction {transaction} was seen in block {} and has no receipt any more", seen.block)
            }
            Self::ReceiptChanged { transaction, seen, now } => {
                write!(f, "transaction {transaction} was seen in block {} ({}), ", seen.block, seen.block_hash)?;
                write!(f, "and is now in block {} ({})", now.block, now.block_hash)
            }
            Self::TransferFailed { transaction } => write!(f, "transfer {transaction} was applied as a failure"),
            Self::AcknowledgedLost { account, nonce, transaction } => {
                write!(f, "transfer {transaction} (nonce {nonce} of {account}) was acknowledged and is not applied")
            }
            Self::AppliedTwice { account, nonce } => {
                write!(f, "two transfers of {account} with nonce {nonce} have receipts")
            }
            Self::NotApplied { account, nonce } => {
                write!(f, "{account} is past nonce {nonce}, and no transfer with that nonce has a receipt")
            }
            Self::AppliedBeyondNonce { account, nonce } => {
                write!(f, "a transfer of {account} with nonce {nonce} has a receipt, and the account is not past it")
            }
            Self::NonceUnknown { account, nonce, attempted } => {
                write!(f, "{account} is at nonce {nonce}, but only nonces below {attempted} were ever used")
            }
            Self::Balance { account, expected, found } => {
                write!(f, "{account} has {found} wei where {expected} are right")
            }
            Self::AccountMissing { account } => write!(f, "nothing is known of account {account}"),
        }
    }
}

impl Model {
    pub fn open_account(&mut self, account: Address, first_nonce: u64, balance: U256) {
        self.lines.insert(account, Line { first_nonce, balance, slots: Vec::new() });
    }

    pub fn accounts(&self) -> impl Iterator<Item = Address> {
        self.lines.keys().copied()
    }

    /// How many transfers were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub fn receipts(&self) -> &BTreeMap<B256, Receipt> {
        &self.receipts
    }

    /// Every transfer that was ever tried.
    pub fn transactions(&self) -> impl Iterator<Item = B256> {
        let slots = self.lines.values().flat_map(|line| &line.slots);
        slots.flat_map(|slot| &slot.attempts).map(|attempt| attempt.transaction)
    }

    /// A transfer will be sent now. Its nonce is the last one used, or the next.
    pub fn attempt(&mut self, account: Address, nonce: u64, attempt: Attempt) {
        if let Some(slot) = self.slot(account, nonce) {
            slot.attempts.push(attempt);
        }
    }

    /// A node said that it is done.
    pub fn acknowledge(&mut self, account: Address, nonce: u64, transaction: B256) {
        if let Some(slot) = self.slot(account, nonce) {
            slot.acknowledged = Some(transaction);
            self.acknowledged += 1;
        }
    }

    /// A client saw a receipt. A second look must show the same.
    pub fn saw(&mut self, transaction: B256, receipt: Receipt) -> Option<Fault> {
        let seen = *self.receipts.entry(transaction).or_insert(receipt);
        (seen != receipt).then_some(Fault::ReceiptChanged { transaction, seen, now: receipt })
    }

    fn slot(&mut self, account: Address, nonce: u64) -> Option<&mut Slot> {
        let line = self.lines.get_mut(&account)?;
        let index = usize::try_from(nonce.checked_sub(line.first_nonce)?).ok()?;
        if index == line.slots.len() {
            line.slots.push(Slot::default());
        }
        line.slots.get_mut(index)
    }

    /// Compares with what a node says. No fault: all is right there.
    pub fn check(&self, observed: &Observed) -> Vec<Fault> {
        let mut faults = check_receipts(&self.receipts, &observed.receipts);
        let mut balances: BTreeMap<Address, U256> =
            self.lines.iter().map(|(account, line)| (*account, line.balance)).collect();
        for (account, line) in &self.lines {
            let Some((nonce, _)) = observed.accounts.get(account) else { continue };
            self.check_line(*account, line, *nonce, observed, &mut balances, &mut faults);
        }
        for (account, expected) in balances {
            match observed.accounts.get(&account) {
                Some((_, found)) if *found == expected => {}
                Some((_, found)) => faults.push(Fault::Balance { account, expected, found: *found }),
                None => faults.push(Fault::AccountMissing { account }),
            }
        }
        faults
    }

    fn check_line(
        &self,
        account: Address,
        line: &Line,
        next: u64,
        observed: &Observed,
        balances: &mut BTreeMap<Address, U256>,
        faults: &mut Vec<Fault>,
    ) {
        let attempted = line.first_nonce + line.slots.len() as u64;
        if next < line.first_nonce || next > attempted {
            faults.push(Fault::NonceUnknown { account, nonce: next, attempted });
        }
        for (nonce, slot) in (line.first_nonce..).zip(&line.slots) {
            let applied: Vec<(&Attempt, &Receipt)> = slot
                .attempts
                .iter()
                .filter_map(|attempt| Some((attempt, observed.receipts.get(&attempt.transaction)?)))
                .collect();
            for (attempt, receipt) in &applied {
                if !receipt.succeeded {
                    faults.push(Fault::TransferFailed { transaction: attempt.transaction });
                }
                // Unsigned arithmetic that wraps is right again in the end, in whatever order transfers are added up.
                let mut change = |account: Address, by: &dyn Fn(U256) -> U256| {
                    balances.entry(account).and_modify(|balance| *balance = by(*balance));
                };
                change(account, &|balance| balance.wrapping_sub(attempt.value).wrapping_sub(receipt.fee));
                change(attempt.to, &|balance| balance.wrapping_add(attempt.value));
            }
            match (applied.len(), nonce < next) {
                (0, true) => faults.push(Fault::NotApplied { account, nonce }),
                (1, true) | (0, false) => {}
                (_, true) => faults.push(Fault::AppliedTwice { account, nonce }),
                (_, false) => faults.push(Fault::AppliedBeyondNonce { account, nonce }),
            }
            if let Some(transaction) = slot.acknowledged
                && !applied.iter().any(|(attempt, _)| attempt.transaction == transaction)
            {
                faults.push(Fault::AcknowledgedLost { account, nonce, transaction });
            }
        }
    }
}

/// Every receipt that was seen, against those that a node has now.
pub fn check_receipts(seen: &BTreeMap<B256, Receipt>, now: &BTreeMap<B256, Receipt>) -> Vec<Fault> {
    let check = |(&transaction, &seen): (&B256, &Receipt)| match now.get(&transaction) {
        Some(now) if *now == seen => None,
        Some(now) => Some(Fault::ReceiptChanged { transaction, seen, now: *now }),
        None => Some(Fault::ReceiptLost { transaction, seen }),
    };
    seen.iter().filter_map(check).collect()
}

#[cfg(test)]
mod tests;
