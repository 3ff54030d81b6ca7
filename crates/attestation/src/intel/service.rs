//! What Intel's provisioning certification service says of a quote's platform, in version 4 of its interface. Caches of it (PCCS) have the
//! same interface, but for the root's revocation list.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::pck::Platform;
use super::quote::{Body, Quote};
use super::{Collateral, chain, pem};
use crate::fetch::{Document, Fetched};
use crate::{Bytes, Code, Refusal, json, limits};

/// Intel's own service has the root's revocation list elsewhere.
const INTELS_OWN: &str = "https://api.trustedservices.intel.com";
const INTELS_ROOT_LIST: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
/// What tools are often told of a service, beyond its host.
const PATHS: [&str; 2] = ["/sgx/certification/v4", "/tdx/certification/v4"];
/// A service may write a list in hexadecimal.
const LIST_BYTES: usize = 2 * limits::CRL_BYTES;

/// Which platform's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    tee: &'static str,
    fmspc: [u8; 6],
    ca: &'static str,
}

impl Wanted {
    /// Nobody has vouched for the quote; a false one asks for what it will be of no use with.
    pub(crate) fn of(quote: &[u8]) -> Result<Self, Refusal> {
        let quote = Quote::parse(quote)?;
        let missing = || Refusal::new(Code::ChainIncomplete, "the quote does not carry its PCK certificate's chain");
        let ders = pem::certificates(quote.chain.ok_or_else(missing)?)?;
        let certificates = chain::parse(&ders)?;
        let [leaf, issuer, ..] = &*certificates else { return Err(missing()) };
        let fmspc = Platform::of(leaf)?.fmspc;
        let ca = if issuer.common_name() == chain::PLATFORM_CA { "platform" } else { "processor" };
        let tee = match quote.body {
            Body::Sgx(_) => "sgx",
            Body::Tdx(_) => "tdx",
        };
        Ok(Self { tee, fmspc, ca })
    }

    /// In the order in which [`Collateral::of_service`] takes what came.
    pub(crate) fn documents(&self, service: &str) -> Vec<Document> {
        let Self { tee, fmspc, ca } = self;
        let service = service.trim_end_matches('/');
        let host = PATHS.iter().find_map(|path| service.strip_suffix(path)).unwrap_or(service);
        let fmspc = const_hex::encode_upper(fmspc);
        let root = if host.trim_end_matches(":443").eq_ignore_ascii_case(INTELS_OWN) {
            INTELS_ROOT_LIST.to_owned()
        } else {
            format!("{host}/sgx/certification/v4/rootcacrl")
        };
        let at = |path: String, bytes_max, chain| Document { url: format!("{host}{path}"), bytes_max, chain };
        vec![
            at(
                format!("/{tee}/certification/v4/tcb?fmspc={fmspc}"),
                limits::TCB_INFO_BYTES,
                Some("TCB-Info-Issuer-Chain"),
            ),
            at(
                format!("/{tee}/certification/v4/qe/identity"),
                limits::TCB_INFO_BYTES,
                Some("SGX-Enclave-Identity-Issuer-Chain"),
            ),
            at(
                format!("/sgx/certification/v4/pckcrl?ca={ca}&encoding=der"),
                LIST_BYTES,
                Some("SGX-PCK-CRL-Issuer-Chain"),
            ),
            Document { url: root, bytes_max: LIST_BYTES, chain: None },
        ]
    }
}

/// What is signed is the bytes of the value as they stand.
#[derive(Deserialize)]
struct TcbInfo {
    #[serde(rename = "tcbInfo")]
    value: Box<RawValue>,
    signature: Bytes,
}

#[derive(Deserialize)]
struct QeIdentity {
    #[serde(rename = "enclaveIdentity")]
    value: Box<RawValue>,
    signature: Bytes,
}

impl Collateral {
    /// Out of the service's answers: TCB info, QE identity, the PCK certificates' revocation list, the root's.
    pub fn of_service(fetched: Vec<Fetched>) -> Result<Self, Refusal> {
        let [tcb_info, qe_identity, pck_crl, root_crl] = <[Fetched; 4]>::try_from(fetched)
            .map_err(|_| Refusal::new(Code::ChainIncomplete, "four documents belong to a quote"))?;
        let tcb: TcbInfo = signed("TCB info", &tcb_info)?;
        let identity: QeIdentity = signed("QE identity", &qe_identity)?;
        let collateral = Self {
            pck_crl_issuer_chain: pem_of("the PCK revocation list", &pck_crl)?,
            root_ca_crl: list(root_crl.body)?,
            pck_crl: list(pck_crl.body)?,
            tcb_info_issuer_chain: pem_of("TCB info", &tcb_info)?,
            tcb_info: tcb.value.get().to_owned(),
            tcb_info_signature: tcb.signature,
            qe_identity_issuer_chain: pem_of("QE identity", &qe_identity)?,
            qe_identity: identity.value.get().to_owned(),
            qe_identity_signature: identity.signature,
            pck_certificate_chain: None,
        };
        collateral.check_sizes()?;
        Ok(collateral)
    }
}

