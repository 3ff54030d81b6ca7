//! The host functions that the prelude builds `ccf` from.
//!
//! They take texts and numbers, bytes as hexadecimal text, and give back values of their own; they call nothing of the
//! script's. (A function here must not hold a value of the script: the engine could not see it and would lose track of it.)

use std::cell::RefCell;
use std::rc::Rc;

use kv::Blob;
use ledger::genesis::ServiceStatus;
use rquickjs::function::{IntoJsFunc, Opt, This};
use rquickjs::{Array, ArrayBuffer, Ctx, Exception, Function, Object, Result};

use super::bounds::{Bounds, Meter};
use super::compiled::prelude;
use super::effect::Effect;
use super::host::{Host, Refused};
use super::sandbox::check_within;
use super::snp::Tcb;
use super::{OVERRUN, jwt, keys};
use crate::organisations::{self, Organisation};
use crate::tables::{ORGANISATIONS as ORGANISATIONS_TABLE, SERVICE_INFO, SINGLETON};

pub(crate) type Shared = Rc<RefCell<Host>>;

/// What the parts of the prelude are given. Rights, bounds and the meter are the call's.
#[derive(Clone)]
pub(crate) struct Border {
    pub(crate) host: Shared,
    pub(crate) meter: Rc<Meter>,
    pub(crate) bounds: Bounds,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
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
        tables(&door, &self.host, &self.meter)?;
        conversions(&door, &self.host)?;
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
                service(&door, &self.host, &self.meter)?;
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

/// Does something on the host unless the call has had its time already: a script that keeps calling is stopped here.
fn on<T>(
    ctx: &Ctx<'_>,
    host: &Shared,
    meter: &Meter,
    act: impl FnOnce(&mut Host) -> std::result::Result<T, Refused>,
) -> Result<T> {
    if meter.is_over() {
        return Err(Exception::throw_message(ctx, OVERRUN));
    }
    act(&mut host.borrow_mut()).map_err(|refused| Exception::throw_message(ctx, &refused))
}

/// What is not the host's own: keys and texts.
fn plain<T>(ctx: &Ctx<'_>, result: std::result::Result<T, Refused>) -> Result<T> {
    result.map_err(|refused| Exception::throw_message(ctx, &refused))
}

fn bytes(hex: &str) -> std::result::Result<Vec<u8>, Refused> {
    const_hex::decode(hex).map_err(|_| "not bytes".to_owned())
}

fn buffer<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new_copy(ctx.clone(), bytes)
}

