//! The service said no: in its own words, with who is to blame and what to do.

use super::plain_lines;
use crate::failure::Failure;

/// A refusal as it came.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// Who signed, if anybody did.
    pub signer: Option<String>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message, signer } = &refusal;
        let who = to_blame(&refusal);
        let signed = signer.as_ref().map(|name| format!(", signed by {name}")).unwrap_or_default();
        let message = format!("{who}: {}\n    code {code}, HTTP status {status}{signed}", plain_lines(message));
        let failure = Self::new(message);
        match what_to_do(&refusal) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn to_blame(refusal: &Refusal) -> &'static str {
    match refusal.code.as_str() {
        "InvalidAuthenticationInfo" => "the signature was refused",
        "ProposalFailedToValidate" => "the proposal is at fault",
        "InvalidInput" | "RequestBodyTooLarge" | "InvalidResourceName" => "the request is at fault",
        "InvalidCreatedAt" | "ProposalCreatedTooLongAgo" => "this machine's clock may be at fault",
        "ProposalNotFound" | "ProposalNotOpen" | "VoteAlreadyExists" | "StateDigestMismatch" => {
            "it is too late for that"
        }
        "AuthorizationFailed" => "this member may not do that",
        "ResourceNotFound" | "VoteNotFound" => "the service does not know it",
        "UnsupportedApiVersionValue" | "NotImplemented" => "the service cannot do that",
        "InternalError" if refusal.message.starts_with("Failed to ") => {
            "the constitution, or the proposal that it carried out, is at fault, and nothing was changed"
        }
        _ if refusal.status == 503 || refusal.status == 408 => "the service is busy or has no primary now",
        _ if refusal.status >= 500 => "the service is at fault",
        _ => "the service refused it",
    }
}

fn what_to_do(refusal: &Refusal) -> Option<&'static str> {
    let hint = match refusal.code.as_str() {
        "InvalidAuthenticationInfo" if refusal.message.contains("not an active member") => {
            "a member counts once it has signed the state: `coco member ack` does that; `coco member list` shows who is active"
        }
        "InvalidAuthenticationInfo" if refusal.message.contains("not a member") => {
            "the certificate is no member's of this network: `coco member list` shows who is; sign as one with --as or --certificate"
        }
        "InvalidAuthenticationInfo" => {
            "is the key that of the certificate, and the certificate the one that the members know?"
        }
        "ProposalFailedToValidate" => {
            "correct the actions; `coco constitution show` has what the constitution knows and wants"
        }
        "InvalidCreatedAt" | "ProposalCreatedTooLongAgo" => {
            "set this machine's clock, and send it again; a request counts only while it is newer than half of the recent ones"
        }
        "ProposalNotFound" => {
            "`coco proposal list` has those that the service remembers; what was decided earlier is in the ledger"
        }
        "ProposalNotOpen" => "it was decided already: `coco proposal show ID` says how",
        "VoteAlreadyExists" => {
            "a ballot cannot be changed once it is cast; its proposer can withdraw the proposal and make it anew"
        }
        "AuthorizationFailed" => "only its proposer can withdraw a proposal; `coco proposal show ID` says who that is",
        "StateDigestMismatch" => "the state moved on meanwhile: run it again",
        "RequestBodyTooLarge" => "a signed request has one mebibyte at most: split the proposal",
        "NotImplemented" => "propose it without that action, or to nodes of a version that has it",
        "InternalError" if refusal.message.starts_with("Failed to apply") => {
            "the vote was enough, but an action could not be carried out: the reason above says which row or argument stands against it"
        }
        _ if refusal.status == 503 || refusal.status == 408 => {
            "look up what became of it with `coco proposal list`, then try again; `coco status` shows a network on this machine"
        }
        _ => return None,
    };
    Some(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, code: &str, message: &str) -> Failure {
        Refusal { status, code: code.into(), message: message.into(), signer: Some("ann".into()) }.into()
    }

    #[test]
    fn a_refusal_keeps_the_services_words_and_adds_what_to_do() {
        let failure = told(401, "InvalidAuthenticationInfo", "… the signer is not an active member.");
        assert!(failure.message.contains("the signer is not an active member"));
        assert!(failure.message.contains("InvalidAuthenticationInfo") && failure.message.contains("401"));
        assert!(failure.message.ends_with("signed by ann"));
        assert!(failure.hint.unwrap().contains("coco member ack"));
        assert!(told(401, "InvalidAuthenticationInfo", "the signer is not a member").hint.unwrap().contains("--as"));
        assert!(told(503, "PrimaryNotFound", "x").hint.unwrap().contains("coco status"));
        assert!(told(418, "Teapot", "x").hint.is_none());
        assert!(told(500, "InternalError", "Failed to apply(): x").message.contains("nothing was changed"));
    }

    #[test]
    fn what_a_script_threw_does_not_steer_the_terminal() {
        assert!(!told(400, "ProposalFailedToValidate", "\x1b[2J").message.contains('\x1b'));
    }
}
