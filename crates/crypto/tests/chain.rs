//! Chains of certificates: good ones of every kind of key, and every way in which one is wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crypto::ForeignCertificate;
use crypto::chain::{CHAIN_MAX, Flaw, Purpose, check};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA384, RsaKeySize, SignatureAlgorithm, date_time_ymd,
};

/// The middle of 2026, and when certificates are valid around it.
const NOW: u64 = 1_782_000_000;

struct Party {
    params: CertificateParams,
    key: KeyPair,
    certificate: ForeignCertificate,
}

type Change<'a> = &'a dyn Fn(&mut CertificateParams);

fn nothing(_: &mut CertificateParams) {}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    if algorithm == &PKCS_RSA_SHA384 {
        KeyPair::generate_rsa_for(algorithm, RsaKeySize::_2048).unwrap()
    } else {
        KeyPair::generate_for(algorithm).unwrap()
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1));
    params
}

fn read(certificate: &rcgen::Certificate) -> ForeignCertificate {
    ForeignCertificate::from_der(certificate.der()).unwrap()
}

fn root(name: &str, change: Change<'_>) -> Party {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = key(&PKCS_ECDSA_P384_SHA384);
    let certificate = read(&params.self_signed(&key).unwrap());
    Party { params, key, certificate }
}

impl Party {
    fn issue(&self, name: &str, key: KeyPair, change: Change<'_>) -> Party {
        let mut params = params(name);
        change(&mut params);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = read(&params.signed_by(&key, &issuer).unwrap());
        Party { params, key, certificate }
    }

    fn middle(&self, name: &str, change: Change<'_>) -> Party {
        self.issue(name, key(&PKCS_ECDSA_P256_SHA256), &|params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            change(params);
        })
    }

    fn leaf(&self, change: Change<'_>) -> Party {
        self.issue("ann", key(&PKCS_ECDSA_P256_SHA256), change)
    }
}

fn chain(parties: &[&Party]) -> Vec<ForeignCertificate> {
    parties.iter().map(|party| party.certificate.clone()).collect()
}

fn checked(parties: &[&Party], trusted: &Party) -> Result<(), Flaw> {
    check(&chain(parties), &chain(&[trusted]), NOW, Purpose::Person)
}

