//! The HTTP/1.1 that a load generator needs: requests over one connection that stays open, each byte counted.
//!
//! Written by hand since each microsecond here is taken from the nodes on the same machine: one write and usually one read
//! a call, no header map, no allocation once the buffers have grown.

use std::io;
use std::net::SocketAddr;
use std::ops::AddAssign;

use crate::stream::Stream;
use crate::{Endpoint, Error, Trust};

/// Bounds on what a server may send.
const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 256 << 20;
const READ_BYTES: usize = 64 << 10;

/// Bytes of HTTP in both directions, heads included; what TLS, TCP and IP add is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wire {
    pub sent: u64,
    pub received: u64,
}

impl AddAssign for Wire {
    fn add_assign(&mut self, more: Self) {
        self.sent += more.sent;
        self.received += more.received;
    }
}

/// One connection.
pub struct Connection {
    at: String,
    authority: String,
    path: String,
    stream: Stream,
    out: Vec<u8>,
    input: Vec<u8>,
    wire: Wire,
}

/// What the head of an answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Head {
    status: u16,
    body: Body,
    closes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body {
    Length(usize),
    Chunked,
}

impl Connection {
    pub async fn open(endpoint: &Endpoint) -> Result<Self, Error> {
        let Endpoint { authority, path } = endpoint.clone();
        Self::over(Stream::plain(&endpoint.authority).await, endpoint.to_string(), authority, path)
    }

    /// Opens one to the service that is trusted.
    pub async fn open_secured(address: SocketAddr, trust: &Trust) -> Result<Self, Error> {
        let stream = Stream::secured(address, trust).await;
        Self::over(stream, format!("https://{address}"), address.to_string(), "/".into())
    }

    fn over(stream: io::Result<Stream>, at: String, authority: String, path: String) -> Result<Self, Error> {
        match stream {
            Ok(stream) => {
                Ok(Self { at, authority, path, stream, out: Vec::new(), input: Vec::new(), wire: Wire::default() })
            }
            Err(source) => Err(Error::Unreachable { at, source }),
        }
    }

    /// What it leads to.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Sends a JSON document and gives the answer's. After an error the connection is of no more use.
    pub async fn post(&mut self, body: &[u8]) -> Result<&[u8], Error> {
        self.begin("POST", "");
        self.out.extend_from_slice(b"content-type: application/json\r\naccept: application/json\r\n");
        match self.send(body).await? {
            200 => Ok(&self.input),
            status => {
                let text = String::from_utf8_lossy(&self.input[..self.input.len().min(200)]).trim().to_owned();
                Err(Error::Foreign { at: self.at.clone(), what: format!("status {status}: {text}") })
            }
        }
    }

    /// Sends a request to a place below the endpoint's path; the answer's status and body. After an error the connection is
    /// of no more use.
    pub async fn request(&mut self, method: &str, below: &str, body: &[u8]) -> Result<(u16, &[u8]), Error> {
        self.begin(method, below);
        let status = self.send(body).await?;
        Ok((status, &self.input))
    }

    /// As [`Connection::request`]: posts a document of the given type.
    pub async fn post_as(&mut self, media_type: &str, below: &str, body: &[u8]) -> Result<(u16, &[u8]), Error> {
        self.begin("POST", below);
        for part in ["content-type: ", media_type, "\r\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
        let status = self.send(body).await?;
        Ok((status, &self.input))
    }

    /// What went over it.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire
    }

