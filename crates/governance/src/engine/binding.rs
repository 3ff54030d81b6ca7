//! The host functions that the prelude builds `ccf` from.
//!
//! They take texts and numbers, bytes as hexadecimal text, and give back values of their own; they call nothing of the
//! script's. (A function here must not hold a value of the script: the engine could not see it and would lose track of it.)

use std::cell::RefCell;
use std::rc::Rc;

use kv::Blob;
use rquickjs::function::{IntoJsFunc, Opt, This};
use rquickjs::{Array, ArrayBuffer, Ctx, Exception, Function, Object, Result};

use super::ask::{Answers, Ask, Told};
use super::bounds::{Bounds, Meter};
use super::chance::Chance;
use super::compiled::prelude;
use super::host::Refused;
use super::log::Log;
use super::sandbox::check_within;
use super::snp::Tcb;
use super::walks::Walks;
use super::{OVERRUN, keys};
use crate::organisations::{self, Organisation};
use crate::tables::ORGANISATIONS as ORGANISATIONS_TABLE;

/// What the parts of the prelude are given. The answers, the bounds and the meter are the call's.
#[derive(Clone)]
pub(crate) struct Border {
    pub(crate) answers: Rc<dyn Answers>,
    pub(crate) meter: Rc<Meter>,
    pub(crate) bounds: Bounds,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) log: Rc<RefCell<Log>>,
    /// Where `Math.random()` starts from.
    pub(crate) seed: u64,
}

const CORE: &str = include_str!("prelude/core.js");
const KEYS: &str = include_str!("prelude/keys.js");
const ORGANISATIONS: &str = include_str!("prelude/organisations.js");
const APPLY: &str = include_str!("prelude/apply.js");
const DATE: &str = include_str!("prelude/date.js");

/// All parts of the prelude.
pub(crate) const PRELUDE: [&str; 5] = [CORE, KEYS, ORGANISATIONS, APPLY, DATE];

impl Border {
    /// Prepares a fresh context for a script.
    pub(crate) fn prepare<'js>(&self, ctx: &Ctx<'js>, step: &str) -> Result<()> {
        let object = Object::new(ctx.clone())?;
        let door = Door { ctx: ctx.clone(), object: &object };
        tables(&door, self)?;
        conversions(&door, self)?;
        let (meter, bounds) = (self.meter.clone(), self.bounds);
        door.add("validateConstitution", move |ctx: Ctx<'js>, script: String| {
            check_within(&script, &bounds, &meter).map_err(|refused| Exception::throw_type(&ctx, &refused))
        })?;
        // The engine's own `Date` reads the machine's clock: it is kept where scripts cannot reach.
        object.set("Time", ctx.globals().get::<_, Object<'js>>("Date")?)?;
        let border = self.clone();
        door.add("part", move |ctx: Ctx<'js>, this: This<Object<'js>>, name: String| {
            border.part(&ctx, &this.0, &name)
        })?;
        exported(ctx, CORE)?.call((object, step))
    }

    /// Compiles a part of the prelude and gives it the host functions that it needs.
    fn part<'js>(&self, ctx: &Ctx<'js>, core: &Object<'js>, name: &str) -> Result<Function<'js>> {
        let object = Object::new(ctx.clone())?;
        let door = Door { ctx: ctx.clone(), object: &object };
        let source = match name {
            "keys" => {
                cryptography(&door, self.time)?;
                KEYS
            }
            "organisations" => {
                organisations(&door, self)?;
                ORGANISATIONS
            }
            "apply" => {
                service(&door, self)?;
                APPLY
            }
            "date" => {
                object.set("Time", core.get::<_, Object<'js>>("Time")?)?;
                #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit for 285,000 years")]
                let time = self.time as f64;
                door.add("now", move || time)?;
                DATE
            }
            _ => return Err(Exception::throw_message(ctx, "the prelude has no such part")),
        };
        exported(ctx, source)?.call((object,))
    }
}

