//! What nodes count themselves: the bytes that they send to each other.

use std::net::SocketAddr;
use std::time::Duration;

const ASK: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 16 << 20;
const SENT: &str = "coco_peer_sent_bytes_total";
const RECEIVED: &str = "coco_peer_received_bytes_total";

/// Bytes between one node and all others, since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerBytes {
    pub sent: u64,
    pub received: u64,
}

impl PeerBytes {
    /// `None` if the node does not answer. What it has not counted yet is none.
    pub fn of(http: SocketAddr) -> Option<Self> {
        let config = ureq::Agent::config_builder().timeout_global(Some(ASK)).proxy(None).build();
        let mut answer = config.new_agent().get(format!("http://{http}/node/metrics")).call().ok()?;
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().ok()?;
        Some(Self { sent: counter(&text, SENT), received: counter(&text, RECEIVED) })
    }
}

/// The sum over all labels, in the text form of Prometheus.
fn counter(text: &str, name: &str) -> u64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { &rest[rest.find('}')? + 1..] } else { rest };
        rest.strip_prefix(' ')?.trim().parse::<f64>().ok()
    };
    text.lines().filter_map(value).sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let text = "# TYPE a counter\na 5\na_b 7\na{peer=\"2\"} 30\na{peer=\"3\"} 1e2\nb 1\n";
        assert_eq!((counter(text, "a"), counter(text, "b"), counter(text, "c")), (135, 1, 0));
    }
}
