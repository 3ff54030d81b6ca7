//! The other side of `ccf.kv`: a version of the store that belongs to one call, with the rights and bounds of its step.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::limits::KEY_BYTES_MAX;
use kv::{Blob, Kind, Section, State, TableId, WriteSet};

use super::bounds::Bounds;
use super::effect::{Effect, Service};
use super::rights::{Given, Right, may};
use super::{Step, Write};

/// Rows that a script is given at once when it walks a table.
const PAGE_ROWS: usize = 64;

/// Walks through tables that one call may have under way, one within the other.
const WALKS_MAX: usize = 16;

/// What a refusal to a script says.
pub(crate) type Refused = String;

pub(crate) struct Host {
    /// Absent while the script loads: then it has no rights.
    pub(crate) step: Option<Step>,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) writes: Vec<Write>,
    pub(crate) log: Vec<String>,
    state: State,
    before: State,
    given: Given,
    writes_left: usize,
    output_left: usize,
    log_left: usize,
    walks: BTreeMap<u32, Walk>,
    walks_begun: u32,
    chance: u64,
}

/// A walk through a table as it was when the walk began.
struct Walk {
    state: State,
    table: Option<TableId>,
    last: Option<Blob>,
}

impl Host {
    pub(crate) fn new(
        state: State,
        before: State,
        given: Given,
        service: Arc<dyn Service>,
        bounds: &Bounds,
        seed: u64,
    ) -> Self {
        Self {
            step: None,
            service,
            effects: Vec::new(),
            writes: Vec::new(),
            log: Vec::new(),
            state,
            before,
            given,
            writes_left: bounds.writes,
            output_left: bounds.output_bytes,
            log_left: bounds.log_bytes,
            walks: BTreeMap::new(),
            walks_begun: 0,
            chance: seed,
        }
    }

    /// A table that may be read. Absent where the network has none of that name, which reads as an empty one.
    fn readable(&self, name: &str) -> Result<Option<TableId>, Refused> {
        if !may(self.step, name, Right::Read, &self.given) {
            return Err(format!("table {name:?} may not be read here"));
        }
        Ok(self.of_state(name))
    }

    fn writable(&self, name: &str) -> Result<TableId, Refused> {
        if !may(self.step, name, Right::Write, &self.given) {
            return Err(format!("table {name:?} may not be written here"));
        }
        self.of_state(name)
            .ok_or_else(|| format!("this network has no table {name:?}: tables are named when it starts"))
    }

    fn of_state(&self, name: &str) -> Option<TableId> {
        let tables = self.state.tables();
        tables.find(name).filter(|id| tables.get(*id).kind == Kind::State)
    }

    pub(crate) fn has(&self, table: &str, key: &[u8]) -> Result<bool, Refused> {
        Ok(self.get(table, key)?.is_some())
    }

    pub(crate) fn get(&self, table: &str, key: &[u8]) -> Result<Option<Blob>, Refused> {
        match self.readable(table)? {
            Some(table) => self.state.get(table, key).map_err(|error| error.to_string()),
            None => Ok(None),
        }
    }

    pub(crate) fn version(&self, table: &str, key: &[u8]) -> Result<Option<u64>, Refused> {
        match self.readable(table)? {
            Some(table) => match self.before.version(table, key) {
                Ok(version) => Ok(version.map(|seqno| seqno.0)),
                Err(error) => Err(error.to_string()),
            },
            None => Ok(None),
        }
    }

    pub(crate) fn size(&self, table: &str) -> Result<usize, Refused> {
        Ok(self.readable(table)?.map_or(0, |table| self.state.len(table)))
    }

    pub(crate) fn set(&mut self, table: &str, key: Vec<u8>, value: Vec<u8>) -> Result<(), Refused> {
        let table = self.writable(table)?;
        self.write(table, Blob::from(key), Some(Blob::from(value)))
    }

    /// Says whether there was such a row.
    pub(crate) fn delete(&mut self, table: &str, key: Vec<u8>) -> Result<bool, Refused> {
        let table = self.writable(table)?;
        let key = Blob::from(key);
        let found = self.state.get(table, &key).map_err(|error| error.to_string())?.is_some();
        if found {
            self.write(table, key, None)?;
        }
        Ok(found)
    }

    pub(crate) fn clear(&mut self, table: &str) -> Result<(), Refused> {
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
        if self.step == Some(Step::Apply) { Ok(()) } else { Err("only apply() may do this".to_owned()) }
    }

    /// The handle of a governance table that this code itself writes for a script.
    pub(crate) fn own(&self, name: &str) -> Result<TableId, Refused> {
        self.applying()?;
        self.of_state(name).ok_or_else(|| format!("this network has no table {name:?}"))
    }

    pub(crate) fn rows(&self, table: TableId) -> Vec<(Blob, Blob)> {
        self.state.range(table, ..).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// A small table by its names; a key that is no text is left out.
    pub(crate) fn all(&self, table: &str) -> Result<Vec<(String, Blob)>, Refused> {
        let rows = self.readable(table)?.map(|table| self.rows(table)).unwrap_or_default();
        Ok(rows.into_iter().filter_map(|(key, row)| Some((String::from_utf8(key.to_vec()).ok()?, row))).collect())
    }

    pub(crate) fn open(&mut self, table: &str) -> Result<u32, Refused> {
        if self.walks.len() == WALKS_MAX {
            return Err(format!("more than {WALKS_MAX} walks through tables, one within the other"));
        }
        let table = self.readable(table)?;
        self.walks_begun += 1;
        self.walks.insert(self.walks_begun, Walk { state: self.state.clone(), table, last: None });
        Ok(self.walks_begun)
    }

    /// The next rows of a walk; none at its end.
    pub(crate) fn page(&mut self, walk: u32) -> Result<Vec<(Blob, Blob)>, Refused> {
        let walk = self.walks.get_mut(&walk).ok_or("no such walk")?;
        let Some(table) = walk.table else { return Ok(Vec::new()) };
        let from = walk.last.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(&last[..]));
        let rows = walk.state.range::<(Bound<&[u8]>, Bound<&[u8]>)>(table, (from, Bound::Unbounded));
        let page: Vec<_> = rows.take(PAGE_ROWS).map(|(key, value)| (key.clone(), value.clone())).collect();
        if let Some((key, _)) = page.last() {
            walk.last = Some(key.clone());
        }
        Ok(page)
    }

    pub(crate) fn close(&mut self, walk: u32) {
        self.walks.remove(&walk);
    }

    /// Takes a line of the console as far as there is room.
    pub(crate) fn log(&mut self, level: &str, line: &str) {
        if let Some(left) = self.log_left.checked_sub(level.len() + line.len()) {
            self.log_left = left;
            self.log.push(format!("{level}: {line}"));
        }
    }

    /// Bytes of an answer count as output too.
    pub(crate) fn answer(&mut self, bytes: usize) -> Result<(), Refused> {
        self.output_left = self.output_left.checked_sub(bytes).ok_or("the answer is too long")?;
        Ok(())
    }

    /// The next number of `Math.random()`: SplitMix64, so that a seed gives the same row of numbers everywhere.
    pub(crate) fn random(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
        let number = (mixed >> 11) as f64;
        number / 9_007_199_254_740_992.0
    }
}
