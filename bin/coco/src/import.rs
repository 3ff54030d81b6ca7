//! Feeding a chain to a network: blocks out of a file, one after another, through node 1's RPC.
//!
//! The file is what geth exports: RLP blocks, one after another, with nothing between them. Only as much RLP is read here as it
//! takes to cut blocks apart and to know their numbers; what a block means is for the node to judge. An import that was
//! interrupted goes on behind the newest block that the ledger has.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::network::{Client, RpcError};
use crate::printer::Printer;

/// Executing a full block of an old chain may take a while.
const PATIENCE: Duration = Duration::from_secs(120);
/// The code of an answer that leaves open what became of the block.
const UNAVAILABLE: i64 = -32_002;
/// How long a block may take to show after such an answer.
const SETTLING: Duration = Duration::from_secs(2);
const ATTEMPTS_MAX: u32 = 5;
/// One block becomes one entry of the ledger.
const BLOCK_BYTES_MAX: usize = base::limits::ENTRY_BYTES_MAX;

/// Imports the file into the ledger served at `address`. `stopped` is asked between blocks.
pub fn run(path: &Path, address: SocketAddr, printer: &Printer, stopped: impl Fn() -> bool) -> Result<(), Failure> {
    let name = path.display();
    let file = File::open(path).map_err(|e| Failure::file("read", path, &e))?;
    let length = file.metadata().map_err(|e| Failure::file("read", path, &e))?.len();
    let client = Client::new(PATIENCE);
    let mut newest = block_number(&client, address)?;
    let mut checked = false;
    let (mut imported, mut skipped) = (0_u64, 0_u64);
    let bar = printer.bar(length, "importing  {bar:30}  {bytes} of {total_bytes}  block {msg}");
    let mut blocks = Blocks { from: BufReader::new(file) };
    while let Some(block) = blocks.next().map_err(|what| Failure::new(format!("{name}: {what}")))? {
        let number = block.number;
        bar.set_message(number.to_string());
        if number <= newest {
            // The newest block of the ledger must be the one in the file; then all before it are too.
            if number == newest {
                check_same(&client, address, &block, path)?;
                checked = true;
            }
            skipped += 1;
        } else if number == newest + 1 {
            import(&client, address, &block, path)?;
            newest = number;
            imported += 1;
        } else {
            return Err(Failure::new(format!(
                "{name} goes on with block {number}, but the ledger is at block {newest}"
            ))
            .hint("a chain is imported in order, from block 1 or from the block after the ledger's newest"));
        }
        bar.inc(block.bytes.len() as u64);
        if stopped() {
            return Err(Failure::new(format!("the import was stopped after block {newest}"))
                .hint("the same command goes on from there"));
        }
    }
    bar.finish_and_clear();
    if imported == 0 && skipped > 0 && !checked {
        printer.note(format!("the ledger is at block {newest}, past the end of {name}"));
    }
    let already = if skipped > 0 { format!(", {skipped} were there already") } else { String::new() };
    printer.note(format!("imported {imported} blocks from {name}{already}"));
    Ok(())
}

fn block_number(client: &Client, address: SocketAddr) -> Result<u64, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::new(format!("cannot ask the network for its newest block: {e}"));
    let answer = client.call(address, "eth_blockNumber", &json!([])).map_err(|e| failed(&e))?;
    let number = answer.as_str().and_then(|text| text.strip_prefix("0x"));
    number.and_then(|hex| u64::from_str_radix(hex, 16).ok()).ok_or_else(|| failed(&answer))
}

