//! Keccak-256 of many messages at once: eight side by side where the processor has registers for it (AVX-512), which takes
//! an eighth of the time. Elsewhere one after the other.
//!
//! One message cannot be hashed faster so; a trie has many that do not wait for each other.

use alloy_primitives::{B256, keccak256};

/// Messages to be hashed together. Cleared and filled again, it keeps its memory.
#[derive(Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Messages {
    /// Adds what `write` appends.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The hash of each, in order.
    pub(crate) fn hashes(&self) -> Vec<B256> {
        #[cfg(target_arch = "x86_64")]
        if self.ends.len() > 1
            && let Some(simd) = pulp::x86::V4::try_new()
        {
            return lanes::hashes(simd, self);
        }
        self.one_by_one()
    }

    fn one_by_one(&self) -> Vec<B256> {
        (0..self.ends.len()).map(|index| keccak256(self.get(index))).collect()
    }
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    //! Keccak-f\[1600\] (FIPS 202, section 3) on eight states at once: lane `n` of each register belongs to message `n`.

    use std::arch::x86_64::__m512i;

    use alloy_primitives::B256;
    use pulp::{NullaryFnOnce, x86::V4};

    use super::Messages;

    const LANES: usize = 8;

    /// What a permutation absorbs, in bytes: the state of 200 without twice the length of the hash.
    const RATE: usize = 136;

    /// Eight states of 25 words.
    type States = [[u64; LANES]; 25];

    /// Iota's constants.
    #[rustfmt::skip]
    const ROUNDS: [u64; 24] = [
        0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a, 0x8000_0000_8000_8000,
        0x0000_0000_0000_808b, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
        0x0000_0000_0000_008a, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
        0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
        0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
        0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
    ];

    /// Rho's offsets, by place in the state.
    #[rustfmt::skip]
    const ROTATIONS: [i32; 25] = [
         0,  1, 62, 28, 27,
        36, 44,  6, 55, 20,
         3, 10, 43, 25, 39,
        41, 45, 15, 21,  8,
        18,  2, 61, 56, 14,
    ];

    /// `a ^ b ^ c`, as a table of truth.
    const XOR: i32 = 0x96;
    /// `a ^ (!b & c)`.
    const CHI: i32 = 0xd2;

    /// The block for each of five numbers, which are constants in it: the state then stays in registers.
    macro_rules! five {
        ($number:ident, $block:block) => {
            five!($number, $block, 0 1 2 3 4)
        };
        ($number:ident, $block:block, $($value:literal)+) => {
            $({
                const $number: usize = $value;
                $block
            })+
        };
    }

    pub(super) fn hashes(simd: V4, messages: &Messages) -> Vec<B256> {
        let permutations = |message: usize| messages.get(message).len() / RATE + 1;
        let mut order: Vec<usize> = (0..messages.ends.len()).collect();
        // Those that are as long go together, so that no lane runs empty for long.
        order.sort_unstable_by_key(|message| permutations(*message));
        let mut hashes = vec![B256::ZERO; order.len()];
        for group in order.chunks(LANES) {
            let mut states: States = [[0; LANES]; 25];
            for block in 0..group.last().map_or(0, |longest| permutations(*longest)) {
                for (lane, message) in group.iter().enumerate() {
                    absorb(&mut states, lane, messages.get(*message), block);
                }
                simd.vectorize(Permute { simd, states: &mut states });
                for (lane, message) in
                    group.iter().enumerate().filter(|(_, message)| permutations(**message) == block + 1)
                {
                    for (word, bytes) in hashes[*message].chunks_exact_mut(8).enumerate() {
                        bytes.copy_from_slice(&states[word][lane].to_le_bytes());
                    }
                }
            }
        }
        hashes
    }

    /// Adds a block of a message to its state; the last one is padded, and after that there is nothing to add.
    fn absorb(states: &mut States, lane: usize, message: &[u8], block: usize) {
        let rest = message.get(block * RATE..).unwrap_or_default();
        let mut last = [0; RATE];
        let bytes = match rest.first_chunk::<RATE>() {
            Some(whole) => whole,
            None if block == message.len() / RATE => {
                last[..rest.len()].copy_from_slice(rest);
                last[rest.len()] = 0x01;
                last[RATE - 1] |= 0x80;
                &last
            }
            None => return,
        };
        for (state, word) in states.iter_mut().zip(bytes.as_chunks::<8>().0) {
            state[lane] ^= u64::from_le_bytes(*word);
        }
    }

    struct Permute<'a> {
        simd: V4,
        states: &'a mut States,
    }

    impl NullaryFnOnce for Permute<'_> {
        type Output = ();

        // What is called here must be inlined to be compiled for these registers.
        #[inline(always)]
        fn call(self) {
            let avx = self.simd.avx512f;
            let mut state: [__m512i; 25] = pulp::cast(*self.states);
            let zero = avx._mm512_setzero_si512();
            for constant in ROUNDS {
                // Theta: the parity of each column, and what it adds to the columns beside it.
                let (mut parity, mut turned) = ([zero; 5], [zero; 5]);
                five!(X, {
                    let three = avx._mm512_ternarylogic_epi64::<XOR>(state[X], state[X + 5], state[X + 10]);
                    parity[X] = avx._mm512_ternarylogic_epi64::<XOR>(three, state[X + 15], state[X + 20]);
                });
                five!(X, { turned[X] = avx._mm512_rol_epi64::<1>(parity[(X + 1) % 5]) });
                // Rho and pi: words are turned and change places.
                let mut moved = [zero; 25];
                five!(Y, {
                    five!(X, {
                        const FROM: usize = X + 5 * Y;
                        const TO: usize = Y + 5 * ((2 * X + 3 * Y) % 5);
                        let word = avx._mm512_ternarylogic_epi64::<XOR>(state[FROM], turned[X], parity[(X + 4) % 5]);
                        moved[TO] = avx._mm512_rol_epi64::<{ ROTATIONS[FROM] }>(word);
                    });
                });
                // Chi: each word with the two after it in its row.
                five!(Y, {
                    five!(X, {
                        let (next, after) = (moved[(X + 1) % 5 + 5 * Y], moved[(X + 2) % 5 + 5 * Y]);
                        state[X + 5 * Y] = avx._mm512_ternarylogic_epi64::<CHI>(moved[X + 5 * Y], next, after);
                    });
                });
                state[0] = avx._mm512_xor_si512(state[0], avx._mm512_set1_epi64(constant.cast_signed()));
            }
            *self.states = pulp::cast(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(lengths: impl IntoIterator<Item = usize>) -> Messages {
        let mut messages = Messages::default();
        for (index, length) in lengths.into_iter().enumerate() {
            messages.add(|out| out.extend((0..length).map(|byte| (byte * 7 + index) as u8)));
        }
        messages
    }

    /// Every length up to four blocks, which has every padding, in an order that mixes long and short.
    #[test]
    fn many_hashes_are_those_of_each() {
        #[cfg(target_arch = "x86_64")]
        if pulp::x86::V4::try_new().is_none() {
            println!("SKIPPED: this processor has no AVX-512, so many hashes are computed one by one");
        }
        let mut messages = messages((0..601).map(|number| number * 211 % 601));
        let hashes = messages.hashes();
        assert_eq!(hashes.len(), 601);
        assert_eq!(hashes, messages.one_by_one());
        for (index, hash) in hashes.iter().enumerate() {
            assert_eq!(*hash, keccak256(messages.get(index)), "{} bytes", messages.get(index).len());
        }
        messages.clear();
        assert!(messages.hashes().is_empty());
    }

    #[test]
    fn few_hashes_are_those_of_each() {
        for count in 1..20 {
            let messages = messages((0..count).map(|index| 130 + index));
            for (index, hash) in messages.hashes().iter().enumerate() {
                assert_eq!(*hash, keccak256(messages.get(index)), "{index} of {count}");
            }
        }
    }
}
