//! Every table that governance reads or writes, by name. All are public: governance has no secrets.
//!
//! Names that begin with `public:ccf.` and the rows under them are as CCF has them, so that its tools and its constitutions
//! read them. Ours begin with `public:coco.gov.`.

use kv::{Kind, TableError, TableId, Tables};

pub use ledger::secrets::{FOR_NODES, HISTORICAL, SHARES};
pub use ledger::tables::{LEDGER_FILES, NODES_ENDORSED_CERTIFICATES, NODES_INFO, SERVICE_INFO, SIGNATURES, SINGLETON};

pub const CONSTITUTION: &str = "public:ccf.gov.constitution";
pub const SERVICE_CONFIG: &str = "public:ccf.gov.service.config";
pub const MEMBERS_CERTS: &str = "public:ccf.gov.members.certs";
pub const MEMBERS_INFO: &str = "public:ccf.gov.members.info";
pub const MEMBERS_ACKS: &str = "public:ccf.gov.members.acks";
pub const MEMBERS_ENCRYPTION_KEYS: &str = "public:ccf.gov.members.encryption_public_keys";
pub const PROPOSALS: &str = "public:ccf.gov.proposals";
pub const PROPOSALS_INFO: &str = "public:ccf.gov.proposals_info";
pub const COSE_HISTORY: &str = "public:ccf.gov.cose_history";
pub const COSE_RECENT_PROPOSALS: &str = "public:ccf.gov.cose_recent_proposals";
pub const JS_RUNTIME_OPTIONS: &str = "public:ccf.gov.js_runtime_options";
pub const JWT_KEYS: &str = "public:ccf.gov.jwt.public_signing_keys_metadata_v2";

/// The last decision.
pub const DECISIONS: &str = "public:coco.gov.decisions";
/// When a proposal was made and its ballots came, by the ledger's clock: what delays are counted from.
pub const PROPOSALS_TIMES: &str = "public:coco.gov.proposals_times";
/// Per action (`*`: any other): who must agree.
pub const POLICIES: &str = "public:coco.gov.policies";
/// Per organisation, by its name: whose certificates tell its people.
pub const ORGANISATIONS: &str = "public:coco.gov.organisations";

/// Which code nodes may run: key = TEE, a colon, the main measurement.
pub const MANIFEST_CODE: &str = "public:coco.gov.manifest.code";
/// In which kinds of TEE.
pub const MANIFEST_TEE: &str = "public:coco.gov.manifest.tee";
/// Who may vouch for hardware beside its vendor: key = TEE, a colon, a name.
pub const MANIFEST_ROOTS: &str = "public:coco.gov.manifest.roots";
/// The highest number that a node was given: none is given twice.
pub const NODES_NUMBERS: &str = "public:coco.gov.nodes.numbers";
/// A script of members that is asked about each node that joins.
pub const NODE_JOIN_POLICY: &str = "public:ccf.gov.nodes.node_join_policy";
/// How long a node may go on without proving itself anew.
pub const LEASE: &str = "public:coco.gov.lease";
/// When each node did, and whose time ran out.
pub const NODES_LEASES: &str = "public:coco.gov.nodes.leases";
/// What nodes show to prove themselves anew, until another node has verified it.
pub const NODES_EVIDENCE: &str = "public:coco.gov.nodes.evidence";
/// How long a ledger secret is in use.
pub const EPOCH: &str = "public:coco.gov.epoch";
/// Since when the one is that is in use, and whether members want another.
pub const LEDGER_SECRET: &str = "public:coco.gov.ledger_secret";

/// What CCF's default constitution uses beside the tables above, and what no constitution may do without registering.
const OF_CCF: [&str; 28] = [
    "public:ccf.gov.service.previous_service_identity",
    "public:ccf.gov.users.certs",
    "public:ccf.gov.users.info",
    "public:ccf.gov.history",
    "public:ccf.gov.nodes.snp.measurements",
    "public:ccf.gov.nodes.snp.host_data",
    "public:ccf.gov.nodes.snp.uvm_endorsements",
    "public:ccf.gov.nodes.snp.tcb_versions",
    "public:ccf.gov.nodes.sgx.measurements",
    "public:ccf.gov.nodes.code_ids",
    "public:ccf.gov.nodes.virtual.measurements",
    "public:ccf.gov.nodes.virtual.host_data",
    NODE_JOIN_POLICY,
    "public:ccf.gov.nodes.sealed_recovery_keys",
    "public:ccf.gov.modules",
    "public:ccf.gov.modules_quickjs_bytecode",
    "public:ccf.gov.modules_quickjs_version",
    "public:ccf.gov.interpreter.flush",
    "public:ccf.gov.endpoints",
    "public:ccf.gov.tls.ca_cert_bundles",
    "public:ccf.gov.jwt.issuers",
    "public:ccf.gov.jwt.public_signing_keys",
    "public:ccf.gov.jwt.public_signing_keys_metadata",
    "public:ccf.gov.jwt.public_signing_key_issuer",
    "public:ccf.gov.roles",
    SHARES,
    HISTORICAL,
    FOR_NODES,
];

