//! Whether a chain of certificates leads to one that is trusted.
//!
//! ```text
//!   certificate 1 ─issued by▶ 2 ─issued by▶ … ─issued by▶ a trusted one, or is one
//!   each: valid at the time, a key that is strong enough, no critical extension that is not looked at here
//!   each but the first: may issue, and so many below it; if somebody is to log in or sign: for that purpose
//! ```
//!
//! The chain is taken in the order in which it comes: no path is searched for, so what a check costs is bounded by its length. The
//! time is an argument. Of RFC 5280 this is the part that organisations use among themselves; name constraints and policies
//! are refused where they are marked critical, and name constraints always, because whoever wrote them relies on them.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_NAME_CONSTRAINTS, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};

use crate::bundle::{ForeignCertificate, parse, scheme};
use crate::foreign_key::Numbers;

/// Longer than any chain that is in use.
pub const CHAIN_MAX: usize = 8;

/// The least that is accepted of RSA.
const RSA_BYTES_MIN: usize = 2048 / 8;

/// What may be critical: constraints and usages, which are looked at, and names, which are not relied on.
const UNDERSTOOD: [Oid<'static>; 4] = [
    OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME,
];

/// What the first certificate of a chain is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Any,
    /// Somebody logs in with it, or signs: it issues no others, and nothing in the chain says that it is for something else.
    Person,
}

/// What is wrong with a chain. Certificates are counted from 1; the trusted one is behind the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Flaw {
    #[error("there is no certificate")]
    Empty,
    #[error("there are more than {CHAIN_MAX} certificates")]
    TooLong,
    #[error("certificate {0} cannot be read")]
    Malformed(usize),
    #[error("certificate {0} is not valid yet")]
    Early(usize),
    #[error("certificate {0} has expired")]
    Expired(usize),
    #[error("certificate {0} has an RSA key of less than 2048 bits")]
    Weak(usize),
    #[error("certificate {0} has an extension that must be understood and is not")]
    Extension(usize),
    #[error("certificate {0} may not issue others")]
    NoAuthority(usize),
    #[error("certificate {0} does not allow so many certificates below it")]
    PathLength(usize),
    #[error("certificate {0} is not for somebody who logs in or signs")]
    Purpose(usize),
    #[error("certificate {0} names another issuer than the next one")]
    Issuer(usize),
    #[error("certificate {0} is signed in a way that is not accepted")]
    Algorithm(usize),
    #[error("certificate {0} was not signed by the next one")]
    Forged(usize),
    #[error("the last certificate leads to none that is trusted")]
    Untrusted,
}

/// Checks a chain, its first certificate first, at a time in seconds since 1970.
pub fn check(
    chain: &[ForeignCertificate],
    trusted: &[ForeignCertificate],
    time: u64,
    purpose: Purpose,
) -> Result<(), Flaw> {
    if chain.len() > CHAIN_MAX {
        return Err(Flaw::TooLong);
    }
    let links = chain.iter().enumerate().map(|(place, certificate)| Link::read(certificate, place + 1));
    let links = links.collect::<Result<Vec<_>, _>>()?;
    let last = links.last().ok_or(Flaw::Empty)?;
    for link in &links {
        link.check(time, purpose)?;
    }
    if purpose == Purpose::Person {
        links[0].check_person()?;
    }
    for (place, link) in links.iter().enumerate().skip(1) {
        link.check_authority(&links[1..place])?;
        links[place - 1].check_issued_by(link)?;
    }
    if trusted.iter().any(|root| root.der() == last.certificate.der()) {
        return Ok(());
    }
    // Several may have the issuer's name: keys change. One that is right is enough, and the first reason of the others is told.
    let mut why = None;
    for root in trusted {
        let Ok(root) = Link::read(root, links.len() + 1) else { continue };
        if last.parsed.issuer().as_raw() != root.parsed.subject().as_raw() {
            continue;
        }
        let checked = root
            .check(time, purpose)
            .and_then(|()| root.check_authority(&links[1..]))
            .and_then(|()| last.check_issued_by(&root));
        match checked {
            Ok(()) => return Ok(()),
            Err(flaw) => why = why.or(Some(flaw)),
        }
    }
    Err(why.unwrap_or(Flaw::Untrusted))
}

