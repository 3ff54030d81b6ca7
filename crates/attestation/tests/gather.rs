//! Evidence is asked for as Linux and Gramine answer, against directories that a thread serves.
#![expect(clippy::unwrap_used, reason = "a test stops at the first failure")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use attestation::gather::{Attester, Error, Gramine, Tsm, Virtual, detect};
use attestation::{Endorsements, Kind, Roots, Statement};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// How one request is answered.
#[derive(Clone)]
struct Answer {
    provider: &'static str,
    evidence: Vec<u8>,
    auxiliary: Option<Vec<u8>>,
    /// How many writes the kernel counted: one is ours.
    writes: u32,
}

impl Answer {
    fn new(provider: &'static str) -> Self {
        Self { provider, evidence: b"evidence for ".to_vec(), auxiliary: None, writes: 1 }
    }
}

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// A new directory under `base` that was not served yet.
fn appeared(base: &Path, served: &[PathBuf]) -> PathBuf {
    loop {
        let found = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path()).find(|path| !served.contains(path));
        match found {
            Some(path) => return path,
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Does what the kernel does: fills a directory that appears, takes what is written, answers with it. Tells what was asked.
fn serve(base: &Path, answers: Vec<Answer>) -> Receiver<Vec<u8>> {
    let (asked, receiver) = channel();
    let base = base.to_owned();
    thread::spawn(move || {
        let mut served = vec![];
        for answer in answers {
            let entry = appeared(&base, &served);
            served.push(entry.clone());
            fs::write(entry.join("generation"), "0\n").unwrap();
            pipe(&entry.join("inblob"));
            pipe(&entry.join("outblob"));
            if let Some(auxiliary) = &answer.auxiliary {
                fs::write(entry.join("auxblob"), auxiliary).unwrap();
            }
            // Last and at once: whoever waits for it finds the rest.
            fs::write(base.with_extension("provider"), format!("{}\n", answer.provider)).unwrap();
            fs::rename(base.with_extension("provider"), entry.join("provider")).unwrap();
            if answer.provider == "unknown" {
                continue;
            }
            let data = fs::read(entry.join("inblob")).unwrap();
            fs::write(entry.join("generation"), format!("{}\n", answer.writes)).unwrap();
            // The reader may have had enough of it.
            let _ = fs::write(entry.join("outblob"), [answer.evidence, data.clone()].concat());
            let _ = asked.send(data);
        }
    });
    receiver
}

fn tsm(base: &Path) -> Tsm {
    Tsm::new(base).with_patience(10_000, Duration::from_millis(1))
}

#[test]
fn linux_is_asked_for_evidence_of_each_kind() {
    for (provider, kind) in [("sev_guest", Kind::SevSnp), ("tdx_guest", Kind::Tdx), ("arm_cca_guest", Kind::ArmCca)] {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("report");
        fs::create_dir(&base).unwrap();
        let log = folder.path().join("CCEL");
        fs::write(&log, b"log").unwrap();
        // An empty table of certificates.
        let asked = serve(&base, vec![Answer { auxiliary: Some(vec![0; 24]), ..Answer::new(provider) }]);
        let data = Statement::new(b"key", b"nonce").report_data();
        let gathered = tsm(&base).with_event_log(&log).evidence(&data).unwrap();
        assert_eq!(asked.recv().unwrap(), data);
        assert_eq!(gathered.kind, kind);
        assert_eq!(gathered.evidence, [&b"evidence for "[..], &data].concat());
        assert_eq!((gathered.auxiliary.as_slice(), gathered.event_log.as_slice()), (&[0; 24][..], &b"log"[..]));
        let presented = gathered.presented(None).unwrap();
        assert_eq!(matches!(presented.endorsements, Endorsements::Amd(_)), kind == Kind::SevSnp);
    }
}

#[test]
fn a_request_that_another_writer_disturbed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("report");
    fs::create_dir(&base).unwrap();
    let disturbed = Answer { writes: 2, evidence: b"of another ".to_vec(), ..Answer::new("tdx_guest") };
    let asked = serve(&base, vec![disturbed.clone(), disturbed, Answer::new("tdx_guest")]);
    let gathered = tsm(&base).evidence(&[7; 64]).unwrap();
    assert_eq!(gathered.evidence, [&b"evidence for "[..], &[7; 64]].concat());
    assert_eq!(asked.iter().count(), 3);
    assert!(gathered.auxiliary.is_empty());
}

#[test]
fn evidence_that_is_always_disturbed_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("report");
    fs::create_dir(&base).unwrap();
    let _asked = serve(&base, vec![Answer { writes: 2, ..Answer::new("tdx_guest") }; 100]);
    let attester = Tsm::new(&base).with_patience(100, Duration::from_millis(20));
    assert!(matches!(attester.evidence(&[7; 64]), Err(Error::Raced(_))));
}

#[test]
fn an_unknown_provider_and_oversized_evidence_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("report");
    fs::create_dir(&base).unwrap();
    let large = Answer { evidence: vec![1; 20 << 10], ..Answer::new("tdx_guest") };
    let _asked = serve(&base, vec![Answer::new("unknown"), large]);
    let attester = tsm(&base);
    assert!(matches!(attester.evidence(&[7; 64]), Err(Error::Provider(name)) if name == "unknown"));
    assert!(matches!(attester.evidence(&[7; 64]), Err(Error::TooLarge { .. })));
}

#[test]
fn a_machine_without_the_directory_says_which_one_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let error = tsm(&folder.path().join("report")).evidence(&[7; 64]).unwrap_err();
    assert!(matches!(&error, Error::File { .. }) && error.to_string().contains("report/coco-"), "{error}");
    assert!(detect(folder.path()).is_none());
}

#[test]
fn gramine_is_asked_by_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("dev/attestation");
    fs::create_dir_all(&base).unwrap();
    fs::write(base.join("attestation_type"), "dcap").unwrap();
    pipe(&base.join("user_report_data"));
    pipe(&base.join("quote"));
    let server = thread::spawn({
        let base = base.clone();
        move || {
            let data = fs::read(base.join("user_report_data")).unwrap();
            fs::write(base.join("quote"), [&b"quote for "[..], &data].concat()).unwrap();
        }
    });
    let gathered = detect(folder.path()).unwrap().evidence(&[9; 64]).unwrap();
    server.join().unwrap();
    assert_eq!((gathered.kind, gathered.evidence), (Kind::Sgx, [&b"quote for "[..], &[9; 64]].concat()));
    fs::write(base.join("attestation_type"), "epid").unwrap();
    assert!(matches!(Gramine::new(&base).evidence(&[9; 64]), Err(Error::Provider(name)) if name == "epid"));
}

#[test]
fn a_virtual_node_vouches_for_itself() {
    let data = Statement::new(b"key", b"").report_data();
    let gathered = Virtual { measurement: [1; 32], host_data: None }.evidence(&data).unwrap();
    let claims = gathered.presented(None).unwrap().verify(&Roots::vendors(), 0).unwrap();
    assert_eq!((claims.kind, claims.report_data.0), (Kind::Virtual, data.to_vec()));
}
