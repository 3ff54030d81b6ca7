//! Scripts that are run again and again, compiled once.
//!
//! Compiling is most of what a call of a constitution costs. What the engine compiled it can write down and read back into
//! a fresh runtime. It trusts what it reads, so nothing is read here that was not written here, in this process, for the
//! same text; and it may write nonsense where it runs out of memory, so scripts are compiled in a runtime of their own,
//! without the bounds of a call, and read back once before they are kept. They are not run meanwhile.
//!
//! The written form lives as long as the process: a constitution changes rarely, and after some changes new ones are
//! compiled for each call.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use base::Digest;
use rquickjs::loader::Loader;
use rquickjs::loader::bundle::Bundle;
use rquickjs::module::WriteOptions;
use rquickjs::{Context, Ctx, Module, Result, Runtime};

use super::Bounds;
use super::sandbox::{Builtins, may_be_kept};

/// The name under which every script is loaded; it stands in traces.
pub(crate) const NAME: &str = "script";

/// Scripts that are kept.
const SCRIPTS_MAX: usize = 16;

type Code = &'static [(&'static str, &'static [u8])];

/// Compiled scripts by the digest of their texts; nothing where the engine could not read what it wrote. A clone is another
/// handle on the same.
#[derive(Clone, Default)]
pub struct Compiled(Arc<Mutex<BTreeMap<Digest, Option<Code>>>>);

/// The parts of the prelude, which are the same for all.
static PRELUDE: LazyLock<Compiled> = LazyLock::new(|| {
    let parts = Compiled::default();
    super::binding::PRELUDE.iter().for_each(|part| parts.keep(part));
    parts
});

/// Compiles now what calls would compile: the prelude, and a script that is to be kept, if calls would keep it.
pub(crate) fn prepare(script: Option<(&Compiled, &str)>, bounds: &Bounds) {
    LazyLock::force(&PRELUDE);
    if let Some((compiled, text)) = script.filter(|(_, text)| may_be_kept(text, bounds)) {
        compiled.know(text);
    }
}

/// A part of the prelude, loaded.
pub(crate) fn prelude<'js>(ctx: &Ctx<'js>, text: &str) -> Result<Module<'js>> {
    PRELUDE.read(ctx, text).unwrap_or_else(|| Module::declare(ctx.clone(), NAME, text))
}

impl Compiled {
    /// The module of a text: read if it was compiled before or can be kept now, else compiled for this once.
    pub(crate) fn load<'js>(&self, ctx: &Ctx<'js>, text: &str) -> Result<Module<'js>> {
        self.know(text);
        self.read(ctx, text).unwrap_or_else(|| Module::declare(ctx.clone(), NAME, text))
    }

    fn know(&self, text: &str) {
        if !self.scripts().contains_key(&crypto::sha256(text.as_bytes())) {
            self.keep(text);
        }
    }

    /// Whether a text is kept, and so was looked through.
    pub(crate) fn knows(&self, text: &str) -> bool {
        self.get(&crypto::sha256(text.as_bytes())).is_some()
    }

    fn read<'js>(&self, ctx: &Ctx<'js>, text: &str) -> Option<Result<Module<'js>>> {
        self.get(&crypto::sha256(text.as_bytes())).map(|code| Bundle(code).load(ctx, NAME, None))
    }

    fn get(&self, digest: &Digest) -> Option<Code> {
        self.scripts().get(digest).copied().flatten()
    }

    fn scripts(&self) -> MutexGuard<'_, BTreeMap<Digest, Option<Code>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compiles a text, if there is room for it and it can be compiled.
    fn keep(&self, text: &str) {
        if self.scripts().len() >= SCRIPTS_MAX {
            return;
        }
        let Some(code) = written(text) else { return };
        let code: &'static [u8] = Box::leak(code.into_boxed_slice());
        let code: Code = Box::leak(Box::new([(NAME, code)]));
        let readable = apart(|ctx| Bundle(code).load(ctx, NAME, None).map(drop)).is_some();
        self.scripts().insert(crypto::sha256(text.as_bytes()), readable.then_some(code));
    }
}

fn written(text: &str) -> Option<Vec<u8>> {
    apart(|ctx| Module::declare(ctx.clone(), NAME, text)?.write(WriteOptions::default()))
}

/// Does something in a runtime of its own.
fn apart<T>(act: impl FnOnce(&Ctx<'_>) -> Result<T>) -> Option<T> {
    let runtime = Runtime::new().ok()?;
    let context = Context::custom::<Builtins>(&runtime).ok()?;
    context.with(|ctx| act(&ctx).ok())
}
