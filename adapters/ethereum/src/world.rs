//! The state trie of one version: every account under the hash of its address, with its storage trie below.
//!
//! It is derived, never stored: it rides with a version of the store ([`kv::State::derived`]), follows write sets, and is
//! built from the tables after a start. A backup lets it follow without hashing; whoever asks for a root pays for what
//! changed since the last one that was asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_rlp::{Encodable, Header};
use kv::{Blob, State, WriteSet};
use rayon::prelude::*;

use crate::tables::{Layout, STORAGE_KEY_BYTES};
use crate::trie::{Place, Trie, Value};
use crate::{Account, ReadError};

/// Changed accounts from which on hashing is shared among threads.
const SHARED_FROM: usize = 256;

/// Accounts whose places in a new trie are computed together.
const PLACED_AT_ONCE: usize = 1_024;

/// Changed accounts, or slots of one, whose nodes are brought into the processor's caches together.
const READ_AHEAD: usize = 128;

/// The state trie of a version. A clone shares it.
#[derive(Clone, Default)]
pub struct World {
    accounts: Trie<Address, AccountLeaf>,
    /// Accounts changed since a root was last asked for, at most.
    unhashed: usize,
}

/// An account in the trie. Nearly all are of the first kind, which is made to be small: a leaf of the trie then takes 80 bytes.
#[derive(Clone)]
pub(crate) enum AccountLeaf {
    /// Neither code nor storage, and numbers that fit.
    Plain {
        nonce: [u8; 4],
        balance: [u8; PLAIN_BALANCE_BYTES],
    },
    Whole(Arc<Contract>),
}

/// Enough for three hundred million ether, more than there is.
const PLAIN_BALANCE_BYTES: usize = 11;

#[derive(Clone)]
pub(crate) struct Contract {
    account: Account,
    storage: Trie<B256, Slot>,
}

#[derive(Clone)]
struct Slot(U256);

impl Value for Slot {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Value for AccountLeaf {
    fn encode(&self, out: &mut Vec<u8>) {
        let Account { nonce, balance, code_hash } = self.account();
        let root = self.storage_root();
        let payload_length = nonce.length() + balance.length() + root.length() + code_hash.length();
        Header { list: true, payload_length }.encode(out);
        nonce.encode(out);
        balance.encode(out);
        root.encode(out);
        code_hash.encode(out);
    }
}

impl AccountLeaf {
    fn new(account: &Account, storage: Trie<B256, Slot>) -> Self {
        let balance: [u8; 32] = account.balance.to_be_bytes();
        match (u32::try_from(account.nonce), balance.split_last_chunk()) {
            (Ok(nonce), Some((high, balance)))
                if !account.has_code() && storage.is_empty() && high.iter().all(|byte| *byte == 0) =>
            {
                Self::Plain { nonce: nonce.to_be_bytes(), balance: *balance }
            }
            _ => Self::Whole(Arc::new(Contract { account: *account, storage })),
        }
    }

    fn account(&self) -> Account {
        match self {
            Self::Plain { nonce, balance } => Account {
                nonce: u32::from_be_bytes(*nonce).into(),
                balance: U256::from_be_slice(balance),
                code_hash: KECCAK256_EMPTY,
            },
            Self::Whole(contract) => contract.account,
        }
    }

    fn storage(&self) -> Trie<B256, Slot> {
        match self {
            Self::Plain { .. } => Trie::default(),
            Self::Whole(contract) => contract.storage.clone(),
        }
    }

