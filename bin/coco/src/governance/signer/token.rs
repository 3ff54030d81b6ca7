//! Keys in a token: a hardware module, a card, or SoftHSM, through the library that speaks PKCS#11 for it.
//!
//! The library is code of whoever made the token, and runs in this process: it is named by the user, and nothing here looks for one.
//! The token signs a digest that was made here (CKM_ECDSA), which every token with such keys can.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crypto::foreign_key::Curve;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};

use super::uri::Uri;
use super::{curve_name, pin};
use crate::failure::Failure;
use crate::governance::plain;

const MODULE: &str = "COCO_PKCS11_MODULE";
/// The DER of a curve's object identifier, as tokens keep it.
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x22];
const P521: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x23];

/// A private key in a token that is open.
pub struct Token {
    name: String,
    key: ObjectHandle,
    /// One thread at a time.
    session: Mutex<Session>,
}

impl Token {
    /// Finds the key that the URI names, which must be on this curve.
    pub fn open(uri: &Uri, curve: Curve) -> Result<Self, Failure> {
        let library = library(uri)?;
        let (slot, info) = slot(&library, uri)?;
        let name = plain(info.label());
        let session =
            library.open_ro_session(slot).map_err(|e| failed(&format!("cannot open the token {name}"), &e))?;
        log_in(&session, &info, &name, uri)?;
        let key = find(&session, &name, uri)?;
        check(&session, key, curve, uri)?;
        Ok(Self { name, key, session: Mutex::new(session) })
    }

    /// `r ‖ s` over the digest.
    pub fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, Failure> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let signed = session.sign(&Mechanism::Ecdsa, self.key, digest);
        signed.map_err(|e| failed(&format!("the token {} would not sign", self.name), &e))
    }
}

fn library(uri: &Uri) -> Result<Pkcs11, Failure> {
    let named = uri.module.clone().or_else(|| std::env::var_os(MODULE).map(PathBuf::from));
    let path = named.ok_or_else(|| {
        Failure::new("which library speaks PKCS#11 for the token?").hint(format!(
            "name it with module-path=/usr/lib/….so in the URI, or in the variable {MODULE}; SoftHSM's is /usr/lib/softhsm/libsofthsm2.so"
        ))
    })?;
    let library = Pkcs11::new(&path).map_err(|e| {
        failed(&format!("{} cannot be used as a PKCS#11 library", path.display()), &e)
            .hint("is it the file of the token's maker, and for this kind of machine?")
    })?;
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(library),
        Err(e) => Err(failed(&format!("{} does not start", path.display()), &e)
            .hint("its own configuration may be missing; SoftHSM reads the file that SOFTHSM2_CONF names")),
    }
}

/// The one token that the URI names.
fn slot(library: &Pkcs11, uri: &Uri) -> Result<(Slot, TokenInfo), Failure> {
    let slots = library.get_slots_with_token().map_err(|e| failed("cannot see which tokens there are", &e))?;
    let mut found = Vec::new();
    let mut there = Vec::new();
    for slot in slots {
        // A token that was pulled out meanwhile is none.
        let Ok(info) = library.get_token_info(slot) else { continue };
        if !info.token_initialized() {
            continue;
        }
        there.push(format!("{} (serial {})", plain(info.label()), plain(info.serial_number())));
        let is = |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
        if is(&uri.token, info.label())
            && is(&uri.serial, info.serial_number())
            && is(&uri.manufacturer, info.manufacturer_id())
            && is(&uri.model, info.model())
            && uri.slot.is_none_or(|wanted| wanted == slot.id())
        {
            found.push((slot, info));
        }
    }
    let there = if there.is_empty() { "there is none".to_owned() } else { format!("there is {}", there.join(", ")) };
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::new(format!("no token is it: {uri}")).hint(there)),
        n => Err(Failure::new(format!("{n} tokens are it: {uri}"))
            .hint(format!("say more, the serial for example: {there}"))),
    }
}

