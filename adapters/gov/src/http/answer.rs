//! How answers are written: JSON, the place in the ledger as a header, and refusals with a code that programs can tell apart.

use adapter::{Blame, Reject};
use axum::Json;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::TxId;
use governance::Refusal;
use serde::Serialize;
use serde_json::json;

use crate::decide::Undecided;

const TRANSACTION: &str = "x-ms-ccf-transaction-id";
const ERROR_CODE: &str = "x-ms-error-code";
const VERSIONS: [&str; 3] = ["2024-07-01", "2023-06-01-preview", "latest"];

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
    }

    pub fn verb() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", "The path knows no such HTTP method.")
    }

    pub fn late() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeout",
            "The request was not done in time: look up what became of it.",
        )
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, message } = self;
        let mut response = (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response();
        let headers = response.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from_static(code));
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("COSE-SIGN1 realm=\"Signed request access\"");
            headers.insert(header::WWW_AUTHENTICATE, how);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<Reject> for Problem {
    fn from(reject: Reject) -> Self {
        let (status, code) = match reject.blame {
            Blame::Caller => (StatusCode::BAD_REQUEST, "InvalidInput"),
            Blame::Conflict | Blame::Busy => (StatusCode::SERVICE_UNAVAILABLE, "TransactionCommitAttemptsExceedLimit"),
            Blame::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "PrimaryNotFound"),
            Blame::Node => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        };
        Self::new(status, code, reject.to_string())
    }
}

impl From<Undecided> for Problem {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Refused(refusal) => refusal.into(),
            Undecided::Rejected(reject) => reject.into(),
            Undecided::NotImplemented(what) => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                format!("Nothing was decided: it asks for {what}, and this version of the node has none."),
            ),
        }
    }
}

/// JSON, and where in the ledger it stands.
pub fn placed(body: &impl Serialize, place: Option<TxId>) -> Response {
    with_place(Json(body).into_response(), place)
}

pub fn with_place(mut response: Response, place: Option<TxId>) -> Response {
    if let Some(value) = place.and_then(|place| HeaderValue::from_str(&place.to_string()).ok()) {
        response.headers_mut().insert(TRANSACTION, value);
    }
    response
}

pub fn javascript(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/javascript")], text).into_response()
}

/// A signed request, and nothing else, comes as this.
pub fn signed(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/cose") {
        return Ok(());
    }
    let message = "A signed request has the content type application/cose.";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo", message))
}

/// Whether this node knows the version of the API that a caller wants, if it says so.
pub async fn version(request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/gov/")
        && let Some(asked) = unknown_version(request.uri())
    {
        let asked: String = asked.chars().take(40).collect();
        let message = format!("Unsupported api-version {asked:?}: this node knows {}.", VERSIONS.join(", "));
        return Problem::new(StatusCode::BAD_REQUEST, "UnsupportedApiVersionValue", message).into_response();
    }
    in_own_words(next.run(request).await)
}

fn unknown_version(uri: &Uri) -> Option<String> {
    let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return None };
    let asked = parameters.into_iter().filter(|(name, _)| name == "api-version").map(|(_, value)| value);
    asked.into_iter().find(|asked| !VERSIONS.contains(&&**asked))
}

/// Extractors of the framework refuse in plain text; callers of this API are told in its own form.
fn in_own_words(response: Response) -> Response {
    let status = response.status();
    if !status.is_client_error() || response.headers().contains_key(ERROR_CODE) {
        return response;
    }
    let (code, message) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ("RequestBodyTooLarge", "The request's body is too large."),
        _ => ("InvalidInput", "The request's path, query or body cannot be read."),
    };
    Problem::new(status, code, message).into_response()
}