/// The function that a part of the prelude is.
fn exported<'js>(ctx: &Ctx<'js>, part: &str) -> Result<Function<'js>> {
    let (module, _) = prelude(ctx, part)?.eval()?;
    module.get("default")
}

/// Where functions are put.
struct Door<'o, 'js> {
    ctx: Ctx<'js>,
    object: &'o Object<'js>,
}

impl<'js> Door<'_, 'js> {
    fn add<P>(&self, name: &str, function: impl IntoJsFunc<'js, P> + 'js) -> Result<()> {
        self.object.set(name, Function::new(self.ctx.clone(), function)?)
    }
}

impl Border {
    /// Asks, unless the call has had its time already: a script that keeps asking is stopped here.
    pub(crate) fn ask(&self, ctx: &Ctx<'_>, ask: Ask) -> Result<Told> {
        if self.meter.is_over() {
            return Err(Exception::throw_message(ctx, OVERRUN));
        }
        plain(ctx, ask.check(&self.bounds).and_then(|()| self.answers.ask(ask)))
    }

    fn text(&self, ctx: &Ctx<'_>, ask: Ask) -> Result<String> {
        match self.ask(ctx, ask)? {
            Told::Text(text) => Ok(text),
            other => Err(misunderstood(ctx, &other)),
        }
    }

    fn number(&self, ctx: &Ctx<'_>, ask: Ask) -> Result<Option<f64>> {
        match self.ask(ctx, ask)? {
            #[expect(clippy::cast_precision_loss, reason = "a ledger has fewer than 2^53 entries and rows")]
            Told::Number(number) => Ok(number.map(|number| number as f64)),
            other => Err(misunderstood(ctx, &other)),
        }
    }

    /// A row by its key in hexadecimal, as scripts give it.
    fn row(&self, ctx: &Ctx<'_>, table: String, key: &str) -> Result<Option<Blob>> {
        self.get(ctx, table, &plain(ctx, bytes(key))?)
    }

    fn get(&self, ctx: &Ctx<'_>, table: String, key: &[u8]) -> Result<Option<Blob>> {
        match self.ask(ctx, Ask::Get(table, key.to_vec().into()))? {
            Told::Bytes(bytes) => Ok(bytes),
            other => Err(misunderstood(ctx, &other)),
        }
    }

    /// A small table by its names; a key that is no text is left out.
    fn rows(&self, ctx: &Ctx<'_>, table: &str) -> Result<Vec<(String, Blob)>> {
        let mut all = Vec::new();
        let mut ask = Ask::Walk(table.to_owned());
        loop {
            let (rows, further) = match self.ask(ctx, ask)? {
                Told::Rows(rows, further) => (rows, further),
                other => return Err(misunderstood(ctx, &other)),
            };
            for pair in rows.chunks_exact(2) {
                if let Ok(name) = std::str::from_utf8(&pair[0]) {
                    all.push((name.to_owned(), pair[1].clone()));
                }
            }
            match further {
                Some(walk) => ask = Ask::Further(walk),
                None => return Ok(all),
            }
        }
    }

    /// Has something done.
    fn act(&self, ctx: &Ctx<'_>, ask: Ask) -> Result<()> {
        match self.ask(ctx, ask)? {
            Told::Done => Ok(()),
            other => Err(misunderstood(ctx, &other)),
        }
    }
}

/// An answer to another question.
pub(crate) fn misunderstood(ctx: &Ctx<'_>, told: &Told) -> rquickjs::Error {
    Exception::throw_message(ctx, &format!("the host answered beside the question: {told:?}"))
}

/// What is not the host's own: keys and texts.
pub(crate) fn plain<T>(ctx: &Ctx<'_>, result: std::result::Result<T, Refused>) -> Result<T> {
    result.map_err(|refused| Exception::throw_message(ctx, &refused))
}

fn bytes(hex: &str) -> std::result::Result<Vec<u8>, Refused> {
    const_hex::decode(hex).map_err(|_| "not bytes".to_owned())
}

