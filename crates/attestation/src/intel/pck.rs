//! What a PCK certificate says of the platform: Intel's SGX extension (1.2.840.113741.1.13.1).
//!
//! A sequence of (OID, value) pairs, all under the extension's own OID: .1 PPID, .2 TCB (.1-.16 component SVNs, .17 PCESVN,
//! .18 CPUSVN), .3 PCEID, .4 FMSPC, .5 SGX type, .6 platform instance, .7 configuration (.1 dynamic platform, .2 cached keys,
//! .3 SMT). The last two are there under the Platform CA only.

use std::collections::BTreeMap;

use x509_parser::asn1_rs::{Any, FromDer, Oid, Tag};
use x509_parser::der_parser::oid;

use crate::formats::x509::Certificate;
use crate::{Code, Refusal};

const EXTENSION: Oid<'static> = oid!(1.2.840.113741.1.13.1);

/// A platform, as its provisioning certificate describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Platform {
    pub(super) ppid: Vec<u8>,
    /// Versions of the 16 components, as TCB levels list them.
    pub(super) components: [u8; 16],
    pub(super) pcesvn: u16,
    pub(super) cpusvn: [u8; 16],
    pub(super) pceid: [u8; 2],
    pub(super) fmspc: [u8; 6],
    /// 0 standard, 1 scalable, 2 scalable with integrity.
    pub(super) sgx_type: u64,
    pub(super) instance: Option<[u8; 16]>,
    pub(super) dynamic_platform: Option<bool>,
    pub(super) cached_keys: Option<bool>,
    pub(super) smt: Option<bool>,
}

impl Platform {
    pub(super) fn of(certificate: &Certificate<'_>) -> Result<Self, Refusal> {
        let Some(extension) = certificate.extension(&EXTENSION)? else {
            return Err(bad("there is no SGX extension"));
        };
        let (rest, whole) = Any::from_der(extension).map_err(|_| bad("it is not DER"))?;
        if !rest.is_empty() {
            return Err(bad("something follows it"));
        }
        let top = Pairs::of(&whole)?;
        let tcb = Pairs::of(top.need(2)?)?;
        let mut components = [0; 16];
        for (number, component) in (1..).zip(&mut components) {
            *component = tcb.integer(number)?;
        }
        let configuration = top.get(7).map(Pairs::of).transpose()?;
        let flag = |number| configuration.as_ref().and_then(|pairs| pairs.get(number)).map(boolean).transpose();
        Ok(Self {
            ppid: octets(top.need(1)?)?.to_vec(),
            components,
            pcesvn: tcb.integer(17)?,
            cpusvn: array(tcb.need(18)?)?,
            pceid: array(top.need(3)?)?,
            fmspc: array(top.need(4)?)?,
            sgx_type: enumerated(top.need(5)?)?,
            instance: top.get(6).map(array).transpose()?,
            dynamic_platform: flag(1)?,
            cached_keys: flag(2)?,
            smt: flag(3)?,
        })
    }
}

/// The values of one sequence by the last number of their OID.
struct Pairs<'a>(BTreeMap<u64, Any<'a>>);

impl<'a> Pairs<'a> {
    fn of(sequence: &Any<'a>) -> Result<Self, Refusal> {
        if sequence.tag() != Tag::Sequence {
            return Err(bad("a sequence is missing"));
        }
        let mut left = sequence.data;
        let mut pairs = BTreeMap::new();
        while !left.is_empty() {
            let (rest, pair) = Any::from_der(left).map_err(|_| bad("a pair is not DER"))?;
            left = rest;
            let (number, value) = entry(&pair)?;
            if pairs.insert(number, value).is_some() {
                return Err(bad("a value stands twice"));
            }
        }
        Ok(Self(pairs))
    }

    fn get(&self, number: u64) -> Option<&Any<'a>> {
        self.0.get(&number)
    }

    fn need(&self, number: u64) -> Result<&Any<'a>, Refusal> {
        self.get(number).ok_or_else(|| bad(&format!("value {number} is missing")))
    }

    fn integer<T: TryFrom<u64>>(&self, number: u64) -> Result<T, Refusal> {
        let value = self.need(number)?.as_u64().map_err(|_| bad("a version is no number"))?;
        T::try_from(value).map_err(|_| bad("a version is too large"))
    }
}

fn entry<'a>(pair: &Any<'a>) -> Result<(u64, Any<'a>), Refusal> {
    if pair.tag() != Tag::Sequence {
        return Err(bad("a pair is no sequence"));
    }
    let (rest, name) = Oid::from_der(pair.data).map_err(|_| bad("a pair has no OID"))?;
    let (rest, value) = Any::from_der(rest).map_err(|_| bad("a pair has no value"))?;
    let number = name.iter().and_then(Iterator::last).filter(|_| rest.is_empty());
    let ours = name.as_bytes().starts_with(EXTENSION.as_bytes());
    number.filter(|_| ours).map(|number| (number, value)).ok_or_else(|| bad("a pair is not Intel's"))
}

fn octets<'a>(value: &'a Any<'_>) -> Result<&'a [u8], Refusal> {
    if value.tag() == Tag::OctetString { Ok(value.data) } else { Err(bad("a value is no octet string")) }
}

fn array<const N: usize>(value: &Any<'_>) -> Result<[u8; N], Refusal> {
    octets(value)?.try_into().map_err(|_| bad(&format!("a value does not have {N} bytes")))
}

fn boolean(value: &Any<'_>) -> Result<bool, Refusal> {
    value.as_bool().map_err(|_| bad("a flag is no boolean"))
}

fn enumerated(value: &Any<'_>) -> Result<u64, Refusal> {
    match (value.tag(), value.data) {
        (Tag::Enumerated, [number]) => Ok((*number).into()),
        _ => Err(bad("the SGX type is no enumerated value")),
    }
}

fn bad(text: &str) -> Refusal {
    Refusal::new(Code::PckExtension, format!("SGX extension of the PCK certificate: {text}"))
}
