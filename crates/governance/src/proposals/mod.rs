//! Proposals and ballots: made, voted on, withdrawn, read.

mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Digest;
use kv::Tx;
use serde::{Deserialize, Serialize};

use crate::engine::{Answer, Call};
use crate::state::proposals::{self, ProposalInfo, ProposalState, ProposalTimes};
use crate::state::{acks, replay};
use crate::{At, Governance, MemberId, Outcome, Refusal, Signed, Trouble, whole};

/// A proposal, as clients are told of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    pub proposal_id: String,
    pub proposer_id: MemberId,
    pub proposal_state: ProposalState,
    pub ballot_count: usize,
    /// In ascending order.
    pub ballot_submitters: Vec<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_votes: Option<BTreeMap<MemberId, bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote_failures: Option<BTreeMap<MemberId, Trouble>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Trouble>,
}

impl Proposal {
    fn of(id: &str, info: ProposalInfo) -> Self {
        let troubles = |failures: BTreeMap<MemberId, proposals::StoredTrouble>| {
            failures.into_iter().map(|(member, failure)| (member, failure.into())).collect()
        };
        Self {
            proposal_id: id.to_owned(),
            proposer_id: info.proposer_id,
            proposal_state: info.state,
            ballot_count: info.ballots.len(),
            ballot_submitters: info.ballots.into_keys().collect(),
            final_votes: info.final_votes,
            vote_failures: info.vote_failures.filter(|failures| !failures.is_empty()).map(troubles),
            failure: info.failure.map(Into::into),
        }
    }
}

#[derive(Deserialize)]
struct BallotBody {
    ballot: String,
}

impl Governance {
    /// Makes a proposal. It may be decided at once.
    pub fn create(&self, tx: &mut Tx<'_>, request: &Signed<'_>, at: &At<'_>) -> Result<Outcome<Proposal>, Refusal> {
        let root = at.root.ok_or(Refusal::NoRootYet)?;
        let id = proposal_id(&root, &request.signature);
        let body: Arc<str> = std::str::from_utf8(request.payload)
            .map_err(|_| Refusal::InvalidInput("The proposal is not UTF-8.".to_owned()))?
            .into();
        let mut log = self.validate(tx, body.clone(), at)?;
        whole(tx, |tx| {
            let info = ProposalInfo {
                proposer_id: request.signer,
                state: ProposalState::Open,
                ballots: BTreeMap::new(),
                final_votes: None,
                vote_failures: None,
                failure: None,
            };
            proposals::set_body(&self.tables, tx, &id, request.payload);
            proposals::set_info(&self.tables, tx, &id, &info);
            let times = ProposalTimes { submitted: at.time, ballots: BTreeMap::new() };
            proposals::set_times(&self.tables, tx, &id, &times);
            acks::note(&self.tables, tx, &request.signer, request.envelope);
            replay::admit(&self.tables, tx, request, &id)?;
            let mut outcome = self.decide(tx, &id, info, &body, at)?;
            log.append(&mut outcome.log);
            Ok(Outcome { log, ..outcome })
        })
    }

    fn validate(&self, tx: &Tx<'_>, proposal: Arc<str>, at: &At<'_>) -> Result<Vec<String>, Refusal> {
        let scripts = self.scripts(tx, at)?;
        let done = scripts
            .constitution(Call::Validate { proposal }, &tx.preview())
            .map_err(|failure| Refusal::of_script("validate", failure))?;
        match done.answer {
            Answer::Validity { valid: true, .. } => Ok(done.log),
            Answer::Validity { description, .. } => Err(Refusal::ProposalFailedToValidate(description)),
            other => Err(Refusal::InternalError(format!("validate() gave {other:?}."))),
        }
    }

    /// Takes a member's ballot and decides, if that can be done now. `proposal` and `member` are those in the path.
    pub fn submit_ballot(
        &self,
        tx: &mut Tx<'_>,
        request: &Signed<'_>,
        proposal: &str,
        member: &str,
        at: &At<'_>,
    ) -> Result<Outcome<Proposal>, Refusal> {
        let id = signed_id(request, proposal)?;
        if MemberId::parse(member) != Some(request.signer) {
            return Err(Refusal::InvalidResourceName {
                what: "member id",
                signed: request.signer.to_string(),
                path: member.to_owned(),
            });
        }
        let missing = || Refusal::ProposalNotFound(id.clone());
        let mut info = proposals::info(&self.tables, tx, &id)?.ok_or_else(missing)?;
        let body = proposals::body(&self.tables, tx, &id)?.ok_or_else(missing)?;
        let body: Arc<str> = String::from_utf8_lossy(&body).into();
        if info.state != ProposalState::Open {
            return Err(not_open(&id, info.state));
        }
        let BallotBody { ballot } = serde_json::from_slice(request.payload).map_err(|_| {
            Refusal::InvalidInput(
                "Signed request body is not a JSON object containing required string field \"ballot\".".to_owned(),
            )
        })?;
        match info.ballots.get(&request.signer) {
            Some(cast) if *cast == ballot => return Ok(Outcome::plain(Proposal::of(&id, info))),
            Some(_) => return Err(Refusal::VoteAlreadyExists),
            None => {}
        }
        whole(tx, |tx| {
            info.ballots.insert(request.signer, ballot);
            proposals::set_info(&self.tables, tx, &id, &info);
            let mut times = proposals::times(&self.tables, tx, &id)?;
            times.ballots.insert(request.signer, at.time);
            proposals::set_times(&self.tables, tx, &id, &times);
            acks::note(&self.tables, tx, &request.signer, request.envelope);
            self.decide(tx, &id, info, &body, at)
        })
    }