/// Imports one block. While the network changes its primary nobody knows whether the block got in, and a node that was
/// just started may show an older head than the others have: then the ledger itself is asked.
fn import(client: &Client, address: SocketAddr, block: &Block, path: &Path) -> Result<(), Failure> {
    let mut attempts = 0;
    loop {
        let rlp = json!([const_hex::encode_prefixed(&block.bytes)]);
        let Err(error) = client.call(address, "coco_importBlock", &rlp) else { return Ok(()) };
        let unknown = matches!(error, RpcError::Transport(_) | RpcError::Refused { code: UNAVAILABLE, .. });
        attempts += 1;
        let settled = Instant::now() + SETTLING;
        while Instant::now() < settled {
            if block_number(client, address)? >= block.number {
                return check_same(client, address, block, path);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        if !unknown || attempts == ATTEMPTS_MAX {
            return Err(refused(block, error, path));
        }
    }
}

fn refused(block: &Block, error: RpcError, path: &Path) -> Failure {
    let failure = Failure::new(format!("block {} of {} was refused: {error}", block.number, path.display()));
    match error {
        RpcError::Transport(_) => failure.hint("the same command goes on with the import from there"),
        RpcError::Refused { .. } => failure.hint("does the chain belong to the genesis of this network (--genesis)?"),
    }
}

/// The fields of a header that tell two histories apart, with their places in it.
const TELLING: [(&str, usize); 4] = [("parentHash", 0), ("stateRoot", 3), ("transactionsRoot", 4), ("receiptsRoot", 5)];

fn check_same(client: &Client, address: SocketAddr, block: &Block, path: &Path) -> Result<(), Failure> {
    let number = format!("{:#x}", block.number);
    let there = client
        .call(address, "eth_getBlockByNumber", &json!([number, false]))
        .map_err(|e| Failure::new(format!("cannot ask the network for block {}: {e}", block.number)))?;
    for (name, place) in TELLING {
        let ours = block.header_field(place).map(const_hex::encode_prefixed);
        if ours.as_deref() != there.get(name).and_then(Value::as_str) {
            let what =
                format!("block {} of the ledger is not that of {}: {name} differs", block.number, path.display());
            return Err(Failure::new(what).hint("the ledger went another way; import into a new network (--dir)"));
        }
    }
    Ok(())
}

/// A block's bytes, and the little that is known about them.
struct Block {
    bytes: Vec<u8>,
    number: u64,
}

/// Where a block's number stands in its header.
const NUMBER: usize = 8;

impl Block {
    fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut block = Self { bytes, number: 0 };
        let number = block.header_field(NUMBER)?;
        if number.len() > 8 {
            return None;
        }
        block.number = number.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        Some(block)
    }

    /// A field of the header: the block is a list, the header its first item.
    fn header_field(&self, place: usize) -> Option<&[u8]> {
        let (_, block, _) = split_item(&self.bytes)?;
        let (true, mut fields, _) = split_item(block)? else { return None };
        for _ in 0..place {
            fields = split_item(fields)?.2;
        }
        split_item(fields).map(|(_, field, _)| field)
    }
}

/// How an RLP item begins: whether it is a list, how long its head is, how long its content.
fn item_head(bytes: &[u8]) -> Option<(bool, usize, usize)> {
    let first = *bytes.first()?;
    let short = |base: u8| usize::from(first - base);
    let long = |base: u8| {
        let length_bytes = short(base);
        let length = bytes
            .get(1..=length_bytes)?
            .iter()
            .try_fold(0_usize, |n, byte| n.checked_mul(256)?.checked_add(usize::from(*byte)))?;
        Some((1 + length_bytes, length))
    };
    let (list, (head, content)) = match first {
        0..=0x7f => (false, (0, 1)),
        0x80..=0xb7 => (false, (1, short(0x80))),
        0xb8..=0xbf => (false, long(0xb7)?),
        0xc0..=0xf7 => (true, (1, short(0xc0))),
        0xf8..=0xff => (true, long(0xf7)?),
    };
    Some((list, head, content))
}

/// Whether the first item is a list, its content, and what follows it.
fn split_item(bytes: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (list, head, content) = item_head(bytes)?;
    let rest = bytes.get(head..)?;
    (content <= rest.len()).then(|| (list, &rest[..content], &rest[content..]))
}

/// Blocks, one after another, as they come out of a file.
struct Blocks<R> {
    from: R,
}

/// The longest beginning of an item: one byte, and eight of length.
const HEAD_BYTES_MAX: usize = 9;

impl<R: Read> Blocks<R> {
    fn next(&mut self) -> Result<Option<Block>, String> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES_MAX);
        if self.read_to(&mut bytes, 1).map_err(|e| e.to_string())? == 0 {
            return Ok(None);
        }
        let cut = |_| "the file ends in the middle of a block".to_owned();
        if bytes[0] > 0xf7 {
            let head = 1 + usize::from(bytes[0] - 0xf7);
            self.read_exactly(&mut bytes, head).map_err(cut)?;
        }
        let (list, head, content) = item_head(&bytes).ok_or("this is not RLP")?;
        if !list {
            return Err("this is not a chain in RLP: blocks, one after another, are expected".into());
        }
        if content > BLOCK_BYTES_MAX {
            return Err(format!("a block of {content} bytes is larger than {BLOCK_BYTES_MAX}"));
        }
        self.read_exactly(&mut bytes, head + content).map_err(cut)?;
        Block::read(bytes).map(Some).ok_or_else(|| "a list in the file is not a block".to_owned())
    }

    /// Reads until there are `length` bytes, or the file ends; returns how many came.
    fn read_to(&mut self, bytes: &mut Vec<u8>, length: usize) -> io::Result<usize> {
        let missing = length.saturating_sub(bytes.len()) as u64;
        (&mut self.from).take(missing).read_to_end(bytes)
    }

    fn read_exactly(&mut self, bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
        self.read_to(bytes, length)?;
        if bytes.len() == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(content: &[u8]) -> Vec<u8> {
        match content {
            [byte] if *byte < 0x80 => vec![*byte],
            _ if content.len() < 56 => [&[0x80 + content.len() as u8][..], content].concat(),
            _ => [&[0xb8, content.len() as u8][..], content].concat(),
        }
    }

    fn list(items: &[Vec<u8>]) -> Vec<u8> {
        let content = items.concat();
        let head = if content.len() < 56 {
            vec![0xc0 + content.len() as u8]
        } else {
            let length = (content.len() as u32).to_be_bytes();
            [&[0xfb][..], &length].concat()
        };
        [head, content].concat()
    }

    fn block(number: &[u8], padding: usize) -> Vec<u8> {
        let mut fields: Vec<Vec<u8>> = (0..8).map(|i| string(&[0xa0 + i; 32])).collect();
        fields.push(string(number));
        fields.push(string(&[7; 200][..padding.min(200)]));
        list(&[list(&fields), list(&[]), list(&[])])
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<u64>, String> {
        let mut blocks = Blocks { from: bytes };
        let mut numbers = Vec::new();
        while let Some(block) = blocks.next()? {
            numbers.push(block.number);
        }
        Ok(numbers)
    }

    #[test]
    fn blocks_are_cut_apart_and_numbered() {
        let file = [block(&[], 0), block(&[1], 100), block(&[0x12, 0x34], 200)].concat();
        assert_eq!(read_all(&file), Ok(vec![0, 1, 0x1234]));
        assert_eq!(read_all(&[]), Ok(vec![]));
        let first = Block::read(block(&[5], 3)).unwrap();
        assert_eq!(first.header_field(3), Some(&[0xa3; 32][..]));
    }

    #[test]
    fn a_file_cut_anywhere_says_so() {
        let whole = block(&[9], 100);
        for length in 1..whole.len() {
            assert_eq!(read_all(&whole[..length]).unwrap_err(), "the file ends in the middle of a block", "{length}");
        }
    }

    #[test]
    fn other_files_are_told_apart_from_chains() {
        assert!(read_all(b"{}").unwrap_err().contains("not a chain in RLP"));
        assert!(
            read_all(&[0xff; 9]).unwrap_err().contains("RLP") || read_all(&[0xff; 9]).unwrap_err().contains("larger")
        );
        assert!(read_all(&[0xc1, 0x80]).unwrap_err().contains("not a block"));
        assert!(read_all(&[0xc0]).unwrap_err().contains("not a block"));
        let huge = [&[0xfb, 0x7f, 0xff, 0xff, 0xff][..], &[0; 100]].concat();
        assert!(read_all(&huge).unwrap_err().contains("larger"));
    }
}
