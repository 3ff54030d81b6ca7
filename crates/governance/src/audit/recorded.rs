//! The service, as an entry recorded its work: certificates have chance in them, so an audit cannot make them again. It looks
//! whether those in the entry are what the constitution asked for.

use crypto::Certificate;
use crypto::certificate::Request;
use kv::{State, Tx, WriteSet};
use serde_json::Value;

use super::put;
use crate::engine::Service;
use crate::state::service;
use crate::tables::SINGLETON;
use crate::validity::period;
use crate::{Governance, GovernanceTables};

pub struct Recorded {
    /// The service's certificate before the entry, PEM.
    certificate: Option<String>,
    /// The one in the entry.
    renewed: Option<String>,
    /// Those of nodes in the entry, PEM.
    endorsed: Vec<String>,
    ledger_secret_seqno: u64,
}

impl Recorded {
    pub fn new(governance: &Governance, before: &State, writes: &WriteSet) -> Self {
        let of = governance.tables();
        let info = put(writes, of.service_info, &SINGLETON).and_then(|row| serde_json::from_slice(row).ok());
        let endorsed = writes.section(of.nodes_certificates).into_iter().flat_map(|section| &section.puts);
        Self {
            certificate: service::certificate(of, &Tx::new(before)).ok().flatten(),
            renewed: info.and_then(|info: Value| info.get("cert")?.as_str().map(str::to_owned)),
            endorsed: endorsed.map(|(_, row)| String::from_utf8_lossy(row).into_owned()).collect(),
            ledger_secret_seqno: ledger_secret_seqno(of, writes),
        }
    }

    fn own(&self) -> Result<Certificate, String> {
        let certificate = self.certificate.as_deref().ok_or("the service has no certificate")?;
        Certificate::from_pem(certificate).map_err(|error| error.to_string())
    }
}

/// What the entry says of it. The ledger's secrets are sealed: from outside nobody knows better.
fn ledger_secret_seqno(of: &GovernanceTables, writes: &WriteSet) -> u64 {
    let rows = writes.section(of.nodes_info).into_iter().flat_map(|section| &section.puts);
    let said = |row: &[u8]| serde_json::from_slice::<Value>(row).ok()?.get("ledger_secret_seqno")?.as_u64();
    rows.filter_map(|(_, row)| said(row)).max().unwrap_or(0)
}

impl Service for Recorded {
    fn ledger_secret_seqno(&self) -> u64 {
        self.ledger_secret_seqno
    }

    fn endorse_node(&self, request: &str, valid_from: &str, days: u32) -> Result<String, String> {
        let text = |error: crypto::Error| error.to_string();
        let validity = period(valid_from, days)?;
        let key = Request::from_pem(request).map_err(text)?.key;
        let service = self.own()?.public_key().map_err(text)?;
        let fits = |pem: &&String| {
            let Ok(certificate) = Certificate::from_pem(pem) else { return false };
            certificate.public_key().is_ok_and(|of| of.fingerprint() == key.fingerprint())
                && certificate.validity() == Ok(validity)
                && certificate.check_issued_by(&service).is_ok()
        };
        let recorded = self.endorsed.iter().find(fits);
        recorded
            .cloned()
            .ok_or_else(|| "the entry has no certificate of the service for what the node asked".to_owned())
    }

    fn renew_certificate(&self, valid_from: &str, days: u32) -> Result<String, String> {
        let text = |error: crypto::Error| error.to_string();
        let validity = period(valid_from, days)?;
        let key = self.own()?.public_key().map_err(text)?;
        let fits = |pem: &&String| {
            let Ok(certificate) = Certificate::from_pem(pem) else { return false };
            certificate.public_key().is_ok_and(|of| of.fingerprint() == key.fingerprint())
                && certificate.validity() == Ok(validity)
                && certificate.check_issued_by(&key).is_ok()
        };
        let recorded = self.renewed.as_ref().filter(fits);
        recorded.cloned().ok_or_else(|| "the entry has no certificate of this service for that time".to_owned())
    }

    fn check_identities(&self, previous: Option<&str>, next: &str) -> Result<(), String> {
        service::check_identities(self.certificate.as_deref().unwrap_or_default(), previous, next)
    }
}