    /// Decides an open proposal again, without a new ballot: time has passed, and a policy may ask for time to pass. If it
    /// stays open, and no ballot took too long now, nothing is written.
    pub fn settle(&self, tx: &mut Tx<'_>, proposal: &str, at: &At<'_>) -> Result<Outcome<Proposal>, Refusal> {
        let id = proposal.to_ascii_lowercase();
        let missing = || Refusal::ProposalNotFound(id.clone());
        let info = proposals::info(&self.tables, tx, &id)?.ok_or_else(missing)?;
        let body = proposals::body(&self.tables, tx, &id)?.ok_or_else(missing)?;
        if info.state != ProposalState::Open {
            return Ok(Outcome::plain(Proposal::of(&id, info)));
        }
        let before = tx.savepoint();
        let failed = info.vote_failures.as_ref().map_or(0, BTreeMap::len);
        let outcome = whole(tx, |tx| self.decide(tx, &id, info, &String::from_utf8_lossy(&body).into(), at))?;
        let answer = &outcome.answer;
        let fails = answer.vote_failures.as_ref().map_or(0, BTreeMap::len);
        if answer.proposal_state == ProposalState::Open && fails == failed {
            tx.rollback(before);
        }
        Ok(outcome)
    }

    /// Takes a proposal back. `None`: there is none of this id (any more).
    pub fn withdraw(&self, tx: &mut Tx<'_>, request: &Signed<'_>, proposal: &str) -> Result<Option<Proposal>, Refusal> {
        let id = signed_id(request, proposal)?;
        let Some(mut info) = proposals::info(&self.tables, tx, &id)? else { return Ok(None) };
        if info.proposer_id != request.signer {
            return Err(Refusal::AuthorizationFailed(format!(
                "Proposal {id} can only be withdrawn by proposer {}, not caller {}.",
                info.proposer_id, request.signer
            )));
        }
        match info.state {
            ProposalState::Withdrawn => return Ok(Some(Proposal::of(&id, info))),
            ProposalState::Open => {}
            state => return Err(not_open(&id, state)),
        }
        whole(tx, |tx| {
            info.state = ProposalState::Withdrawn;
            proposals::set_info(&self.tables, tx, &id, &info);
            proposals::forget_others(&self.tables, tx, &id)?;
            acks::note(&self.tables, tx, &request.signer, request.envelope);
            Ok(Some(Proposal::of(&id, info)))
        })
    }

    pub fn proposal(&self, tx: &Tx<'_>, proposal: &str) -> Result<Proposal, Refusal> {
        let id = proposal.to_ascii_lowercase();
        let info = proposals::info(&self.tables, tx, &id)?;
        info.map(|info| Proposal::of(&id, info)).ok_or(Refusal::ProposalNotFound(id))
    }

    pub fn proposals(&self, tx: &Tx<'_>) -> Result<Vec<Proposal>, Refusal> {
        let all = proposals::all(&self.tables, tx)?;
        Ok(all.into_iter().map(|(id, info)| Proposal::of(&id, info)).collect())
    }

    /// The body of a proposal as it was submitted.
    pub fn actions(&self, tx: &Tx<'_>, proposal: &str) -> Result<Vec<u8>, Refusal> {
        let id = proposal.to_ascii_lowercase();
        let body = proposals::body(&self.tables, tx, &id)?;
        body.map(|body| body.to_vec()).ok_or(Refusal::ProposalNotFound(id))
    }

    /// The script of a member's ballot.
    pub fn ballot(&self, tx: &Tx<'_>, proposal: &str, member: &str) -> Result<String, Refusal> {
        let id = proposal.to_ascii_lowercase();
        let info = proposals::info(&self.tables, tx, &id)?.ok_or(Refusal::ProposalNotFound(id))?;
        let ballot = MemberId::parse(member).and_then(|member| info.ballots.get(&member).cloned());
        ballot.ok_or_else(|| Refusal::VoteNotFound(member.to_owned()))
    }
}

/// What a proposal is called: by the state that its proposer could see, and by its signature.
fn proposal_id(root: &Digest, signature: &Digest) -> String {
    crypto::sha256_pair(root, signature).to_string()
}

/// The proposal that a request is about, which must be the one in the path.
fn signed_id(request: &Signed<'_>, path: &str) -> Result<String, Refusal> {
    let signed = request.proposal_id.unwrap_or_default();
    if signed.eq_ignore_ascii_case(path) {
        return Ok(path.to_ascii_lowercase());
    }
    Err(Refusal::InvalidResourceName { what: "proposal id", signed: signed.to_owned(), path: path.to_owned() })
}

fn not_open(id: &str, state: ProposalState) -> Refusal {
    Refusal::ProposalNotOpen { id: id.to_owned(), state: format!("{state:?}") }
}
