//! `coco ledger …`: hosted ledgers as members see them, and ledger files, offline.

pub mod change;
pub mod list;
pub mod show;
pub mod verify;
