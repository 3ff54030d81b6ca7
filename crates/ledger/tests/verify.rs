//! The audit finds every flipped bit, and every ledger that was not written by its rules.
#![expect(clippy::unwrap_used, reason = "a test stops at the first failure")]

mod sample;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use base::{Digest, Seqno, TxId, View};
use crypto::KeyPair;
use ledger::genesis::{self, NodeStatus, ServiceStatus};
use ledger::tables::{NODES_ENDORSED_CERTIFICATES, NODES_INFO, SERVICE_INFO, SINGLETON};
use ledger::verify::{Broken, Reason};
use ledger::{Corrupt, Disk, Files, RawEntry, scan, show, verify};

use sample::{Sample, Shape, keys, write_ledger};

fn check(directory: &Path) -> Result<ledger::verify::Report, Broken> {
    verify(directory, None, |_| ())
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Where the last entry of the ledger begins, and the file that it is in.
fn last_entry(directory: &Path) -> (PathBuf, usize) {
    let mut last = (Seqno(0), 0);
    scan(directory, Seqno(1), |entry| {
        last = (entry.txid.seqno, entry.bytes.len());
        ControlFlow::Continue(())
    })
    .unwrap();
    let by_first = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name["ledger_".len()..].split(['-', '.']).next().unwrap().parse::<u64>().unwrap()
    };
    let file = names(directory).into_iter().max_by_key(by_first).unwrap();
    let bytes = fs::read(&file).unwrap();
    let table = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let end = if table == 0 { bytes.len() } else { table };
    (file, end - last.1)
}

#[test]
fn a_whole_ledger_passes_and_the_report_says_what_it_is() {
    for dual in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let sample =
            write_ledger(directory.path(), Shape { dual, batches: 20, entries: 3, private: 100, chunk_bytes: 8 << 10 });
        let mut steps = Vec::new();
        let report = verify(directory.path(), None, |progress| steps.push(progress)).unwrap();
        assert_eq!(report.last, sample.head.txid);
        assert_eq!(report.entries, sample.head.txid.seqno.0);
        assert_eq!((report.signatures, report.node_signatures), (20, if dual { 20 } else { 0 }));
        assert_eq!(report.service_certificate, Some(sample.service_certificate.to_pem()));
        assert_eq!(report.service_status, Some(ServiceStatus::Open));
        assert_eq!(report.unproven, Some(sample.head.txid));
        assert_eq!(report.bytes, steps[0].bytes_total);
        assert!(report.chunks > 2 && steps.len() == 20 && steps.is_sorted_by_key(|step| (step.txid, step.bytes_done)));
        assert_eq!(verify(directory.path(), Some(&keys()), |_| ()).unwrap().unproven, None);
    }
}

#[test]
fn every_flipped_bit_is_found() {
    // One that is large, and small ones with either form of signature whose last chunk is open or closed.
    let large = Shape { dual: false, batches: 2, entries: 12, private: 4_000, chunk_bytes: 40 << 10 };
    assert!(flipped_bits_are_found(large, false) >= 64 << 10);
    for dual in [false, true] {
        for chunk_bytes in [1 << 10, 64 << 10] {
            flipped_bits_are_found(Shape { dual, batches: 2, entries: 1, private: 50, chunk_bytes }, true);
        }
    }
}

/// Flips one bit of every byte; if `thorough`, every bit of the last entry, of position tables and of headers. Gives the
/// ledger's size.
fn flipped_bits_are_found(shape: Shape, thorough: bool) -> u64 {
    let original = tempfile::tempdir().unwrap();
    write_ledger(original.path(), shape);
    let size = check(original.path()).unwrap().bytes;
    let (last_file, last_start) = last_entry(original.path());
    let mut flips = Vec::new();
    for path in names(original.path()) {
        let bytes = fs::read(&path).unwrap();
        let table = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for at in 0..bytes.len() {
            let plain = at >= 8 + 44 && (table == 0 || at < table) && (path != last_file || at < last_start);
            let name = path.file_name().unwrap().to_owned();
            // Only the ledger secret covers the last signature's tag and commit evidence.
            let entry = at.wrapping_sub(last_start);
            let secret = path == last_file && ((8..24).contains(&entry) || (44 + 41..44 + 73).contains(&entry));
            let bits = if thorough && !plain { 0..8 } else { at % 8..at % 8 + 1 };
            flips.extend(bits.map(|bit| (name.clone(), at as u64, 1u8 << bit, secret)));
        }
    }
    let workers = thread::available_parallelism().unwrap().get();
    let original = original.path();
    thread::scope(|scope| {
        for flips in flips.chunks(flips.len().div_ceil(workers)) {
            scope.spawn(move || {
                let copy = tempfile::tempdir().unwrap();
                for path in names(original) {
                    fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
                }
                for (name, at, bit, secret) in flips {
                    let file = fs::File::options().read(true).write(true).open(copy.path().join(name)).unwrap();
                    let mut byte = [0];
                    file.read_exact_at(&mut byte, *at).unwrap();
                    file.write_all_at(&[byte[0] ^ bit], *at).unwrap();
                    let found = verify(copy.path(), secret.then(keys).as_ref(), |_| ());
                    assert!(found.is_err(), "{name:?} at {at}, bit {bit}");
                    file.write_all_at(&byte, *at).unwrap();
                }
                verify(copy.path(), Some(&keys()), |_| ()).unwrap();
            });
        }
    });
    size
}

