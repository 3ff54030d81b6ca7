//! The service's keys as constitutions use them: times are texts and days there, seconds below.

use std::sync::Arc;

use governance::engine::Service;
use governance::state::service::check_identities;
use governance::validity::period;

/// The node's service, for one call of a constitution.
pub struct Endorsing {
    pub service: Arc<dyn adapter::Service>,
    /// PEM, as the rows have it.
    pub certificate: Option<String>,
}

impl Service for Endorsing {
    fn ledger_secret_seqno(&self) -> u64 {
        self.service.ledger_secret_seqno()
    }

    fn endorse_node(&self, request: &str, valid_from: &str, days: u32) -> Result<String, String> {
        let validity = period(valid_from, days)?;
        self.service.endorse_node(request, validity.from, validity.until).map_err(|reject| reject.message)
    }

    fn renew_certificate(&self, valid_from: &str, days: u32) -> Result<String, String> {
        let validity = period(valid_from, days)?;
        self.service.renew_certificate(validity.from, validity.until).map_err(|reject| reject.message)
    }

    fn check_identities(&self, previous: Option<&str>, next: &str) -> Result<(), String> {
        check_identities(self.certificate.as_deref().unwrap_or_default(), previous, next)
    }
}
