//! A network that runs on this machine, and its members at the command line.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A network that runs, until the test is over.
pub struct Place {
    dir: tempfile::TempDir,
    pub ready: Value,
}

impl Place {
    /// `None`, loudly, if there is no node's program.
    pub fn new(nodes: &str) -> Option<Self> {
        Self::made(&["--nodes", nodes])
    }

    /// One that began without a vote: nobody has signed the state, and no ledger is hosted.
    pub fn bare(nodes: &str) -> Option<Self> {
        Self::made(&["--nodes", nodes, "--bare"])
    }

    fn made(options: &[&str]) -> Option<Self> {
        let coco = Path::new(env!("CARGO_BIN_EXE_coco"));
        if std::env::var_os("COCO_NODE").is_none() && !coco.with_file_name("coco-node").is_file() {
            eprintln!("SKIPPED: coco-node is not beside {}; build it first", coco.display());
            return None;
        }
        let mut place = Self { dir: tempfile::tempdir().unwrap(), ready: Value::Null };
        place.up(&[&["--rpc-port", "0"], options].concat());
        Some(place)
    }

    /// Starts it, or goes on with it.
    pub fn up(&mut self, options: &[&str]) {
        let ready = self.file("ready.json");
        self.ok(&[&["up", "--detach", "--ready-file", ready.to_str().unwrap()][..], options].concat());
        self.ready = serde_json::from_slice(&fs::read(ready).unwrap()).unwrap();
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn network(&self) -> PathBuf {
        self.file("network")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coco"));
        command.args(args).current_dir(self.dir.path());
        if !args.contains(&"--url") && !args.starts_with(&["constitution", "check"]) {
            command.arg("--dir").arg(self.network());
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A command that must succeed; what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// A command that must fail; what it said.
    pub fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stderr)
    }

    /// Proposes what is given on standard input; the proposal's id.
    pub fn propose(&self, actions: &Value, name: &str) -> String {
        let mut child = self
            .command(&["proposal", "new", "-", "--as", name, "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(actions.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let proposal: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(proposal["state"], "Open");
        proposal["id"].as_str().unwrap().to_owned()
    }

    /// The id of a member by its name.
    pub fn member(&self, name: &str) -> Value {
        let members = self.json(&["member", "list"]);
        members["members"].as_array().unwrap().iter().find(|member| member["name"] == name).unwrap().clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