fn signed<T: DeserializeOwned>(what: &str, fetched: &Fetched) -> Result<T, Refusal> {
    json::parse(&fetched.body, limits::TCB_INFO_BYTES, what)
}

fn pem_of(what: &str, fetched: &Fetched) -> Result<String, Refusal> {
    let missing = || Refusal::new(Code::ChainIncomplete, format!("{what} came without its signer's chain"));
    let text = fetched.chain.as_deref().ok_or_else(missing)?;
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| Refusal::new(Code::BadEncoding, format!("the chain of {what} is not text")))
}

/// DER, or that in hexadecimal, as caches have it.
fn list(body: Vec<u8>) -> Result<Bytes, Refusal> {
    // No list in hexadecimal begins with the digit that this byte is.
    const SEQUENCE: u8 = 0x30;
    if body.first() == Some(&SEQUENCE) {
        return Ok(Bytes(body));
    }
    let hex = const_hex::decode(body.trim_ascii());
    hex.map(Bytes).map_err(|_| Refusal::new(Code::BadEncoding, "a revocation list is neither DER nor hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted { tee: "tdx", fmspc: [0xb0, 0xc0, 0x6f, 0, 0, 0], ca: "platform" }
    }

    #[test]
    fn a_cache_and_intels_own_service_are_asked_for_the_same() {
        let urls = |service| wanted().documents(service).into_iter().map(|it| it.url).collect::<Vec<_>>();
        let cache = urls("https://localhost:8081/sgx/certification/v4/");
        assert_eq!(cache, urls("https://localhost:8081"));
        assert_eq!(
            cache,
            [
                "https://localhost:8081/tdx/certification/v4/tcb?fmspc=B0C06F000000",
                "https://localhost:8081/tdx/certification/v4/qe/identity",
                "https://localhost:8081/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
                "https://localhost:8081/sgx/certification/v4/rootcacrl",
            ]
        );
        assert_eq!(urls(INTELS_OWN)[3], INTELS_ROOT_LIST);
    }

    #[test]
    fn what_is_signed_is_taken_byte_for_byte() {
        let answer = |body: &[u8]| Fetched { body: body.to_vec(), chain: Some("%2D%2D%0Ax".to_owned()) };
        let all = |tcb: &[u8], list: &[u8]| {
            let identity = answer(br#"{"enclaveIdentity":{"b": [1,  2]},"signature":"02"}"#);
            let root = Fetched { body: b"3003\n".to_vec(), chain: None };
            Collateral::of_service(vec![answer(tcb), identity, answer(list), root])
        };
        let good = all(br#"{"tcbInfo":{"a":1 , "z": 1.50},"signature":"01ff"}"#, &[0x30, 0x82, 0, 0]).unwrap();
        assert_eq!((good.tcb_info.as_str(), good.tcb_info_signature), (r#"{"a":1 , "z": 1.50}"#, Bytes(vec![1, 255])));
        assert_eq!((good.qe_identity.as_str(), good.qe_identity_signature), (r#"{"b": [1,  2]}"#, Bytes(vec![2])));
        assert_eq!((good.pck_crl.0, good.root_ca_crl.0), (vec![0x30, 0x82, 0, 0], vec![0x30, 3]));
        assert_eq!(good.tcb_info_issuer_chain, "--\nx");
        for (tcb, list) in [
            (&b"{}"[..], &[0x30, 0x82][..]),
            (br#"{"tcbInfo":{},"signature":"0"}"#, &[0x30, 0x82]),
            (br#"{"tcbInfo":{},"tcbInfo":{},"signature":"00"}"#, &[0x30, 0x82]),
            (br#"{"tcbInfo":{},"signature":"00"}"#, b"<html>"),
        ] {
            assert!(all(tcb, list).is_err(), "{}", String::from_utf8_lossy(tcb));
        }
        assert_eq!(Collateral::of_service(vec![]).unwrap_err().code, Code::ChainIncomplete);
    }
}
