//! A machine with hardware of a mock vendor, and services that have what the vendor signed: real sockets, and the verifier that ships.

#[expect(dead_code, reason = "written for the tests of verifiers, and more than is needed here")]
#[path = "../../../../../crates/attestation/tests/mock/mod.rs"]
mod mock;
mod service;

use attestation::gather::Gathered;
use attestation::{Endorsements, Presented, Roots, virtual_tee};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::KeyPair;

use super::*;
use mock::amd;
use mock::intel::{self, Base};
use service::Service;

fn vendors() -> Roots {
    Roots { intel: intel::Build::pinned(), amd: amd::Build::new().roots(), ..Roots::vendors() }
}

fn intels(url: String) -> EndorsementServices {
    EndorsementServices { pccs: Some(url), kds: None }
}

fn amds(url: String) -> EndorsementServices {
    EndorsementServices { pccs: None, kds: Some(url) }
}

fn gathered(kind: Kind, evidence: Vec<u8>) -> Gathered {
    Gathered { kind, evidence, auxiliary: vec![], event_log: vec![] }
}

/// What a network would say of it.
fn believed(gathered: Gathered, fetched: Option<Endorsements>, now: u64) -> attestation::Claims {
    gathered.presented(fetched).unwrap().verify(&vendors(), now).unwrap()
}

async fn why_not(told: EndorsementServices, gathered: &Gathered) -> String {
    format!("{:#}", Services::impatient(told).endorsements(gathered).await.unwrap_err())
}

#[tokio::test]
async fn virtual_evidence_names_the_key_and_the_program() {
    let key = KeyPair::generate().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let platform = Platform::at(empty.path(), EndorsementServices::default());
    let vouched = platform.vouch_for(key.public()).await.unwrap();
    assert_eq!((vouched.kind, vouched.quote.format.as_str()), (Kind::Virtual, "Insecure_Virtual"));
    let claims = virtual_tee::verify(&STANDARD.decode(&vouched.quote.quote).unwrap()).unwrap();
    assert_eq!(claims.report_data.0[..32], crypto::sha256(key.public().spki_der()).0);
    assert_eq!(claims.report_data.0[32..], [0; 32]);
    assert_eq!(Some(const_hex::encode(&claims.measurements["code"].0)), vouched.measurement);
    assert_eq!(platform.own_code().unwrap().map(const_hex::encode), vouched.measurement);
}

#[tokio::test]
async fn an_enclave_shows_its_quote_with_what_a_cache_of_intels_service_has() {
    let key = KeyPair::generate().unwrap();
    let mut report_data = [0; 64];
    report_data[..32].copy_from_slice(&crypto::sha256(key.public().spki_der()).0);
    let mut build = intel::Build::new(Base::Sgx);
    build.bind(&report_data);
    // As the library OS has it.
    let machine = tempfile::tempdir().unwrap();
    let device = machine.path().join("dev/attestation");
    std::fs::create_dir_all(&device).unwrap();
    std::fs::write(device.join("attestation_type"), "dcap\n").unwrap();
    std::fs::write(device.join("quote"), build.evidence()).unwrap();

    let cache = Service::start(true, service::of_intel(&build, "sgx")).await;
    let platform = Platform::at(machine.path(), intels(cache.url()));
    let vouched = platform.vouch_for(key.public()).await.unwrap();
    assert_eq!((vouched.kind, vouched.quote.format.as_str()), (Kind::Sgx, "sgx"));
    assert_eq!(std::fs::read(device.join("user_report_data")).unwrap(), report_data);
    let shown = Presented::parse(&STANDARD.decode(&vouched.quote.quote).unwrap()).unwrap();
    assert_eq!(shown.verify(&vendors(), intel::NOW).unwrap().report_data.0, report_data);
    assert_eq!(cache.asked().len(), 4);
    // Again for its lease: what the vendor said holds for longer.
    platform.evidence(&report_data).await.unwrap();
    assert_eq!(cache.asked().len(), 4);
    let elsewhere = Platform::at(machine.path(), EndorsementServices::default());
    let error = format!("{:#}", elsewhere.vouch_for(key.public()).await.err().unwrap());
    assert!(error.contains("--pccs URL"), "{error}");
}

#[tokio::test]
async fn a_td_is_believed_with_its_own_documents() {
    for base in [Base::Tdx4, Base::Tdx5] {
        let build = intel::Build::new(base);
        let td = gathered(Kind::Tdx, build.evidence());
        // Without TLS, as a proxy nearby may be.
        let cache = Service::start(false, service::of_intel(&build, "tdx")).await;
        let fetched = Services::impatient(intels(cache.url())).endorsements(&td).await.unwrap();
        believed(td, fetched, intel::NOW);
        assert!(cache.asked()[0].starts_with("/tdx/certification/v4/tcb?fmspc="), "{:?}", cache.asked());
    }
}

