//! A member signs the state before it counts: it is given the root of the ledger and gives it back under its signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kv::Tx;
use ledger::genesis::ServiceStatus;
use serde::{Deserialize, Serialize};

use crate::engine::Effect;
use crate::state::acks::{self, Ack};
use crate::state::members::{self, Status};
use crate::state::service;
use crate::{At, Governance, MemberId, Outcome, Refusal, Signed, whole};

/// The digest that a member is to sign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateDigest {
    pub member_id: MemberId,
    pub state_digest: String,
}

/// What a member signs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acknowledged {
    state_digest: String,
}

impl Governance {
    /// Gives a member the root of the ledger to sign. `member` is the one in the path.
    pub fn update_state_digest(
        &self,
        tx: &mut Tx<'_>,
        request: &Signed<'_>,
        member: &str,
        at: &At<'_>,
    ) -> Result<StateDigest, Refusal> {
        check_path(request, member)?;
        let root = at.root.ok_or_else(|| Refusal::InternalError("Service has no signatures to ack yet.".to_owned()))?;
        let mut ack = acks::get(&self.tables, tx, &request.signer)?
            .unwrap_or(Ack { state_digest: String::new(), cose_sign1_req: None });
        ack.state_digest = root.to_string();
        acks::set(&self.tables, tx, &request.signer, &ack);
        acks::note(&self.tables, tx, &request.signer, request.envelope);
        Ok(StateDigest { member_id: request.signer, state_digest: ack.state_digest })
    }

    /// The digest that a member is to sign.
    pub fn state_digest(&self, tx: &Tx<'_>, member: &MemberId) -> Result<StateDigest, Refusal> {
        let ack = acks::get(&self.tables, tx, member)?.ok_or_else(|| Refusal::NoAckRecord(member.to_string()))?;
        Ok(StateDigest { member_id: *member, state_digest: ack.state_digest })
    }

    /// Takes a member's signature of the digest that it was given. The first one makes it active.
    pub fn acknowledge(&self, tx: &mut Tx<'_>, request: &Signed<'_>, member: &str) -> Result<Outcome<()>, Refusal> {
        check_path(request, member)?;
        let signer = request.signer;
        let mut ack =
            acks::get(&self.tables, tx, &signer)?.ok_or_else(|| Refusal::NoAckToConfirm(signer.to_string()))?;
        let signed: Acknowledged = serde_json::from_slice(request.payload)
            .map_err(|error| Refusal::InvalidInput(format!("The ack cannot be read: {error}.")))?;
        if signed.state_digest != ack.state_digest {
            return Err(Refusal::StateDigestMismatch);
        }
        whole(tx, |tx| {
            ack.cose_sign1_req = Some(STANDARD.encode(request.envelope));
            acks::set(&self.tables, tx, &signer, &ack);
            acks::note(&self.tables, tx, &signer, request.envelope);
            self.activate(tx, &signer)
        })
    }

    fn activate(&self, tx: &mut Tx<'_>, member: &MemberId) -> Result<Outcome<()>, Refusal> {
        let missing = || Refusal::InternalError(format!("Member {member} has no information."));
        let mut info = members::info(&self.tables, tx, member)?.ok_or_else(missing)?;
        let mut outcome = Outcome::plain(());
        // A suspended member stays so, whatever it signs.
        if info.status != Status::Accepted {
            return Ok(outcome);
        }
        let status = service::info(&self.tables, tx)?.map(|info| info.status);
        if members::recovers(&self.tables, tx, member)? {
            match status {
                Some(ServiceStatus::Recovering | ServiceStatus::WaitingForRecoveryShares) => {
                    return Err(Refusal::AuthorizationFailed(
                        "A recovery member cannot become active while the service recovers.".to_owned(),
                    ));
                }
                Some(ServiceStatus::Open) => {
                    outcome.effects.push(Effect::RefreshRecoveryShares);
                    self.want_shares(tx)?;
                }
                Some(ServiceStatus::Opening) | None => {}
            }
        }
        info.status = Status::Active;
        members::set_info(&self.tables, tx, member, &info);
        Ok(outcome)
    }
}

fn check_path(request: &Signed<'_>, member: &str) -> Result<(), Refusal> {
    if MemberId::parse(member) == Some(request.signer) {
        Ok(())
    } else {
        Err(Refusal::InvalidAuthenticationInfo("the signer is not the member in the path"))
    }
}
