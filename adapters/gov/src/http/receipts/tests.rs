use adapter::{LedgerId, Plumbing, Role, Status};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::Request;
use base::Digest;
use kv::{Found, History, HistoryError, NoHistory, Section, Snapshot, State, TableId, Tables, WriteSet};
use ledger::receipt::verify;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::http::router;
use crate::http::sample::{END, Ledger, VIEW};
use crate::{Founding, Gov, Joining};

/// What the index and the ledger file know of the node's certificate.
struct Forgotten {
    row: Option<(TableId, Vec<u8>, String)>,
}

impl History for Forgotten {
    fn get(&self, _: TableId, _: &[u8]) -> Result<Option<(Seqno, kv::Blob)>, HistoryError> {
        Ok(None)
    }

    /// In two parts: the first one ends where nothing is.
    fn find(&self, wanted: &Wanted, from: Seqno, to: Seqno) -> Result<Found, HistoryError> {
        let (table, key, _) = self.row.as_ref().unwrap();
        assert_eq!((wanted.table, &wanted.groups), (*table, &vec![vec![key.clone()]]));
        if from == Seqno(1) {
            return Ok(Found { entries: vec![Seqno(1)], upto: Seqno(2) });
        }
        Ok(Found { entries: vec![], upto: to })
    }

    fn entry(&self, seqno: Seqno) -> Result<Option<WriteSet>, HistoryError> {
        assert_eq!(seqno, Seqno(1));
        let (table, key, text) = self.row.as_ref().unwrap();
        let puts = vec![(key.as_slice().into(), text.as_bytes().into())];
        Ok(Some(WriteSet { sections: vec![Section { table: *table, puts, removes: vec![] }] }))
    }
}

struct Asker {
    deciding: Deciding,
    service: crypto::Certificate,
}

impl Asker {
    /// A node that knows more to be committed than its ledger file has.
    fn new(dual: bool, forgotten: bool) -> Self {
        let ledger = Ledger::new(dual);
        let tables = Tables::new();
        let founding = Founding { members: Vec::new(), constitution: String::new(), code: None };
        let gov = Gov::new(LedgerId(0), founding, Joining::default(), crate::watched(), &tables).unwrap();
        let table = tables.find(NODES_ENDORSED_CERTIFICATES).unwrap();
        let (id, text) = (ledger.node.public().node_id(), ledger.node_certificate());
        let key = node_key(id).to_vec();
        let puts = vec![(key.as_slice().into(), text.as_bytes().into())];
        let history: Arc<dyn History> =
            if forgotten { Arc::new(Forgotten { row: Some((table, key, text)) }) } else { Arc::new(NoHistory) };
        let mut state = State::new(Arc::new(tables), history);
        if !forgotten {
            state.apply(Seqno(1), &WriteSet { sections: vec![Section { table, puts, removes: vec![] }] });
        }
        state.skip_to(Seqno(END + 2));
        let committed = TxId { view: VIEW, seqno: Seqno(END + 2) };
        let status = Status {
            id,
            role: Role::Primary,
            view: VIEW,
            committed,
            root: Digest::ZERO,
            transactions: 1,
            voters: vec![1],
            learners: vec![],
        };
        let service = ledger.certificate.clone();
        let node = Plumbing::new(Snapshot::of(state), status, Arc::new(ledger), drop).node;
        Self { deciding: Deciding::new(Arc::new(gov), node), service }
    }