/// A certificate in its place.
struct Link<'a> {
    place: usize,
    certificate: &'a ForeignCertificate,
    parsed: X509Certificate<'a>,
}

impl<'a> Link<'a> {
    fn read(certificate: &'a ForeignCertificate, place: usize) -> Result<Self, Flaw> {
        let parsed = parse(certificate.der()).map_err(|_| Flaw::Malformed(place))?;
        Ok(Self { place, certificate, parsed })
    }

    /// What is asked of all.
    fn check(&self, time: u64, purpose: Purpose) -> Result<(), Flaw> {
        let place = self.place;
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        let validity = self.parsed.validity();
        if time < validity.not_before.timestamp() {
            return Err(Flaw::Early(place));
        }
        if time > validity.not_after.timestamp() {
            return Err(Flaw::Expired(place));
        }
        if let Numbers::Rsa { modulus, .. } = self.certificate.key().numbers()
            && modulus.len() < RSA_BYTES_MIN
        {
            return Err(Flaw::Weak(place));
        }
        for extension in self.parsed.extensions() {
            let unknown = extension.critical && !UNDERSTOOD.contains(&extension.oid);
            let unread = matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. });
            if unknown || unread || extension.oid == OID_X509_EXT_NAME_CONSTRAINTS {
                return Err(Flaw::Extension(place));
            }
        }
        // Authorities may be limited to a purpose, too.
        let usage = self.parsed.extended_key_usage().map_err(|_| Flaw::Extension(place))?;
        let fits = usage.is_none_or(|usage| usage.value.any || usage.value.client_auth);
        if purpose == Purpose::Person && !fits { Err(Flaw::Purpose(place)) } else { Ok(()) }
    }

    fn check_person(&self) -> Result<(), Flaw> {
        let usage = self.parsed.key_usage().map_err(|_| Flaw::Extension(self.place))?;
        let signs = usage.is_none_or(|usage| usage.value.digital_signature());
        if signs && !self.parsed.is_ca() { Ok(()) } else { Err(Flaw::Purpose(self.place)) }
    }

    /// Whether it may issue, with these between it and the first one.
    fn check_authority(&self, below: &[Link<'_>]) -> Result<(), Flaw> {
        let place = self.place;
        let constraints = self.parsed.basic_constraints().map_err(|_| Flaw::Extension(place))?;
        let constraints = constraints.filter(|found| found.value.ca).ok_or(Flaw::NoAuthority(place))?;
        let usage = self.parsed.key_usage().map_err(|_| Flaw::Extension(place))?;
        if !usage.is_none_or(|usage| usage.value.key_cert_sign()) {
            return Err(Flaw::NoAuthority(place));
        }
        // Those that an authority issues to itself, to change its key, do not count.
        let counted = below.iter().filter(|link| link.parsed.issuer().as_raw() != link.parsed.subject().as_raw());
        let counted = counted.count();
        let most = constraints
            .value
            .path_len_constraint
            .map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        if counted <= most { Ok(()) } else { Err(Flaw::PathLength(place)) }
    }

    fn check_issued_by(&self, issuer: &Link<'_>) -> Result<(), Flaw> {
        if self.parsed.issuer().as_raw() != issuer.parsed.subject().as_raw() {
            return Err(Flaw::Issuer(self.place));
        }
        let outer = &self.parsed.signature_algorithm;
        let scheme = scheme(outer).filter(|_| *outer == self.parsed.tbs_certificate.signature);
        let scheme = scheme.ok_or(Flaw::Algorithm(self.place))?;
        let (signed, signature) = (self.parsed.tbs_certificate.as_ref(), &self.parsed.signature_value.data);
        issuer.certificate.key().verify(scheme, signed, signature).map_err(|_| Flaw::Forged(self.place))
    }
}
