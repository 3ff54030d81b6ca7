//! Who can open the ledger after a disaster: the members who gave a key for it, each with a share of the ledger secret.
//!
//! ```text
//!   a new secret ───────────────────────────┐
//!   members decide, or one begins to count ─┴▶ shares are due ─▶ a node deals them ─▶ a decision of its own
//! ```
//!
//! Shares are random, so an audit looks whether they were due and for whom they are; that they give the secret is believed of whoever
//! ran approved code, as with secrets themselves (`epochs.rs`).

use kv::{Section, Tx};
use ledger::secrets::Shares;
use serde::Serialize;

use crate::epochs::{InUse, only_row, strange};
use crate::state::members::{self, Status};
use crate::state::{read, service, write};
use crate::tables::SINGLETON;
use crate::{Governance, MemberId, Outcome, Refusal};

/// CCF has as many at most.
const HOLDERS_MAX: usize = 255;

/// Who holds shares, and how many of those who need each other are needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    pub threshold: usize,
    pub holders: Vec<Holder>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    pub member: MemberId,
    /// An RSA key, PEM.
    pub key: String,
    /// It needs no others.
    pub alone: bool,
}

/// A member's share, as it is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncryptedShare {
    pub member_id: MemberId,
    pub encrypted_share: ledger::secrets::Base64,
}

impl Governance {
    /// Who is to hold shares. `None`: nobody can, because no member gave a key, or too few for the threshold.
    pub fn recovery(&self, tx: &Tx<'_>) -> Result<Option<Recovery>, Refusal> {
        let mut holders = Vec::new();
        for (key, row) in tx.range(self.tables.members_encryption_keys, ..) {
            let text = |bytes| std::str::from_utf8(bytes).ok();
            let Some(member) = text(key).and_then(MemberId::parse) else { continue };
            let Some(info) = members::info(&self.tables, tx, &member)? else { continue };
            let role = info.recovery_role.as_deref();
            if info.status == Status::Active
                && role != Some("NonParticipant")
                && let Some(key) = text(row)
            {
                holders.push(Holder { member, key: key.to_owned(), alone: role == Some("Owner") });
            }
        }
        let threshold = service::recovery_threshold(&self.tables, tx)?;
        let together = holders.iter().filter(|holder| !holder.alone).count();
        let enough = if together == 0 { threshold == 1 } else { (1..=together).contains(&threshold) };
        let possible = enough && (1..=HOLDERS_MAX).contains(&holders.len());
        Ok(possible.then_some(Recovery { threshold, holders }))
    }

    /// Whether shares have to be dealt.
    pub fn shares_due(&self, tx: &Tx<'_>) -> Result<bool, Refusal> {
        let in_use: InUse = read(tx, self.tables.ledger_secret, &SINGLETON)?.unwrap_or_default();
        Ok(in_use.deal && self.recovery(tx)?.is_some())
    }

    /// New shares of the secret in use, which a node made.
    pub fn deal_shares(&self, tx: &mut Tx<'_>, row: &Section) -> Result<Outcome<()>, Refusal> {
        if !self.shares_due(tx)? {
            return Err(Refusal::InvalidNodeState("Nothing asks for new recovery shares.".to_owned()));
        }
        self.set_shares(tx, Some(row))?;
        let in_use: InUse = read(tx, self.tables.ledger_secret, &SINGLETON)?.unwrap_or_default();
        write(tx, self.tables.ledger_secret, &SINGLETON, &InUse { deal: false, ..in_use });
        Ok(Outcome::plain(()))
    }

    /// A member's share, for it to decrypt.
    pub fn encrypted_share(&self, tx: &Tx<'_>, member: MemberId) -> Result<Option<EncryptedShare>, Refusal> {
        let shares: Option<Shares> = read(tx, self.tables.shares, &SINGLETON)?;
        let share = shares.and_then(|mut shares| shares.encrypted_shares.remove(&member.to_string()));
        Ok(share.map(|encrypted_share| EncryptedShare { member_id: member, encrypted_share }))
    }

    /// Who holds shares, or the threshold, has changed.
    pub(crate) fn want_shares(&self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        let in_use: InUse = read(tx, self.tables.ledger_secret, &SINGLETON)?.unwrap_or_default();
        write(tx, self.tables.ledger_secret, &SINGLETON, &InUse { deal: true, ..in_use });
        Ok(())
    }

    /// Shares in place of those before: for exactly those who are to hold them.
    pub(crate) fn set_shares(&self, tx: &mut Tx<'_>, row: Option<&Section>) -> Result<(), Refusal> {
        match (self.recovery(tx)?, row) {
            (None, None) => {
                // Those of a secret that is out of use.
                if tx.get(self.tables.shares, &SINGLETON)?.is_some() {
                    tx.remove(self.tables.shares, SINGLETON);
                }
                Ok(())
            }
            (Some(recovery), Some(row)) => {
                let row = only_row(row, self.tables.shares)?;
                let shares: Shares =
                    serde_json::from_slice(row).map_err(|_| strange("has shares that cannot be read"))?;
                let mut wanted: Vec<String> = recovery.holders.iter().map(|holder| holder.member.to_string()).collect();
                wanted.sort();
                if !shares.encrypted_shares.keys().eq(&wanted) {
                    return Err(strange("has shares for others than its holders"));
                }
                tx.put(self.tables.shares, SINGLETON, row);
                Ok(())
            }
            _ => Err(strange("has no shares for its holders, or has shares without any")),
        }
    }
}
