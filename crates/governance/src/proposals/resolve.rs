//! Whether a proposal is decided, and what follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use kv::{State, Tx};
use ledger::tables::{CHUNK_WANTED, SNAPSHOT_WANTED};
use serde_json::json;

use super::Proposal;
use crate::engine::{Answer, Bounds, Call, Done, Effect, Failure, Job, OVERRUN};
use crate::state::proposals::{self, ProposalInfo, ProposalState, StoredTrouble};
use crate::state::service;
use crate::{At, Governance, MemberId, Outcome, Refusal, Trouble};

/// Scripts as one request runs them: all on the same terms.
pub(super) struct Scripts<'a> {
    constitution: Arc<str>,
    bounds: Bounds,
    before: State,
    governance: &'a Governance,
    at: &'a At<'a>,
}

impl Scripts<'_> {
    pub(super) fn constitution(&self, call: Call, state: &State) -> Result<Done, Failure> {
        let (script, compiled) = (self.constitution.clone(), Some(self.governance.compiled.clone()));
        self.at.runner.run(Job { compiled, ..self.job(script, None, call, state) })
    }

    fn ballot(&self, member: MemberId, script: &str, call: Call, state: &State) -> Result<Done, Failure> {
        self.at.runner.run(self.job(script.into(), Some(member), call, state))
    }

    fn job(&self, script: Arc<str>, author: Option<MemberId>, call: Call, state: &State) -> Job {
        Job {
            script,
            author,
            call,
            state: state.clone(),
            before: self.before.clone(),
            bounds: self.bounds,
            time: self.at.time,
            seed: self.at.seed,
            service: self.at.service.clone(),
            given: self.governance.given.clone(),
            compiled: None,
        }
    }
}

/// How members voted.
struct Votes {
    cast: BTreeMap<MemberId, bool>,
    failures: BTreeMap<MemberId, StoredTrouble>,
}

impl Governance {
    pub(super) fn scripts<'a>(&'a self, tx: &Tx<'_>, at: &'a At<'a>) -> Result<Scripts<'a>, Refusal> {
        let missing = || Refusal::InternalError("No constitution is set: proposals cannot be evaluated.".to_owned());
        let constitution = service::constitution(&self.tables, tx)?.ok_or_else(missing)?;
        let bounds = service::bounds(&self.tables, tx)?;
        Ok(Scripts { constitution: constitution.into(), bounds, before: tx.base().clone(), governance: self, at })
    }

    /// Lets every ballot vote and the constitution judge, and carries the proposal out if it is accepted.
    pub(super) fn decide(
        &self,
        tx: &mut Tx<'_>,
        id: &str,
        mut info: ProposalInfo,
        body: &Arc<str>,
        at: &At<'_>,
    ) -> Result<Outcome<Proposal>, Refusal> {
        let scripts = self.scripts(tx, at)?;
        let mut log = Vec::new();
        let state = tx.preview();
        let votes = vote(&scripts, &info, body, &state, &mut log)?;
        info.state = judge(&scripts, id, &info, body, &votes, &state, &mut log)?;
        let mut failures = votes.failures;
        if info.state == ProposalState::Open {
            // Of an open proposal only what must not happen twice is kept.
            failures.retain(|_, failure| failure.reason == OVERRUN);
            info.vote_failures = Some(failures).filter(|failures| !failures.is_empty());
            proposals::set_info(&self.tables, tx, id, &info);
            return Ok(Outcome { answer: Proposal::of(id, info), effects: Vec::new(), log });
        }
        info.final_votes = Some(votes.cast);
        info.vote_failures = Some(failures).filter(|failures| !failures.is_empty());
        proposals::forget_others(&self.tables, tx, id)?;
        proposals::set_info(&self.tables, tx, id, &info);
        let mut effects = Vec::new();
        if info.state == ProposalState::Accepted {
            effects = self.apply(tx, &scripts, id, body, &mut log)?;
            // What the constitution did to other proposals stands; this one is what it is.
            proposals::set_info(&self.tables, tx, id, &info);
        }
        Ok(Outcome { answer: Proposal::of(id, info), effects, log })
    }

