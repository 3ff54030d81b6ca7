//! The numbers of `Math.random()`.

/// SplitMix64: a seed gives the same row of numbers everywhere.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// The next number, from 0 to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
        let number = (mixed >> 11) as f64;
        number / 9_007_199_254_740_992.0
    }
}
