//! Numbers in an array of bytes, as the processor stores them.

/// Writes a number at `at`.
pub fn put<const N: usize>(into: &mut [u8], at: usize, number: [u8; N]) {
    into[at..at + N].copy_from_slice(&number);
}

/// The eight bytes at `at` as a number.
pub fn u64_at(from: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(from, at))
}

/// The four bytes at `at` as a number.
pub fn u32_at(from: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(from, at))
}

/// The two bytes at `at` as a number.
pub fn u16_at(from: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(from, at))
}

fn array_at<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&from[at..at + N]);
    array
}