/// What the constitution of our own writes beside CCF's tables.
const OF_COCO: [&str; 14] = [
    POLICIES,
    "public:coco.gov.participants",
    ORGANISATIONS,
    "public:coco.gov.nodes.owners",
    MANIFEST_CODE,
    MANIFEST_TEE,
    MANIFEST_ROOTS,
    LEASE,
    NODES_NUMBERS,
    NODES_LEASES,
    NODES_EVIDENCE,
    EPOCH,
    LEDGER_SECRET,
    "public:coco.gov.ledgers",
];

/// Handles on the tables that this crate itself reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct GovernanceTables {
    pub constitution: TableId,
    pub service_info: TableId,
    pub service_config: TableId,
    pub members_certs: TableId,
    pub members_info: TableId,
    pub members_acks: TableId,
    pub members_encryption_keys: TableId,
    pub proposals: TableId,
    pub proposals_info: TableId,
    pub proposals_times: TableId,
    pub cose_history: TableId,
    pub cose_recent_proposals: TableId,
    pub js_runtime_options: TableId,
    pub jwt_keys: TableId,
    pub decisions: TableId,
    pub nodes_info: TableId,
    pub nodes_certificates: TableId,
    pub nodes_numbers: TableId,
    pub nodes_leases: TableId,
    pub nodes_evidence: TableId,
    pub lease: TableId,
    pub ledger_files: TableId,
    pub epoch: TableId,
    pub ledger_secret: TableId,
    pub historical_secret: TableId,
    pub secret_for_nodes: TableId,
    pub shares: TableId,
}

impl GovernanceTables {
    /// Registers every table of governance that is not registered yet: the node has some of them already.
    pub fn register(tables: &Tables) -> Result<Self, TableError> {
        for name in OF_CCF.into_iter().chain(OF_COCO).chain([SIGNATURES]) {
            of(tables, name)?;
        }
        Ok(Self {
            constitution: of(tables, CONSTITUTION)?,
            service_info: of(tables, SERVICE_INFO)?,
            service_config: of(tables, SERVICE_CONFIG)?,
            members_certs: of(tables, MEMBERS_CERTS)?,
            members_info: of(tables, MEMBERS_INFO)?,
            members_acks: of(tables, MEMBERS_ACKS)?,
            members_encryption_keys: of(tables, MEMBERS_ENCRYPTION_KEYS)?,
            proposals: of(tables, PROPOSALS)?,
            proposals_info: of(tables, PROPOSALS_INFO)?,
            proposals_times: of(tables, PROPOSALS_TIMES)?,
            cose_history: of(tables, COSE_HISTORY)?,
            cose_recent_proposals: of(tables, COSE_RECENT_PROPOSALS)?,
            js_runtime_options: of(tables, JS_RUNTIME_OPTIONS)?,
            jwt_keys: of(tables, JWT_KEYS)?,
            decisions: of(tables, DECISIONS)?,
            nodes_info: of(tables, NODES_INFO)?,
            nodes_certificates: of(tables, NODES_ENDORSED_CERTIFICATES)?,
            nodes_numbers: of(tables, NODES_NUMBERS)?,
            nodes_leases: of(tables, NODES_LEASES)?,
            nodes_evidence: of(tables, NODES_EVIDENCE)?,
            lease: of(tables, LEASE)?,
            ledger_files: of(tables, LEDGER_FILES)?,
            epoch: of(tables, EPOCH)?,
            ledger_secret: of(tables, LEDGER_SECRET)?,
            historical_secret: of(tables, HISTORICAL)?,
            secret_for_nodes: of(tables, FOR_NODES)?,
            shares: of(tables, SHARES)?,
        })
    }
}

fn of(tables: &Tables, name: &str) -> Result<TableId, TableError> {
    match tables.find(name) {
        Some(id) => Ok(id),
        None => tables.add(name, Kind::State),
    }
}
