//! The device of SEV-SNP guests, scripted.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attestation::gather::{Attester, Error, Refused, SevGuest, SevGuestDevice, detect};
use attestation::{Binding, Endorsements, Kind, Roots, Statement, amd};

use crate::mock::amd::Build;

const EAGAIN: i32 = 11;
const EINVAL: i32 = 22;
const ENOTTY: i32 = 25;
const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// What one call is answered with.
enum Answer {
    /// The head of the response, and what follows it.
    Response([u32; 2], Vec<u8>),
    /// The same with a host's table.
    Certified(Vec<u8>, Vec<u8>),
    /// errno, the firmware's error, the hypervisor's, and how much room is needed.
    Error(i32, u32, u32, usize),
}

/// The request, and how much room for certificates there was, if it asked for any.
type Asked = (Vec<u8>, Option<usize>);

/// A simulated `/dev/sev-guest`.
#[derive(Clone)]
struct Simulated(Arc<Mutex<(VecDeque<Answer>, Vec<Asked>)>>);

impl Simulated {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self(Arc::new(Mutex::new((answers.into_iter().collect(), vec![]))))
    }

    fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().1.clone()
    }

    fn call(&self, request: &[u8], room: Option<&mut [u8]>, response: &mut [u8]) -> Result<(), Refused> {
        let (answers, asked) = &mut *self.0.lock().unwrap();
        asked.push((request.to_vec(), room.as_deref().map(<[u8]>::len)));
        assert!(response.iter().all(|byte| *byte == 0), "nothing of an earlier answer is left");
        let mut respond = |head: [u32; 2], report: &[u8]| {
            response[..4].copy_from_slice(&head[0].to_le_bytes());
            response[4..8].copy_from_slice(&head[1].to_le_bytes());
            response[32..32 + report.len()].copy_from_slice(report);
        };
        match answers.pop_front().expect("no more calls than the script has") {
            Answer::Response(head, report) => respond(head, &report),
            Answer::Certified(report, table) => {
                respond([0, 1184], &report);
                room.expect("room for the table")[..table.len()].copy_from_slice(&table);
            }
            Answer::Error(errno, firmware, hypervisor, room) => {
                let error = io::Error::from_raw_os_error(errno);
                return Err(Refused { error, firmware, hypervisor, room });
            }
        }
        Ok(())
    }
}

impl SevGuestDevice for Simulated {
    fn report(&self, request: &[u8; 96], response: &mut [u8; 4000]) -> Result<(), Refused> {
        self.call(request, None, response)
    }

    fn extended_report(
        &self,
        request: &[u8; 96],
        certificates: &mut [u8],
        response: &mut [u8; 4000],
    ) -> Result<(), Refused> {
        self.call(request, Some(certificates), response)
    }

    fn name(&self) -> PathBuf {
        "simulated sev-guest".into()
    }
}

fn attester(device: &Simulated) -> SevGuest {
    SevGuest::on(Box::new(device.clone())).with_patience(3, Duration::ZERO)
}

/// As a host lays it out: GUIDs in the order of their text, offset, length; a line of zeros; the certificates.
pub fn table(chain: &[Vec<u8>]) -> Vec<u8> {
    let guids =
        ["63da758de6644564adc5f4b93be8accd", "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae"];
    let mut head = vec![];
    let mut at = 24 * (chain.len() + 1);
    for (guid, certificate) in guids.iter().zip(chain) {
        head.extend(const_hex::decode(guid).unwrap());
        head.extend((at as u32).to_le_bytes());
        head.extend((certificate.len() as u32).to_le_bytes());
        at += certificate.len();
    }
    [head, vec![0; 24], chain.concat()].concat()
}

fn bound(data: &[u8; 64]) -> Build {
    let mut build = Build::new();
    build.bind(data);
    build.uvm = None;
    build
}

#[test]
fn a_report_with_the_hosts_certificates_is_all_that_a_network_needs() {
    let data = Statement::new(b"key of the node", b"").report_data();
    let build = bound(&data);
    let report = build.evidence();
    let certificates = table(&build.endorsements().chain);
    let device = Simulated::new([Answer::Certified(report.clone(), certificates)]);
    let gathered = attester(&device).evidence(&data).unwrap();
    // struct snp_report_req: 64 bytes of data, the level, 28 reserved.
    let request = [&data[..], &[0; 32]].concat();
    assert_eq!(device.asked(), [(request, Some(4 * 4096))]);
    assert_eq!((gathered.kind, &gathered.evidence), (Kind::SevSnp, &report));
    let presented = gathered.presented(None).unwrap();
    let roots = Roots { amd: build.roots(), ..Roots::vendors() };
    let claims = presented.verify(&roots, build.now).unwrap();
    assert_eq!(Binding::Exact(data.to_vec()).check(&claims), Ok(()));
}

