//! The hosted ledgers of this node. They follow members' rows: there is one from the moment its row is committed, in the order of
//! the ledger, and none ever goes.
//!
//! ```text
//!   row committed ─▶ follow: an adapter, with its tables ─▶ rows of its tables may come
//!   row visible   ─▶ show: who may connect, and (doors.rs) where
//! ```
//!
//! The executor follows, before it opens another batch; replay and snapshots do it for what is on disk. Everybody else reads.

use std::sync::{Arc, Mutex, PoisonError};

use adapter::{Adapter, Admission, Host, LEDGERS_MAX, LedgerId, LedgerRow};
use arc_swap::ArcSwap;
use kv::{State, Tables, WriteSet};

use crate::genesis::ServiceTables;

/// A hosted ledger, in the place of its number.
pub struct Ledger {
    pub name: String,
    /// Or why this node cannot host it.
    pub adapter: Result<Arc<dyn Adapter>, String>,
    /// Who may be connected to its doors.
    pub admission: Admission,
}

impl Ledger {
    pub fn adapter(&self) -> Option<&Arc<dyn Adapter>> {
        self.adapter.as_ref().ok()
    }
}

/// All of them, by number. The first is governance, which has no row.
pub type Ledgers = Arc<Vec<Arc<Ledger>>>;

/// A ledger as readers of this node see it.
pub struct Visible {
    pub number: usize,
    pub ledger: Arc<Ledger>,
    /// Or why what members decided cannot be read.
    pub row: Result<LedgerRow, String>,
    /// What it starts from is in the ledger.
    pub opened: bool,
}

pub struct Hosting {
    host: Arc<dyn Host>,
    tables: Arc<Tables>,
    service: ServiceTables,
    ledgers: ArcSwap<Vec<Arc<Ledger>>>,
    /// Held by whoever adds.
    following: Mutex<()>,
}

impl Hosting {
    /// Governance alone: no row was met yet.
    #[must_use]
    pub fn new(governance: Arc<dyn Adapter>, host: Arc<dyn Host>, tables: Arc<Tables>, service: ServiceTables) -> Self {
        let name = governance.name().to_owned();
        let first = Ledger { name, adapter: Ok(governance), admission: Admission::default() };
        let ledgers = ArcSwap::from_pointee(vec![Arc::new(first)]);
        Self { host, tables, service, ledgers, following: Mutex::new(()) }
    }

    #[must_use]
    pub fn ledgers(&self) -> Ledgers {
        self.ledgers.load_full()
    }

