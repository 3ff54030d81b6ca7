//! Files over the same door as real ones: for whom, and how much of them.

use std::io;
use std::sync::Arc;

use adapter::{Files, LedgerId, NoService, Plumbing, Role, Status};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::Request;
use base::{NodeId, TxId, View};
use crypto::KeyPair;
use crypto::certificate::{self, Validity};
use kv::{NoHistory, Section, Snapshot, State, Tables, WriteSet};
use ledger::genesis::node_key;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::http::router;
use crate::{Founding, Gov, Joining};

/// A node that has two chunks and a snapshot.
struct Disk;

const CLOSED: &str = "ledger_1-9.committed";
const OPEN: &str = "ledger_10";
const SNAPSHOT: &str = "snapshot_9";

fn content(name: &str) -> Option<Vec<u8>> {
    let bytes = [(CLOSED, 700_000), (OPEN, 5_000), (SNAPSHOT, 300_000)].into_iter().find(|(it, _)| *it == name)?.1;
    Some((0..bytes).map(|place: u32| (place % 253) as u8).collect())
}

impl Files for Disk {
    fn find(&self, kind: FileKind, since: Seqno) -> io::Result<Option<String>> {
        let found = match (kind, since.0) {
            (FileKind::Chunk, 1..=9) => Some(CLOSED),
            (FileKind::Chunk, 10..=12) => Some(OPEN),
            (FileKind::Snapshot, 0..=8) => Some(SNAPSHOT),
            (FileKind::Chunk, 99) => return Err(io::Error::other("a bad sector")),
            _ => None,
        };
        Ok(found.map(str::to_owned))
    }

    fn open(&self, kind: FileKind, name: &str) -> io::Result<Option<Stored>> {
        let content = content(name).filter(|_| name.starts_with("snapshot") == (kind == FileKind::Snapshot));
        let stored = |content: Vec<u8>| Stored {
            bytes: content.len() as u64,
            fixed: name != OPEN,
            read: Box::new(move |from, into: &mut [u8]| {
                let from = from as usize;
                into.copy_from_slice(&content[from..from + into.len()]);
                Ok(())
            }),
        };
        Ok(content.map(stored))
    }
}

struct Place {
    deciding: Deciding,
    _plumbing: Plumbing,
    nodes: Vec<(KeyPair, &'static str)>,
}

impl Place {
    fn new() -> Self {
        let tables = Tables::new();
        let founding = Founding { members: Vec::new(), constitution: String::new(), code: None };
        let gov = Gov::new(LedgerId(0), founding, Joining::default(), crate::watched(), &tables).unwrap();
        let nodes: Vec<_> =
            ["Trusted", "Pending", "Retired"].map(|status| (KeyPair::generate().unwrap(), status)).into();
        let mut puts: Vec<_> = nodes
            .iter()
            .map(|(key, status)| {
                let row = json!({
                    "status": status, "number": 1, "code_digest": "00",
                    "quote_info": { "format": "Insecure_Virtual", "quote": "", "endorsements": "" },
                });
                let id: NodeId = key.public().node_id();
                (node_key(id)[..].into(), row.to_string().into_bytes().into())
            })
            .collect();
        puts.sort();
        let table = tables.find(ledger::tables::NODES_INFO).unwrap();
        let mut state = State::new(Arc::new(tables), Arc::new(NoHistory));
        state.apply(Seqno(1), &WriteSet { sections: vec![Section { table, puts, removes: vec![] }] });
        let status = Status {
            id: nodes[0].0.public().node_id(),
            role: Role::Primary,
            view: View(1),
            committed: TxId { view: View(1), seqno: Seqno(1) },
            root: Digest::ZERO,
            transactions: 1,
            voters: vec![1],
            learners: vec![],
        };
        let plumbing = Plumbing::new(Snapshot::of(state), status, Arc::new(NoService), drop);
        plumbing.gives(Arc::new(Disk));
        Self { deciding: Deciding::new(Arc::new(gov), plumbing.node.clone()), _plumbing: plumbing, nodes }
    }

    /// As the first of the nodes that have this status.
    async fn ask(&self, who: &str, method: &str, path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let stranger = (KeyPair::generate().unwrap(), "Stranger");
        if let Some((key, _)) = self.nodes.iter().chain([&stranger]).find(|(_, status)| *status == who) {
            let shown = certificate::lone_node(key, &[], Validity { from: 0, until: 1 << 32 }).unwrap();
            request.extensions_mut().insert(ClientCertificate(shown.der().into()));
        }
        router(self.deciding.clone()).oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str, headers: &[(HeaderName, &str)]) -> Response {
        self.ask("Trusted", "GET", path, headers).await
    }
}

async fn body(response: Response) -> Bytes {
    to_bytes(response.into_body(), usize::MAX).await.unwrap()
}

fn said<'a>(response: &'a Response, name: &HeaderName) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn only_a_node_that_members_trust_is_given_anything() {
    let place = Place::new();
    let paths = [
        "/node/ledger_chunk?since=1".to_owned(),
        format!("/node/ledger_chunk/{CLOSED}"),
        "/node/snapshot".to_owned(),
        format!("/node/snapshot/{SNAPSHOT}"),
    ];
    for path in &paths {
        for (who, status, code) in [
            ("nobody", StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo"),
            ("Stranger", StatusCode::FORBIDDEN, "AuthorizationFailed"),
            ("Pending", StatusCode::FORBIDDEN, "AuthorizationFailed"),
            ("Retired", StatusCode::FORBIDDEN, "AuthorizationFailed"),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = place.ask(who, method, path, &[]).await;
                assert_eq!(answer.status(), status, "{who} {method} {path}");
                assert_eq!(answer.headers()["x-ms-error-code"], code);
                if method == "GET" {
                    let told: Value = serde_json::from_slice(&body(answer).await).unwrap();
                    assert_eq!(told["error"]["code"], code);
                }
            }
        }
        assert!(!place.get(path, &[]).await.status().is_client_error(), "{path}");
    }
}

