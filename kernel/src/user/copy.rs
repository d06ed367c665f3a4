//! Copies from and to memory of ring 3.
//!
//! Addresses come from programs and are not trusted: what is not in the user half, or cannot be brought, is `EFAULT`.
//! The copies may fault, and so sleep, where the caller may; elsewhere, and under
//! [`faults_off`](crate::sched::user::faults_off), they end at the first page that is missing.

use kapi::Errno;
use mm::VirtAddr;

use crate::arch::layout::USER_END;
use crate::arch::user_copy;

/// How many of `bytes` from `at` on are in the user half.
fn within(at: VirtAddr, bytes: usize) -> usize {
    USER_END.as_usize().saturating_sub(at.as_usize()).min(bytes)
}

/// Copies from ring 3 as far as that goes, and returns how many bytes did.
#[inline]
pub fn copy_from_some(at: VirtAddr, bytes: &mut [u8]) -> usize {
    let wanted = within(at, bytes.len());
    // SAFETY: the range in ring 3 is in the user half, and the kernel's is a slice that may be written.
    wanted - unsafe { user_copy::copy(bytes.as_mut_ptr().expose_provenance(), at.as_usize(), wanted) }
}

/// Copies to ring 3 as far as that goes, and returns how many bytes did.
#[inline]
pub fn copy_to_some(at: VirtAddr, bytes: &[u8]) -> usize {
    let wanted = within(at, bytes.len());
    // SAFETY: the range in ring 3 is in the user half, and the kernel's is a slice.
    wanted - unsafe { user_copy::copy(at.as_usize(), bytes.as_ptr().expose_provenance(), wanted) }
}

/// Fills `count` bytes of ring 3 with zeros as far as that goes, and returns how many were.
pub fn clear_some(at: VirtAddr, count: usize) -> usize {
    let wanted = within(at, count);
    // SAFETY: the range is in the user half.
    wanted - unsafe { user_copy::clear(at.as_usize(), wanted) }
}

/// Copies all of `bytes` from ring 3.
///
/// # Errors
/// `EFAULT`: a part may have been copied.
#[inline]
pub fn copy_from(at: VirtAddr, bytes: &mut [u8]) -> Result<(), Errno> {
    if copy_from_some(at, bytes) == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies all of `bytes` to ring 3.
///
/// # Errors
/// `EFAULT`: a part may have been copied.
#[inline]
pub fn copy_to(at: VirtAddr, bytes: &[u8]) -> Result<(), Errno> {
    if copy_to_some(at, bytes) == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Fills `count` bytes of ring 3 with zeros.
///
/// # Errors
/// `EFAULT`: a part may have been filled.
pub fn clear(at: VirtAddr, count: usize) -> Result<(), Errno> {
    if clear_some(at, count) == count { Ok(()) } else { Err(Errno::EFAULT) }
}

/// A value as programs have it in memory: numbers, and arrays of bytes.
pub trait Value: Copy {
    /// Its bytes.
    type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;

    /// The value that these bytes are.
    fn from_bytes(bytes: Self::Bytes) -> Self;

    /// The bytes of the value.
    fn to_bytes(self) -> Self::Bytes;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Value for $number {
            type Bytes = [u8; size_of::<$number>()];

            #[inline]
            fn from_bytes(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }

            #[inline]
            fn to_bytes(self) -> Self::Bytes {
                self.to_le_bytes()
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize, i32, i64);

/// Reads a value from ring 3.
///
/// # Errors
/// `EFAULT`.
#[inline]
pub fn read_value<T: Value>(at: VirtAddr) -> Result<T, Errno> {
    let mut bytes = T::Bytes::default();
    copy_from(at, bytes.as_mut())?;
    Ok(T::from_bytes(bytes))
}

/// Writes a value to ring 3.
///
/// # Errors
/// `EFAULT`.
#[inline]
pub fn write_value<T: Value>(at: VirtAddr, value: T) -> Result<(), Errno> {
    copy_to(at, value.to_bytes().as_ref())
}

/// Reads a string from ring 3 up to its end, a zero byte, into `bytes`; returns it without that. A page behind it need
/// not be there.
///
/// # Errors
/// `EFAULT` when a page is missing before the end, `ENAMETOOLONG` when it does not end within `bytes`.
pub fn read_string(at: VirtAddr, bytes: &mut [u8]) -> Result<&[u8], Errno> {
    let mut len = 0;
    while len < bytes.len() {
        // Not beyond the page: what comes behind the string may be missing.
        let from = at.checked_add(len).ok_or(Errno::EFAULT)?;
        let room = (mm::PAGE_SIZE - from.as_usize() % mm::PAGE_SIZE).min(bytes.len() - len);
        let chunk = &mut bytes[len..len + room];
        let copied = copy_from_some(from, chunk);
        if let Some(end) = chunk[..copied].iter().position(|&byte| byte == 0) {
            return Ok(&bytes[..len + end]);
        }
        if copied < room {
            return Err(Errno::EFAULT);
        }
        len += room;
    }
    Err(Errno::ENAMETOOLONG)
}
