//! Secrets are overwritten with zeros before their memory is freed.

use core::ptr::NonNull;

/// Fills `bytes` bytes with zeros. The writes are volatile: no compiler leaves them out because nobody reads them.
///
/// # Safety
/// `memory` is valid for writes of so many bytes, and only the caller uses them.
pub(crate) unsafe fn wipe(memory: NonNull<u8>, bytes: usize) {
    let words = if memory.cast::<usize>().is_aligned() { bytes / size_of::<usize>() } else { 0 };
    for nth in 0..words {
        // SAFETY: the word lies in these bytes.
        let word = unsafe { memory.cast::<usize>().add(nth) };
        // SAFETY: as above, and it is aligned.
        unsafe { word.write_volatile(0) };
    }
    for nth in words * size_of::<usize>()..bytes {
        // SAFETY: the byte is one of these.
        let byte = unsafe { memory.add(nth) };
        // SAFETY: as above.
        unsafe { byte.write_volatile(0) };
    }
}

#[cfg(test)]
mod tests {
    use core::ptr::NonNull;

    use super::wipe;

    #[test]
    fn all_bytes_are_zero_and_no_others() {
        for (start, len) in [(0, 0), (0, 64), (0, 5), (3, 40), (8, 19), (1, 1)] {
            let mut bytes = [u64::MAX; 8];
            let first = NonNull::from(&mut bytes).cast::<u8>();
            // SAFETY: the place lies in the array.
            let place = unsafe { first.add(start) };
            // SAFETY: and so do the bytes.
            unsafe { wipe(place, len) };
            for (nth, byte) in bytes.map(u64::to_ne_bytes).as_flattened().iter().enumerate() {
                assert_eq!(*byte == 0, (start..start + len).contains(&nth), "{start} {len} {nth}");
            }
        }
    }
}