#[test]
fn a_chain_of_keys_of_every_kind_leads_to_the_root() {
    let algorithms =
        [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512, &PKCS_ED25519, &PKCS_RSA_SHA384];
    let root = root("root", &nothing);
    for above in algorithms {
        let middle =
            root.issue("middle", key(above), &|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
        for below in algorithms {
            let leaf = middle.issue("ann", key(below), &nothing);
            checked(&[&leaf, &middle], &root).unwrap();
            checked(&[&leaf, &middle, &root], &root).unwrap();
            checked(&[&leaf], &middle).unwrap();
        }
    }
    let pem = |text: &str| vec![ForeignCertificate::from_pem(text).unwrap()];
    let (leaf, root) = (pem(include_str!("data/pss_leaf.pem")), pem(include_str!("data/pss_root.pem")));
    check(&leaf, &root, NOW, Purpose::Person).unwrap_err();
    check(&leaf, &root, 1_900_000_000, Purpose::Person).unwrap();
}

#[test]
fn what_leads_to_nobody_trusted_is_refused() {
    let (ours, theirs) = (root("root", &nothing), root("other", &nothing));
    let same_name = root("root", &nothing);
    let middle = ours.middle("middle", &nothing);
    let leaf = middle.leaf(&nothing);
    assert_eq!(checked(&[&leaf, &middle], &theirs), Err(Flaw::Untrusted));
    assert_eq!(checked(&[&leaf, &middle], &same_name), Err(Flaw::Forged(2)));
    check(&chain(&[&leaf, &middle]), &chain(&[&same_name, &theirs, &ours]), NOW, Purpose::Person).unwrap();
    assert_eq!(checked(&[&leaf], &ours), Err(Flaw::Untrusted), "the one between is missing");
    assert_eq!(checked(&[], &ours), Err(Flaw::Empty));
    assert_eq!(check(&chain(&[&leaf, &middle]), &[], NOW, Purpose::Person), Err(Flaw::Untrusted));
    assert_eq!(checked(&[&middle, &leaf], &ours), Err(Flaw::Purpose(1)), "in the wrong order");
    assert_eq!(checked(&[&leaf, &theirs, &middle], &ours), Err(Flaw::Issuer(1)));
    assert_eq!(checked(&[&leaf, &ours.middle("middle", &nothing)], &ours), Err(Flaw::Forged(1)), "of the same name");
    let many = vec![leaf.certificate.clone(); CHAIN_MAX + 1];
    assert_eq!(check(&many, &chain(&[&ours]), NOW, Purpose::Person), Err(Flaw::TooLong));
    // Another one's certificate under the issuer's signature.
    let mut der = leaf.certificate.der().to_vec();
    let at = der.windows(3).position(|three| three == b"ann").unwrap();
    der[at] = b'b';
    let changed = ForeignCertificate::from_der(&der).unwrap();
    assert_eq!(
        check(&[changed, middle.certificate.clone()], &chain(&[&ours]), NOW, Purpose::Person),
        Err(Flaw::Forged(1))
    );
}

#[test]
fn each_is_valid_at_the_time_the_root_too() {
    let late: Change<'_> = &|params| params.not_before = date_time_ymd(2026, 12, 1);
    let over: Change<'_> = &|params| params.not_after = date_time_ymd(2026, 2, 1);
    let ours = root("root", &nothing);
    let middle = ours.middle("middle", &nothing);
    for (change, at) in [(late, Flaw::Early as fn(usize) -> Flaw), (over, Flaw::Expired)] {
        assert_eq!(checked(&[&middle.leaf(change), &middle], &ours), Err(at(1)));
        let other = ours.middle("middle", change);
        assert_eq!(checked(&[&other.leaf(&nothing), &other], &ours), Err(at(2)));
        let old = root("root", change);
        let below = old.middle("middle", &nothing);
        assert_eq!(checked(&[&below.leaf(&nothing), &below], &old), Err(at(3)));
        assert_eq!(checked(&[&below.leaf(&nothing), &below, &old], &old), Err(at(3)));
    }
}

#[test]
fn only_authorities_issue_and_no_deeper_than_they_may() {
    let ours = root("root", &nothing);
    let person = ours.leaf(&nothing);
    let pretended = person.issue("eve", key(&PKCS_ECDSA_P256_SHA256), &nothing);
    assert_eq!(checked(&[&pretended, &person], &ours), Err(Flaw::NoAuthority(2)));
    assert_eq!(checked(&[&pretended], &person), Err(Flaw::NoAuthority(2)), "as a trusted one neither");
    let no_use = ours.middle("middle", &|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    assert_eq!(checked(&[&no_use.leaf(&nothing), &no_use], &ours), Err(Flaw::NoAuthority(2)));

    let flat = ours.middle("flat", &|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let below = flat.middle("below", &nothing);
    checked(&[&flat.leaf(&nothing), &flat], &ours).unwrap();
    assert_eq!(checked(&[&below.leaf(&nothing), &below, &flat], &ours), Err(Flaw::PathLength(3)));
    let shallow = root("root", &|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let middle = shallow.middle("middle", &nothing);
    assert_eq!(checked(&[&middle.leaf(&nothing), &middle], &shallow), Err(Flaw::PathLength(3)));
    // An authority that changes its key issues to itself.
    let again = flat.middle("flat", &nothing);
    checked(&[&again.leaf(&nothing), &again, &flat], &ours).unwrap();
}

#[test]
fn a_chain_is_for_somebody_who_logs_in_or_signs() {
    let ours = root("root", &nothing);
    let server: Change<'_> = &|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let client: Change<'_> = &|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    };
    let encrypts: Change<'_> = &|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    checked(&[&ours.leaf(client)], &ours).unwrap();
    for leaf in [ours.leaf(server), ours.leaf(encrypts), ours.middle("middle", &nothing)] {
        assert_eq!(checked(&[&leaf], &ours), Err(Flaw::Purpose(1)));
        check(&chain(&[&leaf]), &chain(&[&ours]), NOW, Purpose::Any).unwrap();
    }
    let servers = ours.middle("middle", server);
    assert_eq!(checked(&[&servers.leaf(&nothing), &servers], &ours), Err(Flaw::Purpose(2)));
    assert_eq!(checked(&[&ours], &ours), Err(Flaw::Purpose(1)));
    check(&chain(&[&ours]), &chain(&[&ours]), NOW, Purpose::Any).unwrap();
}

#[test]
fn what_is_not_looked_at_is_not_passed_over() {
    let ours = root("root", &nothing);
    let odd = |critical: bool| {
        move |params: &mut CertificateParams| {
            let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![5, 0]);
            extension.set_criticality(critical);
            params.custom_extensions = vec![extension];
        }
    };
    checked(&[&ours.leaf(&odd(false))], &ours).unwrap();
    assert_eq!(checked(&[&ours.leaf(&odd(true))], &ours), Err(Flaw::Extension(1)));
    let narrow = ours.middle("middle", &|params| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("acme.example".into())];
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    });
    assert_eq!(checked(&[&narrow.leaf(&nothing), &narrow], &ours), Err(Flaw::Extension(2)));
    let weak = ForeignCertificate::from_pem(include_str!("data/rsa-1024_cert.pem")).unwrap();
    assert_eq!(check(&[weak.clone()], &[weak], 1_900_000_000, Purpose::Any), Err(Flaw::Weak(1)));
}