#[tokio::test]
async fn a_guest_whose_host_gives_nothing_is_believed_with_what_amds_service_has() {
    for build in [amd::Build::new(), amd::Build::turin()] {
        let guest = gathered(Kind::SevSnp, build.evidence());
        let service = Service::start(true, service::of_amd(&build)).await;
        let fetched = Services::impatient(amds(service.url())).endorsements(&guest).await.unwrap();
        let roots = Roots { amd: build.roots(), ..Roots::vendors() };
        let claims = guest.clone().presented(fetched).unwrap().verify(&roots, build.now).unwrap();
        assert!(claims.flag("crl-checked").unwrap());
        assert_eq!(service.asked().len(), 3, "{:?}", service.asked());
        let empty_table = Gathered { auxiliary: vec![0; 24], ..guest.clone() };
        for nothing in [&guest, &empty_table] {
            let error = why_not(EndorsementServices::default(), nothing).await;
            assert!(error.contains("--kds URL"), "{error}");
        }
        // The host has certificates of before an update of the firmware.
        let mut old = amd::Build::new();
        old.vek.tcb[3] -= 1;
        let auxiliary = service::table(&old.endorsements().chain);
        let stale = Gathered { auxiliary, ..guest };
        let service = Service::start(true, service::of_amd(&build)).await;
        Services::impatient(amds(service.url())).endorsements(&stale).await.unwrap();
        assert_eq!(service.asked().len(), 3, "{:?}", service.asked());
    }
}

#[tokio::test]
async fn of_a_guest_whose_host_gives_certificates_only_the_revocation_list_is_fetched() {
    let build = amd::Build::new();
    let chain = build.endorsements().chain;
    let auxiliary = service::table(&chain);
    let guest = Gathered { auxiliary, ..gathered(Kind::SevSnp, build.evidence()) };
    assert_eq!(Services::impatient(EndorsementServices::default()).endorsements(&guest).await.unwrap(), None);
    let service = Service::start(true, service::of_amd(&build)).await;
    let fetched = Services::impatient(amds(service.url())).endorsements(&guest).await.unwrap();
    assert!(matches!(&fetched, Some(Endorsements::Amd(given)) if given.chain == chain && given.crls.len() == 1));
    assert_eq!(service.asked(), ["/vcek/v1/Milan/crl"]);
    // What the host gives will do where the service is silent.
    assert_eq!(Services::impatient(amds("https://127.0.0.1:1".into())).endorsements(&guest).await.unwrap(), None);
    // A key that AMD loaded for a cloud has no certificate but the host's.
    let error = why_not(amds(service.url()), &gathered(Kind::SevSnp, amd::Build::vlek().evidence())).await;
    assert!(error.contains("had from the host"), "{error}");
}

#[tokio::test]
async fn a_service_that_is_of_no_help_is_named() {
    let td = gathered(Kind::Tdx, intel::Build::new(Base::Tdx4).evidence());
    let without = |path: &str| {
        let mut documents = service::of_intel(&intel::Build::new(Base::Tdx4), "tdx");
        documents.retain(|it| !it.path.contains(path));
        documents
    };
    let error = |documents| async {
        let cache = Service::start(true, documents).await;
        (why_not(intels(cache.url()), &td).await, cache.asked().len())
    };
    let (said, asked) = error(without("/qe/identity")).await;
    assert!(said.contains("/tdx/certification/v4/qe/identity is not to be had: the answer is 404"), "{said}");
    assert_eq!(asked, 1 + 3, "it is tried again");
    for (change, word) in [
        ((|it: &mut service::Document| it.body = vec![b'x'; 300 << 10]) as fn(&mut service::Document), "larger than"),
        (|it| it.chain = None, "without its signer's chain"),
        (|it| it.body.truncate(40), "of no use"),
    ] {
        let mut documents = without("nothing");
        documents.iter_mut().filter(|it| it.path.contains("/tcb?")).for_each(change);
        let (said, _) = error(documents).await;
        assert!(said.contains(word), "{word}: {said}");
    }
    let nobody = why_not(intels("https://127.0.0.1:1".into()), &td).await;
    assert!(nobody.contains("https://127.0.0.1:1/tdx/certification/v4/tcb"), "{nobody}");
    let strange = why_not(intels("https://127.0.0.1:1".into()), &gathered(Kind::Sgx, vec![3; 40])).await;
    assert!(strange.contains("sgx evidence is of no use"), "{strange}");
}
