//! Content that nobody but a holder of the ledger secret can make, and that is not believed all the same.

use super::super::header::Header;
use super::super::parts::{Opener, Sealer};
use super::super::rows;
use super::*;

/// What reading such content gives.
fn content(bytes: &[u8]) -> Result<u64, SnapshotError> {
    let mut world: Small = World::new(ForgetfulDisk::default());
    world.batch(2, 3);
    let header = Header::new(&world.head).unwrap();
    let disk = ForgetfulDisk::default();
    let mut sealer = Sealer::new(&disk, "x", &header, &world.keys, Pace::Gentle).unwrap();
    sealer.put(bytes).unwrap();
    sealer.finish().unwrap();
    let mut opener = Opener::new(&disk, "x", &header, &world.keys).unwrap();
    let tables = tables(&[]);
    rows::read(&mut opener, world.head.seqno(), ground(&tables))?;
    opener.finish()
}

fn table(name: &str, count: u64, rows: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend(rows.concat());
    bytes
}

fn row(version: u64, key_bytes: u32, value_bytes: u32, bytes: &[u8]) -> Vec<u8> {
    let mut row = version.to_le_bytes().to_vec();
    row.extend_from_slice(&key_bytes.to_le_bytes());
    row.extend_from_slice(&value_bytes.to_le_bytes());
    row.extend_from_slice(bytes);
    row
}

fn settings() -> Vec<u8> {
    table("public:settings", 1, &[row(1, 0, 0, b"")])
}

/// The second table, with these rows.
fn accounts(count: u64, rows: &[Vec<u8>]) -> Vec<u8> {
    [settings(), table("z.accounts", count, rows), vec![0]].concat()
}

#[test]
fn content_is_read_in_one_form_only() {
    let good = [row(1, 1, 2, b"avv"), row(4, 2, 0, b"ab")];
    assert!(content(&accounts(2, &good)).is_ok());
    let refused = [
        ("a row too few", accounts(3, &good)),
        ("a row too many", accounts(1, &good)),
        ("no row, but its number", accounts(u64::MAX, &[])),
        ("a key twice", accounts(2, &[row(1, 1, 0, b"a"), row(2, 1, 0, b"a")])),
        ("keys not in order", accounts(2, &[row(1, 1, 0, b"b"), row(2, 1, 0, b"a")])),
        ("a row of no entry", accounts(1, &[row(0, 1, 0, b"a")])),
        ("a row of a later entry", accounts(1, &[row(5, 1, 0, b"a")])),
        ("a key that is too long", accounts(1, &[row(1, 1 << 20, 0, &vec![0; 1 << 20])])),
        ("a value that is too long", accounts(1, &[row(1, 0, u32::MAX, b"")])),
        ("a value that ends too early", accounts(1, &[row(1, 1, 100, b"a")])),
        ("a table without rows", accounts(0, &[])),
        ("a table twice", [settings(), settings(), vec![0]].concat()),
        ("another order", [table("z.accounts", 2, &good), settings(), vec![0]].concat()),
        ("no end", [settings(), table("z.accounts", 2, &good)].concat()),
        ("nothing", Vec::new()),
        ("more behind the end", [accounts(2, &good), vec![0]].concat()),
        ("an unknown mark", [settings(), table("z.accounts", 2, &good), vec![2]].concat()),
    ];
    for (what, bytes) in refused {
        assert!(content(&bytes).is_err(), "{what}");
    }
}
