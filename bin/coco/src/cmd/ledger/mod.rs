//! `coco ledger …`: ledger files, offline.

pub mod show;
pub mod verify;