#[test]
fn every_flipped_bit_in_a_name_is_found() {
    let directory = tempfile::tempdir().unwrap();
    write_ledger(directory.path(), Shape { dual: false, batches: 12, entries: 3, private: 200, chunk_bytes: 8 << 10 });
    for path in names(directory.path()) {
        let name = path.file_name().unwrap().to_str().unwrap().as_bytes().to_vec();
        for bit in 0..name.len() * 8 {
            let mut other = name.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let Ok(other) = String::from_utf8(other) else { continue };
            if other.contains(['/', '\0']) || directory.path().join(&other).exists() {
                continue;
            }
            fs::rename(&path, directory.path().join(&other)).unwrap();
            assert!(check(directory.path()).is_err(), "{other}");
            fs::rename(directory.path().join(&other), &path).unwrap();
        }
    }
    check(directory.path()).unwrap();
}

#[test]
fn a_missing_a_swapped_and_a_foreign_file_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let shape = Shape { dual: false, batches: 16, entries: 3, private: 300, chunk_bytes: 8 << 10 };
    write_ledger(directory.path(), shape);
    let paths = names(directory.path());
    for path in &paths[..2] {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        assert!(check(directory.path()).is_err(), "{path:?}");
        fs::write(path, bytes).unwrap();
    }
    let (one, two) = (fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
    fs::write(&paths[0], &two).unwrap();
    fs::write(&paths[1], &one).unwrap();
    assert!(check(directory.path()).is_err());
    fs::write(&paths[0], one).unwrap();
    fs::write(&paths[1], two).unwrap();
    fs::write(directory.path().join("notes.txt"), "x").unwrap();
    assert!(check(directory.path()).unwrap_err().to_string().contains("notes.txt"));
    fs::rename(directory.path().join("notes.txt"), directory.path().join("notes.ignored")).unwrap();
    check(directory.path()).unwrap();
    assert!(check(tempfile::tempdir().unwrap().path()).is_err());
    let elsewhere = directory.path().with_extension("elsewhere");
    fs::rename(&paths[0], &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &paths[0]).unwrap();
    assert!(check(directory.path()).is_err());
    fs::remove_file(elsewhere).unwrap();
}

#[test]
fn a_chunk_of_another_ledger_is_found() {
    let shape = Shape { dual: false, batches: 16, entries: 3, private: 300, chunk_bytes: 8 << 10 };
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_ledger(ours.path(), shape);
    write_ledger(other.path(), shape);
    let first = names(ours.path())[0].clone();
    fs::copy(other.path().join(first.file_name().unwrap()), &first).unwrap();
    assert!(check(ours.path()).is_err());
}

