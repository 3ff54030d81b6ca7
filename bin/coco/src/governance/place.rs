//! Where a network is: in a directory on this machine, or at a URL with the certificate of its service.

use std::path::PathBuf;

use development::Layout;

use crate::cli;
use crate::failure::Failure;
use crate::network;

/// Settled: a directory is absolute, a URL is what paths are put behind.
pub enum Place {
    Dir(PathBuf),
    Url { base: String, service_certificate: PathBuf },
}

impl Place {
    pub fn settle(at: &cli::At) -> Result<Self, Failure> {
        match (&at.url, &at.service_certificate) {
            (Some(url), Some(certificate)) => {
                Ok(Self::Url { base: base(url)?, service_certificate: network::absolute(certificate)? })
            }
            _ => Ok(Self::Dir(network::absolute(&at.dir)?)),
        }
    }

    /// The files of a network on this machine.
    pub fn layout(&self) -> Option<Layout> {
        match self {
            Self::Dir(dir) => Some(Layout::new(dir)),
            Self::Url { .. } => None,
        }
    }
}

/// Scheme, host and port.
fn base(url: &str) -> Result<String, Failure> {
    let rest = url.strip_prefix("https://").map(|rest| rest.trim_end_matches('/'));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(format!("https://{host}")),
        _ => Err(Failure::new(format!("{url} is not where a node serves members"))
            .hint("it is like https://node.example:8443, without a path; the ready file has it as `governance`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_and_a_host() {
        for (url, wanted) in
            [("https://127.0.0.1:8000", "https://127.0.0.1:8000"), ("https://[::1]:9/", "https://[::1]:9")]
        {
            assert_eq!(base(url).unwrap(), wanted);
        }
        for bad in ["http://a", "https://", "https://a/gov", "a:8000", "https://x@y", "https://a?b"] {
            assert!(base(bad).unwrap_err().hint.is_some(), "{bad}");
        }
    }
}
