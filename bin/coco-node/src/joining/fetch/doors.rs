//! Which nodes may have files to give: those that the network names, and those that the operator named.

use std::time::Duration;

use base::NodeId;
use development::{Door, JoinFile};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::joining::door::{Asked, Client};

const NODES: &str = "/gov/coco/nodes";
const COMMIT: &str = "/node/commit";
/// No network has more to say of its nodes.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Who takes longer with so little is of no help with files.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// More are not asked.
const DOORS_MAX: usize = 64;

#[derive(Deserialize)]
struct Commit {
    transaction_id: String,
}

#[derive(Deserialize)]
struct Network {
    value: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    node_id: String,
    status: String,
    primary: bool,
    governance: Option<String>,
}

/// Whom to ask, best first. The primary has enough to do and comes last of those that the network names.
pub async fn known(client: &Client, join: &JoinFile, own: NodeId) -> Vec<Door> {
    let told: Vec<Door> = join.network.iter().filter_map(|url| Door::parse(url)).collect();
    let mut named = Vec::new();
    for door in &told {
        if let Some(answer) = answer(client, door, NODES).await
            && let Ok(network) = serde_json::from_slice(&answer)
        {
            named = of(network, own);
            break;
        }
    }
    for door in told {
        if !named.contains(&door) {
            named.push(door);
        }
    }
    named.truncate(DOORS_MAX);
    named
}

/// Those that answer, in the same order, and how far the network is as far as any of them knows.
pub async fn answering(client: &Client, doors: &[Door]) -> (Vec<Door>, u64) {
    let mut asked = JoinSet::new();
    for (place, door) in doors.iter().cloned().enumerate() {
        let client = client.clone();
        asked.spawn(async move { (place, committed(&client, &door).await, door) });
    }
    let mut answered = asked.join_all().await;
    answered.sort_by_key(|(place, ..)| *place);
    let answered: Vec<_> = answered.into_iter().filter_map(|(_, seqno, door)| Some((door, seqno?))).collect();
    let furthest = answered.iter().map(|(_, seqno)| *seqno).max();
    (answered.into_iter().map(|(door, _)| door).collect(), furthest.unwrap_or_default())
}

async fn committed(client: &Client, door: &Door) -> Option<u64> {
    let answer = answer(client, door, COMMIT).await?;
    let Commit { transaction_id } = serde_json::from_slice(&answer).ok()?;
    transaction_id.split_once('.')?.1.parse().ok()
}

async fn answer(client: &Client, door: &Door, path: &str) -> Option<Vec<u8>> {
    match tokio::time::timeout(ANSWER_WITHIN, client.get(door, path, ANSWER_BYTES_MAX)).await {
        Ok(Asked::Answered(answer)) => Some(answer),
        _ => None,
    }
}

fn of(mut network: Network, own: NodeId) -> Vec<Door> {
    network.value.retain(|node| node.status == "Trusted" && node.node_id != own.to_string());
    network.value.sort_by_key(|node| node.primary);
    network.value.iter().filter_map(|node| Door::parse(&format!("https://{}", node.governance.as_ref()?))).collect()
}

#[cfg(test)]
mod tests {
    use base::Digest;

    use super::*;

    #[test]
    fn the_primary_is_asked_last_and_nobody_who_is_not_trusted() {
        let own = NodeId(Digest([4; 32]));
        let node = |id: &str, status: &str, primary: bool, door: Option<&str>| Node {
            node_id: id.into(),
            status: status.into(),
            primary,
            governance: door.map(Into::into),
        };
        let network = Network {
            value: vec![
                node("a", "Trusted", true, Some("10.0.0.1:8443")),
                node("b", "Retired", false, Some("10.0.0.2:8443")),
                node("c", "Trusted", false, Some("[fd00::3]:8443")),
                node("d", "Trusted", false, None),
                node("e", "Trusted", false, Some("a door/../")),
                node(&own.to_string(), "Trusted", false, Some("10.0.0.4:8443")),
            ],
        };
        let doors: Vec<String> = of(network, own).iter().map(Door::authority).collect();
        assert_eq!(doors, ["[fd00::3]:8443", "10.0.0.1:8443"]);
    }
}
