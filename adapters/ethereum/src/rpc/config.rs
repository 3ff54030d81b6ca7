//! eth_config (EIP-7910): which rules hold now, which come next, and which come last.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS;
use alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS;
use alloy_primitives::{Address, B256};
use revm::primitives::hardfork::SpecId;
use serde::Serialize;

use super::Rpc;
use super::dispatch::Step;
use super::errors::Error;
use super::params::Params;
use super::types::{Data, Hex};
use crate::{At, Forks};

#[derive(Serialize)]
struct Configs {
    current: Option<ConfigJson>,
    next: Option<ConfigJson>,
    last: Option<ConfigJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigJson {
    activation_time: u64,
    blob_schedule: Option<BlobSchedule>,
    chain_id: Hex<u64>,
    fork_id: Data<[u8; 4]>,
    precompiles: BTreeMap<&'static str, Address>,
    system_contracts: BTreeMap<&'static str, Address>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlobSchedule {
    target: u64,
    max: u64,
    base_fee_update_fraction: u128,
}

pub(super) fn config(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    let view = rpc.latest();
    let head = view.head()?.header;
    let genesis = view.block(0)?.ok_or_else(|| Error::internal("the genesis block is missing on this node"))?;
    let forks = rpc.ethereum.forks();
    let schedule = Schedule { forks, genesis: genesis.hash, start: genesis.header.timestamp, number: head.number };
    let times = schedule.times();
    let current = times.iter().copied().rfind(|time| *time <= head.timestamp).unwrap_or(schedule.start);
    let next = times.iter().copied().find(|time| *time > head.timestamp);
    let last = times.last().copied().filter(|_| next.is_some());
    let at = |time| schedule.at(time);
    Step::done(&Configs { current: Some(at(current)), next: next.map(at), last: last.map(at) })
}

struct Schedule<'a> {
    forks: &'a Forks,
    genesis: B256,
    start: u64,
    number: u64,
}

impl Schedule<'_> {
    /// When rules change, ascending, each once.
    fn times(&self) -> Vec<u64> {
        let time = |at| match at {
            At::Time(time) if time > self.start => Some(time),
            _ => None,
        };
        let mut times: Vec<u64> = self.forks.list().iter().filter_map(|fork| time(fork.at)).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    fn at(&self, time: u64) -> ConfigJson {
        let spec = self.forks.spec(self.number, time, true);
        let blobs = self.forks.blob_params(time);
        ConfigJson {
            activation_time: time,
            blob_schedule: spec.is_enabled_in(SpecId::CANCUN).then_some(BlobSchedule {
                target: blobs.target_blob_count,
                max: blobs.max_blob_count,
                base_fee_update_fraction: blobs.update_fraction,
            }),
            chain_id: Hex(self.forks.chain_id),
            fork_id: Data(self.fork_id(time)),
            precompiles: PRECOMPILES
                .iter()
                .filter(|(_, _, since)| spec.is_enabled_in(*since))
                .map(|(name, number, _)| (*name, precompile(*number)))
                .collect(),
            system_contracts: self.system_contracts(spec),
        }
    }

    fn system_contracts(&self, spec: SpecId) -> BTreeMap<&'static str, Address> {
        let contracts = [
            ("BEACON_ROOTS_ADDRESS", BEACON_ROOTS_ADDRESS, SpecId::CANCUN),
            ("CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, SpecId::PRAGUE),
            ("DEPOSIT_CONTRACT_ADDRESS", self.forks.deposit_contract, SpecId::PRAGUE),
            ("HISTORY_STORAGE_ADDRESS", HISTORY_STORAGE_ADDRESS, SpecId::PRAGUE),
            ("WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS", WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, SpecId::PRAGUE),
        ];
        let active = contracts.into_iter().filter(|(.., since)| spec.is_enabled_in(*since));
        active.map(|(name, address, _)| (name, address)).collect()
    }

    /// EIP-2124: a checksum over the genesis and every fork since, by number and then by time.
    fn fork_id(&self, time: u64) -> [u8; 4] {
        let mut blocks: Vec<u64> = self
            .forks
            .list()
            .iter()
            .filter_map(|fork| match fork.at {
                At::Block(number) if number > 0 => Some(number),
                _ => None,
            })
            .collect();
        blocks.sort_unstable();
        blocks.dedup();
        let times = self.times().into_iter().filter(|at| *at <= time);
        let mut input = self.genesis.to_vec();
        blocks.into_iter().chain(times).for_each(|fork| input.extend_from_slice(&fork.to_be_bytes()));
        crc32(&input).to_be_bytes()
    }
}

fn precompile(number: u16) -> Address {
    let mut address = Address::ZERO;
    address[18..].copy_from_slice(&number.to_be_bytes());
    address
}

/// CRC-32 (IEEE). A few dozen bytes, once a request: no table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Names of EIP-7910, addresses, and the fork that brought each.
const PRECOMPILES: [(&str, u16, SpecId); 18] = [
    ("ECREC", 0x01, SpecId::FRONTIER),
    ("SHA256", 0x02, SpecId::FRONTIER),
    ("RIPEMD160", 0x03, SpecId::FRONTIER),
    ("ID", 0x04, SpecId::FRONTIER),
    ("MODEXP", 0x05, SpecId::BYZANTIUM),
    ("BN254_ADD", 0x06, SpecId::BYZANTIUM),
    ("BN254_MUL", 0x07, SpecId::BYZANTIUM),
    ("BN254_PAIRING", 0x08, SpecId::BYZANTIUM),
    ("BLAKE2F", 0x09, SpecId::ISTANBUL),
    ("KZG_POINT_EVALUATION", 0x0a, SpecId::CANCUN),
    ("BLS12_G1ADD", 0x0b, SpecId::PRAGUE),
    ("BLS12_G1MSM", 0x0c, SpecId::PRAGUE),
    ("BLS12_G2ADD", 0x0d, SpecId::PRAGUE),
    ("BLS12_G2MSM", 0x0e, SpecId::PRAGUE),
    ("BLS12_PAIRING_CHECK", 0x0f, SpecId::PRAGUE),
    ("BLS12_MAP_FP_TO_G1", 0x10, SpecId::PRAGUE),
    ("BLS12_MAP_FP2_TO_G2", 0x11, SpecId::PRAGUE),
    ("P256VERIFY", 0x100, SpecId::OSAKA),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
