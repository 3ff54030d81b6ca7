//! `/gov/service/…`: the service as its tables have it. Whoever can connect may read it: governance has no secrets.

use std::ops::RangeFull;

use axum::extract::{Path, State};
use axum::response::Response;
use governance::tables;
use kv::{State as Version, TableId};
use serde_json::{Map, Value, json};

use super::answer::{Problem, javascript, placed};
use super::{Door, snapshot};

/// What is in force until members decide otherwise.
const DAYS: u64 = 365;
const WINDOW: u64 = 100;

/// Rows of JSON and of text, by the names of their tables.
pub struct Rows<'a>(pub &'a Version);

impl Rows<'_> {
    fn table(&self, name: &str) -> Result<TableId, Problem> {
        self.0.tables().find(name).ok_or_else(|| Problem::internal(format!("The table {name} is missing.")))
    }

    fn text(&self, table: &str, key: &[u8]) -> Result<Option<String>, Problem> {
        let row = self.0.get(self.table(table)?, key).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(row.map(|row| String::from_utf8_lossy(&row).into_owned()))
    }

    pub fn json(&self, table: &str, key: &[u8]) -> Result<Option<Value>, Problem> {
        let Some(text) = self.text(table, key)? else { return Ok(None) };
        let row = serde_json::from_str(&text);
        row.map(Some).map_err(|error| Problem::internal(format!("A row of {table} cannot be read: {error}.")))
    }

    pub fn keys(&self, table: &str) -> Result<Vec<String>, Problem> {
        let rows = self.0.range::<RangeFull>(self.table(table)?, ..);
        Ok(rows.map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect())
    }

    /// Every row of a table, by its key.
    fn all(&self, table: &str) -> Result<Map<String, Value>, Problem> {
        let row = |key: String| Ok((key.clone(), self.json(table, key.as_bytes())?.unwrap_or_default()));
        self.keys(table)?.into_iter().map(row).collect()
    }
}

pub async fn info(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let rows = Rows(snapshot.state());
    let info = rows.json(tables::SERVICE_INFO, &tables::SINGLETON)?.unwrap_or_default();
    let config = rows.json(tables::SERVICE_CONFIG, &tables::SINGLETON)?.unwrap_or_default();
    let days = |of: &str| config[format!("maximum_{of}_certificate_validity_days")].as_u64().unwrap_or(DAYS);
    let mut body = json!({
        "status": info["status"],
        "certificate": info["cert"],
        "recoveryCount": info["recovery_count"],
        "serviceData": info["service_data"],
        "configuration": {
            "recoveryThreshold": config["recovery_threshold"].as_u64().unwrap_or(0),
            "maximumNodeCertificateValidityDays": days("node"),
            "maximumServiceCertificateValidityDays": days("service"),
            "recentCoseProposalsWindowSize": config["recent_cose_proposals_window_size"].as_u64().unwrap_or(WINDOW),
        },
    });
    if let Some(creation) = info["current_service_create_txid"].as_str() {
        body["creationTransactionId"] = creation.into();
    }
    Ok(placed(&body, None))
}

pub async fn constitution(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let script = Rows(snapshot.state()).json(tables::CONSTITUTION, &tables::SINGLETON)?;
    match script {
        Some(Value::String(script)) => Ok(javascript(script)),
        _ => Err(Problem::internal("The service has no constitution.")),
    }
}

pub async fn members(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let rows = Rows(snapshot.state());
    let members: Result<Vec<_>, _> = rows.keys(tables::MEMBERS_CERTS)?.iter().map(|id| member_of(&rows, id)).collect();
    Ok(placed(&json!({ "value": members? }), None))
}

pub async fn member(State(deciding): Door, Path(member): Path<String>) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    Ok(placed(&member_of(&Rows(snapshot.state()), &member.to_ascii_lowercase())?, None))
}

