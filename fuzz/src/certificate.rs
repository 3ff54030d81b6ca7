//! Certificates, keys and signed roots, in DER and in PEM.

use base::Digest;
use crypto::certificate::{self, Validity};
use crypto::chain::{self, Purpose};
use crypto::{Certificate, ForeignCertificate, ForeignKey, KeyPair, SigningKey, cose};

use crate::mock::amd::{self as mock_amd, NOW};
use crate::vectors;

/// Each reader of these formats is given the same bytes.
pub fn run(data: &[u8]) {
    der(data);
    if let Ok(text) = std::str::from_utf8(data) {
        pem(text);
    }
    if let Ok(carried) = attestation::ra_tls::RaTls::parse(data, NOW) {
        drop(carried.binding(Some(b"nonce")));
    }
    if let Ok(signed) = cose::peek(data) {
        let unsigned = KEY.with(|key| cose::verify_root(key.public(), &Digest::ZERO, data));
        assert!(unsigned.is_err(), "nobody signed this: {}", signed.txid);
    }
}

thread_local! {
    static KEY: KeyPair = generate();
}

fn der(data: &[u8]) {
    if let Ok(certificate) = ForeignCertificate::from_der(data) {
        assert_eq!(certificate.der(), data);
        let one = std::slice::from_ref(&certificate);
        let _ = chain::check(one, one, NOW, Purpose::Person);
        assert!(!certificate.is_root() || certificate.check_issued_by(&certificate).is_ok());
        same_key(certificate.key());
    }
    if let Ok(certificate) = Certificate::from_der(data) {
        assert_eq!(certificate.der(), data);
        let _ = certificate.validity();
        let again = Certificate::from_pem(&certificate.to_pem()).expect("its own text can be read");
        assert_eq!(again.der(), data);
        if let Ok(key) = certificate.public_key() {
            let _ = certificate.check_issued_by(&key);
            let again = crypto::PublicKey::from_spki_der(key.spki_der()).expect("its own bytes can be read");
            assert_eq!(again.fingerprint(), key.fingerprint());
        }
    }
    if let Ok(key) = ForeignKey::from_spki_der(data) {
        same_key(&key);
    }
    drop(KeyPair::from_pkcs8_der(data));
}

/// A key has one form, whatever form it was read from.
fn same_key(key: &ForeignKey) {
    let text = ForeignKey::from_pem(&key.to_pem()).expect("its own text can be read");
    assert_eq!(text.spki_der(), key.spki_der());
    let numbers = ForeignKey::from_numbers(key.numbers().clone()).expect("its own numbers are a key's");
    assert_eq!(numbers.spki_der(), key.spki_der());
}

fn pem(text: &str) {
    if let Ok(all) = ForeignCertificate::bundle(text) {
        let _ = chain::check(&all, &all, NOW, Purpose::Any);
    }
    drop(certificate::Request::from_pem(text));
    drop(ForeignCertificate::from_pem(text));
    drop(Certificate::from_pem(text));
    if let Ok(key) = ForeignKey::from_pem(text) {
        same_key(&key);
    }
    if let Ok(key) = SigningKey::from_pem(text) {
        same_key(key.public());
    }
    drop(KeyPair::from_pkcs8_pem(text));
}

pub fn seeds() -> Vec<Vec<u8>> {
    let validity = Validity { from: 1_767_225_600, until: 1_798_761_600 };
    let (service, node) = (generate(), generate());
    let own = certificate::service(&service, "service", validity).expect("its parts are good");
    let of_node = certificate::node(node.public(), &service, &own, &["node.example".to_owned()], validity);
    let of_node = of_node.expect("its parts are good");
    let private = service.to_pkcs8_pem().expect("a key can be written");
    let mut seeds = vec![
        own.der().to_vec(),
        of_node.der().to_vec(),
        [of_node.to_pem(), own.to_pem()].concat().into_bytes(),
        private.as_bytes().to_vec(),
        service.public().spki_der().to_vec(),
        service.public().to_pem().into_bytes(),
        certificate::request(&node, &["node.example".to_owned(), "10.0.0.4".to_owned()])
            .expect("its parts are good")
            .into_bytes(),
    ];
    let txid = base::TxId::new(2, 7);
    let signed = cose::sign_root(&service, &Digest::ZERO, cose::SignedRoot { txid, issued_at: 1_767_225_600 });
    seeds.extend(signed.ok());
    seeds.extend(mock_amd::Build::new().endorsements().chain);
    seeds.extend(vectors::ending("attestation", &[".der", ".pem", ".crt", ".testcer"]));
    seeds
}

fn generate() -> KeyPair {
    KeyPair::generate().expect("the system has randomness")
}