    fn storage_root(&self) -> B256 {
        match self {
            Self::Plain { .. } => EMPTY_ROOT_HASH,
            Self::Whole(contract) => contract.storage.root(),
        }
    }
}

/// What some write sets did to one account, all together.
#[derive(Default)]
struct Change {
    /// `Some(None)`: it is gone.
    account: Option<Option<Account>>,
    slots: BTreeMap<B256, U256>,
}

/// An account with the proof of it, as `eth_getProof` shows it.
#[derive(Clone, Debug)]
pub struct Proof {
    /// All zero if there is no such account.
    pub account: Account,
    pub storage_root: B256,
    /// Nodes from the state root down.
    pub nodes: Vec<Bytes>,
    pub slots: Vec<SlotProof>,
}

#[derive(Clone, Debug)]
pub struct SlotProof {
    pub slot: U256,
    pub value: U256,
    /// Nodes from the storage root down.
    pub nodes: Vec<Bytes>,
}

impl World {
    /// Builds the trie of a version from its tables.
    pub fn build(layout: &Layout, state: &State) -> Result<Self, ReadError> {
        let slots: Vec<(&Blob, &Blob)> = state.range(layout.storage, ..).collect();
        if slots.iter().any(|(key, _)| key.len() != STORAGE_KEY_BYTES) {
            return Err(ReadError::Corrupt("a storage key"));
        }
        let owners: Vec<&[(&Blob, &Blob)]> = slots.chunk_by(|(a, _), (b, _)| a[..20] == b[..20]).collect();
        let storages = owners.par_iter().map(|slots| Ok((&slots[0].0[..20], storage_trie(slots)?)));
        let storages: BTreeMap<&[u8], Trie<B256, Slot>> = storages.collect::<Result<_, ReadError>>()?;
        let accounts: Vec<(&Blob, &Blob)> = state.range(layout.accounts, ..).collect();
        let leaves = accounts.par_chunks(PLACED_AT_ONCE).map(|rows| {
            let addresses: Vec<Address> = rows.iter().map(|(key, _)| address_of(key)).collect::<Result<_, _>>()?;
            let places = Place::of_all(addresses.into_iter());
            let leaves = places.into_iter().zip(rows).map(|(place, (address, row))| {
                let storage = storages.get(&address[..]).cloned().unwrap_or_default();
                Ok((place, AccountLeaf::new(&Account::decode(row)?, storage)))
            });
            leaves.collect::<Result<Vec<_>, ReadError>>()
        });
        let chunks = leaves.collect::<Result<Vec<_>, ReadError>>()?;
        let mut leaves: Vec<(Place<Address>, AccountLeaf)> = Vec::with_capacity(accounts.len());
        chunks.into_iter().for_each(|chunk| leaves.extend(chunk));
        leaves.par_sort_unstable_by_key(|(place, _)| *place.path());
        Ok(Self { accounts: Trie::build(&leaves), unhashed: leaves.len() })
    }

    /// The trie after some write sets. This one stays as it is.
    pub fn after<'w>(
        &self,
        layout: &Layout,
        writes: impl IntoIterator<Item = &'w WriteSet>,
    ) -> Result<Self, ReadError> {
        let changes = changes(layout, writes)?;
        let mut next = self.clone();
        next.unhashed += changes.len();
        let places = Place::of_all(changes.keys().copied());
        let mut changes = changes.into_values();
        for places in places.chunks(READ_AHEAD) {
            next.accounts.read_ahead(places);
            for (place, change) in places.iter().zip(changes.by_ref()) {
                next.change(place, change);
            }
        }
        Ok(next)
    }

    fn change(&mut self, place: &Place<Address>, Change { account, slots }: Change) {
        if account == Some(None) {
            self.accounts.remove(place);
            return;
        }
        let leaf = self.accounts.get(place);
        let mut storage = leaf.map(AccountLeaf::storage).unwrap_or_default();
        let Some(account) = account.flatten().or_else(|| leaf.map(AccountLeaf::account)) else {
            // Only removals can be meant for an account that is not there: they came with its end.
            return;
        };
        let places = Place::of_all(slots.keys().copied());
        let mut values = slots.into_values();
        for places in places.chunks(READ_AHEAD) {
            storage.read_ahead(places);
            for (slot, value) in places.iter().zip(values.by_ref()) {
                if value.is_zero() {
                    storage.remove(slot);
                } else {
                    storage.put(slot.clone(), Slot(value));
                }
            }
        }
        self.accounts.put(place.clone(), AccountLeaf::new(&account, storage));
    }

