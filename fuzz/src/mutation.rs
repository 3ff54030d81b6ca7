//! Changes of an input, from a seed: what libFuzzer does better, for where it is not.

/// A source of numbers that is the same everywhere (SplitMix64).
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `end`; zero if that is zero.
    pub fn below(&mut self, end: usize) -> usize {
        let number = self.next() % (end as u64).max(1);
        usize::try_from(number).expect("it is below a usize")
    }
}

/// Bytes that mean much in CBOR, DER, RLP and JSON.
const TELLING: &[u8] =
    b"\x00\x01\x02\x18\x19\x1a\x1b\x1f\x30\x3f\x7f\x80\x81\x82\x9f\xa0\xb8\xbf\xc0\xf8\xff\"{}[],:.-0e\\";
/// Longer than any input that a parser is meant to take in one piece, short enough for millions of rounds.
const BYTES_MAX: usize = 256 << 10;

/// Changes an input in one to four places. `other` is one that pieces may come from.
pub fn change(input: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        one(input, other, numbers);
    }
    input.truncate(BYTES_MAX);
}

fn one(input: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = numbers.below(input.len() + 1);
    let end = (at + 1 + numbers.below(64)).min(input.len());
    match numbers.below(8) {
        0 => set(input, at, |byte| byte ^ 1 << numbers.below(8)),
        1 => set(input, at, |_| TELLING[numbers.below(TELLING.len())]),
        2 => set(input, at, |byte| byte.wrapping_add(if numbers.below(2) == 0 { 1 } else { 0xff })),
        3 => drop(input.drain(at..end)),
        4 => {
            let piece = input[at..end].to_vec();
            drop(input.splice(at..at, piece));
        }
        5 => {
            let count = 1 + numbers.below(8);
            let piece: Vec<u8> = (0..count).map(|_| numbers.below(256) as u8).collect();
            drop(input.splice(at..at, piece));
        }
        6 => {
            let from = numbers.below(other.len());
            let piece = &other[from..(from + 1 + numbers.below(256)).min(other.len())];
            drop(input.splice(at..end, piece.iter().copied()));
        }
        _ => input.truncate(at),
    }
}

fn set(input: &mut [u8], at: usize, change: impl FnOnce(u8) -> u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = change(*byte);
    }
}