#[tokio::test]
async fn an_entry_leads_to_its_chunk_and_the_newest_snapshot_is_found() {
    let place = Place::new();
    for (path, location) in [
        ("/node/ledger_chunk?since=1", "/node/ledger_chunk/ledger_1-9.committed"),
        ("/node/ledger_chunk?x=1&since=12", "/node/ledger_chunk/ledger_10"),
        ("/node/snapshot", "/node/snapshot/snapshot_9"),
        ("/node/snapshot?since=8", "/node/snapshot/snapshot_9"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = place.ask("Trusted", method, path, &[]).await;
            assert_eq!((answer.status(), said(&answer, &header::LOCATION)), (StatusCode::PERMANENT_REDIRECT, location));
        }
    }
    for (path, status, code) in [
        ("/node/ledger_chunk", StatusCode::BAD_REQUEST, "InvalidQueryParameterValue"),
        ("/node/ledger_chunk?since=", StatusCode::BAD_REQUEST, "InvalidQueryParameterValue"),
        ("/node/ledger_chunk?since=-1", StatusCode::BAD_REQUEST, "InvalidQueryParameterValue"),
        ("/node/snapshot?since=99999999999999999999", StatusCode::BAD_REQUEST, "InvalidQueryParameterValue"),
        ("/node/ledger_chunk?since=0", StatusCode::NOT_FOUND, "ResourceNotFound"),
        ("/node/ledger_chunk?since=13", StatusCode::NOT_FOUND, "ResourceNotFound"),
        ("/node/snapshot?since=9", StatusCode::NOT_FOUND, "ResourceNotFound"),
        ("/node/ledger_chunk/snapshot_9", StatusCode::NOT_FOUND, "ResourceNotFound"),
        ("/node/snapshot/ledger_10", StatusCode::NOT_FOUND, "ResourceNotFound"),
        ("/node/snapshot/..%2Fnode.toml", StatusCode::NOT_FOUND, "ResourceNotFound"),
        ("/node/ledger_chunk?since=99", StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    ] {
        let answer = place.get(path, &[]).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["x-ms-error-code"], code, "{path}");
    }
}

#[tokio::test]
async fn a_file_is_given_whole_or_in_part_under_one_digest() {
    let place = Place::new();
    for (path, name, called) in [
        (format!("/node/ledger_chunk/{CLOSED}"), CLOSED, &CHUNK_NAME),
        (format!("/node/ledger_chunk/{OPEN}"), OPEN, &CHUNK_NAME),
        (format!("/node/snapshot/{SNAPSHOT}"), SNAPSHOT, &SNAPSHOT_NAME),
    ] {
        let content = content(name).unwrap();
        let digest = crypto::sha256(&content);
        let repr = format!("sha-256=:{}:", STANDARD.encode(digest.0));
        let tag = format!("\"sha-256:{digest}\"");
        let check = |answer: &Response, status: StatusCode, length: usize| {
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(said(answer, &header::CONTENT_LENGTH), length.to_string());
            assert_eq!((said(answer, &REPR_DIGEST), said(answer, &header::ETAG)), (&*repr, &*tag));
            assert_eq!((said(answer, called), said(answer, &header::ACCEPT_RANGES)), (name, "bytes"));
        };
        let whole = place.get(&path, &[]).await;
        check(&whole, StatusCode::OK, content.len());
        assert_eq!(body(whole).await, content);
        let head = place.ask("Trusted", "HEAD", &path, &[]).await;
        check(&head, StatusCode::OK, content.len());
        assert!(body(head).await.is_empty());
        let part = place.get(&path, &[(header::RANGE, "bytes=1000-4998")]).await;
        check(&part, StatusCode::PARTIAL_CONTENT, 3_999);
        assert_eq!(said(&part, &header::CONTENT_RANGE), format!("bytes 1000-4998/{}", content.len()));
        assert_eq!(body(part).await, content[1000..4999]);
        let beyond = place.get(&path, &[(header::RANGE, "bytes=700000-")]).await;
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(said(&beyond, &header::CONTENT_RANGE), format!("bytes */{}", content.len()));
        let had = place.get(&path, &[(header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!((had.status(), body(had).await.len()), (StatusCode::NOT_MODIFIED, 0));
    }
}

#[tokio::test]
async fn a_few_are_given_away_at_a_time() {
    let place = Place::new();
    let path = format!("/node/ledger_chunk/{CLOSED}");
    let mut taken = Vec::new();
    let busy = loop {
        let answer = place.get(&path, &[]).await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        taken.push(answer);
        assert!(taken.len() < 100, "there is no bound");
    };
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.headers()["x-ms-error-code"], "SessionCapExhausted");
    assert_eq!(said(&busy, &header::RETRY_AFTER), "1");
    // Whoever is through, or leaves, makes room.
    assert_eq!(body(taken.pop().unwrap()).await.len(), 700_000);
    drop(taken.pop());
    let mut again = place.get(&path, &[]).await;
    while again.status() == StatusCode::SERVICE_UNAVAILABLE {
        tokio::task::yield_now().await;
        again = place.get(&path, &[]).await;
    }
    assert_eq!(body(again).await.len(), 700_000);
}
