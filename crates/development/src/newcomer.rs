//! Makes the directory of a node that is to join a network elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::files::{self, Readers};
use crate::ports::Ports;
use crate::{EndorsementServices, Error, JoinFile, Layout, NodeFile, NodeLayout, Origin};

/// What a new node is told.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Doors of the network's nodes: `https://host:port`.
    pub network: Vec<String>,
    /// PEM of the service's certificate.
    pub service_certificate: String,
    /// The address of this machine that its doors are on.
    pub listen: IpAddr,
    /// Where members talk to it; else any free port.
    pub governance_port: Option<u16>,
    /// The host that others are told, if it is another.
    pub published: Option<String>,
    /// SHA-256 of the constitution that the network must have, in hexadecimal.
    pub constitution: Option<String>,
    /// JSON.
    pub node_data: Option<String>,
    pub endorsements: EndorsementServices,
}

/// Writes `node.toml` and the service's certificate. Keys the node makes by itself.
pub fn newcomer(dir: &Path, new: &Newcomer) -> Result<NodeFile, Error> {
    files::make_dir(dir, Readers::Everyone)?;
    let certificate = Layout::new(dir).service_certificate();
    files::write(&certificate, new.service_certificate.as_bytes(), Readers::Everyone)?;
    let mut ports = Ports::new(new.listen);
    let governance = match new.governance_port {
        Some(port) => {
            ports.reserve(port);
            SocketAddr::from((new.listen, port))
        }
        None => ports.take(dir)?,
    };
    let file = NodeFile {
        governance,
        http: ports.take(dir)?,
        peer: ports.take(dir)?,
        archive: false,
        endorsements: new.endorsements.clone(),
        origin: Origin::Joiner(JoinFile {
            network: new.network.clone(),
            service_certificate: certificate.file_name().map(Into::into).unwrap_or_default(),
            constitution: new.constitution.clone(),
            node_data: new.node_data.clone(),
            published: new.published.clone(),
        }),
        ledgers: Vec::new(),
    };
    file.check().map_err(|what| Error::content(&NodeLayout::new(dir).file(), what))?;
    file.write(dir)?;
    Ok(file)
}
