//! The rows of governance that a service begins with. After them everything is changed by proposals.

use crypto::ForeignCertificate;
use kv::Tx;
use serde_json::{Map, Value};

use crate::state::members::{self, MemberInfo, Status};
use crate::state::service::{self, ServiceConfig};
use crate::{Governance, MemberId, Refusal};

/// What the founders agreed on.
pub struct Founding<'a> {
    /// The script: [`crate::constitution::DEFAULT`], or another.
    pub constitution: &'a str,
    pub members: Vec<FoundingMember>,
    /// How many shares open the ledger after a disaster.
    pub recovery_threshold: u64,
}

/// A member from the beginning. It has no right that others have not.
pub struct FoundingMember {
    /// PEM.
    pub certificate: String,
    /// RSA, PEM. Who gives one takes part in recovery.
    pub encryption_key: Option<String>,
    pub data: Option<Value>,
    /// `Accepted`, as CCF has it: the member signs the state first. `Active` is for networks that are made and used at
    /// once, by one person.
    pub status: Status,
}

impl Governance {
    /// Writes the first rows. Says what is wrong with the founding, if anything is.
    pub fn found(&self, tx: &mut Tx<'_>, founding: &Founding<'_>) -> Result<Vec<MemberId>, Refusal> {
        service::set_constitution(&self.tables, tx, founding.constitution);
        let config = ServiceConfig {
            recovery_threshold: Some(founding.recovery_threshold),
            recent_cose_proposals_window_size: None,
            more: Map::new(),
        };
        service::set_config(&self.tables, tx, &config);
        founding.members.iter().map(|member| self.found_member(tx, member)).collect()
    }

    fn found_member(&self, tx: &mut Tx<'_>, member: &FoundingMember) -> Result<MemberId, Refusal> {
        let certificate = ForeignCertificate::from_pem(&member.certificate)
            .map_err(|error| Refusal::InvalidInput(format!("A founding member's certificate is {error}.")))?;
        let id = MemberId::of(&certificate);
        tx.put(self.tables.members_certs, id.key(), member.certificate.as_bytes());
        if let Some(key) = &member.encryption_key {
            tx.put(self.tables.members_encryption_keys, id.key(), key.as_bytes());
        }
        let info = MemberInfo {
            status: member.status,
            member_data: member.data.clone(),
            recovery_role: member.encryption_key.as_ref().map(|_| "Participant".to_owned()),
            more: Map::new(),
        };
        members::set_info(&self.tables, tx, &id, &info);
        Ok(id)
    }
}
