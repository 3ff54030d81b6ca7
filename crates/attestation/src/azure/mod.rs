//! vTPM evidence of Azure's confidential VMs.

use serde::{Deserialize, Serialize};

use crate::{Claims, Code, Refusal};

/// What a service asks of this kind beyond the common policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {}

/// The part of the policy that only this kind has.
pub(crate) fn policy(_claims: &Claims, _policy: &Policy) -> Result<(), Refusal> {
    Err(Refusal::new(Code::ClaimMissing, "this kind is not verified"))
}
