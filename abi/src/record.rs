//! Structures of programs, written and read as bytes.
//!
//! `record!` gives a structure of `linux-raw-sys` as an array of bytes: fields that are not named are zero, and so
//! is the padding, which would tell a program what else was in the kernel's memory. `field!` reads one field.

/// What fields of structures are made of.
pub trait Scalar: Sized {
    /// Writes the value to `into`, which has its size, as the processor stores it.
    fn store(&self, into: &mut [u8]);
}

/// A [`Scalar`] that can be read back.
pub trait Load: Scalar {
    /// The value that is stored in `from`, which has its size.
    fn load(from: &[u8]) -> Self;
}

macro_rules! scalars {
    ($($int:ty),*) => {$(
        impl Scalar for $int {
            fn store(&self, into: &mut [u8]) {
                into.copy_from_slice(&self.to_le_bytes());
            }
        }

        impl Load for $int {
            fn load(from: &[u8]) -> Self {
                let mut bytes = [0; size_of::<$int>()];
                bytes.copy_from_slice(from);
                Self::from_le_bytes(bytes)
            }
        }
    )*};
}

scalars!(u8, i8, u16, i16, u32, i32, u64, i64);

impl<T: Scalar, const N: usize> Scalar for [T; N] {
    fn store(&self, into: &mut [u8]) {
        for (item, bytes) in self.iter().zip(into.chunks_exact_mut(size_of::<T>())) {
            item.store(bytes);
        }
    }
}

/// Writes the value of a field at `offset`; `record!` calls it.
pub fn put<T: Scalar>(into: &mut [u8], offset: usize, value: &T) {
    value.store(&mut into[offset..offset + size_of::<T>()]);
}

/// Reads the value of a field at `offset`; `field!` calls it. `_of` only says what type it has.
pub fn get<S, T: Load>(from: &[u8], offset: usize, _of: fn(&S) -> T) -> T {
    T::load(&from[offset..offset + size_of::<T>()])
}

/// Two numbers of 64 bits, which many structures are: a time, a buffer, a limit.
pub fn pair(bytes: &[u8; 16]) -> (u64, u64) {
    (u64::load(&bytes[..8]), u64::load(&bytes[8..]))
}

/// A structure's bytes: `record!(timespec { tv_sec: 1, tv_nsec: 0 })`. What is not named is zero.
#[macro_export]
macro_rules! record {
    ($record:ty { $($field:ident: $value:expr),* $(,)? }) => {{
        let mut bytes = [0u8; size_of::<$record>()];
        $({
            let value = $value;
            // The compiler checks the field's type here.
            let _ = |record: &mut $record| record.$field = value;
            $crate::record::put(&mut bytes, core::mem::offset_of!($record, $field), &value);
        })*
        bytes
    }};
}

/// A field of a structure in bytes: `field!(bytes, timespec, tv_sec)`. The bytes must be as many as the structure's.
#[macro_export]
macro_rules! field {
    ($bytes:expr, $record:ty, $field:ident) => {
        $crate::record::get::<$record, _>(&$bytes[..], core::mem::offset_of!($record, $field), |record| record.$field)
    };
}

#[cfg(test)]
mod tests {
    use linux_raw_sys::general::{stat, timespec};
    use linux_raw_sys::system::sysinfo;

    #[test]
    fn fields_lie_where_programs_look_for_them() {
        let bytes = record!(stat { st_dev: 1, st_mode: 0o100_644, st_size: 5, st_blocks: 8 });
        assert_eq!(bytes.len(), 144);
        assert_eq!(bytes[24..28], 0o100_644u32.to_le_bytes());
        assert_eq!(bytes[48..56], 5i64.to_le_bytes());
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 5);
    }

    #[test]
    fn padding_is_zero() {
        let bytes = record!(sysinfo { procs: u16::MAX, totalhigh: u64::MAX, mem_unit: u32::MAX });
        assert_eq!(bytes.len(), 112);
        assert_eq!(bytes[82..88], [0; 6]);
        assert_eq!(bytes[108..], [0; 4]);
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = record!(timespec { tv_sec: -3, tv_nsec: 7 });
        assert_eq!((field!(bytes, timespec, tv_sec), field!(bytes, timespec, tv_nsec)), (-3, 7));
    }
}
