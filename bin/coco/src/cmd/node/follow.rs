//! Follows a node on its way into its network: what it wrote down while it asks, what it says of itself once it is let in.

use std::thread;
use std::time::{Duration, Instant};

use development::{Joining, JoiningState, NodeLayout, Origin};
use serde::Deserialize;

use super::stages::{Stage, Stages};
use crate::cmd::up::Stops;
use crate::failure::Failure;
use crate::governance::{Place, Service};
use crate::network::{Client, Node, Started, Status, last_lines};
use crate::printer::Printer;

const POLL: Duration = Duration::from_millis(100);
/// How often the network is asked how far it is.
const ASK_NETWORK: Duration = Duration::from_secs(2);
/// A node answers at once, or is not there yet.
const ASK: Duration = Duration::from_secs(1);

/// How it ended.
pub enum Ended {
    /// The node is pending, and goes on by itself.
    Left,
    /// Somebody asked to stop.
    Stopped,
    /// It is a node like the others.
    Votes(Box<Node>, Box<Status>),
}

/// `leaves`: as soon as the network has heard of the node.
pub fn follow(
    node: &Node,
    mut started: Option<&mut Started>,
    stages: &mut Stages<'_>,
    leaves: bool,
    stops: &Stops,
) -> Result<Ended, Failure> {
    let client = Client::new(ASK);
    let mut goal = Goal::default();
    loop {
        // First: what it wrote before it ended is read below.
        let ended = match &mut started {
            Some(started) => started.ended(),
            None => node.process().is_none().then(|| "it does not run".to_owned()),
        };
        let now = Node::joiner(NodeLayout::new(node.layout.dir()))?;
        let joining = Joining::read(node.layout.dir())?;
        if let Some(how) = ended {
            return Err(gone(node, started.as_deref(), joining.as_ref(), &how));
        }
        if stops.asked() {
            return Ok(Ended::Stopped);
        }
        if let Some(now) = now.filter(|now| !now.is_joining()) {
            if let Some(ended) = catches_up(now, &client, &mut goal, stages) {
                return Ok(ended);
            }
        } else if let Some(joining) = joining {
            stages.joining(&joining);
            if leaves && joining.state == JoiningState::Pending {
                return Ok(Ended::Left);
            }
        }
        thread::sleep(POLL);
    }
}

/// It has the network's secrets; its ledger may be far behind.
fn catches_up(now: Node, client: &Client, goal: &mut Goal, stages: &mut Stages<'_>) -> Option<Ended> {
    stages.reached(&Stage::Trusted { number: now.number, id: &now.id });
    let status = now.status(client).ok()?;
    let votes = status.voters.contains(&now.number);
    if votes && status.serving {
        stages.reached(&Stage::Voting { number: now.number });
        return Some(Ended::Votes(Box::new(now), Box::new(status)));
    }
    stages.reached(&Stage::CatchingUp { seqno: status.seqno, of: goal.seqno(&now, stages.printer).max(status.seqno) });
    None
}

fn gone(node: &Node, started: Option<&Started>, joining: Option<&Joining>, how: &str) -> Failure {
    let log = node.layout.output();
    let refused = joining.filter(|joining| joining.state == JoiningState::Refused);
    if let Some(why) = refused.and_then(|joining| joining.trouble.as_deref()) {
        return Failure::new(format!("the node did not join: {}", crate::governance::plain(why))).hint(format!(
            "put right what is said, and run the same command again; the node's log is {}",
            log.display()
        ));
    }
    let mut message = format!("the node ended ({how})");
    for line in last_lines(&log, started.map_or(0, |started| started.log_began)) {
        message.push_str("\n    ");
        message.push_str(&line);
    }
    Failure::new(message).hint(format!("the whole log is {}", log.display()))
}

/// How far the network is, as one of its nodes said lately.
#[derive(Default)]
struct Goal {
    seqno: u64,
    asked: Option<Instant>,
}

impl Goal {
    fn seqno(&mut self, node: &Node, printer: &Printer) -> u64 {
        if self.asked.is_none_or(|asked| asked.elapsed() > ASK_NETWORK) {
            self.seqno = ask(node, printer).unwrap_or(self.seqno);
            self.asked = Some(Instant::now());
        }
        self.seqno
    }
}

fn ask(node: &Node, printer: &Printer) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Commit {
        transaction_id: String,
    }
    let Origin::Joiner(told) = &node.file.origin else { return None };
    let service_certificate = node.layout.dir().join(&told.service_certificate);
    told.network.iter().find_map(|url| {
        let base = url.trim_end_matches('/').to_owned();
        let place = Place::Url { base, service_certificate: service_certificate.clone() };
        let commit: Commit = Service::reach(&place, printer).ok()?.get("service/transactions/commit").ok()?;
        commit.transaction_id.split_once('.')?.1.parse().ok()
    })
}