fn buffer<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new_copy(ctx.clone(), bytes)
}

fn tables<'js>(door: &Door<'_, 'js>, border: &Border) -> Result<()> {
    let b = border.clone();
    door.add("has", move |ctx: Ctx<'js>, table: String, key: String| {
        b.row(&ctx, table, &key).map(|row| row.is_some())
    })?;
    let b = border.clone();
    door.add("get", move |ctx: Ctx<'js>, table: String, key: String| {
        b.row(&ctx, table, &key)?.map(|value| buffer(&ctx, &value)).transpose()
    })?;
    let b = border.clone();
    door.add("version", move |ctx: Ctx<'js>, table: String, key: String| {
        b.number(&ctx, Ask::Version(table, plain(&ctx, bytes(&key))?.into()))
    })?;
    let b = border.clone();
    door.add("set", move |ctx: Ctx<'js>, table: String, key: String, value: String| {
        let (key, value) = (plain(&ctx, bytes(&key))?, plain(&ctx, bytes(&value))?);
        b.act(&ctx, Ask::Set(table, key.into(), value.into()))
    })?;
    let b = border.clone();
    door.add("delete", move |ctx: Ctx<'js>, table: String, key: String| {
        match b.ask(&ctx, Ask::Delete(table, plain(&ctx, bytes(&key))?.into()))? {
            Told::Flag(found) => Ok(found),
            other => Err(misunderstood(&ctx, &other)),
        }
    })?;
    let b = border.clone();
    door.add("clear", move |ctx: Ctx<'js>, table: String| b.act(&ctx, Ask::Clear(table)))?;
    let b = border.clone();
    door.add("size", move |ctx: Ctx<'js>, table: String| b.number(&ctx, Ask::Size(table)))?;
    let walks = Rc::new(RefCell::new(Walks::default()));
    let (b, w) = (border.clone(), walks.clone());
    door.add("open", move |ctx: Ctx<'js>, table: String| w.borrow_mut().open(&ctx, &b, table))?;
    let (b, w) = (border.clone(), walks.clone());
    door.add("page", move |ctx: Ctx<'js>, walk: u32| page(&ctx, &w.borrow_mut().page(&ctx, &b, walk)?))?;
    let b = border.clone();
    door.add("close", move |ctx: Ctx<'js>, walk: u32| walks.borrow_mut().close(&ctx, &b, walk))
}

/// Keys and values in turn.
fn page<'js>(ctx: &Ctx<'js>, rows: &[Blob]) -> Result<Array<'js>> {
    let array = Array::new(ctx.clone())?;
    for (place, blob) in rows.iter().enumerate() {
        array.set(place, buffer(ctx, blob)?)?;
    }
    Ok(array)
}

fn conversions<'js>(door: &Door<'_, 'js>, border: &Border) -> Result<()> {
    door.add("bytes", |ctx: Ctx<'js>, text: String| buffer(&ctx, text.as_bytes()))?;
    door.add("text", |ctx: Ctx<'js>, hex: String| plain(&ctx, bytes(&hex).map(|bytes| text(&bytes))))?;
    door.add("json", |ctx: Ctx<'js>, hex: String| {
        plain(&ctx, bytes(&hex).and_then(|bytes| String::from_utf8(bytes).map_err(|_| "not UTF-8".into())))
    })?;
    door.add("pemToId", |ctx: Ctx<'js>, pem: String| plain(&ctx, keys::pem_to_id(&pem)))?;
    let log = border.log.clone();
    door.add("log", move |level: String, line: String| log.borrow_mut().say(&level, &line))?;
    let chance = RefCell::new(Chance(border.seed));
    door.add("random", move || chance.borrow_mut().next())
}

/// Bytes as text. A byte that is not UTF-8 becomes a private character of its own, so that different bytes give different
/// texts: constitutions compare digests this way.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(0xf700 + u32::from(*byte))));
    }
    text
}

fn cryptography<'js>(door: &Door<'_, 'js>, time: u64) -> Result<()> {
    door.add("digest", |ctx: Ctx<'js>, name: String, data: String| {
        buffer(&ctx, &plain(&ctx, bytes(&data).and_then(|data| keys::digest(&name, &data)))?)
    })?;
    door.add("isBundle", |pem: String| crypto::ForeignCertificate::bundle(&pem).is_ok())?;
    door.add("isChain", move |chain: String, trusted: String| keys::is_chain(&chain, &trusted, time))?;
    door.add("isRoot", |pem: String| keys::is_root(&pem))?;
    door.add("pemToJwk", |ctx: Ctx<'js>, kind: String, pem: String, kid: Opt<Option<String>>| {
        plain(&ctx, keys::pem_to_jwk(&kind, &pem, kid.0.flatten()))
    })?;
    door.add("jwkToPem", |ctx: Ctx<'js>, kind: String, jwk: String| plain(&ctx, keys::jwk_to_pem(&kind, &jwk)))?;
    door.add(
        "verifySignature",
        |ctx: Ctx<'js>, name: String, hash: String, key: String, signature: String, data: String| {
            let verified = || keys::verify(&name, &hash, &key, &bytes(&signature)?, &bytes(&data)?);
            plain(&ctx, verified())
        },
    )
}

