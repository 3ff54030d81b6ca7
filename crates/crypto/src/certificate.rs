//! X.509 certificates: the service's own, those it gives its nodes, and those of members.
//!
//! The caller says how long one is valid; nothing here reads a clock. Checking a chain in a TLS handshake is `rustls`' work;
//! [`Certificate::check_issued_by`] is for auditors and receipts, who ask about signatures and not about dates.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::{Error, KeyPair, PublicKey, pem, random};

/// From when to when a certificate is valid: seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    pub from: u64,
    pub until: u64,
}

/// The last second that X.509 can write: the end of the year 9999.
const TIME_MAX: u64 = 253_402_300_799;

/// A certificate that was parsed and holds a P-384 key.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
}

impl Certificate {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let certificate = Self { der: der.to_vec() };
        certificate.public_key()?;
        Ok(certificate)
    }

    /// Reads PEM.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_der(&pem::decode("CERTIFICATE", text)?)
    }

    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// The key that the certificate speaks for.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        PublicKey::from_spki_der(self.parse()?.public_key().raw)
    }

    /// When the certificate is valid.
    pub fn validity(&self) -> Result<Validity, Error> {
        let parsed = self.parse()?;
        let second = |time: i64| u64::try_from(time).map_err(|_| Error::Malformed("certificate validity"));
        Ok(Validity {
            from: second(parsed.validity().not_before.timestamp())?,
            until: second(parsed.validity().not_after.timestamp())?,
        })
    }

    /// Checks that `issuer` signed this certificate. Says nothing about dates or names.
    pub fn check_issued_by(&self, issuer: &PublicKey) -> Result<(), Error> {
        let parsed = self.parse()?;
        issuer.verify_der(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data)
    }

    fn parse(&self) -> Result<X509Certificate<'_>, Error> {
        match X509Certificate::from_der(&self.der) {
            Ok(([], certificate)) => Ok(certificate),
            _ => Err(Error::Malformed("X.509 certificate")),
        }
    }
}

/// The service's self-signed certificate: the root that its nodes' certificates hang on.
pub fn service(key: &KeyPair, name: &str, validity: Validity) -> Result<Certificate, Error> {
    let mut params = params(name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    self_signed(key, &params)
}

/// The same service's certificate with another validity.
pub fn renew_service(certificate: &Certificate, key: &KeyPair, validity: Validity) -> Result<Certificate, Error> {
    let parsed = certificate.parse()?;
    let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    service(key, name.ok_or(Error::Malformed("service certificate"))?, validity)
}

/// A node's certificate, endorsed by the service; good for both ends of a TLS connection. `names` are host names and IP
/// addresses.
pub fn node(
    key: &PublicKey,
    service: &KeyPair,
    service_certificate: &Certificate,
    names: &[String],
    validity: Validity,
) -> Result<Certificate, Error> {
    let mut params = params("Coco node", validity)?;
    params.subject_alt_names = subject_names(names)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_der(&service_certificate.der.as_slice().into(), Signing(service))
        .map_err(|_| Error::Malformed("service certificate"))?;
    let certificate = params.signed_by(&Named(key), &issuer).map_err(|_| Error::Provider("sign a node certificate"))?;
    Certificate::from_der(certificate.der())
}

/// The certificate that a node shows before the service has endorsed one.
pub fn lone_node(key: &KeyPair, names: &[String], validity: Validity) -> Result<Certificate, Error> {
    let mut params = params("Coco node", validity)?;
    params.subject_alt_names = subject_names(names)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    self_signed(key, &params)
}

/// A node's request (PKCS#10, PEM) that the service endorse its key under these names.
pub fn request(key: &KeyPair, names: &[String]) -> Result<String, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Coco node");
    params.subject_alt_names = subject_names(names)?;
    let request = params.serialize_request(&Signing(key)).map_err(|_| Error::Provider("sign a certificate request"))?;
    Ok(pem::encode("CERTIFICATE REQUEST", request.der()))
}

/// A request as another node sent it: its key signed it.
pub struct Request {
    pub key: PublicKey,
    /// Host names and IP addresses.
    pub names: Vec<String>,
}

/// Names in one request; far more than a node has doors.
const NAMES_MAX: usize = 32;

impl Request {
    /// Reads PEM and checks the signature.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        const MALFORMED: Error = Error::Malformed("certificate request");
        let der = pem::decode("CERTIFICATE REQUEST", text)?;
        let Ok(([], parsed)) = X509CertificationRequest::from_der(&der) else { return Err(MALFORMED) };
        let info = &parsed.certification_request_info;
        let key = PublicKey::from_spki_der(info.subject_pki.raw)?;
        key.verify_der(info.raw, &parsed.signature_value.data)?;
        let mut names = Vec::new();
        for extension in parsed.requested_extensions().into_iter().flatten() {
            let ParsedExtension::SubjectAlternativeName(given) = extension else { continue };
            for name in &given.general_names {
                names.push(match name {
                    GeneralName::DNSName(name) => (*name).to_owned(),
                    GeneralName::IPAddress(bytes) => address(bytes).ok_or(MALFORMED)?.to_string(),
                    _ => return Err(MALFORMED),
                });
            }
        }
        if names.len() > NAMES_MAX {
            return Err(MALFORMED);
        }
        Ok(Self { key, names })
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    four.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())
}

