//! Tokens of Azure Attestation (MAA): Microsoft's service verified some evidence and signs what it found.
//!
//! ```text
//! pinned issuer and keys ─▶ JSON web token, RS256 ─▶ what the service saw, and the hash of the policy that it applied
//! ```
//!
//! One and the same key signs for all instances of a region, so a signature alone says nothing about whose policy produced a
//! token: the issuer is pinned with the keys. The token's own pointer to keys is compared and never followed.
//!
//! Claims, for SGX, SEV-SNP and TDX, also inside `x-ms-isolation-tee` of a machine with a virtual TPM: measurements
//! "mrenclave", "mrsigner" · "measurement" · "mrtd", "rtmr0" to "rtmr3"; report data; host data; svn; debug. Report data of
//! such a machine is the client's nonce or the user data that it left with the paravisor. Of SGX there are recorded tokens; the names of the
//! others are those of the service's documentation. Details:
//!
//! | | |
//! |---|---|
//! | `attestation-type`, `isolation-type` | what is attested, and what it runs on |
//! | `debug-known` | the token says whether the TEE can be debugged |
//! | `policy-hash` | as the token has it |
//! | `runtime` | `x-ms-runtime`, which the service re-serialised: members can be compared, its hash cannot |
//! | `quote-hash` 32 bytes | of the evidence that the service got |
//! | `issued-at`, `expires-at`, `product-id` | numbers |

mod instance;
mod policy;
mod tee;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::formats::signature::Scheme;
use crate::{Bytes, Claims, Code, Kind, Refusal, json, limits};

pub use instance::Instance;
pub use policy::Policy;
pub(crate) use policy::policy;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    jku: Option<String>,
    /// Extensions that a reader must understand. We understand none.
    crit: Option<Value>,
}

/// Authenticates a token as one of this instance, at `now` (seconds since 1970).
pub fn verify(evidence: &[u8], instance: &Instance, now: u64) -> Result<Claims, Refusal> {
    if evidence.is_empty() {
        return Err(Refusal::new(Code::Empty, "no token"));
    }
    if evidence.len() > limits::JWT_BYTES {
        return Err(Refusal::new(Code::OversizedLength, format!("{} bytes", evidence.len())));
    }
    let token = std::str::from_utf8(evidence).map_err(|_| malformed("it is no text"))?;
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    let [header, payload, signature] = parts[..] else { return Err(malformed("it has not three parts")) };
    let signed = &token[..header.len() + 1 + payload.len()];
    let header: Header = json::parse(&decode(header)?, limits::JWT_BYTES, "the token's header")?;
    if header.alg.eq_ignore_ascii_case("none") {
        return Err(Refusal::new(Code::MaaNone, "the instance has an unsigned policy"));
    }
    if header.alg != "RS256" {
        return Err(Refusal::new(Code::MaaAlgorithm, header.alg));
    }
    if header.crit.is_some() {
        return Err(malformed("it has a critical extension"));
    }
    let kid = header.kid.unwrap_or_default();
    let key = instance.key(&kid).ok_or_else(|| Refusal::new(Code::MaaKid, format!("\"{kid}\"")))?;
    if !key.verifies(Scheme::Pkcs1Sha256, signed.as_bytes(), &decode(signature)?) {
        return Err(Refusal::new(Code::BadSignature, "the token is not signed by its key"));
    }
    let payload: Map<String, Value> = json::parse(&decode(payload)?, limits::JWT_BYTES, "the token's payload")?;
    if payload.get("iss").and_then(Value::as_str) != Some(&instance.issuer) {
        return Err(Refusal::new(Code::MaaIssuer, format!("issuer {:?}", payload.get("iss"))));
    }
    if header.jku.is_some_and(|jku| jku != format!("{}/certs", instance.issuer)) {
        return Err(Refusal::new(Code::MaaJku, "keys of an issuer are at its own address"));
    }
    check_times(&payload, now)?;
    claims(evidence, &payload)
}

fn check_times(payload: &Map<String, Value>, now: u64) -> Result<(), Refusal> {
    let (expires, issued) = (time(payload, "exp")?, time(payload, "iat")?);
    let begins = time(payload, "nbf")?.max(issued);
    if now < begins {
        return Err(Refusal::new(Code::MaaNotYet, format!("from {begins}, now is {now}")));
    }
    if now > expires {
        return Err(Refusal::new(Code::MaaExpired, format!("to {expires}, now is {now}")));
    }
    Ok(())
}

fn time(payload: &Map<String, Value>, name: &str) -> Result<u64, Refusal> {
    payload.get(name).and_then(Value::as_u64).ok_or_else(|| malformed(&format!("\"{name}\" is absent or no time")))
}

fn claims(evidence: &[u8], payload: &Map<String, Value>) -> Result<Claims, Refusal> {
    let mut claims = Claims::new(Kind::Maa, crypto::sha256(evidence), &[]);
    claims.tell("issued-at", time(payload, "iat")?);
    claims.tell("expires-at", time(payload, "exp")?);
    if let Some(hash) = payload.get("x-ms-policy-hash").and_then(Value::as_str) {
        claims.tell("policy-hash", hash);
    }
    if let Some(runtime) = payload.get("x-ms-runtime") {
        claims.tell("runtime", runtime.to_string());
    }
    if let Some(kind) = payload.get("x-ms-attestation-type").and_then(Value::as_str) {
        claims.tell("attestation-type", kind);
    }
    tee::tell(payload, &mut claims)?;
    if let Some(nested) = payload.get("x-ms-isolation-tee") {
        let nested = nested.as_object().ok_or_else(|| malformed("x-ms-isolation-tee"))?;
        let kind = nested.get("x-ms-attestation-type").and_then(Value::as_str);
        claims.tell("isolation-type", kind.unwrap_or("none"));
        tee::tell(nested, &mut claims)?;
    }
    if let Some(bound) = bound_by_guest(payload)? {
        claims.report_data = bound;
    }
    Ok(claims)
}

/// Behind a paravisor the hardware's report is not the guest's own: its report data is the hash of the paravisor's claims.
/// What the guest bound is the nonce that it sent with its TPM's quote or, without one, the user data that it left with the
/// paravisor, who states it beside the machine's configuration.
fn bound_by_guest(payload: &Map<String, Value>) -> Result<Option<Bytes>, Refusal> {
    let isolation = payload.get("x-ms-isolation-tee");
    let client = payload.get("x-ms-runtime");
    let paravisor = isolation.and_then(|isolation| isolation.get("x-ms-runtime")).or(client);
    let is_machine = paravisor.is_some_and(|runtime| runtime.get("vm-configuration").is_some());
    if isolation.is_none() && !is_machine {
        return Ok(None);
    }
    let nonce = client.and_then(|runtime| runtime.pointer("/client-payload/nonce")).and_then(Value::as_str);
    let user_data = paravisor.and_then(|runtime| runtime.get("user-data")).and_then(Value::as_str);
    let bound = match (nonce.unwrap_or_default(), user_data) {
        ("", None) => vec![],
        ("", Some(user_data)) => const_hex::decode(user_data).map_err(|_| malformed("user-data"))?,
        (nonce, _) => STANDARD.decode(nonce).map_err(|_| malformed("the client's nonce"))?,
    };
    Ok(Some(Bytes(bound)))
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed("a part is not base64url"))
}

fn malformed(text: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("token: {text}"))
}
