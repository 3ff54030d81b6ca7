//! The other side of `ccf.kv`: a version of the store that belongs to one call, with the rights and bounds of its step.
//!
//! What asks here may be anything, up to an engine that a script has taken over: whatever it says, it gets no more than the
//! script may have.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::limits::KEY_BYTES_MAX;
use kv::{Blob, Kind, Section, State, TableId, WriteSet};
use ledger::genesis::ServiceStatus;

use super::ask::{Ask, Told};
use super::bounds::Bounds;
use super::effect::{Effect, Service};
use super::log::Log;
use super::rights::{Given, Right, may};
use super::{Answer, Done, Failure, Job, Step, Write, jwt};
use crate::tables::{SERVICE_INFO, SINGLETON};

/// Rows that a script is given at once when it walks a table.
const PAGE_ROWS: usize = 64;
/// And about so many bytes, one row at least.
const PAGE_BYTES: usize = 256 << 10;

/// Walks through tables that one call may have under way, one within the other.
pub(crate) const WALKS_MAX: usize = 16;

/// What a refusal to a script says.
pub(crate) type Refused = String;

pub(crate) struct Host {
    /// Of the job.
    step: Step,
    /// While the script loads it has no rights.
    loaded: bool,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) effects: Vec<Effect>,
    writes: Vec<Write>,
    state: State,
    before: State,
    given: Given,
    writes_left: usize,
    output_left: usize,
    log_bytes: usize,
    walks: BTreeMap<u32, Walk>,
    walks_begun: u32,
}

/// A walk through a table as it was when the walk began.
struct Walk {
    state: State,
    table: TableId,
    last: Option<Blob>,
}

impl Host {
    /// What answers the script of a job.
    pub(crate) fn of(job: &Job) -> Self {
        let Job { state, before, given, service, bounds, .. } = job;
        Self::new(job.call.step(), state.clone(), before.clone(), given.clone(), service.clone(), bounds)
    }

    pub(crate) fn new(
        step: Step,
        state: State,
        before: State,
        given: Given,
        service: Arc<dyn Service>,
        bounds: &Bounds,
    ) -> Self {
        Self {
            step,
            loaded: false,
            service,
            effects: Vec::new(),
            writes: Vec::new(),
            state,
            before,
            given,
            writes_left: bounds.writes,
            output_left: bounds.output_bytes,
            log_bytes: bounds.log_bytes,
            walks: BTreeMap::new(),
            walks_begun: 0,
        }
    }

    pub(crate) fn answer(&mut self, ask: Ask) -> Result<Told, Refused> {
        match ask {
            Ask::Loaded => self.loaded = true,
            Ask::Get(table, key) => return self.get(&table, &key).map(Told::Bytes),
            Ask::Version(table, key) => return self.version(&table, &key).map(Told::Number),
            Ask::Set(table, key, value) => self.set(&table, key.into(), value.into())?,
            Ask::Delete(table, key) => return self.delete(&table, key.into()).map(Told::Flag),
            Ask::Clear(table) => self.clear(&table)?,
            Ask::Size(table) => return self.size(&table).map(|rows| Told::Number(Some(rows as u64))),
            Ask::Walk(table) => return self.walk(&table),
            Ask::Further(walk) => return self.further(walk),
            Ask::Leave(walk) => drop(self.walks.remove(&walk)),
            Ask::Effect(name) => self.effect(&name)?,
            Ask::OpenService { previous, next } => {
                self.applying()?;
                self.service.check_identities(previous.as_deref(), &next)?;
                self.effects.push(Effect::OpenService { previous, next });
            }
            Ask::LedgerSecretSeqno => return Ok(Told::Number(Some(self.service.ledger_secret_seqno()))),
            Ask::EndorseNode { request, valid_from, days } => {
                return self.service.endorse_node(&request, &valid_from, days).map(Told::Text);
            }
            Ask::RenewCertificate { valid_from, days } => {
                return self.service.renew_certificate(&valid_from, days).map(Told::Text);
            }
            Ask::SetJwtKeys { issuer, keys } => jwt::set_keys(self, &issuer, &keys)?,
        }
        Ok(Told::Done)
    }

