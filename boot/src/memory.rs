//! The guest's memory, and how much of it the initial files may take.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::firmware::Firmware;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// What x86_64 processors of QEMU can address.
const MOST: u64 = 1 << 40;

/// The BIOS stages have the files below the devices at the end of the first 4 GiB.
const BIOS_REACH: u64 = 2 << 30;

/// An amount of memory that a machine can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    text: String,
    bytes: u64,
}

impl Memory {
    /// Reads an amount such as `24M` or `2G`; refuses what the firmware and the bootloader cannot work with.
    pub fn new(text: &str, firmware: Firmware) -> Result<Self> {
        let digits = text.trim_end_matches(|unit: char| !unit.is_ascii_digit());
        let shift = match &text[digits.len()..] {
            "K" | "k" => 10,
            "M" | "m" => 20,
            "G" | "g" => 30,
            "T" | "t" => 40,
            "" if digits.bytes().any(|digit| digit != b'0') => {
                bail!("MEM={text} has no unit: write {text}M or {text}G")
            }
            _ => bail!("MEM={text} is not an amount of memory: write 128M or 2G"),
        };
        let Ok(count) = digits.parse::<u64>() else {
            bail!("MEM={text} is not an amount of memory: write 128M or 2G");
        };
        let bytes = count.saturating_mul(1 << shift);
        let (least, who) = match firmware {
            Firmware::Bios => (24 * MIB, "the bootloader"),
            Firmware::Uefi => (48 * MIB, "the UEFI firmware"),
        };
        if bytes < least {
            bail!("MEM={text} is too small: {who} needs at least {}M", least / MIB);
        }
        if bytes > MOST {
            bail!("MEM={text} is too large: a machine has at most {}G", MOST >> 30);
        }
        Ok(Self { text: text.to_owned(), bytes })
    }

    /// Bytes of initial files that a machine with so much memory boots with, beside a kernel that takes `kernel` bytes.
    pub fn room_for_files(&self, firmware: Firmware, kernel: u64) -> u64 {
        let left_by = |others: u64| self.bytes.saturating_sub(others).saturating_sub(kernel);
        match firmware {
            // The bootloader puts the kernel at 16 MiB, the files behind it, and then its page tables of 4.3 MiB.
            Firmware::Bios => left_by(16 * MIB + 4608 * KIB).min(BIOS_REACH),
            // The firmware's own pages lie in between, so in a small machine only a part of the memory is in one piece.
            // Measured, between 48 MiB and 512 MiB.
            Firmware::Uefi => (left_by(42 * MIB) / 5 * 2).max(left_by(94 * MIB)),
        }
    }
}

/// About how long the bootloader reads so many bytes of initial files, under emulation.
pub fn loading_time(firmware: Firmware, bytes: usize) -> Duration {
    let milliseconds_per_mib = match firmware {
        Firmware::Bios => 5000,
        Firmware::Uefi => 100,
    };
    Duration::from_millis((bytes as u64 * milliseconds_per_mib) >> 20)
}

/// In QEMU's notation.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use crate::firmware::Firmware;

    fn refusal(text: &str, firmware: Firmware) -> String {
        Memory::new(text, firmware).expect_err("refused").to_string()
    }

    #[test]
    fn memory_below_the_firmwares_need_is_refused() {
        assert!(Memory::new("24M", Firmware::Bios).is_ok() && Memory::new("48M", Firmware::Uefi).is_ok());
        assert_eq!(refusal("23M", Firmware::Bios), "MEM=23M is too small: the bootloader needs at least 24M");
        assert_eq!(refusal("24M", Firmware::Uefi), "MEM=24M is too small: the UEFI firmware needs at least 48M");
        assert_eq!(refusal("64K", Firmware::Bios), "MEM=64K is too small: the bootloader needs at least 24M");
        assert_eq!(refusal("2T", Firmware::Bios), "MEM=2T is too large: a machine has at most 1024G");
        assert!(refusal("99999999999999999999G", Firmware::Bios).contains("write 128M or 2G"));
    }

    /// Room beside a kernel of 1440 KiB, in KiB.
    fn room(text: &str, firmware: Firmware) -> u64 {
        Memory::new(text, firmware).expect("enough").room_for_files(firmware, 1440 << 10) >> 10
    }

    #[test]
    fn room_for_initial_files_is_what_was_seen_to_boot() {
        // What booted, and what did not, in KiB.
        let seen = [
            ("24M", Firmware::Bios, 1900, 2500),
            ("48M", Firmware::Uefi, 1500, 2500),
            ("64M", Firmware::Uefi, 8000, 10500),
            ("96M", Firmware::Uefi, 20000, 30000),
            ("128M", Firmware::Uefi, 33000, 40000),
            ("192M", Firmware::Uefi, 97000, 120000),
            ("256M", Firmware::Uefi, 160000, 200000),
            ("512M", Firmware::Uefi, 400000, 450000),
        ];
        for (text, firmware, good, bad) in seen {
            let room = room(text, firmware);
            assert!((good..bad).contains(&room), "{text}: {room}");
        }
    }

    #[test]
    fn an_amount_needs_a_unit() {
        assert_eq!(refusal("128", Firmware::Bios), "MEM=128 has no unit: write 128M or 128G");
        for text in ["lots", "", "0", "M", "1.5G", "128MB", "-64M", "64 M", "0x40M", "\u{e4}"] {
            assert!(refusal(text, Firmware::Bios).ends_with("is not an amount of memory: write 128M or 2G"), "{text}");
        }
    }
}