fn log_in(session: &Session, info: &TokenInfo, name: &str, uri: &Uri) -> Result<(), Failure> {
    if !info.login_required() {
        return Ok(());
    }
    if info.user_pin_locked() {
        return Err(Failure::new(format!("the PIN of the token {name} is locked"))
            .hint("too many wrong ones were tried; its security officer unlocks it"));
    }
    let given = if info.protected_authentication_path() { None } else { Some(pin::find(uri.pin.as_deref(), name)?) };
    match session.login(UserType::User, given.as_ref()) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)) => {
            let last = if info.user_pin_final_try() { "that was the last try. " } else { "" };
            Err(Failure::new(format!("that is not the PIN of the token {name}"))
                .hint(format!("{last}Tokens lock themselves after a few wrong ones")))
        }
        Err(e) => Err(failed(&format!("cannot log in to the token {name}"), &e)),
    }
}

fn find(session: &Session, name: &str, uri: &Uri) -> Result<ObjectHandle, Failure> {
    let mut wanted = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    wanted.extend(uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes())));
    wanted.extend(uri.id.as_ref().map(|id| Attribute::Id(id.clone())));
    let found = session.find_objects(&wanted);
    let found = found.map_err(|e| failed(&format!("cannot see which keys the token {name} has"), &e))?;
    match found.as_slice() {
        [key] => Ok(*key),
        [] => Err(Failure::new(format!("the token {name} has no private key that is it: {uri}"))
            .hint(format!("it has {}", labels(session)))),
        several => Err(Failure::new(format!("{} private keys in the token {name} are it: {uri}", several.len()))
            .hint(format!("say which with object=NAME or id=%01; there is {}", labels(session)))),
    }
}

/// What the private keys are called that can be seen.
fn labels(session: &Session) -> String {
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap_or_default();
    let said = keys.into_iter().map(|key| {
        let mut label = String::new();
        let mut id = String::new();
        for attribute in session.get_attributes(key, &[AttributeType::Label, AttributeType::Id]).unwrap_or_default() {
            match attribute {
                Attribute::Label(bytes) => label = plain(&String::from_utf8_lossy(&bytes)),
                Attribute::Id(bytes) => id = const_hex::encode(bytes),
                _ => {}
            }
        }
        format!("{label} (id {id})")
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "none".into() } else { said.join(", ") }
}

/// Whether it is a key that the certificate's could be. Tokens may keep that to themselves; what they sign tells then.
fn check(session: &Session, key: ObjectHandle, curve: Curve, uri: &Uri) -> Result<(), Failure> {
    let known = session.get_attributes(key, &[AttributeType::KeyType, AttributeType::EcParams]).unwrap_or_default();
    for attribute in known {
        match attribute {
            Attribute::KeyType(kind) if kind != KeyType::EC => {
                return Err(Failure::new(format!("that key is none to sign with as a member: {uri}"))
                    .hint(format!("it is of kind {kind}; members sign with ECDSA on P-256, P-384 or P-521")));
            }
            Attribute::EcParams(params) if !params.is_empty() && params != params_of(curve) => {
                let other =
                    [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|curve| params_of(*curve) == params);
                let other = other.map_or("on another curve", curve_name);
                return Err(Failure::new(format!(
                    "that key is not the one of the certificate: it is {other}, the certificate's is {}",
                    curve_name(curve)
                ))
                .hint("a certificate and its key are made together: name the key that belongs to the certificate"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn params_of(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => P256,
        Curve::P384 => P384,
        Curve::P521 => P521,
    }
}

/// What the library says, without the sentences that it says with it.
fn failed(what: &str, error: &Error) -> Failure {
    match error {
        Error::Pkcs11(code, function) => Failure::new(format!("{what}: {code:?} from {function:?}")),
        other => Failure::from_error(what, other),
    }
}