fn subject_names(names: &[String]) -> Result<Vec<SanType>, Error> {
    let one = |name: &String| match name.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => name.as_str().try_into().map(SanType::DnsName).map_err(|_| Error::Malformed("DNS name")),
    };
    names.iter().map(one).collect()
}

/// A member's self-signed certificate; what identifies a member is its SHA-256.
pub fn member(key: &KeyPair, name: &str, validity: Validity) -> Result<Certificate, Error> {
    let mut params = params(name, validity)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    self_signed(key, &params)
}

fn self_signed(key: &KeyPair, params: &CertificateParams) -> Result<Certificate, Error> {
    let certificate = params.self_signed(&Signing(key)).map_err(|_| Error::Provider("sign a certificate"))?;
    Certificate::from_der(certificate.der())
}

fn params(name: &str, validity: Validity) -> Result<CertificateParams, Error> {
    if validity.from > validity.until || validity.until > TIME_MAX {
        return Err(Error::Malformed("certificate validity"));
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(validity.from);
    params.not_after = epoch + Duration::from_secs(validity.until);
    params.distinguished_name.push(DnType::CommonName, name);
    // Random, so that two certificates of one key differ; positive and without a leading zero, so that its encoding is plain.
    let mut serial = random::<16>()?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

/// A public key as rcgen wants to see it.
struct Named<'a>(&'a PublicKey);

impl PublicKeyData for Named<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P384_SHA384
    }
}

/// A key pair as rcgen wants to see it.
struct Signing<'a>(&'a KeyPair);

impl PublicKeyData for Signing<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public().point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P384_SHA384
    }
}

impl SigningKey for Signing<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign_der(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Validity = Validity { from: 1_767_225_600, until: 1_798_761_600 };

    #[test]
    fn a_node_certificate_is_endorsed_by_its_service_and_by_no_other() {
        let (service_key, node_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = service(&service_key, "a service", YEAR).unwrap();
        let names = ["node0.example".into(), "127.0.0.1".into()];
        let leaf = node(node_key.public(), &service_key, &root, &names, YEAR).unwrap();
        assert!(root.check_issued_by(service_key.public()).is_ok());
        assert!(leaf.check_issued_by(service_key.public()).is_ok());
        assert_eq!(leaf.check_issued_by(node_key.public()), Err(Error::Signature));
        assert!(leaf.public_key().unwrap() == *node_key.public());
        assert_eq!(leaf.public_key().unwrap().node_id(), node_key.public().node_id());
        assert_eq!(leaf.validity(), Ok(YEAR));
        let later = Validity { until: YEAR.until + 1, ..YEAR };
        let renewed = renew_service(&root, &service_key, later).unwrap();
        assert_eq!(
            (renewed.validity(), renewed.parse().unwrap().subject()),
            (Ok(later), root.parse().unwrap().subject())
        );
        assert!(leaf.check_issued_by(&renewed.public_key().unwrap()).is_ok());
        let parsed = leaf.parse().unwrap();
        assert_eq!(parsed.issuer(), root.parse().unwrap().subject());
        let names = format!("{:?}", parsed.subject_alternative_name().unwrap().unwrap().value.general_names);
        assert!(names.contains("node0.example") && names.contains("[127, 0, 0, 1]"), "{names}");
    }

    #[test]
    fn a_request_says_what_its_key_signed_and_nothing_else() {
        let key = KeyPair::generate().unwrap();
        let names = vec!["node4.example".to_owned(), "10.0.0.4".to_owned(), "fd00::4".to_owned()];
        let text = request(&key, &names).unwrap();
        let read = Request::from_pem(&text).unwrap();
        assert!(read.key == *key.public());
        assert_eq!(read.names, names);
        let der = pem::decode("CERTIFICATE REQUEST", &text).unwrap();
        for bit in 0..der.len() * 8 {
            let mut flipped = der.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = Request::from_pem(&pem::encode("CERTIFICATE REQUEST", &flipped));
            // The algorithm's name is outside of what is signed, and nothing is made of it.
            assert!(found.is_err() || found.is_ok_and(|it| it.key == read.key && it.names == read.names), "bit {bit}");
        }
    }

    #[test]
    fn a_certificate_survives_its_text_form() {
        let key = KeyPair::generate().unwrap();
        let certificate = member(&key, "member0", YEAR).unwrap();
        assert!(Certificate::from_pem(&certificate.to_pem()).unwrap() == certificate);
        let mut longer = certificate.der().to_vec();
        longer.push(0);
        assert!(Certificate::from_der(&longer).is_err());
        assert!(Certificate::from_der(&longer[..40]).is_err());
    }

    #[test]
    fn an_impossible_validity_is_refused() {
        let key = KeyPair::generate().unwrap();
        assert!(member(&key, "m", Validity { from: 2, until: 1 }).is_err());
        assert!(member(&key, "m", Validity { from: 0, until: u64::MAX }).is_err());
    }
}
