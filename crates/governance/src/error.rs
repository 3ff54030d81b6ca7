//! Why a request of a member was refused, with the code and the HTTP status that its client is told.

use serde::Serialize;

use crate::engine::Failure;

/// What stopped a proposal, as clients are told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Trouble {
    pub reason: String,
    /// Where in the script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// A refusal. Nothing of the request was kept.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not signed as it must be, by nobody known, or by somebody who may not do this.
    #[error("Invalid authentication information: {0}.")]
    InvalidAuthenticationInfo(&'static str),
    /// The path names another member or proposal than the signed request.
    #[error("Authenticated {what} does not match the one in the path: {signed} is not {path}.")]
    InvalidResourceName { what: &'static str, signed: String, path: String },
    #[error("{0}")]
    AuthorizationFailed(String),
    #[error("{0}")]
    InvalidInput(String),
    #[error("Header parameter created_at value is too large: it has ten digits at most.")]
    InvalidCreatedAt,
    #[error("Proposal submission replay, already exists as proposal {0}.")]
    ProposalReplay(String),
    #[error("Proposal created too long ago, created_at must be greater than {0}.")]
    ProposalCreatedTooLongAgo(String),
    #[error("Proposal failed to validate: {0}")]
    ProposalFailedToValidate(String),
    #[error("Proposal {0} does not exist.")]
    ProposalNotFound(String),
    #[error("Proposal {id} is currently in state {state} - only Open proposals can change.")]
    ProposalNotOpen { id: String, state: String },
    #[error("Vote already submitted.")]
    VoteAlreadyExists,
    #[error("Member {0} has not voted for this proposal.")]
    VoteNotFound(String),
    #[error("No ACK record exists for caller {0}.")]
    NoAckToConfirm(String),
    #[error("No ACK record exists for member {0}.")]
    NoAckRecord(String),
    #[error("Submitted state digest is not valid.")]
    StateDigestMismatch,
    #[error("Proposal failed to bind to state.")]
    NoRootYet,
    #[error("{0}")]
    NodeAlreadyExists(String),
    /// The node is not, or the service is not, where it may ask for this.
    #[error("{0}")]
    InvalidNodeState(String),
    #[error("The certificate signing request is not one of the key that the connection shows.")]
    CsrPublicKeyInvalid,
    /// Its evidence does not show that it is what members let in.
    #[error("{0}")]
    InvalidQuote(String),
    #[error("{0}")]
    NodeNotRetiredCommitted(String),
    /// The constitution is at fault, or the proposal that it carried out; what it did is undone.
    #[error("{reason}", reason = .0.reason)]
    Script(Trouble),
    /// Too many scripts run already that could not be stopped in time.
    #[error("The node is busy with scripts that do not end: send the request again later.")]
    Busy,
    /// A table of the service is missing a row or holds one that cannot be read.
    #[error("{0}")]
    InternalError(String),
}

impl Refusal {
    /// The error code of the governance API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidAuthenticationInfo(_) => "InvalidAuthenticationInfo",
            Self::InvalidResourceName { .. } => "InvalidResourceName",
            Self::AuthorizationFailed(_) | Self::NoAckToConfirm(_) => "AuthorizationFailed",
            Self::InvalidInput(_) => "InvalidInput",
            Self::InvalidCreatedAt => "InvalidCreatedAt",
            Self::ProposalReplay(_) => "ProposalReplay",
            Self::ProposalCreatedTooLongAgo(_) => "ProposalCreatedTooLongAgo",
            Self::ProposalFailedToValidate(_) => "ProposalFailedToValidate",
            Self::ProposalNotFound(_) => "ProposalNotFound",
            Self::ProposalNotOpen { .. } => "ProposalNotOpen",
            Self::VoteAlreadyExists => "VoteAlreadyExists",
            Self::VoteNotFound(_) => "VoteNotFound",
            Self::NoAckRecord(_) => "ResourceNotFound",
            Self::StateDigestMismatch => "StateDigestMismatch",
            Self::NodeAlreadyExists(_) => "NodeAlreadyExists",
            Self::InvalidNodeState(_) => "InvalidNodeState",
            Self::CsrPublicKeyInvalid => "CSRPublicKeyInvalid",
            Self::InvalidQuote(_) => "InvalidQuote",
            Self::NodeNotRetiredCommitted(_) => "NodeNotRetiredCommitted",
            Self::Busy => "SessionCapExhausted",
            Self::NoRootYet | Self::Script(_) | Self::InternalError(_) => "InternalError",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidAuthenticationInfo(_) => 401,
            Self::AuthorizationFailed(_) | Self::NoAckToConfirm(_) | Self::InvalidQuote(_) => 403,
            Self::ProposalNotFound(_) | Self::VoteNotFound(_) | Self::NoAckRecord(_) => 404,
            Self::InvalidResourceName { .. }
            | Self::InvalidInput(_)
            | Self::InvalidCreatedAt
            | Self::ProposalReplay(_)
            | Self::ProposalCreatedTooLongAgo(_)
            | Self::ProposalFailedToValidate(_)
            | Self::ProposalNotOpen { .. }
            | Self::VoteAlreadyExists
            | Self::NodeAlreadyExists(_)
            | Self::InvalidNodeState(_)
            | Self::CsrPublicKeyInvalid
            | Self::NodeNotRetiredCommitted(_)
            | Self::StateDigestMismatch => 400,
            Self::NoRootYet | Self::Script(_) | Self::InternalError(_) => 500,
            Self::Busy => 503,
        }
    }

    /// What a failed step of the constitution is to the member whose request it was.
    pub(crate) fn of_script(step: &str, failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::Thrown { reason, trace } => {
                Self::Script(Trouble { reason: format!("Failed to {step}(): {reason}"), trace })
            }
            Failure::Overrun => {
                Self::Script(Trouble { reason: format!("Failed to {step}(): {}", crate::engine::OVERRUN), trace: None })
            }
        }
    }
}

impl From<kv::HistoryError> for Refusal {
    fn from(error: kv::HistoryError) -> Self {
        Self::InternalError(error.to_string())
    }
}