    /// Ends the call. The answer counts as output too, and the log is cut to what there is room for.
    pub(crate) fn finish<'a>(
        &mut self,
        answer: Answer,
        said: impl IntoIterator<Item = &'a str>,
    ) -> Result<Done, Failure> {
        let (fits, text) = match &answer {
            Answer::Validity { description, .. } => (self.step == Step::Validate, description.len()),
            Answer::Vote(_) => (self.step == Step::Ballot, 0),
            Answer::Resolution(text) => (self.step == Step::Resolve, text.len()),
            Answer::Applied => (self.step == Step::Apply, 0),
            Answer::Admission(reason) => (self.step == Step::Join, reason.as_ref().map_or(0, String::len)),
        };
        if !fits {
            return Err(Failure::thrown("the script's answer is to another question"));
        }
        self.output_left.checked_sub(text).ok_or_else(Failure::too_long)?;
        let log = Log::new(self.log_bytes).take(said).into_lines();
        let (writes, effects) = (std::mem::take(&mut self.writes), std::mem::take(&mut self.effects));
        Ok(Done { answer, writes, effects, log })
    }

    fn rights(&self) -> Option<Step> {
        self.loaded.then_some(self.step)
    }

    /// A table that may be read. Absent where the network has none of that name, which reads as an empty one.
    fn readable(&self, name: &str) -> Result<Option<TableId>, Refused> {
        if !may(self.rights(), name, Right::Read, &self.given) {
            return Err(format!("table {name:?} may not be read here"));
        }
        Ok(self.of_state(name))
    }

    fn writable(&self, name: &str) -> Result<TableId, Refused> {
        if !may(self.rights(), name, Right::Write, &self.given) {
            return Err(format!("table {name:?} may not be written here"));
        }
        self.of_state(name)
            .ok_or_else(|| format!("this network has no table {name:?}: tables are named when it starts"))
    }

    fn of_state(&self, name: &str) -> Option<TableId> {
        let tables = self.state.tables();
        tables.find(name).filter(|id| tables.get(*id).kind == Kind::State)
    }

    pub(crate) fn get(&self, table: &str, key: &[u8]) -> Result<Option<Blob>, Refused> {
        match self.readable(table)? {
            Some(table) => self.state.get(table, key).map_err(|error| error.to_string()),
            None => Ok(None),
        }
    }

    fn version(&self, table: &str, key: &[u8]) -> Result<Option<u64>, Refused> {
        match self.readable(table)? {
            Some(table) => match self.before.version(table, key) {
                Ok(version) => Ok(version.map(|seqno| seqno.0)),
                Err(error) => Err(error.to_string()),
            },
            None => Ok(None),
        }
    }

    fn size(&self, table: &str) -> Result<usize, Refused> {
        Ok(self.readable(table)?.map_or(0, |table| self.state.len(table)))
    }

    fn set(&mut self, table: &str, key: Vec<u8>, value: Vec<u8>) -> Result<(), Refused> {
        let table = self.writable(table)?;
        self.write(table, Blob::from(key), Some(Blob::from(value)))
    }

    /// Says whether there was such a row.
    fn delete(&mut self, table: &str, key: Vec<u8>) -> Result<bool, Refused> {
        let table = self.writable(table)?;
        let key = Blob::from(key);
        let found = self.state.get(table, &key).map_err(|error| error.to_string())?.is_some();
        if found {
            self.write(table, key, None)?;
        }
        Ok(found)
    }

    fn clear(&mut self, table: &str) -> Result<(), Refused> {
        let table = self.writable(table)?;
        let keys: Vec<Blob> =
            self.state.range(table, ..).take(self.writes_left + 1).map(|(key, _)| key.clone()).collect();
        keys.into_iter().try_for_each(|key| self.write(table, key, None))
    }

    /// The one place where a script changes a row.
    pub(crate) fn write(&mut self, table: TableId, key: Blob, value: Option<Blob>) -> Result<(), Refused> {
        if key.len() > KEY_BYTES_MAX {
            return Err(format!("a key has at most {KEY_BYTES_MAX} bytes"));
        }
        let bytes = key.len() + value.as_ref().map_or(0, |value| value.len());
        self.writes_left = self.writes_left.checked_sub(1).ok_or("too many rows are written")?;
        self.output_left = self.output_left.checked_sub(bytes).ok_or("too many bytes are written")?;
        let mut section = Section { table, puts: Vec::new(), removes: Vec::new() };
        match &value {
            Some(value) => section.puts.push((key.clone(), value.clone())),
            None => section.removes.push(key.clone()),
        }
        self.state.apply(self.state.seqno().next(), &WriteSet { sections: vec![section] });
        self.writes.push(Write { table, key, value });
        Ok(())
    }

    /// Only `apply` may do more than look.
    pub(crate) fn applying(&self) -> Result<(), Refused> {
        if self.rights() == Some(Step::Apply) { Ok(()) } else { Err("only apply() may do this".to_owned()) }
    }

    /// The handle of a governance table that this code itself writes for a script.
    pub(crate) fn own(&self, name: &str) -> Result<TableId, Refused> {
        self.applying()?;
        self.of_state(name).ok_or_else(|| format!("this network has no table {name:?}"))
    }

    pub(crate) fn rows(&self, table: TableId) -> Vec<(Blob, Blob)> {
        self.state.range(table, ..).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn walk(&mut self, table: &str) -> Result<Told, Refused> {
        if self.walks.len() == WALKS_MAX {
            return Err(format!("more than {WALKS_MAX} walks through tables, one within the other"));
        }
        let Some(table) = self.readable(table)? else { return Ok(Told::Rows(Vec::new(), None)) };
        let walk = Walk { state: self.state.clone(), table, last: None };
        self.walks_begun = self.walks_begun.wrapping_add(1);
        self.walks.insert(self.walks_begun, walk);
        self.further(self.walks_begun)
    }

    /// The next rows of a walk, which is forgotten at its end.
    fn further(&mut self, number: u32) -> Result<Told, Refused> {
        let walk = self.walks.get_mut(&number).ok_or("no such walk")?;
        let (page, ended) = walk.page();
        if ended {
            self.walks.remove(&number);
        }
        Ok(Told::Rows(page, (!ended).then_some(number)))
    }

    fn effect(&mut self, name: &str) -> Result<(), Refused> {
        self.applying()?;
        let effect = match name {
            "rekey" => Effect::RekeyLedger,
            "shares" => Effect::RefreshRecoveryShares,
            "chunk" => Effect::CloseChunk,
            "snapshot" => Effect::TakeSnapshot,
            "bytecode" => Effect::RefreshBytecode,
            _ => return Err(format!("no effect {name:?}")),
        };
        if matches!(effect, Effect::RekeyLedger | Effect::RefreshRecoveryShares) && self.recovers()? {
            return Err("the ledger cannot be rekeyed, nor its shares refreshed, while the service recovers".to_owned());
        }
        // Twice is once.
        if !self.effects.contains(&effect) {
            self.effects.push(effect);
        }
        Ok(())
    }

    fn recovers(&self) -> Result<bool, Refused> {
        #[derive(serde::Deserialize)]
        struct Info {
            status: ServiceStatus,
        }
        let Some(row) = self.get(SERVICE_INFO, &SINGLETON)? else { return Ok(false) };
        let info: Info = serde_json::from_slice(&row).map_err(|error| error.to_string())?;
        Ok(matches!(info.status, ServiceStatus::Recovering | ServiceStatus::WaitingForRecoveryShares))
    }
}

impl Walk {
    /// The next keys and values in turn, and whether they are the last.
    fn page(&mut self) -> (Vec<Blob>, bool) {
        let from = self.last.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(&last[..]));
        let mut rows =
            self.state.range::<(Bound<&[u8]>, Bound<&[u8]>)>(self.table, (from, Bound::Unbounded)).peekable();
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < 2 * PAGE_ROWS && bytes < PAGE_BYTES {
            let Some((key, value)) = rows.next() else { break };
            bytes += key.len() + value.len();
            page.extend([key.clone(), value.clone()]);
        }
        let ended = rows.peek().is_none();
        drop(rows);
        if let [.., key, _] = &page[..] {
            self.last = Some(key.clone());
        }
        (page, ended)
    }
}
