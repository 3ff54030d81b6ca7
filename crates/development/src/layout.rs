//! Where things are in a network's directory. Every file name stands here and nowhere else.

use std::path::{Path, PathBuf};

/// The paths in the directory of a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the network is made of; its presence means that the directory is complete.
    #[must_use]
    pub fn network(&self) -> PathBuf {
        self.dir.join("network.json")
    }

    /// There while a directory is being made; what was left half-made may be made again.
    #[must_use]
    pub fn unfinished(&self) -> PathBuf {
        self.dir.join("unfinished")
    }

    /// Held by whoever starts or stops nodes.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    #[must_use]
    pub fn genesis(&self) -> PathBuf {
        self.dir.join("genesis.json")
    }

    #[must_use]
    pub fn accounts(&self) -> PathBuf {
        self.dir.join("accounts.json")
    }

    #[must_use]
    pub fn service_certificate(&self) -> PathBuf {
        self.dir.join("service_cert.pem")
    }

    #[must_use]
    pub fn members(&self) -> PathBuf {
        self.dir.join("members")
    }

    #[must_use]
    pub fn member_certificate(&self, name: &str) -> PathBuf {
        self.members().join(format!("{name}_cert.pem"))
    }

    #[must_use]
    pub fn member_key(&self, name: &str) -> PathBuf {
        self.members().join(format!("{name}_privk.pem"))
    }

    #[must_use]
    pub fn node(&self, number: u64) -> NodeLayout {
        NodeLayout::new(self.dir.join(format!("node{number}")))
    }
}

/// The paths in the directory of one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeLayout {
    dir: PathBuf,
}

impl NodeLayout {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.join("node.toml")
    }

    /// The process that runs the node, if any does: written by whoever started it.
    #[must_use]
    pub fn process(&self) -> PathBuf {
        self.dir.join("node.pid")
    }

    /// The node's own log lines.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.dir.join("node.log")
    }

    /// The consensus log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The ledger files.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.dir.join("ledger")
    }

    /// Snapshots of the state.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    /// The history index.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// How far the node is on its way into a network, if it joins one: written by itself.
    #[must_use]
    pub fn joining(&self) -> PathBuf {
        self.dir.join("joining.json")
    }

    /// What is public of what it was told when it joined.
    #[must_use]
    pub fn joined(&self) -> PathBuf {
        self.dir.join("joined.json")
    }

    /// What a real TEE would hold.
    #[must_use]
    pub fn virtual_tee(&self) -> PathBuf {
        self.dir.join("virtual-tee")
    }
}
