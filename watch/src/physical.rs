//! The guest's physical memory: a file of the host's.
//!
//! Key types: [`Physical`], [`Ram`]. Reading copies, so nothing that the guest does meanwhile can harm who reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::unistd::{Whence, lseek};

/// An address outside of the guest's memory, or a file that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outside;

/// Bytes at physical addresses.
pub trait Physical {
    /// Address behind the last byte.
    fn end(&self) -> u64;

    /// Copies what is at `at` and behind.
    ///
    /// # Errors
    /// A part of it is no memory; what `into` has then is undefined.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Outside>;

    /// The first address from `at` on that was ever written to, or a little before it; `None` if there is none.
    fn next_written(&self, at: u64) -> Option<u64> {
        (at < self.end()).then_some(at)
    }

    /// The word at `at`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn word(&self, at: u64) -> Result<u64, Outside> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// From so much memory on QEMU's PC has what does not fit below 4 GiB above that.
const LARGE: u64 = 0xe000_0000;
/// How much such a machine has below.
const LOW: u64 = 0xc000_0000;
/// Where the rest of it starts.
const HIGH_START: u64 = 1 << 32;

/// The file that a machine of QEMU's has as its memory.
pub struct Ram {
    file: File,
}

impl Ram {
    /// The memory in `file`, which QEMU makes as long as it needs.
    pub fn new(file: File) -> Self {
        Self { file }
    }

    /// Bytes of memory; 0 while there is no machine.
    fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// The place in the file of a physical address, and how many bytes follow it there.
    fn place(&self, at: u64) -> Option<(u64, u64)> {
        let bytes = self.bytes();
        let low = if bytes >= LARGE { LOW } else { bytes };
        if at < low {
            return Some((at, low - at));
        }
        let place = at.checked_sub(HIGH_START)?.checked_add(low)?;
        (place < bytes).then(|| (place, bytes - place))
    }
}

impl Physical for Ram {
    fn end(&self) -> u64 {
        let bytes = self.bytes();
        if bytes >= LARGE { HIGH_START + (bytes - LOW) } else { bytes }
    }

    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Outside> {
        let (place, bytes) = self.place(at).ok_or(Outside)?;
        if (into.len() as u64) > bytes {
            return Err(Outside);
        }
        self.file.read_exact_at(into, place).map_err(|_: io::Error| Outside)
    }

    fn next_written(&self, at: u64) -> Option<u64> {
        // Only the low part of a large machine has holes that are worth leaving out.
        let Some((place, _)) = self.place(at) else {
            return (at < HIGH_START && HIGH_START < self.end()).then_some(HIGH_START);
        };
        let found = lseek(&self.file, i64::try_from(place).ok()?, Whence::SeekData).ok()?;
        at.checked_add(u64::try_from(found).ok()?.checked_sub(place)?)
    }
}

impl Physical for Vec<u8> {
    fn end(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Outside> {
        let start = usize::try_from(at).map_err(|_| Outside)?;
        let end = start.checked_add(into.len()).ok_or(Outside)?;
        into.copy_from_slice(self.get(start..end).ok_or(Outside)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::{File, FileExt, HIGH_START, LOW, Outside, Physical, Ram};

    fn machine(bytes: u64) -> Ram {
        let file = File::from(memfd_create("ram", MFdFlags::MFD_CLOEXEC).expect("a file"));
        file.set_len(bytes).expect("a hole");
        Ram::new(file)
    }

    #[test]
    fn memory_above_4_gib_follows_the_low_part() {
        let ram = machine(4 << 30);
        ram.file.write_all_at(&[1, 2, 3, 4, 5, 6, 7, 8], LOW).expect("room");
        assert_eq!(ram.word(HIGH_START), Ok(0x0807_0605_0403_0201));
        assert_eq!((ram.word(LOW), ram.word(LOW - 8)), (Err(Outside), Ok(0)));
        assert_eq!((ram.end(), ram.next_written(LOW)), (HIGH_START + (1 << 30), Some(HIGH_START)));
    }

    #[test]
    fn nothing_outside_is_read() {
        let ram = machine(1 << 20);
        for at in [1 << 20, (1 << 20) - 4, u64::MAX, u64::MAX - 7, HIGH_START] {
            assert_eq!(ram.word(at), Err(Outside), "{at:x}");
        }
        assert_eq!(machine(0).word(0), Err(Outside));
    }

    #[test]
    fn holes_are_left_out() {
        let ram = machine(64 << 20);
        assert_eq!(ram.next_written(0), None);
        ram.file.write_all_at(&[1], 33 << 20).expect("room");
        assert_eq!(ram.next_written(0), Some(33 << 20));
    }
}
