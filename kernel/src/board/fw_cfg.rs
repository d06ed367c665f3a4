//! QEMU's configuration device: small files handed in from the host.
//!
//! The kernel reads its command line (`opt/scullery/cmdline`), a script (`opt/scullery/script`) and what the
//! console is connected to (`opt/scullery/console`: `tty` or `pipe`). The device has one selector and one
//! read position, so an [`FwCfg`] that several threads use needs a lock.
//!
//! Reading on in one file costs one port access a byte; going back starts again at the file's first byte.

use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};

const SELECTOR_PORT: u16 = 0x510;
const DATA_PORT: u16 = 0x511;

const KEY_SIGNATURE: u16 = 0x0000;
const KEY_DIRECTORY: u16 = 0x0019;
const SIGNATURE: [u8; 4] = *b"QEMU";

/// Longest file name in the directory, its terminating zero included.
const NAME_LEN: usize = 56;
/// A directory entry: size (big endian, 4 bytes), key (big endian, 2), reserved (2), name.
const ENTRY_LEN: usize = 8 + NAME_LEN;

/// Name of the file that holds the kernel's command line.
pub const COMMAND_LINE: &str = "opt/scullery/cmdline";
/// Name of the file that holds the script to run instead of reading the console.
pub const SCRIPT: &str = "opt/scullery/script";
/// Name of the file that says what the console is connected to: `tty` or `pipe`.
pub const CONSOLE: &str = "opt/scullery/console";

/// A file of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRef {
    /// Its length in bytes.
    pub size: u32,
    key: u16,
}

/// The device, and where its read position stands.
#[derive(Debug)]
pub struct FwCfg {
    key: u16,
    position: u32,
}

impl FwCfg {
    /// Finds the device; `None` on a machine that is not QEMU's.
    pub fn probe() -> Option<Self> {
        let mut device = Self { key: KEY_SIGNATURE, position: 0 };
        device.select(KEY_SIGNATURE);
        let mut signature = [0; SIGNATURE.len()];
        device.read(&mut signature);
        (signature == SIGNATURE).then_some(device)
    }

    /// Looks a file up by its whole name.
    pub fn file(&mut self, name: &str) -> Option<FileRef> {
        self.select(KEY_DIRECTORY);
        let mut count = [0; 4];
        self.read(&mut count);
        for _ in 0..u32::from_be_bytes(count) {
            let mut entry = [0; ENTRY_LEN];
            self.read(&mut entry);
            let (head, entry_name) = entry.split_at(8);
            if trim_at_zero(entry_name) == name.as_bytes() {
                return Some(FileRef {
                    size: u32::from_be_bytes([head[0], head[1], head[2], head[3]]),
                    key: u16::from_be_bytes([head[4], head[5]]),
                });
            }
        }
        None
    }

    /// Reads from `offset` (bytes) of a file into `buffer`; returns the bytes read, 0 at the file's end.
    pub fn read_at(&mut self, file: FileRef, offset: u32, buffer: &mut [u8]) -> usize {
        let left = file.size.saturating_sub(offset);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.seek(file.key, offset);
        self.read(&mut buffer[..count]);
        count
    }

    /// Reads the kernel's command line, as much as the buffer takes; how many bytes that are, and of how many. `None`
    /// if none was given.
    pub fn command_line(&mut self, buffer: &mut [u8]) -> Option<(usize, usize)> {
        let file = self.file(COMMAND_LINE)?;
        Some((self.read_at(file, 0, buffer), file.size as usize))
    }

    /// Moves the read position, at the price of a read per byte skipped.
    fn seek(&mut self, key: u16, offset: u32) {
        if self.key != key || self.position > offset {
            self.select(key);
        }
        while self.position < offset {
            self.read_byte();
        }
    }

    fn select(&mut self, key: u16) {
        let mut port = PortWriteOnly::<u16>::new(SELECTOR_PORT);
        // SAFETY: choosing an item only moves the device's read position; no other code uses the port.
        unsafe { port.write(key) };
        self.key = key;
        self.position = 0;
    }

    fn read(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.read_byte();
        }
    }

    fn read_byte(&mut self) -> u8 {
        let mut port = PortReadOnly::<u8>::new(DATA_PORT);
        // SAFETY: reading only moves the device's read position; no other code uses the port.
        let byte = unsafe { port.read() };
        self.position = self.position.wrapping_add(1);
        byte
    }
}

fn trim_at_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}