    /// The state root.
    #[must_use]
    pub fn root(&self) -> B256 {
        if self.unhashed < SHARED_FROM { self.accounts.root() } else { self.accounts.root_in_parallel() }
    }

    /// The state root, noted: what follows from here counts its changes anew.
    pub(crate) fn settle(&mut self) -> B256 {
        let root = self.root();
        self.unhashed = 0;
        root
    }

    /// An account with the nodes that prove it, and some of its slots likewise.
    #[must_use]
    pub fn proof(&self, address: Address, slots: &[U256]) -> Proof {
        let place = Place::of(address);
        // A backup may not have hashed this version: all at once, and not node by node on the way.
        let _ = self.root();
        let leaf = self.accounts.get(&place);
        let storage = leaf.map(AccountLeaf::storage).unwrap_or_default();
        let slots = slots.iter().map(|slot| {
            let place = Place::of(B256::from(*slot));
            SlotProof {
                slot: *slot,
                value: storage.get(&place).map_or(U256::ZERO, |value| value.0),
                nodes: storage.proof(&place),
            }
        });
        let slots = slots.collect();
        Proof {
            account: leaf.map(AccountLeaf::account).unwrap_or_default(),
            storage_root: storage.root(),
            nodes: self.accounts.proof(&place),
            slots,
        }
    }
}

fn storage_trie(rows: &[(&Blob, &Blob)]) -> Result<Trie<B256, Slot>, ReadError> {
    let slots: Vec<B256> = rows.iter().map(|(key, _)| Ok(slot_of(key)?.1)).collect::<Result<_, ReadError>>()?;
    let leaves = Place::of_all(slots.into_iter()).into_iter().zip(rows).map(|(place, (_, row))| {
        let value = U256::try_from_be_slice(row).ok_or(ReadError::Corrupt("a storage slot"))?;
        Ok((place, Slot(value)))
    });
    let mut leaves: Vec<_> = leaves.collect::<Result<_, ReadError>>()?;
    leaves.sort_unstable_by_key(|(place, _)| *place.path());
    Ok(Trie::build(&leaves))
}

fn changes<'w>(
    layout: &Layout,
    writes: impl IntoIterator<Item = &'w WriteSet>,
) -> Result<BTreeMap<Address, Change>, ReadError> {
    let mut changes: BTreeMap<Address, Change> = BTreeMap::new();
    for set in writes {
        if let Some(accounts) = set.section(layout.accounts) {
            for (address, row) in &accounts.puts {
                changes.entry(address_of(address)?).or_default().account = Some(Some(Account::decode(row)?));
            }
            for address in &accounts.removes {
                changes.entry(address_of(address)?).or_default().account = Some(None);
            }
        }
        if let Some(storage) = set.section(layout.storage) {
            for (key, row) in &storage.puts {
                let (address, slot) = slot_of(key)?;
                let value = U256::try_from_be_slice(row).ok_or(ReadError::Corrupt("a storage slot"))?;
                changes.entry(address).or_default().slots.insert(slot, value);
            }
            for key in &storage.removes {
                let (address, slot) = slot_of(key)?;
                changes.entry(address).or_default().slots.insert(slot, U256::ZERO);
            }
        }
    }
    Ok(changes)
}

fn address_of(key: &[u8]) -> Result<Address, ReadError> {
    Address::try_from(key).map_err(|_| ReadError::Corrupt("an account's key"))
}

fn slot_of(key: &[u8]) -> Result<(Address, B256), ReadError> {
    let (address, slot) = key.split_at_checked(20).ok_or(ReadError::Corrupt("a storage key"))?;
    Ok((address_of(address)?, B256::try_from(slot).map_err(|_| ReadError::Corrupt("a storage key"))?))
}
