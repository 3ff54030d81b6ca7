//! The JSON form: the signature of a node, and the certificate that the service gave it.

use base::{Digest, NodeId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Leaf, Receipt};
use crate::tree::Step;

/// Fields in the order in which CCF writes them.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    pub cert: String,
    /// Instead of its components, for a signature: the root that it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf_components: Option<Components>,
    pub node_id: String,
    pub proof: Vec<WrittenStep>,
    /// Certificates from the node's issuer, if that is an earlier identity of the service, to one that the present identity issued.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_endorsements: Vec<String>,
    pub signature: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Components {
    claims_digest: String,
    commit_evidence: String,
    write_set_digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WrittenStep {
    Left(String),
    Right(String),
}

impl Receipt {
    /// `certificate` (PEM) is that of [`Receipt::signer`]. `None` where nodes do not sign.
    #[must_use]
    pub fn to_json(&self, certificate: &str) -> Option<Vec<u8>> {
        let node = self.node.as_ref()?;
        let (components, path) = match &self.shown {
            Some((leaf, path)) => (Some(Components::of(leaf)), path.as_slice()),
            None => (None, &[][..]),
        };
        let written = Written {
            cert: certificate.to_owned(),
            leaf: components.is_none().then(|| self.root.to_string()),
            leaf_components: components,
            node_id: node.node.to_string(),
            proof: path.iter().map(WrittenStep::of).collect(),
            service_endorsements: Vec::new(),
            signature: STANDARD.encode(&node.signature),
        };
        serde_json::to_vec(&written).ok()
    }
}

impl Components {
    fn of(Leaf { write_set, evidence, claims }: &Leaf) -> Self {
        Self {
            claims_digest: claims.to_string(),
            commit_evidence: evidence.clone(),
            write_set_digest: write_set.to_string(),
        }
    }

    pub(super) fn read(self) -> Option<Leaf> {
        let Self { claims_digest, commit_evidence, write_set_digest } = self;
        Some(Leaf {
            write_set: write_set_digest.parse().ok()?,
            evidence: commit_evidence,
            claims: claims_digest.parse().ok()?,
        })
    }
}

impl WrittenStep {
    fn of(step: &Step) -> Self {
        let digest = step.digest.to_string();
        if step.left { Self::Left(digest) } else { Self::Right(digest) }
    }

    pub(super) fn read(&self) -> Option<Step> {
        let (left, text) = match self {
            Self::Left(text) => (true, text),
            Self::Right(text) => (false, text),
        };
        Some(Step { left, digest: text.parse().ok()? })
    }
}

impl Written {
    pub(super) fn signer(&self) -> Option<NodeId> {
        NodeId::parse(&self.node_id).ok()
    }

    pub(super) fn signature(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.signature).ok()
    }

    pub(super) fn path(&self) -> Option<Vec<Step>> {
        self.proof.iter().map(WrittenStep::read).collect()
    }

    /// The root that a signature's receipt shows.
    pub(super) fn root(&self) -> Option<Digest> {
        self.leaf.as_ref()?.parse().ok()
    }
}
