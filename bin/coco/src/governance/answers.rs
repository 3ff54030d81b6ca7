//! What the service answers, as far as a person wants to know it. More may be in an answer than is read here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
pub struct List<T> {
    pub value: Vec<T>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub member_id: String,
    pub status: String,
    #[serde(default)]
    pub member_data: Value,
    pub certificate: String,
    #[serde(default)]
    pub recovery_role: Option<String>,
}

impl Member {
    /// Whether it proposes and votes.
    pub fn is_active(&self) -> bool {
        self.status == "Active"
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    pub proposal_id: String,
    pub proposer_id: String,
    pub proposal_state: String,
    #[serde(default)]
    pub ballot_submitters: Vec<String>,
    pub final_votes: Option<BTreeMap<String, bool>>,
    pub vote_failures: Option<BTreeMap<String, Failed>>,
    pub failure: Option<Failed>,
}

impl Proposal {
    pub fn is_open(&self) -> bool {
        self.proposal_state == "Open"
    }
}

/// A script that came to nothing.
#[derive(Clone, Debug, Deserialize)]
pub struct Failed {
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateDigest {
    pub state_digest: String,
}

/// A node of the network.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    pub node_id: String,
    /// In consensus; never used twice.
    pub number: u64,
    pub status: String,
    /// It was let go, and may be stopped.
    #[serde(default)]
    pub retired_committed: bool,
    #[serde(default)]
    pub primary: bool,
    /// `voter` or `learner`, while consensus counts it.
    #[serde(default)]
    pub counted: Option<String>,
    /// Where nodes reach it.
    #[serde(default)]
    pub address: Option<String>,
    /// Where members reach it.
    #[serde(default)]
    pub governance: Option<String>,
    /// Whose node it is: a member's or a participant's id.
    #[serde(default)]
    pub owner: Option<String>,
    /// The kind of evidence that it showed.
    #[serde(default)]
    pub evidence: Option<String>,
    /// What its code was measured as.
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub node_data: Value,
    /// PEM; absent until the service endorses it.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// A hosted ledger.
#[derive(Clone, Debug, Deserialize)]
pub struct Ledger {
    pub name: String,
    pub kind: String,
    pub status: String,
    /// Who may connect, as members wrote it.
    #[serde(default)]
    pub policy: Value,
    /// At which ports nodes serve it whose own file says nothing else, by the names of its doors.
    #[serde(default)]
    pub listeners: Option<BTreeMap<String, u16>>,
}

/// What was proposed.
#[derive(Clone, Debug, Deserialize)]
pub struct Body {
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Action {
    pub name: String,
    #[serde(default)]
    pub args: Value,
}

/// The rules that proposals are judged by: an extension of Coco.
#[derive(Clone, Debug, Deserialize)]
pub struct Policies {
    /// Whether the constitution in force is the one that judges by them.
    pub judged: bool,
    pub value: Vec<Ruled>,
    pub otherwise: Value,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Ruled {
    pub action: String,
    pub policy: Value,
}

/// When ballots came, in milliseconds since 1970: what delays are counted from.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Times {
    pub ballots: BTreeMap<String, u64>,
}

/// How the service says no.
#[derive(Debug, Deserialize)]
pub struct Problem {
    pub error: ProblemText,
}

#[derive(Debug, Deserialize)]
pub struct ProblemText {
    pub code: String,
    pub message: String,
}
