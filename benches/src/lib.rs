//! The stages of the road, each by itself, as a node goes through them: for Criterion (time) and for Callgrind (instructions).
//!
//! ```text
//!  Parts     what the executor, the orderer and a backup have in their hands, without threads, sockets and clocks
//!    │
//!    ▼
//!  Stage     ready ─▶ run ─▶ done        only `run` is measured: making its input and dropping its output are not
//!    │
//!    ├─ benches/stages.rs         microseconds, on this machine, with all its cores
//!    └─ benches/instructions.rs   instructions, the same on every machine; `cargo xtask instructions` keeps watch
//! ```
//!
//! Everything goes through the crates' public doors. Inputs are the same in every run: keys are derived, times are fixed,
//! receivers follow a formula.
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a measurement stops at the first failure, and there is nobody to tell"
)]

pub mod backup;
mod contract;
mod disk;
mod genesis;
mod parts;
pub mod primary;
mod traffic;
pub mod versions;

pub use disk::{Append, Find};
pub use parts::{Closed, Parts};
pub use traffic::{Kind, Traffic};

/// One stage with what it works on.
pub trait Stage {
    /// What a run takes, made anew for each.
    type Ready;
    /// What a run gives, dropped after the measuring ends.
    type Done;

    fn ready(&mut self) -> Self::Ready;

    /// The measured part.
    fn run(&mut self, ready: Self::Ready) -> Self::Done;
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;
    use crate::backup::{Apply, Check, Derive, Open};
    use crate::primary::{Admit, Execute, Recover, Roots, Seal, Sign};
    use crate::versions::{Get, Prove, Put, Tree, Trie};

    const BATCH: usize = 10;

    fn parts() -> Parts {
        Parts::new(30, BATCH)
    }

    fn once<S: Stage>(mut stage: S) -> S::Done {
        let ready = stage.ready();
        stage.run(ready);
        let ready = stage.ready();
        stage.run(ready)
    }

    #[test]
    fn every_stage_does_what_it_is_called_after() {
        assert_eq!(once(Recover::new(parts())), parts().traffic.addresses[..BATCH]);
        assert_eq!(once(Admit::new(parts())).len(), BATCH);
        for kind in [Kind::Transfer, Kind::Token] {
            let (_, kept) = once(Execute::new(parts(), kind));
            let storage = parts().tables().find("ethereum.storage").unwrap();
            let slots = |writes: &kv::WriteSet| writes.section(storage).map_or(0, |section| section.puts.len());
            // The first one of a block carries what the protocol itself writes.
            assert!(kept.iter().skip(1).all(|writes| slots(writes) == if kind == Kind::Token { 2 } else { 0 }));
            assert!(once(Roots::new(parts(), kind)).1.is_some());
            let entries = once(Seal::new(parts(), kind));
            assert_eq!(entries.leaves.len(), BATCH + 1);
            assert!(once(Sign::new(parts(), kind)).1.bytes.len() > entries.bytes.len());
            assert_eq!(once(Check::new(parts(), kind)).entries.len(), BATCH + 2);
            assert_eq!(once(Open::new(parts(), kind)).len(), BATCH + 1);
            once(Apply::new(parts(), kind));
            assert!(once(Derive::new(parts(), kind)).is_some());
            let (_, root) = once(Trie::new(parts(), kind));
            let mut primary = parts();
            let work = primary.work(kind);
            primary.closed(&work);
            let view = primary.ethereum.latest(&primary.store.snapshot());
            let head = view.head().unwrap();
            assert_eq!(root, head.header.state_root);
            let logs = |transaction: &ethereum::Transaction| transaction.receipt.logs.len();
            assert!(
                view.transactions(&head).unwrap().iter().all(|done| logs(done) == usize::from(kind == Kind::Token))
            );
            let place = tempfile::tempdir().unwrap();
            once(Append::new(parts(), kind, place.path(), true));
            assert_eq!(once(Find::new(parts(), kind, place.path())).len(), BATCH);
        }
        assert_eq!(once(Get::new(parts(), BATCH)).len(), BATCH);
        once(Put::new(parts(), BATCH));
        assert_eq!(once(Tree::new(BATCH)).0.len(), 1_000_001 + BATCH as u64);
        let proofs = once(Prove::new(parts(), BATCH));
        assert!(proofs.iter().all(|proof| proof.account.balance > U256::ZERO && !proof.nodes.is_empty()));
    }
}