/// Whose people somebody is: of one organisation, or of any. Reading certificates takes time, so it is the script's process that does
/// it.
fn organisations<'js>(door: &Door<'_, 'js>, border: &Border) -> Result<()> {
    let border = border.clone();
    door.add("personOf", move |ctx: Ctx<'js>, chain: String, name: Opt<Option<String>>| {
        let rows = match name.0.flatten() {
            Some(name) => {
                let row = border.get(&ctx, ORGANISATIONS_TABLE.to_owned(), name.as_bytes())?;
                row.map(|row| (name, row)).into_iter().collect()
            }
            None => border.rows(&ctx, ORGANISATIONS_TABLE)?,
        };
        let rows = rows.into_iter().take_while(|_| !border.meter.is_over());
        let read = rows.filter_map(|(name, row)| Some((name, serde_json::from_slice::<Organisation>(&row).ok()?)));
        let found = organisations::person(read, &chain, border.time / 1_000).map_err(|stranger| stranger.to_string());
        plain(&ctx, found.and_then(|found| serde_json::to_string(&found).map_err(|error| error.to_string())))
    })
}

fn service<'js>(door: &Door<'_, 'js>, border: &Border) -> Result<()> {
    let b = border.clone();
    door.add("effect", move |ctx: Ctx<'js>, name: String| b.act(&ctx, Ask::Effect(name)))?;
    let b = border.clone();
    door.add("openService", move |ctx: Ctx<'js>, previous: Option<String>, next: String| {
        b.act(&ctx, Ask::OpenService { previous, next })
    })?;
    let b = border.clone();
    door.add("ledgerSecretSeqno", move |ctx: Ctx<'js>| b.number(&ctx, Ask::LedgerSecretSeqno))?;
    let b = border.clone();
    door.add("endorseNode", move |ctx: Ctx<'js>, request: String, valid_from: String, days: u32| {
        b.text(&ctx, Ask::EndorseNode { request, valid_from, days })
    })?;
    let b = border.clone();
    door.add("renewCertificate", move |ctx: Ctx<'js>, valid_from: String, days: u32| {
        b.text(&ctx, Ask::RenewCertificate { valid_from, days })
    })?;
    door.add("tcbHexToPolicy", |ctx: Ctx<'js>, cpuid: String, tcb: String| {
        let tcb = Tcb::read(&cpuid, &tcb);
        plain(&ctx, tcb.and_then(|tcb| serde_json::to_string(&tcb).map_err(|error| error.to_string())))
    })?;
    let b = border.clone();
    door.add("setJwtKeys", move |ctx: Ctx<'js>, issuer: String, keys: String| {
        b.act(&ctx, Ask::SetJwtKeys { issuer, keys })
    })
}
