//! What signatures alone allow.

use std::num::NonZero;
use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, keccak256};
use rustix::time::{ClockId, clock_gettime};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1, VerifyOnly};

use crate::Account;

/// Signatures to recover from, so that nothing is learnt by heart.
const SIGNATURES: usize = 64;

/// How many senders a machine recovers from signatures on all its cores at once while it does nothing else: no ledger whose
/// clients sign is faster on it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ceiling {
    pub cores: usize,
    /// Of all cores together.
    pub per_second: f64,
}

impl Ceiling {
    /// Keeps all cores busy for so long.
    #[must_use]
    pub fn measure(time: Duration) -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let rates = scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|core| scope.spawn(move || recoveries(core, time))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
        });
        Self { cores, per_second: rates }
    }
}

/// Recoveries a second on this thread.
fn recoveries(core: usize, time: Duration) -> f64 {
    let probe = Probe::new(core);
    let begun = Instant::now();
    let mut done = 0.0;
    while begun.elapsed() < time {
        done += f64::from(probe.recover());
    }
    done / begun.elapsed().as_secs_f64()
}

/// The same work again and again, a little at a time: what it takes of the CPU says how fast the machine is at the moment, whatever
/// else runs on it.
pub struct Probe {
    signed: Vec<(B256, RecoverableSignature, Address)>,
    curve: Secp256k1<VerifyOnly>,
}

impl Probe {
    /// Another number makes other signatures.
    #[must_use]
    pub fn new(number: usize) -> Self {
        let sign = |(i, account): (usize, Account)| {
            let digest = keccak256([number, i].map(usize::to_be_bytes).concat());
            let signature = account.sign(digest);
            let id = RecoveryId::try_from(i32::from(signature.v())).ok()?;
            let mut compact = [0; 64];
            compact[..32].copy_from_slice(&signature.r().to_be_bytes::<32>());
            compact[32..].copy_from_slice(&signature.s().to_be_bytes::<32>());
            Some((digest, RecoverableSignature::from_compact(&compact, id).ok()?, account.address()))
        };
        let accounts = Account::derived("ceiling", SIGNATURES).into_iter().enumerate();
        Self { signed: accounts.filter_map(sign).collect(), curve: Secp256k1::verification_only() }
    }

    /// Recovers all senders; how many were right.
    fn recover(&self) -> u32 {
        let right = |(digest, signature, address): &(B256, RecoverableSignature, Address)| {
            let key = self.curve.recover_ecdsa(Message::from_digest(digest.0), signature);
            key.map(|key| Address::from_raw_public_key(&key.serialize_uncompressed()[1..])) == Ok(*address)
        };
        self.signed.iter().map(|signed| u32::from(right(signed))).sum()
    }

    /// CPU time of this thread for one recovery; takes about two milliseconds.
    #[must_use]
    pub fn recovery(&self) -> Duration {
        let before = cpu_time();
        let done = self.recover();
        (cpu_time() - before) / done.max(1)
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_recovers_what_was_signed() {
        let Ceiling { cores, per_second } = Ceiling::measure(Duration::from_millis(20));
        // A wrong sender would not be counted.
        assert!(cores > 0 && per_second >= cores as f64 * SIGNATURES as f64, "{per_second} on {cores}");
    }

    #[test]
    fn a_probe_tells_the_time_of_one_recovery() {
        let probe = Probe::new(7);
        assert_eq!(probe.recover() as usize, SIGNATURES);
        assert!(probe.recovery() > Duration::from_micros(1));
    }
}