    /// Whether these writes say anything about hosted ledgers.
    pub fn concerned<'a>(&self, writes: impl IntoIterator<Item = &'a WriteSet>) -> bool {
        let of = [self.service.ledgers(), self.service.opened()];
        writes.into_iter().any(|writes| writes.sections.iter().any(|section| of.contains(&section.table)))
    }

    /// Makes an adapter for each ledger that has a row in a committed version and none yet. The version must be the next one, or the
    /// first that this node has: ledgers come in the order of their numbers.
    pub fn follow(&self, version: &State) {
        // A panic while it was held left nothing half done: a list is stored whole.
        let _alone = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ledgers = Vec::clone(&self.ledgers.load());
        let known = ledgers.len();
        let mut rows = self.rows(version);
        rows.sort_by_key(|(_, row, _)| row.number);
        for (name, LedgerRow { number, kind, .. }, row) in rows {
            let place = usize::from(number);
            match ledgers.get(place) {
                Some(ledger) if ledger.name == name => {}
                None if place == ledgers.len() && number <= LEDGERS_MAX => {
                    let adapter = self.host.make(&name, LedgerId(number), row, &self.tables);
                    match &adapter {
                        Ok(_) => tracing::info!(ledger = name, number, kind, "members have decided to open a ledger"),
                        Err(fault) => {
                            tracing::error!(ledger = name, number, kind, %fault, "this node cannot host a ledger that members opened");
                        }
                    }
                    let adapter = adapter.map_err(|fault| fault.to_string());
                    ledgers.push(Arc::new(Ledger { name, adapter, admission: Admission::default() }));
                }
                _ => tracing::error!(
                    ledger = name,
                    number,
                    "a ledger has a number that it cannot have: it is not hosted"
                ),
            }
        }
        if ledgers.len() > known {
            self.ledgers.store(Arc::new(ledgers));
        }
    }

    /// Rows that can be read.
    fn rows<'a>(&self, version: &'a State) -> Vec<(String, LedgerRow, &'a [u8])> {
        let readable = |(name, row): (&'a kv::Blob, &'a kv::Blob)| {
            let name = String::from_utf8(name.to_vec()).ok()?;
            match LedgerRow::read(row) {
                Ok(read) => Some((name, read, &row[..])),
                Err(why) => {
                    tracing::error!(ledger = name, why, "what members decided about a ledger cannot be read");
                    None
                }
            }
        };
        version.range(self.service.ledgers(), ..).filter_map(readable).collect()
    }

    /// Whether what a ledger starts from is in a version.
    pub fn is_open(&self, ledger: &Ledger, version: &State) -> bool {
        version.version(self.service.opened(), ledger.name.as_bytes()).is_ok_and(|mark| mark.is_some())
    }

    /// A version is visible: what its rows say of connections holds from here on. What cannot be read lets nobody in.
    pub fn show(&self, version: &State) -> Vec<Visible> {
        let shown = |(number, ledger): (usize, &Arc<Ledger>)| {
            let row = version.get(self.service.ledgers(), ledger.name.as_bytes()).ok().flatten()?;
            let row = LedgerRow::read(&row);
            ledger.admission.only(match &row {
                Ok(row) => row.policy.clone().unwrap_or_default().connect,
                Err(_) => Some(Vec::new()),
            });
            Some(Visible { number, opened: self.is_open(ledger, version), row, ledger: ledger.clone() })
        };
        self.ledgers.load().iter().enumerate().skip(1).filter_map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use kv::{NoHistory, Section};
    use serde_json::{Value, json};

    use super::*;
    use crate::executor::tests::{Governing, Shelves};

    struct Rows {
        hosting: Hosting,
        state: State,
        ledgers: kv::TableId,
    }

    fn rows() -> Rows {
        let tables = Tables::new();
        let service = ServiceTables::register(&tables).unwrap();
        let tables = Arc::new(tables);
        let state = State::new(tables.clone(), Arc::new(NoHistory));
        let ledgers = service.ledgers();
        let hosting = Hosting::new(Arc::new(Governing), Arc::new(Shelves::default()), tables, service);
        Rows { hosting, state, ledgers }
    }

    impl Rows {
        fn write(&mut self, name: &str, row: &Value) {
            let puts = vec![(name.as_bytes().into(), row.to_string().as_bytes().into())];
            let writes = WriteSet { sections: vec![Section { table: self.ledgers, puts, removes: Vec::new() }] };
            assert!(self.hosting.concerned([&writes]));
            self.state.apply(self.state.seqno().next(), &writes);
            self.hosting.follow(&self.state);
        }

        fn names(&self) -> Vec<String> {
            self.hosting.ledgers().iter().map(|ledger| ledger.name.clone()).collect()
        }
    }

    fn row(number: u64, kind: &str) -> Value {
        json!({ "number": number, "kind": kind, "status": "Open" })
    }

    #[test]
    fn ledgers_come_by_their_numbers_and_none_goes() {
        let mut rows = rows();
        rows.write("z", &row(1, "shelf"));
        rows.write("a", &row(2, "shelf"));
        assert_eq!(rows.names(), ["governance", "z", "a"]);
        // Closed, or even unreadable, it keeps its place and its tables.
        rows.write("z", &json!({ "number": 1, "kind": "shelf", "status": "Closed" }));
        rows.write("a", &json!("nonsense"));
        rows.write("b", &row(3, "shelf"));
        assert_eq!(rows.names(), ["governance", "z", "a", "b"]);
        assert!(rows.state.tables().find("a.shelf").is_some());
        // All at once, as out of a snapshot.
        let all = self::rows();
        all.hosting.follow(&rows.state);
        assert_eq!(all.names(), ["governance", "z"], "behind what cannot be read nothing has a place");
    }

    #[test]
    fn what_cannot_be_hosted_stops_nothing_and_takes_no_place_of_others() {
        let mut rows = rows();
        rows.write("odd", &row(1, "unheard"));
        assert!(rows.hosting.ledgers()[1].adapter.as_ref().is_err_and(|why| why.contains("unheard")));
        for (name, number) in [("gap", 7), ("twice", 1), ("governance", 0)] {
            rows.write(name, &row(number, "shelf"));
        }
        rows.write("next", &row(2, "shelf"));
        assert_eq!(rows.names(), ["governance", "odd", "next"]);
    }

    #[test]
    fn who_may_connect_holds_once_the_row_is_visible() {
        let mut rows = rows();
        rows.write("s", &row(1, "shelf"));
        let from = "127.0.0.1".parse().unwrap();
        let may = |rows: &Rows| rows.hosting.ledgers()[1].admission.admit(from).is_some();
        let mut policy = row(1, "shelf");
        policy["policy"] = json!({ "connect": ["10.0.0.0/8"] });
        rows.write("s", &policy);
        assert!(may(&rows), "it is decided, and not visible yet");
        assert!(rows.hosting.show(&rows.state)[0].row.is_ok());
        assert!(!may(&rows));
        rows.write("s", &row(1, "shelf"));
        rows.hosting.show(&rows.state);
        assert!(may(&rows));
        rows.write("s", &json!(7));
        assert!(rows.hosting.show(&rows.state)[0].row.is_err());
        assert!(!may(&rows), "what cannot be read lets nobody in");
    }
}