    async fn ask(&self, txid: &str, accept: &str) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::get(format!("/node/receipt?transaction_id={txid}")).header(header::ACCEPT, accept);
        let request = request.body(Body::empty()).unwrap();
        let response = router(self.deciding.clone()).oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, to_bytes(response.into_body(), 1 << 20).await.unwrap())
    }

    async fn refused(&self, txid: &str, accept: &str) -> (StatusCode, String) {
        let (status, _, body) = self.ask(txid, accept).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status, body["error"]["code"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_receipt_is_given_in_the_form_that_is_asked_for_and_verifies() {
    let asker = Asker::new(true, false);
    for seqno in 1..=END {
        for media in [JSON, COSE[0], COSE[1]] {
            let (status, headers, body) = asker.ask(&format!("1.{seqno}"), media).await;
            if seqno % 4 == 0 && media != JSON {
                assert_eq!(status, StatusCode::NOT_FOUND, "a signature has none in COSE");
                continue;
            }
            assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, media));
            assert_eq!(headers["x-ms-ccf-transaction-id"], format!("1.{seqno}"));
            let proven = verify(&body, &asker.service).unwrap();
            assert_eq!(proven.transaction.is_none(), seqno % 4 == 0);
            if let Some(transaction) = proven.transaction {
                assert_eq!((transaction.txid, transaction.claims), (TxId::new(1, seqno), Digest([3; 32])));
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_in_the_ledger_has_no_receipt() {
    let asker = Asker::new(true, false);
    let later = format!("1.{}", END + 2);
    let (status, headers, _) = asker.ask(&later, JSON).await;
    assert_eq!((status, &headers[header::RETRY_AFTER]), (StatusCode::ACCEPTED, &HeaderValue::from_static("1")));
    for (txid, status, code) in [
        ("1.99", StatusCode::NOT_FOUND, "TransactionPendingOrUnknown"),
        ("1.0", StatusCode::NOT_FOUND, "TransactionPendingOrUnknown"),
        ("2.3", StatusCode::NOT_FOUND, "TransactionInvalid"),
        ("0.99", StatusCode::NOT_FOUND, "TransactionInvalid"),
        ("3", StatusCode::BAD_REQUEST, "InvalidQueryParameterValue"),
        ("", StatusCode::BAD_REQUEST, "InvalidQueryParameterValue"),
    ] {
        assert_eq!(asker.refused(txid, JSON).await, (status, code.to_owned()), "{txid}");
    }
}

#[tokio::test]
async fn where_the_service_alone_signs_there_is_a_receipt_in_cose() {
    let asker = Asker::new(false, false);
    assert_eq!(asker.refused("1.3", JSON).await, (StatusCode::NOT_FOUND, "ResourceNotFound".to_owned()));
    for accept in [COSE[0], "*/*"] {
        let (status, headers, body) = asker.ask("1.3", accept).await;
        assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, COSE[0]));
        assert!(verify(&body, &asker.service).is_ok());
    }
}

#[tokio::test]
async fn the_certificate_of_a_node_that_was_forgotten_is_found_in_the_ledger() {
    let asker = Asker::new(true, true);
    let (status, _, body) = asker.ask("1.7", JSON).await;
    assert_eq!(status, StatusCode::OK);
    assert!(verify(&body, &asker.service).is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_asks_while_others_are_served_waits_for_a_while() {
    let asker = Asker::new(true, false);
    let turns = u32::try_from(AT_ONCE).unwrap();
    let _all = asker.deciding.gov.proving.0.clone().acquire_many_owned(turns).await.unwrap();
    let (status, _) = asker.refused("1.3", JSON).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn the_caller_chooses_the_form() {
    let form = |accept: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        wanted(&headers)
    };
    for any in ["*/*", "text/html, application/*;q=0.8", "text/plain", "", "application/cose;q=0, */*;q=0.1"] {
        assert_eq!(form(any), None, "{any}");
    }
    assert_eq!(form("application/json, application/cose"), Some(JSON));
    assert_eq!(form("application/cose"), Some(COSE[0]));
    assert_eq!(form("application/json;q=0.5, Application/COSE"), Some(COSE[0]));
    assert_eq!(form("*/*;q=0.1, application/scitt-receipt+cose;q=0.2"), Some(COSE[1]));
    assert_eq!(wanted(&HeaderMap::new()), None);
}