    fn apply(
        &self,
        tx: &mut Tx<'_>,
        scripts: &Scripts<'_>,
        id: &str,
        body: &Arc<str>,
        log: &mut Vec<String>,
    ) -> Result<Vec<Effect>, Refusal> {
        let call = Call::Apply { proposal: body.clone(), proposal_id: id.to_owned() };
        let done = scripts.constitution(call, &tx.preview()).map_err(|failure| Refusal::of_script("apply", failure))?;
        log.extend(done.log);
        for write in done.writes {
            match write.value {
                Some(value) => tx.put(write.table, write.key, value),
                None => tx.remove(write.table, write.key),
            }
        }
        if done.effects.iter().any(|effect| matches!(effect, Effect::OpenService { .. })) {
            service::approve_opening(&self.tables, tx)?;
        }
        for effect in &done.effects {
            let wanted = match effect {
                Effect::CloseChunk => CHUNK_WANTED,
                Effect::TakeSnapshot => SNAPSHOT_WANTED,
                _ => continue,
            };
            // Rides the ledger, so that every node does it: at the same entry, and after a restart too.
            tx.put(self.tables.ledger_files, wanted, json!({ "proposal": id }).to_string().into_bytes());
        }
        if done.effects.contains(&Effect::RekeyLedger) {
            self.want_rekey(tx)?;
        }
        if done.effects.contains(&Effect::RefreshRecoveryShares) {
            self.want_shares(tx)?;
        }
        Ok(done.effects)
    }
}

/// Asks every ballot. One that fails is no vote, and one that took all its time before is not asked again: a ballot may cost the
/// network all that once, not with each ballot of another. What it costs each time is charged to its member (`Job::author`).
fn vote(
    scripts: &Scripts<'_>,
    info: &ProposalInfo,
    body: &Arc<str>,
    state: &State,
    log: &mut Vec<String>,
) -> Result<Votes, Refusal> {
    let mut votes = Votes { cast: BTreeMap::new(), failures: info.vote_failures.clone().unwrap_or_default() };
    for (member, ballot) in &info.ballots {
        if votes.failures.contains_key(member) {
            continue;
        }
        let call = Call::Vote { proposal: body.clone(), proposer: info.proposer_id.to_string() };
        match scripts.ballot(*member, ballot, call, state) {
            Ok(done) => {
                log.extend(done.log);
                votes.cast.insert(*member, done.answer == Answer::Vote(true));
            }
            Err(Failure::Thrown { reason, trace }) => {
                votes.failures.insert(*member, StoredTrouble { reason, trace });
            }
            Err(Failure::Overrun) => {
                votes.failures.insert(*member, StoredTrouble { reason: OVERRUN.to_owned(), trace: None });
            }
            Err(Failure::Busy) => return Err(Refusal::Busy),
        }
    }
    Ok(votes)
}

/// Asks the constitution.
fn judge(
    scripts: &Scripts<'_>,
    id: &str,
    info: &ProposalInfo,
    body: &Arc<str>,
    votes: &Votes,
    state: &State,
    log: &mut Vec<String>,
) -> Result<ProposalState, Refusal> {
    let call = Call::Resolve {
        proposal: body.clone(),
        proposer: info.proposer_id.to_string(),
        votes: votes.cast.iter().map(|(member, vote)| (member.to_string(), *vote)).collect(),
        proposal_id: id.to_owned(),
    };
    let done = scripts.constitution(call, state).map_err(|failure| Refusal::of_script("resolve", failure))?;
    log.extend(done.log);
    match done.answer {
        Answer::Resolution(state) if state == "Open" => Ok(ProposalState::Open),
        Answer::Resolution(state) if state == "Accepted" => Ok(ProposalState::Accepted),
        Answer::Resolution(state) if state == "Rejected" => Ok(ProposalState::Rejected),
        other => {
            let reason = format!("Failed to resolve(): it gave {other:?}, which is not Open, Accepted or Rejected.");
            Err(Refusal::Script(Trouble { reason, trace: None }))
        }
    }
}
