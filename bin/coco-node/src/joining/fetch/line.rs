//! Files over HTTPS from one node: found by a redirect, taken in parts where a connection breaks.
//!
//! Everything has a bound: how large a file may be, how long nothing may come, and how slow it may come at all.

use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::Sha256;
use development::Door;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;

use crate::joining::door::Client;

/// For an answer to begin, and for each piece of it to come. A node that hashes a large snapshot first takes a while.
const STALL: Duration = Duration::from_secs(30);
/// What comes slower than that, all in all, is better had elsewhere.
const BYTES_PER_SECOND_MIN: u64 = 64 << 10;
/// How often a file is gone on with after its connection broke.
const PARTS_MAX: u32 = 5;
/// No path of a file is longer.
const PATH_BYTES_MAX: usize = 128;

/// Why a file is not here.
pub enum Trouble {
    /// Another node may do better.
    Theirs(String),
    /// No other node would.
    Ours(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Theirs(format!("{error:#}"))
    }
}

/// A file that a node has.
pub struct Found {
    pub path: String,
    pub name: String,
}

/// Requests to one node, on one connection for as long as it lasts.
pub struct Line<'a> {
    client: &'a Client,
    door: Door,
    sender: Option<SendRequest<String>>,
}

impl<'a> Line<'a> {
    pub fn to(client: &'a Client, door: &Door) -> Self {
        Self { client, door: door.clone(), sender: None }
    }

    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Where a file is; `None` if there is none.
    pub async fn find(&mut self, path: &str) -> anyhow::Result<Option<Found>> {
        let answer = self.ask(path, &[]).await?;
        match answer.status().as_u16() {
            308 => {
                let location = text(answer.headers(), &header::LOCATION).context("a redirect names no place")?;
                found(path, location).map(Some)
            }
            404 => Ok(None),
            _ => bail!(self.refused(answer).await),
        }
    }

    /// A file's bytes, in order. Too many of them, too few, or others than the digest says: an error, once that is known.
    pub async fn take(
        &mut self,
        path: &str,
        bytes_max: u64,
        mut keep: impl FnMut(&[u8]) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let (mut have, mut hash, began) = (0, Sha256::new(), Instant::now());
        let mut known: Option<Told> = None;
        let mut parts = 0;
        loop {
            parts += 1;
            let headers = known.as_ref().map(|told| told.go_on(have)).unwrap_or_default();
            let answer = self.ask(path, &headers).await?;
            let status = answer.status().as_u16();
            let told = match (status, &known) {
                (200, None) => Told::whole(answer.headers(), bytes_max)?,
                (206, Some(told)) => told.continued(answer.headers(), have)?,
                (200, Some(_)) => return Err(Trouble::Theirs("the file changed while it was taken".into())),
                _ => return Err(Trouble::Theirs(self.refused(answer).await)),
            };
            let total = told.bytes;
            known = Some(told);
            let mut body = answer.into_body();
            let broke = loop {
                let piece = match next(&mut body).await {
                    Ok(Some(piece)) => piece,
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                };
                have += piece.len() as u64;
                if have > total {
                    return Err(Trouble::Theirs(format!("it sends more than the {total} bytes that it told")));
                }
                hash.update(&piece);
                keep(&piece)?;
                if began.elapsed() > STALL + Duration::from_secs(have / BYTES_PER_SECOND_MIN) {
                    return Err(Trouble::Theirs("it sends too slowly".into()));
                }
            };
            if have == total {
                break;
            }
            self.sender = None;
            if parts == PARTS_MAX {
                let why = broke.map_or_else(|| "the answer ended early".to_owned(), |error| format!("{error:#}"));
                return Err(Trouble::Theirs(format!("{have} of {total} bytes came: {why}")));
            }
        }
        match known.and_then(|told| told.digest) {
            Some(digest) if digest != hash.finish().0 => {
                Err(Trouble::Theirs("what came is not what its digest says".into()))
            }
            _ => Ok(()),
        }
    }

