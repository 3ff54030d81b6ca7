//! Running other programs.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The root of the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// One call of another program, in the repository's root unless it is told otherwise.
pub struct Tool {
    command: Command,
}

impl Tool {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(repository()).stdin(Stdio::null());
        Self { command }
    }

    /// The cargo that runs this program.
    pub fn cargo(args: &[&str]) -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(args)
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: &[A]) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn in_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Whether it succeeds; its output goes where ours goes.
    pub fn succeeds(&mut self) -> anyhow::Result<bool> {
        Ok(self.command.status().with_context(|| self.name())?.success())
    }

    /// It must succeed.
    pub fn must(&mut self) -> anyhow::Result<()> {
        if self.succeeds()? { Ok(()) } else { bail!("{} failed", self.name()) }
    }

    /// What it prints; it must succeed.
    pub fn output(&mut self) -> anyhow::Result<Vec<u8>> {
        let output = self.command.stderr(Stdio::inherit()).output().with_context(|| self.name())?;
        if output.status.success() { Ok(output.stdout) } else { bail!("{} failed", self.name()) }
    }

    /// What it prints to both its outputs, shown as it comes, and whether it succeeded.
    pub fn tee(&mut self) -> anyhow::Result<(String, bool)> {
        let (reader, writer) = std::io::pipe()?;
        let also = writer.try_clone()?;
        let mut child = self.command.stdout(writer).stderr(also).spawn().with_context(|| self.name())?;
        // Our copies of the writing end would keep the pipe open.
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let text = crate::report::echo(reader)?;
        Ok((text, child.wait()?.success()))
    }

    /// Ends this program and becomes the other one, so that Ctrl-C is its business.
    pub fn become_it(mut self) -> anyhow::Result<bool> {
        let error = self.command.stdin(Stdio::inherit()).exec();
        Err(error).with_context(|| self.name())
    }

    fn name(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}