    fn begin(&mut self, method: &str, below: &str) {
        self.out.clear();
        for part in [method, " ", &self.path, below, " HTTP/1.1\r\nhost: ", &self.authority, "\r\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    async fn send(&mut self, body: &[u8]) -> Result<u16, Error> {
        match self.exchange(body).await {
            Ok(status) => Ok(status),
            Err(Fault::Io(source)) => Err(Error::Broken { at: self.at.clone(), source }),
            Err(Fault::Foreign(what)) => Err(Error::Foreign { at: self.at.clone(), what }),
        }
    }

    /// The answer's status; its body is in `input`.
    async fn exchange(&mut self, body: &[u8]) -> Result<u16, Fault> {
        for part in [b"content-length: ", body.len().to_string().as_bytes(), b"\r\n\r\n", body] {
            self.out.extend_from_slice(part);
        }
        self.stream.write_all(&self.out).await?;
        self.wire.sent += self.out.len() as u64;

        self.input.clear();
        let end = loop {
            if let Some(end) = find(&self.input, b"\r\n\r\n") {
                break end + 4;
            }
            if self.input.len() > HEAD_BYTES_MAX {
                return Err(Fault::foreign("its headers have no end"));
            }
            self.read().await?;
        };
        let head = Head::read(&self.input[..end]).map_err(Fault::foreign)?;
        self.input.drain(..end);
        match head.body {
            Body::Length(length) if length > BODY_BYTES_MAX => return Err(Fault::foreign("its answer is too large")),
            Body::Length(length) => {
                while self.input.len() < length {
                    self.read().await?;
                }
                if self.input.len() > length {
                    return Err(Fault::foreign("it sent more than an answer"));
                }
            }
            Body::Chunked => self.read_chunks().await?,
        }
        if head.closes {
            return Err(Fault::foreign("it closes connections after an answer"));
        }
        Ok(head.status)
    }

    /// Joins the pieces of a chunked body in place.
    async fn read_chunks(&mut self) -> Result<(), Fault> {
        let mut whole = 0;
        loop {
            let line = loop {
                if let Some(length) = find(&self.input[whole..], b"\r\n") {
                    break whole..whole + length;
                }
                if self.input.len() - whole > HEAD_BYTES_MAX {
                    return Err(Fault::foreign("a chunk's length has no end"));
                }
                self.read().await?;
            };
            let text = std::str::from_utf8(&self.input[line.clone()]).unwrap_or_default();
            let digits = text.split(';').next().unwrap_or_default().trim();
            let Some(length) = usize::from_str_radix(digits, 16).ok().filter(|n| whole + n <= BODY_BYTES_MAX) else {
                return Err(Fault::foreign("a chunk has no length, or too large a one"));
            };
            let start = line.end + 2;
            while self.input.len() < start + length + 2 {
                self.read().await?;
            }
            if &self.input[start + length..start + length + 2] != b"\r\n" {
                return Err(Fault::foreign("a chunk does not end where it said"));
            }
            if length == 0 {
                self.input.truncate(whole);
                return Ok(());
            }
            self.input.drain(start + length..start + length + 2);
            self.input.drain(whole..start);
            whole += length;
        }
    }

    async fn read(&mut self) -> Result<(), Fault> {
        self.input.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(Fault::Io(io::ErrorKind::UnexpectedEof.into())),
            read => {
                self.wire.received += read as u64;
                Ok(())
            }
        }
    }
}

enum Fault {
    Io(io::Error),
    Foreign(String),
}

impl Fault {
    fn foreign(what: impl Into<String>) -> Self {
        Self::Foreign(what.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Head {
    /// `bytes` end with the empty line.
    fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "its headers are not text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line.get(..3));
        let status = status.and_then(|status| status.parse().ok()).ok_or("it does not speak HTTP/1.1")?;
        let mut body = None;
        let mut closes = false;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                body = Some(Body::Length(value.parse().map_err(|_| "its content-length is no number")?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
                body = Some(Body::Chunked);
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                closes = true;
            }
        }
        const NO_CONTENT: u16 = 204;
        let body = body.or((status == NO_CONTENT).then_some(Body::Length(0)));
        Ok(Self { status, body: body.ok_or("its answer has no length")?, closes })
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What the client makes of an answer that arrives in the given pieces.
    async fn answered(pieces: &'static [&'static str]) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let read = stream.read(&mut asked).await.unwrap();
            assert!(asked[..read].ends_with(b"content-length: 2\r\n\r\n{}"));
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let client = async {
            let mut connection = Connection::open(&endpoint).await.unwrap();
            let answer = connection
                .post(b"{}")
                .await
                .map(|body| String::from_utf8(body.to_vec()).unwrap())
                .map_err(|e| e.to_string());
            let Wire { sent, received } = connection.wire();
            assert!(sent > 50 && received <= pieces.iter().map(|piece| piece.len() as u64).sum());
            answer
        };
        tokio::join!(client, server).0
    }

    #[tokio::test]
    async fn answers_are_read_whole_however_they_arrive() {
        let ok = Ok("hello".to_owned());
        assert_eq!(answered(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"]).await, ok);
        assert_eq!(answered(&["HTTP/1.1 200", " OK\r\ncontent-length:5\r\n\r", "\nhe", "llo"]).await, ok);
        let chunked = ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r", "\n2;x=y\r\nlo\r\n0\r\n\r\n"];
        assert_eq!(answered(Box::leak(Box::new(chunked))).await, ok);
    }

    #[test]
    fn an_answer_without_content_needs_no_length() {
        let head = Head::read(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(head, Ok(Head { status: 204, body: Body::Length(0), closes: false }));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_apart() {
        let error = |pieces| async move { answered(pieces).await.unwrap_err() };
        assert!(error(&["HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"]).await.contains("status 503: busy"));
        assert!(error(&["SSH-2.0\r\n\r\n"]).await.contains("HTTP/1.1"));
        assert!(error(&["HTTP/1.1 200 OK\r\n\r\n"]).await.contains("no length"));
        assert!(error(&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab"]).await.contains("more than"));
        assert!(error(&["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"]).await.contains("broke"));
        assert!(error(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"]).await.contains("no length"));
    }
}
