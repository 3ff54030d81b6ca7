//! The service itself: its status, its configuration, its constitution, what scripts may cost.

use std::time::Duration;

use kv::Tx;
use ledger::genesis::ServiceStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{read, write};
use crate::engine::Bounds;
use crate::tables::SINGLETON;
use crate::{GovernanceTables, Refusal};

/// The row of `service.info`, as far as governance reads it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServiceInfo {
    pub status: ServiceStatus,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The row of `service.config`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServiceConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_threshold: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent_cose_proposals_window_size: Option<u64>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Requests of proposals that are remembered, unless members decided otherwise.
pub(crate) const WINDOW: u64 = 100;
const WINDOW_MAX: u64 = 10_000;

pub fn info(tables: &GovernanceTables, tx: &Tx<'_>) -> Result<Option<ServiceInfo>, Refusal> {
    read(tx, tables.service_info, &SINGLETON)
}

/// What follows when members have approved a service identity: a new service opens, a recovering one waits for shares.
/// Said again of an open service, nothing follows.
pub fn approve_opening(tables: &GovernanceTables, tx: &mut Tx<'_>) -> Result<(), Refusal> {
    let missing = || Refusal::InternalError("Service information could not be found.".to_owned());
    let mut info = info(tables, tx)?.ok_or_else(missing)?;
    info.status = match info.status {
        ServiceStatus::Opening | ServiceStatus::Open => ServiceStatus::Open,
        ServiceStatus::Recovering | ServiceStatus::WaitingForRecoveryShares => ServiceStatus::WaitingForRecoveryShares,
    };
    write(tx, tables.service_info, &SINGLETON, &info);
    Ok(())
}

/// Whether these are the identities (PEM) of this service and of the one that it recovers, which is none here.
pub fn check_identities(certificate: &str, previous: Option<&str>, next: &str) -> Result<(), String> {
    if previous.is_some() {
        return Err("this service recovers no other".to_owned());
    }
    if next.trim() != certificate.trim() {
        return Err("this is another service".to_owned());
    }
    Ok(())
}

/// PEM. Absent before the service is founded.
pub fn certificate(tables: &GovernanceTables, tx: &Tx<'_>) -> Result<Option<String>, Refusal> {
    let info = info(tables, tx)?;
    Ok(info.and_then(|info| info.more.get("cert")?.as_str().map(str::to_owned)))
}

pub fn set_config(tables: &GovernanceTables, tx: &mut Tx<'_>, config: &ServiceConfig) {
    write(tx, tables.service_config, &SINGLETON, config);
}

/// How many requests of proposals are remembered.
pub fn replay_window(tables: &GovernanceTables, tx: &Tx<'_>) -> Result<usize, Refusal> {
    let config: Option<ServiceConfig> = read(tx, tables.service_config, &SINGLETON)?;
    let window = config.and_then(|config| config.recent_cose_proposals_window_size).unwrap_or(WINDOW);
    Ok(usize::try_from(window.clamp(1, WINDOW_MAX)).unwrap_or(usize::MAX))
}

/// How many recovery shares are needed.
pub fn recovery_threshold(tables: &GovernanceTables, tx: &Tx<'_>) -> Result<usize, Refusal> {
    let config: Option<ServiceConfig> = read(tx, tables.service_config, &SINGLETON)?;
    let threshold = config.and_then(|config| config.recovery_threshold).unwrap_or(1);
    Ok(usize::try_from(threshold).unwrap_or(usize::MAX))
}

pub fn constitution(tables: &GovernanceTables, tx: &Tx<'_>) -> Result<Option<String>, Refusal> {
    read(tx, tables.constitution, &SINGLETON)
}

pub fn set_constitution(tables: &GovernanceTables, tx: &mut Tx<'_>, script: &str) {
    write(tx, tables.constitution, &SINGLETON, &script);
}

/// What members decided that scripts may cost, of that what governance looks at.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
struct RuntimeOptions {
    max_heap_bytes: Option<u64>,
    max_stack_bytes: Option<u64>,
    max_execution_time_ms: Option<u64>,
}

/// The stack that members may grant at most: the thread must have it.
const STACK_BYTES_MAX: usize = 8 << 20;
/// Heap and time likewise: what they grant to scripts they take from the node.
const HEAP_BYTES_MAX: usize = 1 << 30;
const TIME_MAX: Duration = Duration::from_secs(10);

/// What a call may cost: what members decided for scripts, and for governance never less than [`Bounds::LEAST`].
pub fn bounds(tables: &GovernanceTables, tx: &Tx<'_>) -> Result<Bounds, Refusal> {
    let options: RuntimeOptions = read(tx, tables.js_runtime_options, &SINGLETON)?.unwrap_or_default();
    let least = Bounds::LEAST;
    let bytes = |option: Option<u64>, least: usize, most: usize| {
        option.map_or(least, |bytes| usize::try_from(bytes).unwrap_or(most).clamp(least, most))
    };
    let time = options.max_execution_time_ms.map_or(least.time, Duration::from_millis).clamp(least.time, TIME_MAX);
    // Steps grow with time: the one bound is the other's twin that does not depend on the machine.
    let steps = least.steps * u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / 1_000;
    Ok(Bounds {
        heap_bytes: bytes(options.max_heap_bytes, least.heap_bytes, HEAP_BYTES_MAX),
        stack_bytes: bytes(options.max_stack_bytes, least.stack_bytes, STACK_BYTES_MAX),
        steps,
        time,
        ..least
    })
}