#[test]
fn the_changed_entry_is_named() {
    let directory = tempfile::tempdir().unwrap();
    write_ledger(directory.path(), Shape { dual: false, batches: 3, entries: 3, private: 300, chunk_bytes: 1 << 20 });
    let path = names(directory.path())[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    // The last byte of the fourth entry's private part.
    let end = (0..4).fold(8, |at, _| at + RawEntry::parse(&bytes[at..]).unwrap().bytes.len());
    bytes[end - 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    let broken = check(directory.path()).unwrap_err();
    assert_eq!(broken.txid, Some(TxId::new(2, 4)), "{broken}");
    assert!(matches!(broken.reason, Reason::Changed), "{broken}");
}

#[test]
fn what_was_not_finished_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let mut sample = Sample::new(false);
    let (files, _) = Files::open(Disk::open(directory.path()).unwrap(), None).unwrap();
    sample.genesis();
    files.append(&sample.close()).unwrap();
    sample.transaction(1, 10);
    let batch = sample.close();
    let path = names(directory.path())[0].clone();
    let whole = fs::read(&path).unwrap();
    let entry = RawEntry::parse(&batch).unwrap().bytes.len();
    fs::write(&path, [&whole, &batch[..entry]].concat()).unwrap();
    assert!(matches!(check(directory.path()).unwrap_err().reason, Reason::Unfinished));
    // A reader of a living ledger stops there without complaint.
    let mut seen = 0;
    scan(directory.path(), Seqno(2), |_| {
        seen += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, 2);
}

/// Writes what `act` makes the sample write, one batch after the genesis, and audits it.
fn audited(dual: bool, act: impl FnOnce(&mut Sample)) -> Result<ledger::verify::Report, Broken> {
    let directory = tempfile::tempdir().unwrap();
    let mut sample = Sample::new(dual);
    let (files, _) = Files::open(Disk::open(directory.path()).unwrap(), None).unwrap();
    sample.genesis();
    files.append(&sample.close()).unwrap();
    act(&mut sample);
    files.append(&sample.close()).unwrap();
    check(directory.path())
}

#[test]
fn only_the_service_and_its_trusted_nodes_may_sign() {
    audited(true, |_| ()).unwrap();
    let stranger = audited(false, |sample| sample.signer.service = KeyPair::generate().unwrap().into());
    assert!(matches!(stranger.unwrap_err().reason, Reason::Corrupt(Corrupt::Signature(..))));
    let unknown = audited(true, |sample| sample.signer.node = Some(KeyPair::generate().unwrap().into()));
    assert!(matches!(unknown.unwrap_err().reason, Reason::Signer(..)));
    let pending = audited(true, |sample| node_becomes(sample, NodeStatus::Pending));
    assert!(matches!(pending.unwrap_err().reason, Reason::Signer(..)));
    audited(true, |sample| node_becomes(sample, NodeStatus::Retired)).unwrap();
}

fn node_becomes(sample: &mut Sample, status: NodeStatus) {
    let id = genesis::node_key(sample.signer.node.as_ref().unwrap().public().node_id());
    let row = genesis::virtual_node_info(status, "", &Digest::ZERO, None);
    sample.write(&[(NODES_INFO, &id, Some(&row))], Digest::ZERO);
}

#[test]
fn a_removed_node_signs_no_more() {
    let removed = audited(true, |sample| {
        let id = genesis::node_key(sample.signer.node.as_ref().unwrap().public().node_id());
        sample.write(&[(NODES_INFO, &id, None)], Digest::ZERO);
    });
    assert!(matches!(removed.unwrap_err().reason, Reason::Signer(..)));
    let unknown = audited(false, |sample| {
        let id = genesis::node_key(KeyPair::generate().unwrap().public().node_id());
        sample.write(&[(NODES_INFO, &id, None)], Digest::ZERO);
    });
    assert!(matches!(unknown.unwrap_err().reason, Reason::Node(..)));
}

#[test]
fn a_certificate_belongs_to_its_node() {
    let other = audited(true, |sample| {
        let id = genesis::node_key(sample.signer.node.as_ref().unwrap().public().node_id());
        let pem = sample.service_certificate.to_pem();
        sample.write(&[(NODES_ENDORSED_CERTIFICATES, &id, Some(pem.as_bytes()))], Digest::ZERO);
    });
    assert!(matches!(other.unwrap_err().reason, Reason::Node(..)));
}

#[test]
fn the_service_changes_only_along_the_known_ways() {
    audited(false, |sample| sample.set_status(ServiceStatus::Open)).unwrap();
    let skipped = audited(false, |sample| sample.set_status(ServiceStatus::Recovering)).unwrap_err();
    assert!(matches!(skipped.reason, Reason::Status(ServiceStatus::Opening, ServiceStatus::Recovering)), "{skipped}");
    let nonsense = audited(false, |sample| sample.write(&[(SERVICE_INFO, &SINGLETON, Some(b"{}"))], Digest::ZERO));
    assert!(matches!(nonsense.unwrap_err().reason, Reason::Service(_)));
    let removed = audited(false, |sample| sample.write(&[(SERVICE_INFO, &SINGLETON, None)], Digest::ZERO));
    assert!(matches!(removed.unwrap_err().reason, Reason::Service(_)));
}

#[test]
fn a_view_does_not_go_back_and_does_not_change_within_a_batch() {
    audited(false, |sample| {
        sample.view = View(5);
        sample.transaction(1, 10);
    })
    .unwrap();
    let back = audited(false, |sample| {
        sample.view = View(1);
        sample.transaction(1, 10);
    });
    assert!(matches!(back.unwrap_err().reason, Reason::Corrupt(Corrupt::Sequence { .. })));
    let within = audited(false, |sample| {
        sample.transaction(1, 10);
        sample.view = View(3);
        sample.transaction(2, 10);
    });
    assert!(matches!(within.unwrap_err().reason, Reason::Corrupt(Corrupt::Sequence { .. })));
}

#[test]
fn entries_are_shown_for_people_and_private_rows_only_with_the_secret() {
    let directory = tempfile::tempdir().unwrap();
    write_ledger(directory.path(), Shape { dual: true, batches: 2, entries: 2, private: 20, chunk_bytes: 1 << 20 });
    let (mut public, mut private) = (String::new(), String::new());
    scan(directory.path(), Seqno(1), |entry| {
        public += &format!("{}\n", show(entry, None).unwrap());
        private += &format!("{}\n", show(entry, Some(&keys())).unwrap());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(public.starts_with("2.1  ") && public.contains("public:ccf.gov.service.info\n    (only row): {\"cert\":"));
    assert!(public.contains("the service signed for 2.4 at 1767300000 seconds after 1970"), "{public}");
    assert!(!public.contains("private.state") && private.contains("private.state"));
}
