//! Names of the framework's tables that the ledger itself writes or that an audit reads. All are public.

use kv::{Kind, TableError, Tables};

/// The key of a table that has one row.
pub const SINGLETON: [u8; 8] = [0; 8];

/// The service's signature over the root of all entries before this one.
pub const COSE_SIGNATURES: &str = "public:ccf.internal.cose_signatures";
/// The node's signature over the same root.
pub const SIGNATURES: &str = "public:ccf.internal.signatures";
/// The tree's leaves since the last signature, and its left edge before them.
pub const TREE: &str = "public:ccf.internal.tree";
/// The service's certificate and status.
pub const SERVICE_INFO: &str = "public:ccf.gov.service.info";
/// The nodes and their status, by node id.
pub const NODES_INFO: &str = "public:ccf.gov.nodes.info";
/// The nodes' certificates as endorsed by the service, by node id; raw PEM.
pub const NODES_ENDORSED_CERTIFICATES: &str = "public:ccf.gov.nodes.endorsed_certificates";

/// Tables that only a signature entry writes.
pub(crate) const OF_SIGNATURES: [&str; 3] = [COSE_SIGNATURES, SIGNATURES, TREE];

/// Registers all of them. The rows of a signature replace each other batch by batch, so they take no memory to speak of.
pub fn register(tables: &Tables) -> Result<(), TableError> {
    for name in OF_SIGNATURES.into_iter().chain([SERVICE_INFO, NODES_INFO, NODES_ENDORSED_CERTIFICATES]) {
        tables.add(name, Kind::State)?;
    }
    Ok(())
}
