//! What a measurement cost: looks at every node and at this process, before and after.

use std::collections::BTreeMap;
use std::time::Duration;

use super::metrics::PeerBytes;
use super::place::Place;
use super::usage::{Memory, Usage, own_cpu};

/// All nodes at one moment; empty if they are elsewhere.
pub struct Look {
    nodes: Vec<(u64, Usage, Option<PeerBytes>)>,
    own_cpu: Option<Duration>,
}

/// Between two looks.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// Empty if the nodes are elsewhere.
    pub nodes: Vec<NodeCost>,
    pub client_cpu: Option<Duration>,
    /// The most that this process ever held.
    pub client_peak_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct NodeCost {
    pub number: u64,
    pub cpu: Duration,
    pub resident_bytes: u64,
    pub peak_bytes: u64,
    /// What each part of its directory grew by; the log shrinks when what it holds is in the ledger.
    pub disk: BTreeMap<String, i64>,
    /// Sent to other nodes.
    pub peer_sent: Option<u64>,
    pub peer_received: Option<u64>,
}

impl Look {
    pub fn at(place: &Place) -> Self {
        let nodes = place
            .nodes
            .iter()
            .filter_map(|node| Some((node.number, Usage::of(node.pid, &node.dir)?, PeerBytes::of(node.http))));
        Self { nodes: nodes.collect(), own_cpu: own_cpu() }
    }

    /// What it took to get from here to there.
    pub fn until(&self, after: &Self) -> Cost {
        let node = |((number, before, peers_before), (_, after, peers_after)): (&(u64, Usage, _), &(u64, Usage, _))| {
            let (before_bytes, after_bytes): (&Option<PeerBytes>, &Option<PeerBytes>) = (peers_before, peers_after);
            let peers = before_bytes.zip(*after_bytes);
            let grown = |(part, bytes): (&String, &u64)| {
                let was = before.disk.get(part).copied().unwrap_or_default();
                (part.clone(), bytes.cast_signed() - was.cast_signed())
            };
            NodeCost {
                number: *number,
                cpu: after.cpu.saturating_sub(before.cpu),
                resident_bytes: after.memory.resident_bytes,
                peak_bytes: after.memory.peak_bytes,
                disk: after.disk.iter().map(grown).filter(|(_, bytes)| *bytes != 0).collect(),
                peer_sent: peers.map(|(before, after)| after.sent.saturating_sub(before.sent)),
                peer_received: peers.map(|(before, after)| after.received.saturating_sub(before.received)),
            }
        };
        // One that is gone would leave a hole in every sum.
        let whole = self.nodes.len() == after.nodes.len();
        let pairs = self.nodes.iter().zip(&after.nodes).filter(|_| whole);
        let client_cpu = after.own_cpu.zip(self.own_cpu).map(|(after, before)| after.saturating_sub(before));
        let client_peak_bytes = Memory::of(std::process::id()).map(|memory| memory.peak_bytes);
        Cost { nodes: pairs.map(node).collect(), client_cpu, client_peak_bytes }
    }
}

impl Cost {
    /// Over all nodes; `None` if they are elsewhere.
    pub fn nodes_cpu(&self) -> Option<Duration> {
        (!self.nodes.is_empty()).then(|| self.nodes.iter().map(|node| node.cpu).sum())
    }

    /// Sent by all nodes to each other.
    pub fn peer_bytes(&self) -> Option<u64> {
        let sent: Option<Vec<u64>> = self.nodes.iter().map(|node| node.peer_sent).collect();
        sent.filter(|sent| !sent.is_empty()).map(|sent| sent.iter().sum())
    }

    /// What the directory of one node grew by, on average, part by part.
    pub fn disk(&self) -> Option<BTreeMap<String, f64>> {
        let mut parts = BTreeMap::new();
        for (part, bytes) in self.nodes.iter().flat_map(|node| &node.disk) {
            *parts.entry(part.clone()).or_default() += *bytes as f64 / self.nodes.len() as f64;
        }
        (!self.nodes.is_empty()).then_some(parts)
    }

    /// Of the node that holds most.
    pub fn resident_bytes(&self) -> Option<u64> {
        self.nodes.iter().map(|node| node.resident_bytes).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(cpu: u64, log: u64, ledger: u64, sent: u64) -> Look {
        let memory = Memory { resident_bytes: 10, peak_bytes: 12 };
        let disk = BTreeMap::from([("log".into(), log), ("ledger".into(), ledger)]);
        let usage = Usage { cpu: Duration::from_secs(cpu), memory, disk };
        let node = |number| (number, usage.clone(), Some(PeerBytes { sent, received: 0 }));
        Look { nodes: vec![node(1), node(2)], own_cpu: Some(Duration::from_secs(cpu)) }
    }

    #[test]
    fn a_cost_is_a_difference_and_a_log_may_shrink() {
        let cost = look(1, 500, 100, 7).until(&look(4, 400, 1_100, 10));
        assert_eq!((cost.nodes_cpu(), cost.client_cpu), (Some(Duration::from_secs(6)), Some(Duration::from_secs(3))));
        assert_eq!((cost.peer_bytes(), cost.resident_bytes()), (Some(6), Some(10)));
        assert_eq!(cost.disk().unwrap(), BTreeMap::from([("ledger".into(), 1_000.0), ("log".into(), -100.0)]));
    }

    #[test]
    fn of_nodes_elsewhere_nothing_is_known() {
        let nobody = Look { nodes: Vec::new(), own_cpu: None };
        for cost in [nobody.until(&nobody), look(1, 1, 1, 1).until(&nobody)] {
            assert!(cost.nodes_cpu().is_none() && cost.peer_bytes().is_none() && cost.disk().is_none());
        }
    }
}
