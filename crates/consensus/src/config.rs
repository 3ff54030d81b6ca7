//! What a driver is told at start, and why a start may fail.

use std::collections::BTreeSet;

use base::limits::{BATCH_BYTES_MAX, BATCH_BYTES_TARGET};
use thiserror::Error;

use crate::{Index, MEMBERS_MAX, Member, Point};

/// Settings of one node's driver. Ticks are the runtime's: the driver only counts them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub id: Member,
    /// The voters of the very beginning; of no account once a configuration is stored. Empty, or without `id`: this
    /// node joins a network that runs. It follows whoever leads, and learns from the log who there is.
    pub members: Vec<Member>,
    /// A backup that hears nothing for this many ticks, up to twice as many, asks for votes. A primary that hears no
    /// majority for this many steps down.
    pub election_ticks: u32,
    /// A primary shows itself this often.
    pub heartbeat_ticks: u32,
    /// The only randomness: spreads election timeouts. Nodes need not differ in it.
    pub seed: u64,
    /// Appends on their way to one backup before the primary waits for its answer.
    pub appends_in_flight_max: usize,
    /// Bytes of entries in one append; a single larger entry travels alone.
    pub append_bytes_max: usize,
    /// Bytes proposed and not yet committed; past it proposals are refused. One proposal is always taken.
    pub uncommitted_bytes_max: usize,
}

impl Config {
    /// The settings of a network: with ticks of 50 ms, heartbeats every 100 ms and elections after 500 ms to 1 s.
    #[must_use]
    pub fn new(id: Member, members: Vec<Member>, seed: u64) -> Self {
        Self {
            id,
            members,
            election_ticks: 10,
            heartbeat_ticks: 2,
            seed,
            appends_in_flight_max: 64,
            append_bytes_max: BATCH_BYTES_TARGET,
            uncommitted_bytes_max: 2 * BATCH_BYTES_MAX,
        }
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        let bad = |reason| Err(StartError::Settings(reason));
        let distinct: BTreeSet<_> = self.members.iter().collect();
        if distinct.len() != self.members.len() || distinct.contains(&Member(0)) {
            return bad("members must be distinct numbers from 1");
        }
        if distinct.len() > MEMBERS_MAX {
            return bad("there are more members than a configuration holds");
        }
        if self.id == Member(0) {
            return bad("this node has no number");
        }
        if self.heartbeat_ticks == 0 || self.election_ticks <= self.heartbeat_ticks {
            return bad("an election timeout must be longer than a heartbeat, and a heartbeat at least one tick");
        }
        if self.appends_in_flight_max == 0 {
            return bad("at least one append must be allowed in flight");
        }
        if self.append_bytes_max > BATCH_BYTES_MAX / 2 {
            return bad("an append of several entries must fit half of a peer frame");
        }
        if self.uncommitted_bytes_max < self.append_bytes_max {
            return bad("the bound on uncommitted bytes is below that of one append");
        }
        Ok(())
    }
}

/// Why a driver could not start. Nothing is repaired here: the operator or the layer that reads the disk decides.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StartError {
    /// The caller's mistake.
    #[error("consensus settings: {0}")]
    Settings(&'static str),
    /// This disk's: entries must be consecutive and their views never go back.
    #[error("the consensus log is corrupt: {found} follows {before}")]
    LogOrder { before: Point, found: Point },
    /// This disk's: it forgot what it had acknowledged. The node may not vote with this log; it must rejoin as new.
    #[error("the consensus log ends at {last}, but {known} was known to be committed here: the disk lost synced data")]
    LogLost { last: Index, known: Index },
    /// The library refused what was checked above.
    #[error("the raft library refused the state: {0}")]
    Library(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let good = Config::new(Member(1), vec![Member(1), Member(2), Member(3)], 7);
        assert_eq!(good.check(), Ok(()));
        let spoil: [fn(&mut Config); 8] = [
            |c| c.members.push(Member(1)),
            |c| c.members.push(Member(0)),
            |c| c.members.extend((9..80).map(Member)),
            |c| c.id = Member(0),
            |c| c.heartbeat_ticks = 0,
            |c| c.election_ticks = c.heartbeat_ticks,
            |c| c.appends_in_flight_max = 0,
            |c| c.uncommitted_bytes_max = 0,
        ];
        let joins = Config::new(Member(4), Vec::new(), 7);
        assert_eq!(joins.check(), Ok(()));
        for (number, spoil) in spoil.iter().enumerate() {
            let mut config = good.clone();
            spoil(&mut config);
            assert!(matches!(config.check(), Err(StartError::Settings(_))), "{number}");
        }
    }
}
