//! One question over a connection that is there: HTTP/1.1, with a bound on the answer.

use std::pin::Pin;

use hyper::body::Body;
use hyper::client::conn::http1;
use hyper::http::response::Parts;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// The answer with all of its body, which may hold secrets.
pub async fn exchange<S>(
    stream: S,
    request: Request<String>,
    bytes_max: usize,
) -> anyhow::Result<(Parts, Zeroizing<Vec<u8>>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with the last handle on it.
    let exchange = async move {
        let (parts, mut incoming) = Response::into_parts(sender.send_request(request).await?);
        let mut body = Zeroizing::new(Vec::new());
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
            let Ok(data) = frame?.into_data() else { continue };
            anyhow::ensure!(body.len() + data.len() <= bytes_max, "it is larger than {bytes_max} bytes");
            body.extend_from_slice(&data);
        }
        Ok((parts, body))
    };
    tokio::join!(connection, exchange).1
}
