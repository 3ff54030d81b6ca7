//! A second proposal of the same would be voted on beside the first.

use crate::failure::Failure;
use crate::governance::{Action, Proposal, Service, short};

/// The open proposal that has such actions.
pub fn open_with(service: &Service<'_>, same: impl Fn(&[Action]) -> bool) -> Result<Option<Proposal>, Failure> {
    for proposal in service.proposals()?.into_iter().filter(Proposal::is_open) {
        if same(&service.actions(&proposal.proposal_id)?) {
            return Ok(Some(proposal));
        }
    }
    Ok(None)
}

/// Refuses to propose what is proposed already.
pub fn refuse_twice(service: &Service<'_>, same: impl Fn(&Action) -> bool) -> Result<(), Failure> {
    let Some(proposal) = open_with(service, |actions| actions.iter().any(&same))? else { return Ok(()) };
    let id = short(&proposal.proposal_id);
    Err(Failure::new(format!("that was proposed already, and is not decided yet: proposal {id}"))
        .hint(format!("coco proposal vote {id} --yes")))
}
