//! A sum of words that depends on each bit of them.

/// An odd number by which words are mixed, so that equal ones leave a sum of their own. Sums may start with it.
pub(super) const KEY: u64 = 0xc4a1_7e39_52d8_0b6f;

/// A sum that depends on each bit of both, whatever they have in common; most in its high bits.
#[inline]
pub(super) const fn mix(sum: u64, word: u64) -> u64 {
    (sum.rotate_left(29) ^ word).wrapping_mul(KEY)
}