    /// Asks on the connection that there is, or on a new one.
    async fn ask(&mut self, path: &str, headers: &[(HeaderName, String)]) -> anyhow::Result<Response<Incoming>> {
        let old = self.sender.is_some();
        match self.exchange(path, headers).await {
            // A connection that was idle may be gone: that says nothing of the node.
            Err(_) if old => {
                self.sender = None;
                self.exchange(path, headers).await
            }
            answer => answer,
        }
    }

    async fn exchange(&mut self, path: &str, headers: &[(HeaderName, String)]) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder().method(Method::GET).uri(path).header(header::HOST, self.door.authority());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(String::new())?;
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => {
                let stream = self.client.connect(&self.door).await?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender
            }
        };
        let exchange = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let answer = tokio::time::timeout(STALL, exchange).await.context("it does not answer")??;
        self.sender = Some(sender);
        Ok(answer)
    }

    /// What it says instead.
    async fn refused(&mut self, answer: Response<Incoming>) -> String {
        let code = text(answer.headers(), &HeaderName::from_static("x-ms-error-code")).unwrap_or_default();
        // Of the rest of the answer nothing is wanted.
        self.sender = None;
        format!("it answers {} {}", answer.status(), code.escape_default())
    }
}

/// What a node says of a file.
struct Told {
    bytes: u64,
    tag: Option<String>,
    digest: Option<[u8; 32]>,
}

impl Told {
    fn whole(headers: &HeaderMap, bytes_max: u64) -> anyhow::Result<Self> {
        let length = text(headers, &header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let bytes: u64 = length.context("it does not say how large the file is")?;
        ensure!(bytes <= bytes_max, "a file of {bytes} bytes is larger than it can be, which is {bytes_max}");
        let tag = text(headers, &header::ETAG).map(str::to_owned);
        let digest = text(headers, &HeaderName::from_static("repr-digest")).and_then(digest);
        Ok(Self { bytes, tag, digest })
    }

    /// The headers that ask for the rest.
    fn go_on(&self, have: u64) -> Vec<(HeaderName, String)> {
        let mut headers = vec![(header::RANGE, format!("bytes={have}-"))];
        headers.extend(self.tag.clone().map(|tag| (header::IF_RANGE, tag)));
        headers
    }

    fn continued(&self, headers: &HeaderMap, have: u64) -> anyhow::Result<Self> {
        let Self { bytes, tag, digest } = self;
        let expected = format!("bytes {have}-{}/{bytes}", bytes - 1);
        ensure!(text(headers, &header::CONTENT_RANGE) == Some(&expected), "it sends another part than the rest");
        Ok(Self { bytes: *bytes, tag: tag.clone(), digest: *digest })
    }
}

/// The next piece of a body; `None` at its end.
async fn next(body: &mut Incoming) -> anyhow::Result<Option<Bytes>> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        match tokio::time::timeout(STALL, frame).await.context("nothing comes any more")? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame?.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A redirect stays on the node, under the path that was asked for.
fn found(asked: &str, location: &str) -> anyhow::Result<Found> {
    let folder = asked.split('?').next().unwrap_or_default();
    let name = location.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    let name = name.filter(|name| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        !name.is_empty() && location.len() <= PATH_BYTES_MAX && name.bytes().all(plain)
    });
    let name = name.context("it leads to another place than one of its files")?;
    Ok(Found { path: location.to_owned(), name: name.to_owned() })
}

/// SHA-256 out of a `Repr-Digest`, if it has one.
fn digest(header: &str) -> Option<[u8; 32]> {
    let fields = header.split(',').filter_map(|field| field.trim().strip_prefix("sha-256=:")?.strip_suffix(':'));
    fields.filter_map(|field| STANDARD.decode(field).ok()?.try_into().ok()).next()
}

#[cfg(test)]
mod tests;
