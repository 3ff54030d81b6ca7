//! The verdict on evidence, by the rows of members. Verifying takes milliseconds and strangers ask for it, so it has a bound.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use adapter::Reject;
use attestation::{Binding, Claims, Presented, policy as decide_on};
use governance::nodes::Candidate;
use governance::views::JoinPolicy;
use governance::{Governance, Refusal};
use kv::Tx;
use ledger::genesis::{Evaluation, QuoteInfo};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{evidence, policy, roots};
use crate::decide::{Deciding, Undecided, blocking};

/// Evidence that is verified at once.
const AT_ONCE: usize = 2;
/// How long a request waits for its turn before it is told that the node is busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// Turns to verify.
#[derive(Clone)]
pub struct Verifying(Arc<Semaphore>);

impl Default for Verifying {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

#[cfg(test)]
impl Verifying {
    /// Every turn there is.
    pub async fn all(&self) -> tokio::sync::OwnedSemaphorePermit {
        let turns = u32::try_from(AT_ONCE).unwrap();
        self.0.clone().acquire_many_owned(turns).await.unwrap()
    }
}

/// What a node's evidence says, if it is what members ask for and is bound to this.
pub async fn verdict(deciding: &Deciding, info: QuoteInfo, binding: Binding) -> Result<Judged, Undecided> {
    let turn = tokio::time::timeout(PATIENCE, deciding.verifying.0.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(Reject::busy().into()) };
    let deciding = deciding.clone();
    let verify = move || {
        let snapshot = deciding.node.snapshot();
        let (governance, tx) = (&deciding.gov.governance, Tx::new(snapshot.state()));
        let now = now();
        let verdict = verdict_at(governance, &tx, &info, &binding, now)
            .and_then(|judged| ask_members(&deciding, &tx, &info, judged, milliseconds(now)));
        // Here and not where the answer is waited for: a client that goes away does not end the work.
        drop(turn);
        Ok(verdict?)
    };
    blocking(verify).await
}

/// What was found good by the rows.
#[derive(Debug)]
pub struct Judged {
    pub claims: Claims,
    /// The main one, in hexadecimal.
    pub measurement: String,
}

impl Judged {
    /// How new the vendor's word was.
    pub fn evaluation(&self) -> Option<Evaluation> {
        let number = self.claims.evaluation?;
        Some(Evaluation { tee: policy::tee_of(self.claims.kind).to_owned(), number })
    }
}

/// Asks the script of members, if they have one.
fn ask_members(
    deciding: &Deciding,
    tx: &Tx<'_>,
    info: &QuoteInfo,
    judged: Judged,
    time: u64,
) -> Result<Judged, Refusal> {
    let Judged { claims, measurement } = &judged;
    let node = json!({ "format": info.format, "measurement": measurement, "evidence": claims });
    let runner = &*deciding.gov.scripts;
    let candidate = Candidate { statements: "[]".to_owned(), node: node.to_string(), time, runner };
    for line in deciding.gov.governance.ask_join_policy(tx, candidate)? {
        tracing::info!(target: "gov::script", line);
    }
    Ok(judged)
}

/// By the rows, at a time.
pub fn verdict_at(
    governance: &Governance,
    tx: &Tx<'_>,
    info: &QuoteInfo,
    binding: &Binding,
    now: Duration,
) -> Result<Judged, Refusal> {
    let rows = governance.join_policy(tx)?;
    let presented = evidence::presented(info).map_err(refused)?;
    let claims = verified(&presented, &rows, now.as_secs()).map_err(refused)?;
    let policy = policy::policy(&claims, &rows, milliseconds(now))?;
    decide_on(&claims, &policy, binding).map_err(refused)?;
    let (_, measurement) = policy::main_measurement(&claims).ok_or_else(|| {
        Refusal::InvalidQuote("The evidence has no measurement that members could have approved.".to_owned())
    })?;
    let measurement = measurement.to_string();
    Ok(Judged { claims, measurement })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// By the vendors' roots, or by others that members named; the refusal is that of the root that vouches for it, or the first
/// one's.
fn verified(presented: &Presented, rows: &JoinPolicy, now: u64) -> Result<Claims, attestation::Refusal> {
    let all = roots::roots(presented.kind, &rows.manifests.roots);
    let mut refusal = None;
    for roots in &all {
        match presented.verify(roots, now) {
            Ok(claims) => return Ok(claims),
            Err(other) if refusal.as_ref().is_none_or(|refusal| roots::is_nearer(&other, refusal)) => {
                refusal = Some(other)
            }
            Err(_) => {}
        }
    }
    let none = || attestation::Refusal::new(attestation::Code::OtherRoot, "no roots");
    Err(refusal.unwrap_or_else(none))
}

fn refused(refusal: attestation::Refusal) -> Refusal {
    Refusal::InvalidQuote(refusal.to_string())
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