fn member_of(rows: &Rows<'_>, id: &str) -> Result<Value, Problem> {
    let certificate = rows.text(tables::MEMBERS_CERTS, id.as_bytes())?;
    let certificate = certificate.ok_or_else(|| Problem::not_found(format!("There is no member {id}.")))?;
    let info = rows.json(tables::MEMBERS_INFO, id.as_bytes())?.unwrap_or_default();
    let mut body = json!({
        "memberId": id,
        "status": info["status"],
        "memberData": info["member_data"],
        "certificate": certificate,
        "recoveryRole": info["recovery_role"].as_str().unwrap_or("NonParticipant"),
    });
    if let Some(key) = rows.text(tables::MEMBERS_ENCRYPTION_KEYS, id.as_bytes())? {
        body["publicEncryptionKey"] = key.into();
    }
    Ok(body)
}

const USERS_CERTS: &str = "public:ccf.gov.users.certs";
const USERS_INFO: &str = "public:ccf.gov.users.info";

pub async fn users(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let rows = Rows(snapshot.state());
    let users: Result<Vec<_>, _> = rows.keys(USERS_CERTS)?.iter().map(|id| user_of(&rows, id)).collect();
    Ok(placed(&json!({ "value": users? }), None))
}

pub async fn user(State(deciding): Door, Path(user): Path<String>) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    Ok(placed(&user_of(&Rows(snapshot.state()), &user.to_ascii_lowercase())?, None))
}

fn user_of(rows: &Rows<'_>, id: &str) -> Result<Value, Problem> {
    let certificate = rows.text(USERS_CERTS, id.as_bytes())?;
    let certificate = certificate.ok_or_else(|| Problem::not_found(format!("There is no user {id}.")))?;
    let info = rows.json(USERS_INFO, id.as_bytes())?.unwrap_or_default();
    Ok(json!({ "userId": id, "certificate": certificate, "userData": info["user_data"] }))
}

pub async fn nodes(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let rows = Rows(snapshot.state());
    let nodes: Result<Vec<_>, _> = rows.keys(tables::NODES_INFO)?.iter().map(|id| node_of(&rows, id)).collect();
    Ok(placed(&json!({ "value": nodes? }), None))
}

pub async fn node(State(deciding): Door, Path(node): Path<String>) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    Ok(placed(&node_of(&Rows(snapshot.state()), &node.to_ascii_lowercase())?, None))
}

fn node_of(rows: &Rows<'_>, id: &str) -> Result<Value, Problem> {
    let info = rows.json(tables::NODES_INFO, id.as_bytes())?;
    let info = info.ok_or_else(|| Problem::not_found(format!("There is no node {id}.")))?;
    let quote = &info["quote_info"];
    let interfaces = info["rpc_interfaces"].as_object().into_iter().flatten().map(|(name, interface)| {
        let protocol = interface["protocol"].as_str().unwrap_or("tcp");
        (name.clone(), json!({ "publishedAddress": interface["published_address"], "protocol": protocol }))
    });
    Ok(json!({
        "nodeId": id,
        "status": info["status"],
        "nodeData": info["node_data"],
        "certificate": rows.text(tables::NODES_ENDORSED_CERTIFICATES, id.as_bytes())?,
        "retiredCommitted": info["retired_committed"],
        "quoteInfo": { "format": quote["format"], "rawQuote": quote["quote"] },
        "rpcInterfaces": interfaces.collect::<Map<_, _>>(),
    }))
}

pub async fn join_policy(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let rows = Rows(snapshot.state());
    let of = |kind: &str, what: &str| format!("public:ccf.gov.nodes.{kind}.{what}");
    Ok(placed(
        &json!({
            "sgx": { "measurements": rows.keys(&of("sgx", "measurements"))? },
            "virtual": {
                "measurements": rows.keys(&of("virtual", "measurements"))?,
                "hostData": rows.keys(&of("virtual", "host_data"))?,
            },
            "snp": {
                "measurements": rows.keys(&of("snp", "measurements"))?,
                "hostData": rows.all(&of("snp", "host_data"))?,
                "uvmEndorsements": rows.all(&of("snp", "uvm_endorsements"))?,
                "tcbVersions": rows.all(&of("snp", "tcb_versions"))?,
            },
        }),
        None,
    ))
}

/// The last entry that this node knows to be committed.
pub async fn commit(State(deciding): Door) -> Response {
    placed(&json!({ "transactionId": deciding.node.status().committed.to_string() }), None)
}