#[test]
fn room_for_certificates_is_made_once_and_done_without_if_it_cannot_be() {
    let data = [7; 64];
    let build = bound(&data);
    let report = build.evidence();
    let small = |room| Answer::Error(ENOSPC, 0, 1, room);
    let plain = || Answer::Response([0, 1184], report.clone());
    let certified = || Answer::Certified(report.clone(), table(&build.endorsements().chain));
    let rooms = |device: &Simulated| device.asked().into_iter().map(|(_, room)| room).collect::<Vec<_>>();
    // The host needs more, and says how much: in pages, whatever it says.
    for said in [20_000, 20_480] {
        let device = Simulated::new([small(said), certified()]);
        let gathered = attester(&device).evidence(&data).unwrap();
        assert_eq!(rooms(&device), [Some(16_384), Some(20_480)]);
        assert_eq!(gathered.auxiliary.len(), 20_480);
        let Endorsements::Amd(given) = gathered.presented(None).unwrap().endorsements else { panic!("AMD's") };
        assert_eq!(given.chain.len(), 3);
    }
    // A number that makes no sense, one that we do not take, one that the kernel does not take, and a host that is never content.
    let given_up: [(Vec<Answer>, Vec<Option<usize>>); 5] = [
        (vec![small(0), plain()], vec![Some(16_384), None]),
        (vec![small(usize::MAX), plain()], vec![Some(16_384), None]),
        (vec![small(65_537), plain()], vec![Some(16_384), None]),
        (vec![small(65_536), Answer::Error(EINVAL, 0, 0, 0), plain()], vec![Some(16_384), Some(65_536), None]),
        (vec![small(20_480), small(24_576), plain()], vec![Some(16_384), Some(20_480), None]),
    ];
    for (answers, expected) in given_up {
        let device = Simulated::new(answers);
        let gathered = attester(&device).evidence(&data).unwrap();
        assert_eq!(rooms(&device), expected);
        assert_eq!((&gathered.evidence, gathered.auxiliary.len()), (&report, 0));
        let Endorsements::Amd(given) = gathered.presented(None).unwrap().endorsements else { panic!("AMD's") };
        assert_eq!(given, amd::Endorsements::default());
    }
}

#[test]
fn hardware_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let report = bound(&[7; 64]).evidence();
    let busy = || Answer::Error(EAGAIN, 0, 2, 0);
    let device = Simulated::new([busy(), busy(), Answer::Response([0, 1184], report)]);
    attester(&device).evidence(&[7; 64]).unwrap();
    assert_eq!(device.asked().len(), 3);
    let device = Simulated::new([busy(), busy(), busy()]);
    assert!(matches!(attester(&device).evidence(&[7; 64]), Err(Error::Device { hypervisor: 2, .. })));
    for (errno, firmware, hypervisor) in [(EIO, 0x16, 0), (EIO, 0, 9), (ENOTTY, 0, 0)] {
        let device = Simulated::new([Answer::Error(errno, firmware, hypervisor, 0)]);
        let error = attester(&device).evidence(&[7; 64]).unwrap_err();
        assert_eq!(device.asked().len(), 1, "{error}");
        let expected = format!("(firmware error {firmware:#x}, hypervisor error {hypervisor:#x})");
        let text = error.to_string();
        assert!(text.starts_with("simulated sev-guest: ") && text.ends_with(&expected), "{text}");
    }
    // It refuses the report alone, too.
    let device = Simulated::new([Answer::Error(ENOSPC, 0, 1, 1 << 20), Answer::Error(EIO, 0x16, 0, 0)]);
    assert!(matches!(attester(&device).evidence(&[7; 64]), Err(Error::Device { firmware: 0x16, .. })));
}

#[test]
fn an_answer_that_is_no_report_is_an_error() {
    let cases = [
        ([0x16, 0], "status 0x16"),
        ([0, 0], "0 bytes"),
        ([0, 1183], "1183 bytes"),
        ([0, u32::MAX], "4294967295 bytes"),
    ];
    for (head, text) in cases {
        let device = Simulated::new([Answer::Response(head, vec![0xff; 1184])]);
        let error = attester(&device).evidence(&[7; 64]).unwrap_err();
        assert!(matches!(&error, Error::Answer { what, .. } if what.contains(text)), "{error}");
    }
}

#[test]
fn a_hosts_table_may_be_anything() {
    let report = bound(&[7; 64]).evidence();
    let chain = bound(&[7; 64]).endorsements().chain;
    let whole = table(&chain);
    let mut hostile: Vec<Vec<u8>> = vec![vec![], vec![0xff; 16_384]];
    for at in 0..24 * 4 {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        hostile.push(changed);
    }
    for table in hostile {
        let device = Simulated::new([Answer::Certified(report.clone(), table)]);
        let gathered = attester(&device).evidence(&[7; 64]).unwrap();
        // Refused or not: other certificates vouch for nothing.
        if let Ok(presented) = gathered.presented(None)
            && let Endorsements::Amd(given) = presented.endorsements
        {
            assert!(given.chain.len() <= 3);
        }
    }
}

/// Files and directories that stand for each source; who was asked is in the error of one that does not answer.
#[test]
fn the_source_nearest_to_the_process_is_asked() {
    let root = tempfile::tempdir().unwrap();
    let asked = || detect(root.path()).unwrap().evidence(&[7; 64]).unwrap_err().to_string();
    let make = |path: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    };
    assert!(detect(root.path()).is_none());
    // An ordinary file takes no ioctl.
    make("dev/sev-guest");
    assert!(asked().contains("dev/sev-guest: "), "{}", asked());
    std::fs::create_dir_all(root.path().join("sys/kernel/config/tsm/report")).unwrap();
    make("dev/nsm");
    assert!(asked().contains("dev/nsm: "), "{}", asked());
    make("dev/attestation/quote");
    assert!(asked().contains("dev/attestation/attestation_type: "), "{}", asked());
}