fn tables<'js>(door: &Door<'_, 'js>, host: &Shared, meter: &Rc<Meter>) -> Result<()> {
    let (h, m) = (host.clone(), meter.clone());
    door.add("has", move |ctx: Ctx<'js>, table: String, key: String| {
        on(&ctx, &h, &m, |host| host.has(&table, &bytes(&key)?))
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("get", move |ctx: Ctx<'js>, table: String, key: String| {
        let value = on(&ctx, &h, &m, |host| host.get(&table, &bytes(&key)?))?;
        value.map(|value| buffer(&ctx, &value)).transpose()
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("version", move |ctx: Ctx<'js>, table: String, key: String| {
        #[expect(clippy::cast_precision_loss, reason = "a ledger has fewer than 2^53 entries")]
        on(&ctx, &h, &m, |host| Ok(host.version(&table, &bytes(&key)?)?.map(|version| version as f64)))
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("set", move |ctx: Ctx<'js>, table: String, key: String, value: String| {
        on(&ctx, &h, &m, |host| host.set(&table, bytes(&key)?, bytes(&value)?))
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("delete", move |ctx: Ctx<'js>, table: String, key: String| {
        on(&ctx, &h, &m, |host| host.delete(&table, bytes(&key)?))
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("clear", move |ctx: Ctx<'js>, table: String| on(&ctx, &h, &m, |host| host.clear(&table)))?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("size", move |ctx: Ctx<'js>, table: String| on(&ctx, &h, &m, |host| host.size(&table)))?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("open", move |ctx: Ctx<'js>, table: String| on(&ctx, &h, &m, |host| host.open(&table)))?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("page", move |ctx: Ctx<'js>, walk: u32| {
        let rows = on(&ctx, &h, &m, |host| host.page(walk))?;
        page(&ctx, &rows)
    })?;
    let h = host.clone();
    door.add("close", move |walk: u32| h.borrow_mut().close(walk))
}

/// Keys and values in turn.
fn page<'js>(ctx: &Ctx<'js>, rows: &[(Blob, Blob)]) -> Result<Array<'js>> {
    let array = Array::new(ctx.clone())?;
    for (place, blob) in rows.iter().flat_map(|(key, value)| [key, value]).enumerate() {
        array.set(place, buffer(ctx, blob)?)?;
    }
    Ok(array)
}

fn conversions<'js>(door: &Door<'_, 'js>, host: &Shared) -> Result<()> {
    door.add("bytes", |ctx: Ctx<'js>, text: String| buffer(&ctx, text.as_bytes()))?;
    door.add("text", |ctx: Ctx<'js>, hex: String| plain(&ctx, bytes(&hex).map(|bytes| text(&bytes))))?;
    door.add("json", |ctx: Ctx<'js>, hex: String| {
        plain(&ctx, bytes(&hex).and_then(|bytes| String::from_utf8(bytes).map_err(|_| "not UTF-8".into())))
    })?;
    door.add("pemToId", |ctx: Ctx<'js>, pem: String| plain(&ctx, keys::pem_to_id(&pem)))?;
    let h = host.clone();
    door.add("log", move |level: String, line: String| h.borrow_mut().log(&level, &line))?;
    let h = host.clone();
    door.add("random", move || h.borrow_mut().random())
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

/// Whose people somebody is: of one organisation, or of any.
fn organisations<'js>(door: &Door<'_, 'js>, border: &Border) -> Result<()> {
    let Border { host, meter, time, .. } = border.clone();
    door.add("personOf", move |ctx: Ctx<'js>, chain: String, name: Opt<Option<String>>| {
        let found = on(&ctx, &host, &meter, |host| {
            let rows = match name.0.flatten() {
                Some(name) => {
                    host.get(ORGANISATIONS_TABLE, name.as_bytes())?.map(|row| (name, row)).into_iter().collect()
                }
                None => host.all(ORGANISATIONS_TABLE)?,
            };
            // Reading an organisation's certificates takes time, and there may be many.
            let rows = rows.into_iter().take_while(|_| !meter.is_over());
            let read = rows.filter_map(|(name, row)| Some((name, serde_json::from_slice::<Organisation>(&row).ok()?)));
            organisations::person(read, &chain, time / 1_000).map_err(|stranger| stranger.to_string())
        })?;
        plain(&ctx, serde_json::to_string(&found).map_err(|error| error.to_string()))
    })
}

fn service<'js>(door: &Door<'_, 'js>, host: &Shared, meter: &Rc<Meter>) -> Result<()> {
    let (h, m) = (host.clone(), meter.clone());
    door.add("effect", move |ctx: Ctx<'js>, name: String| on(&ctx, &h, &m, |host| effect(host, &name)))?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("openService", move |ctx: Ctx<'js>, previous: Option<String>, next: String| {
        on(&ctx, &h, &m, |host| {
            host.applying()?;
            host.service.check_identities(previous.as_deref(), &next)?;
            host.effects.push(Effect::OpenService { previous, next });
            Ok(())
        })
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("ledgerSecretSeqno", move |ctx: Ctx<'js>| {
        #[expect(clippy::cast_precision_loss, reason = "a ledger has fewer than 2^53 entries")]
        on(&ctx, &h, &m, |host| Ok(host.service.ledger_secret_seqno() as f64))
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("endorseNode", move |ctx: Ctx<'js>, request: String, from: String, days: u32| {
        on(&ctx, &h, &m, |host| host.service.endorse_node(&request, &from, days))
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("renewCertificate", move |ctx: Ctx<'js>, from: String, days: u32| {
        on(&ctx, &h, &m, |host| host.service.renew_certificate(&from, days))
    })?;
    door.add("tcbHexToPolicy", |ctx: Ctx<'js>, cpuid: String, tcb: String| {
        let tcb = Tcb::read(&cpuid, &tcb);
        plain(&ctx, tcb.and_then(|tcb| serde_json::to_string(&tcb).map_err(|error| error.to_string())))
    })?;
    let (h, m) = (host.clone(), meter.clone());
    door.add("setJwtKeys", move |ctx: Ctx<'js>, issuer: String, keys: String| {
        on(&ctx, &h, &m, |host| jwt::set_keys(host, &issuer, &keys))
    })
}

fn effect(host: &mut Host, name: &str) -> std::result::Result<(), Refused> {
    host.applying()?;
    let effect = match name {
        "rekey" => Effect::RekeyLedger,
        "shares" => Effect::RefreshRecoveryShares,
        "chunk" => Effect::CloseChunk,
        "snapshot" => Effect::TakeSnapshot,
        "bytecode" => Effect::RefreshBytecode,
        _ => return Err(format!("no effect {name:?}")),
    };
    if matches!(effect, Effect::RekeyLedger | Effect::RefreshRecoveryShares) && recovers(host)? {
        return Err("the ledger cannot be rekeyed, nor its shares refreshed, while the service recovers".to_owned());
    }
    // Twice is once.
    if !host.effects.contains(&effect) {
        host.effects.push(effect);
    }
    Ok(())
}

fn recovers(host: &Host) -> std::result::Result<bool, Refused> {
    #[derive(serde::Deserialize)]
    struct Info {
        status: ServiceStatus,
    }
    let Some(row) = host.get(SERVICE_INFO, &SINGLETON)? else { return Ok(false) };
    let info: Info = serde_json::from_slice(&row).map_err(|error| error.to_string())?;
    Ok(matches!(info.status, ServiceStatus::Recovering | ServiceStatus::WaitingForRecoveryShares))
}
