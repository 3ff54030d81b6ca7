//! Work that a peer forwards: the primary executes what it is given.

use std::sync::Arc;

use adapter::{Adapter, LedgerId, Opening, Work};
use base::{Seqno, View};
use bytes::Bytes;
use ethereum::{Config, Ethereum, Genesis};
use governance::constitution::DEFAULT;
use kv::{NoHistory, Snapshot, Store, Tables};

use crate::input::Input;
use crate::world::Member;

/// Recorded transactions are for the chain that they were recorded on.
const OWN_CHAIN: &str = r#""chainId": 1337"#;
const RECORDED_CHAIN: &str = r#""chainId": 3503995874084926"#;

/// A transaction that makes a contract, of no chain: nonce, price, gas, to, value, code, v, r, s.
const CREATION: &[u8] = b"\xd6\x80\x80\x83\x0f\x42\x40\x80\x80\x8a\x60\x01\x60\x00\x52\x60\x20\x60\x00\xf3\x1b\x01\x01";

/// Hosted ledgers on a store that has their beginnings.
pub struct Hosted {
    pub ethereum: Arc<Ethereum>,
    pub store: Store,
    adapters: [Arc<dyn Adapter>; 2],
}

impl Hosted {
    pub fn new() -> Self {
        let tables = Tables::new();
        let genesis = include_str!("../../crates/development/src/genesis.json").replace(OWN_CHAIN, RECORDED_CHAIN);
        let genesis = Genesis::parse(&genesis).expect("it is used");
        let ethereum = Ethereum::new("ethereum", LedgerId(0), Config::new(genesis), &tables).expect("the first");
        let ethereum = Arc::new(ethereum);
        let founder = gov::Founder { name: "founder".to_owned(), certificate: Member::new("founder").pem };
        let founding = gov::Founding { members: vec![founder], constitution: DEFAULT.to_owned(), code: None };
        let gov = gov::Gov::new(LedgerId(1), founding, gov::Joining::default(), gov::watched(), &tables);
        let gov = Arc::new(gov.expect("the only one"));
        let mut store = Store::new(Arc::new(tables), Arc::new(NoHistory));
        let adapters: [Arc<dyn Adapter>; 2] = [ethereum.clone(), gov];
        for adapter in &adapters {
            let mut tx = store.tx();
            adapter.open(&mut tx).expect("a ledger begins");
            let (seqno, writes) = (store.head().seqno().next(), tx.finish().writes);
            store.apply(seqno, &writes);
        }
        let derived = ethereum.derive(None, store.head(), &[]).expect("a ledger begins");
        store.set_derived(0, derived);
        store.close();
        let seqno = store.head().seqno();
        store.commit(seqno);
        Self { ethereum, store, adapters }
    }

    pub fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }
}

thread_local! {
    pub static HOSTED: Hosted = Hosted::new();
}

/// The first byte chooses the ledger.
pub fn work(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte() & 1;
    HOSTED.with(|hosted| {
        let opening = Opening {
            time: 1_800_000_000_000,
            view: View(2),
            first: Seqno(hosted.store.head().seqno().0 + 1),
            entropy: [7; 32],
        };
        let mut batch = hosted.adapters[usize::from(choice)].begin(hosted.store.head(), &opening).expect("it begins");
        let mut tx = hosted.store.tx();
        let work = Work { ledger: LedgerId(u16::from(choice)), body: Bytes::copy_from_slice(input.0) };
        drop(batch.execute(&mut tx, &work));
    });
}

pub fn work_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = crate::ethereum_ledger::raw_transactions()
        .into_iter()
        .map(|raw| [&[0, 0][..], &[0x11; 20], &raw].concat())
        .collect();
    seeds.push([&[0, 0][..], &[0x22; 20], CREATION].concat());
    seeds.extend(crate::ethereum_ledger::raw_blocks(8).into_iter().map(|rlp| [&[0, 1, 0][..], &rlp].concat()));
    let rows = minicbor::to_vec((
        1_u64,
        9_u64,
        [(
            "public:ccf.gov.members.info",
            [(minicbor::bytes::ByteVec::from(vec![1]), Option::<minicbor::bytes::ByteVec>::None)],
        )],
    ));
    seeds.extend(rows.map(|rows| [&[1], &rows[..]].concat()));
    seeds
}

#[cfg(test)]
mod tests {
    use adapter::Verdict;

    use super::*;

    #[test]
    fn a_seed_is_executed() {
        let hosted = Hosted::new();
        let opening = Opening { time: 1_800_000_000_000, view: View(2), first: Seqno(9), entropy: [7; 32] };
        let mut batch = hosted.adapters[0].begin(hosted.store.head(), &opening).expect("it begins");
        let body = Bytes::from([&[0][..], &[0x22; 20], CREATION].concat());
        let verdict = batch.execute(&mut hosted.store.tx(), &Work { ledger: LedgerId(0), body });
        assert!(matches!(verdict, Verdict::Keep(_)), "{verdict:?}");
    }
}
