//! Disks that lie, and disks that are full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::network::{Network, wait};

#[test]
fn a_flipped_byte_in_the_ledger_stops_the_node_at_its_start() {
    let mut network = Network::start(1);
    network.primary(1);
    // More than one chunk: the first is closed, and its damage no crash of today's could have left.
    (0..8).for_each(|n| network.node(1).put(&format!("k{n}"), &vec![b'v'; 1 << 20]));
    network.stop(1);
    let mut chunks: Vec<PathBuf> = fs::read_dir(network.ledger(1)).unwrap().map(|file| file.unwrap().path()).collect();
    chunks.sort();
    let chunk = chunks.iter().find(|path| path.to_string_lossy().ends_with(".committed")).unwrap().clone();
    let good = fs::read(&chunk).unwrap();
    for place in [good.len() / 2, 3_000, good.len() / 3] {
        let mut bad = good.clone();
        bad[place] ^= 0x10;
        fs::write(&chunk, bad).unwrap();
        network.start_node(1);
        let said = network.fails(1);
        println!("flipped byte {place}: {said}");
        assert!(said.contains("ledger") || said.contains("corrupt"), "{said}");
    }
    fs::write(&chunk, good).unwrap();
    network.start_node(1);
    network.node(1).shows("k0", &vec![b'v'; 1 << 20]);
}

#[test]
fn a_flipped_byte_in_the_log_stops_the_node_at_its_start() {
    let mut network = Network::start(1);
    network.primary(1);
    (0..20).for_each(|n| network.node(1).put(&format!("k{n}"), b"v"));
    network.kill(1);
    let path = network.newest(1, "log");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    // Behind its records a segment is empty.
    let end = good.iter().rposition(|byte| *byte != 0).unwrap();
    bad[end / 2] ^= 1;
    fs::write(&path, bad).unwrap();
    network.start_node(1);
    let said = network.fails(1);
    assert!(said.contains("consensus log") && said.contains("damaged"), "{said}");
    fs::write(&path, good).unwrap();
    network.start_node(1);
    network.node(1).shows("k19", b"v");
}

#[test]
fn a_second_process_on_the_same_directory_harms_nothing() {
    let mut network = Network::start(1);
    network.primary(1);
    for round in 0..3 {
        (0..10).for_each(|n| network.node(1).put(&format!("k{round}-{n}"), &[b'v'; 2_000]));
        let second = network.start_another(1);
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(said.contains("another process"), "{said}");
    }
    network.node(1).put("still", b"here");
    network.kill(1);
    network.start_node(1);
    (0..3).for_each(|round| network.node(1).shows(&format!("k{round}-9"), &[b'v'; 2_000]));
    network.assert_same_ledgers();
}

/// A small file system of its own under a node's directory.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount.
    pub fn under(dir: &Path, megabytes: u32) -> Option<Self> {
        let aside = dir.with_extension("aside");
        fs::rename(dir, &aside).unwrap();
        fs::create_dir(dir).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let copied = Command::new("cp").arg("-a").arg(aside.join(".")).arg(dir).status().unwrap();
        assert!(copied.success());
        Some(Self(dir.to_owned()))
    }

    /// Takes all the room but for so many bytes.
    fn fill(&self, left: u64) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[0; 4_096]).is_ok() {}
        drop(filler);
        let path = self.0.join("filler");
        let length = fs::metadata(&path).unwrap().len();
        File::options().write(true).open(path).unwrap().set_len(length - left).unwrap();
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_node_and_loses_nothing() {
    let mut network = Network::make(3);
    let Some(disk) = SmallDisk::under(network.dir(2), 192) else {
        println!("SKIPPED: a full disk cannot be had, since this process may not mount a file system");
        return;
    };
    network.start_all();
    let mut acknowledged = Vec::new();
    let mut put = |n: usize| {
        if network.node(2).try_put(&format!("k{n}"), &vec![n as u8; 100_000]) == Some(200) {
            acknowledged.push(n);
        }
    };
    (0..10).for_each(&mut put);
    disk.fill(1 << 20);
    // Through the node itself while it lives, then through another: they go on without it.
    (10..40).for_each(&mut put);
    for n in 40..60 {
        network.node(1).put(&format!("k{n}"), &vec![n as u8; 100_000]);
        acknowledged.push(n);
    }
    let said = network.fails(2);
    println!("a full disk: {said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert!(
        said.contains("disk") || said.contains("log") || said.contains("ledger") || said.contains("index"),
        "{said}"
    );
    network.node(3).put("without", b"1");
    disk.free();
    network.start_node(2);
    network.node(2).shows("without", b"1");
    assert!(acknowledged.len() >= 30, "{acknowledged:?}");
    for n in &acknowledged {
        (1..=3).for_each(|number| network.node(number).shows(&format!("k{n}"), &vec![*n as u8; 100_000]));
    }
    network.node(2).put("with", b"1");
    network.assert_same_ledgers();
    drop(disk);
}

#[test]
fn a_full_disk_of_a_single_node_loses_nothing_that_was_acknowledged() {
    let mut network = Network::make(1);
    let Some(disk) = SmallDisk::under(network.dir(1), 192) else {
        println!("SKIPPED: a full disk cannot be had, since this process may not mount a file system");
        return;
    };
    network.start_all();
    disk.fill(3 << 20);
    let mut acknowledged = 0;
    // Nobody is told that a write is done that is not on disk.
    let ended = wait("the disk to be full", || {
        match network.node(1).try_put(&format!("k{acknowledged}"), &[acknowledged as u8; 50_000]) {
            Some(200) => {
                acknowledged += 1;
                None
            }
            Some(_) => None,
            None => Some(()),
        }
    });
    assert!(ended.is_some());
    let said = network.fails(1);
    assert!(said.contains("No space left on device"), "{said}");
    // It does not start on a full disk either, and says why.
    disk.free();
    network.start_node(1);
    assert!(acknowledged > 3, "{acknowledged}");
    (0..acknowledged).for_each(|n| network.node(1).shows(&format!("k{n}"), &[n as u8; 50_000]));
    network.node(1).put("more", b"1");
    network.stop(1);
    drop(disk);
}
