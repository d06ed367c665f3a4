//! Kernel options about disks in memory: words of a command line.

use crate::number::{memparse, number};
use crate::options::OptionError;

/// What the command line says about disks in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskOptions {
    /// `ramdisk=SIZE,..`: disks of these sizes in RAM that `mem=` hides.
    pub ramdisk: SizeList,
    /// `ramdisk_latency=TICKS`: how long they take for an answer.
    pub latency: u64,
    /// `ramdisk_cache=SIZE`: so many bytes written to each are lost with the power until a flush.
    pub cache: u64,
    /// `ramdisk_bug=kernel|buffer`: their requests pass through a thread that allocates so.
    pub bug: Option<Bounce>,
    /// `nullb=SIZE,..`: disks of these sizes that keep nothing.
    pub nullb: SizeList,
}

/// How the thread allocates that requests pass through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bounce {
    /// With GFP_KERNEL, which may wait for the disk: the mistake.
    Kernel,
    /// With GFP_BUFFER, which does not.
    Buffer,
}

/// Sizes as they were given, kept inline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SizeList {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl SizeList {
    /// Bytes of the longest one.
    const MAX: usize = 100;
    /// Without a disk.
    pub const NONE: Self = Self { bytes: [0; Self::MAX], len: 0 };

    /// The list as it was given; `None` if it was not.
    pub fn get(&self) -> Option<&str> {
        let given = &self.bytes[..self.len];
        // `read` had it as text.
        if given.is_empty() { None } else { core::str::from_utf8(given).ok() }
    }

    /// A list of sizes none of which is 0.
    fn read(list: &str) -> Result<Self, OptionError> {
        if list.is_empty() {
            return Err(OptionError::Empty);
        }
        for size in list.split(',') {
            if memparse(size)? == 0 {
                return Err(OptionError::BadValue);
            }
        }
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..list.len()).ok_or(OptionError::TooLarge)?.copy_from_slice(list.as_bytes());
        Ok(Self { bytes, len: list.len() })
    }
}

impl DiskOptions {
    /// What holds where the command line says nothing.
    pub const DEFAULT: Self = Self { ramdisk: SizeList::NONE, latency: 1, cache: 0, bug: None, nullb: SizeList::NONE };

    /// Obeys one word. A word that is refused changes nothing.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        match name {
            "ramdisk" => self.ramdisk = SizeList::read(value)?,
            "ramdisk_latency" => self.latency = number(value)?,
            "ramdisk_cache" => self.cache = memparse(value)?,
            "ramdisk_bug" => self.bug = Some(bounce(value)?),
            "nullb" => self.nullb = SizeList::read(value)?,
            _ => return Err(OptionError::Unknown),
        }
        Ok(())
    }
}

fn bounce(value: &str) -> Result<Bounce, OptionError> {
    match value {
        "kernel" => Ok(Bounce::Kernel),
        "buffer" => Ok(Bounce::Buffer),
        "" => Err(OptionError::Empty),
        _ => Err(OptionError::BadValue),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounce, DiskOptions, OptionError};

    #[test]
    fn words_about_disks_are_obeyed_or_refused() {
        let mut options = DiskOptions::DEFAULT;
        for (name, value) in [
            ("ramdisk", "64M,512"),
            ("ramdisk_latency", "0"),
            ("ramdisk_cache", "1M"),
            ("ramdisk_bug", "buffer"),
            ("nullb", "1G"),
        ] {
            assert_eq!(options.set(name, value), Ok(()), "{name}={value}");
        }
        assert_eq!((options.ramdisk.get(), options.nullb.get()), (Some("64M,512"), Some("1G")));
        assert_eq!((options.latency, options.cache, options.bug), (0, 1 << 20, Some(Bounce::Buffer)));
        let before = options;
        for (name, value, error) in [
            ("ramdisk", "", OptionError::Empty),
            ("ramdisk", "0", OptionError::BadValue),
            ("ramdisk", "1M,", OptionError::Empty),
            ("nullb", "x", OptionError::BadValue),
            ("ramdisk_bug", "user", OptionError::BadValue),
            ("ramdisk_latency", "-1", OptionError::BadValue),
            ("ramdisks", "1M", OptionError::Unknown),
        ] {
            assert_eq!(options.set(name, value), Err(error), "{name}={value}");
        }
        assert_eq!(options.set("ramdisk", &"1M,".repeat(34)), Err(OptionError::Empty));
        assert_eq!(options.set("ramdisk", &["1M"; 34].join(",")), Err(OptionError::TooLarge));
        assert_eq!(options, before);
    }
}
