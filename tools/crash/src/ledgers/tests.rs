//! Ledgers that are the same, and what is found when one is doctored.

use std::sync::Arc;

use base::{Digest, Seqno, TxId, View};
use crypto::{KeyPair, Secret};
use kv::{Kind, Section, Tables, WriteSet};
use ledger::{Disk, Files, Head, LedgerKeys, Signer, seal, sign};
use tempfile::TempDir;

use super::*;

/// Writes the same `batches` into each of `directories`, as nodes do.
fn write(directories: &[(&TempDir, usize)]) {
    let tables = Tables::new();
    let table = tables.add("state", Kind::State).unwrap();
    let keys = LedgerKeys::new(&Secret::from_slice(&[7; 32]).unwrap()).unwrap();
    let signer = Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None };
    let open = |directory: &TempDir| Files::open_with(Disk::open(directory.path()).unwrap(), None, 3_000).unwrap().0;
    let files: Vec<_> = directories.iter().map(|(directory, batches)| (open(directory), *batches)).collect();
    let mut head = Head::new();
    for number in 0..directories.iter().map(|(_, batches)| *batches).max().unwrap() {
        let (mut batch, mut leaves) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let txid = TxId { view: View(2), seqno: Seqno(head.seqno().0 + leaves.len() as u64 + 1) };
            let put = (vec![1].into(), vec![number as u8; 100].into());
            let writes = WriteSet { sections: vec![Section { table, puts: vec![put], removes: Vec::new() }] };
            leaves.push(seal(txid, &writes, &Digest::ZERO, &tables, &keys, &mut batch).unwrap());
        }
        head = sign(&head, View(2), &leaves, &signer, &keys, 0, &mut batch).unwrap();
        for (files, batches) in &files {
            if number < *batches {
                files.append(&batch).unwrap();
            }
        }
    }
}

/// Two ledgers of as many batches, after a change to the second.
fn doctored(batches: (usize, usize), change: impl FnOnce(&Path)) -> Result<Common> {
    let (this, that) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&[(&this, batches.0), (&that, batches.1)]);
    change(that.path());
    compare(&[this.path().into(), that.path().into()])
}

fn files(directory: &Path) -> Vec<PathBuf> {
    list(directory).unwrap().into_values().map(|chunk| chunk.path).collect()
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn equal_ledgers_and_one_that_is_behind_agree() {
    let common = doctored((20, 20), |_| {}).unwrap();
    assert_eq!(common.last, 60);
    assert!(common.chunks > 2);
    for behind in 1..20 {
        assert_eq!(doctored((20, behind), |_| {}).unwrap().last, 3 * behind as u64);
        assert_eq!(doctored((behind, 20), |_| {}).unwrap().last, 3 * behind as u64);
    }
}

#[test]
fn one_differing_byte_anywhere_is_found() {
    let sample = tempfile::tempdir().unwrap();
    write(&[(&sample, 9)]);
    let sizes: Vec<u64> = files(sample.path()).iter().map(|path| path.metadata().unwrap().len()).collect();
    let mut checked = 0;
    for (chunk, size) in sizes.iter().enumerate() {
        // The last chunk is open, and its first bytes mean nothing until it is closed.
        let from = if chunk + 1 == sizes.len() { 8 } else { 0 };
        for at in (from..usize::try_from(*size).unwrap()).step_by(41) {
            let (this, that) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            for directory in [&this, &that] {
                for path in files(sample.path()) {
                    fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
                }
            }
            edit(&files(that.path())[chunk], |bytes| bytes[at] ^= 1);
            let compared = compare(&[this.path().into(), that.path().into()]);
            // A byte of a frame may make the rest unreadable; then less is common than was committed, which is checked too.
            assert!(compared.is_err() || compared.unwrap().last < 27, "chunk {chunk}, byte {at}");
            checked += 1;
        }
    }
    assert!(checked > 50);
}

#[test]
fn the_entry_that_differs_is_named() {
    let found = doctored((20, 20), |directory| edit(&files(directory)[0], |bytes| bytes[100] ^= 1));
    let found = format!("{:#}", found.unwrap_err());
    assert!(found.contains("byte 100, in entry 2.1"), "{found}");
}

#[test]
fn a_torn_tail_is_not_compared_and_does_not_count() {
    let torn = doctored((2, 2), |directory| edit(&files(directory)[0], |bytes| bytes.truncate(bytes.len() - 1)));
    assert_eq!(torn.unwrap().last, 3);
}

#[test]
fn missing_and_strange_files_are_found() {
    let missing = |at: usize| doctored((20, 20), move |directory| fs::remove_file(&files(directory)[at]).unwrap());
    assert!(missing(0).is_err());
    assert!(missing(1).is_err());
    let strange = doctored((3, 3), |directory| fs::write(directory.join("ledger_x"), "").unwrap());
    assert!(format!("{:#}", strange.unwrap_err()).contains("is no ledger file"));
}
