//! QEMU's configuration device: files handed in from the host.
//!
//! The kernel reads its command line (`opt/scullery/cmdline`), a script (`opt/scullery/script`), what the console is
//! connected to (`opt/scullery/console`: `tty 24 80` or `pipe`) and the initial files (`opt/scullery/rootfs`).
//!
//! There are two ways to read. By ports, a byte an access, from the first moment on and into any memory. And by DMA,
//! once somebody has given a [`Descriptor`] for it ([`enable_dma`]): a request costs two port accesses, however long it
//! is, and is done when the second one returns. The device has one selector and one read position; all calls here share
//! them under one lock, and may come from any context.

use core::mem::offset_of;
use core::sync::atomic::{Ordering, compiler_fence};

use mm::{PhysAddr, VirtAddr};
use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};

use crate::arch::layout::{Area, DIRECT_MAP};
use crate::sync::SpinLock;

const SELECTOR_PORT: u16 = 0x510;
const DATA_PORT: u16 = 0x511;
/// Two words, the high one first; writing the low one starts a request.
const DMA_PORTS: [u16; 2] = [0x514, 0x518];

const KEY_SIGNATURE: u16 = 0x0000;
const KEY_FEATURES: u16 = 0x0001;
const KEY_DIRECTORY: u16 = 0x0019;
const SIGNATURE: [u8; 4] = *b"QEMU";
/// Bit of the features: it does DMA.
const FEATURE_DMA: u8 = 1 << 1;

/// Bits of a request's control word. When it is done, all are 0 but for the first.
const ERROR: u32 = 1 << 0;
const READ: u32 = 1 << 1;
const SKIP: u32 = 1 << 2;
const SELECT: u32 = 1 << 3;
const KEY_SHIFT: u32 = 16;

/// Longest file name in the directory, its terminating zero included.
const NAME_LEN: usize = 56;
/// A directory entry: size (big endian, 4 bytes), key (big endian, 2), reserved (2), name.
const ENTRY_LEN: usize = 8 + NAME_LEN;

/// Name of the file that holds the kernel's command line.
pub const COMMAND_LINE: &str = "opt/scullery/cmdline";
/// Name of the file that holds the script to run instead of reading the console.
pub const SCRIPT: &str = "opt/scullery/script";
/// Name of the file that says what the console is connected to: `tty`, with rows and columns, or `pipe`.
pub const CONSOLE: &str = "opt/scullery/console";
/// Name of the file that is the archive of the initial files.
pub const ROOTFS: &str = "opt/scullery/rootfs";

/// A file of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRef {
    /// Its length in bytes.
    pub size: u32,
    key: u16,
}

/// The device refused a request, or could not carry it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaError;

/// What a request by DMA is written down in. All words are big endian.
#[derive(Debug, Default)]
#[repr(C, align(16))]
pub struct Descriptor {
    control: [u8; 4],
    length: [u8; 4],
    address: [u8; 8],
}

/// What is known of the device.
enum Presence {
    Unknown,
    Absent,
    Present,
}

/// The device, and where its read position stands.
struct Device {
    presence: Presence,
    /// What is selected; nothing after a request that failed.
    key: Option<u16>,
    position: u32,
    dma: Option<&'static mut Descriptor>,
}

static DEVICE: SpinLock<Device> =
    SpinLock::new(Device { presence: Presence::Unknown, key: None, position: 0, dma: None });

/// Looks a file up by its whole name; `None` also on a machine that is not QEMU's.
pub fn file(name: &str) -> Option<FileRef> {
    DEVICE.with(|device| device.file(name))
}

/// Reads from `offset` (bytes) of a file into `buffer`, by ports; returns the bytes read, 0 at the file's end.
pub fn read_at(file: FileRef, offset: u32, buffer: &mut [u8]) -> usize {
    DEVICE.with(|device| device.read_at(file, offset, buffer))
}

/// Reads the kernel's command line, as much as the buffer takes; how many bytes that are, and of how many. `None` if
/// none was given.
pub fn command_line(buffer: &mut [u8]) -> Option<(usize, usize)> {
    let file = file(COMMAND_LINE)?;
    Some((read_at(file, 0, buffer), file.size as usize))
}

/// Has requests by DMA written down in `descriptor`, which lies in the direct map. Says whether the device does DMA.
pub fn enable_dma(descriptor: &'static mut Descriptor) -> bool {
    DEVICE.with(|device| {
        let can = device.is_present() && device.features() & FEATURE_DMA != 0;
        if can && Area::of(VirtAddr::from_ptr(descriptor)) == Area::DirectMap {
            device.dma = Some(descriptor);
        }
        device.dma.is_some()
    })
}

/// Whether [`read_dma`] works. Any context.
pub fn has_dma() -> bool {
    DEVICE.with(|device| device.dma.is_some())
}

/// Reads `length` bytes from `offset` of a file to physical memory, by DMA.
///
/// # Errors
/// There is no DMA, the file ends before, or the device could not do it; then `to` may have been written in part.
///
/// # Safety
/// The memory at `to` is RAM that nobody else uses, and that may hold any bytes.
pub unsafe fn read_dma(file: FileRef, offset: u32, to: PhysAddr, length: u32) -> Result<(), DmaError> {
    if offset.checked_add(length).is_none_or(|end| end > file.size) {
        return Err(DmaError);
    }
    DEVICE.with(|device| {
        device.seek(file.key, offset);
        device.request(READ, length, to)
    })
}

impl Device {
    fn is_present(&mut self) -> bool {
        if matches!(self.presence, Presence::Unknown) {
            self.select(KEY_SIGNATURE);
            let mut signature = [0; SIGNATURE.len()];
            self.read(&mut signature);
            self.presence = if signature == SIGNATURE { Presence::Present } else { Presence::Absent };
        }
        matches!(self.presence, Presence::Present)
    }

    fn features(&mut self) -> u8 {
        self.select(KEY_FEATURES);
        self.read_byte()
    }

    fn file(&mut self, name: &str) -> Option<FileRef> {
        if !self.is_present() {
            return None;
        }
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

    fn read_at(&mut self, file: FileRef, offset: u32, buffer: &mut [u8]) -> usize {
        let left = file.size.saturating_sub(offset);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.seek(file.key, offset);
        self.read(&mut buffer[..count]);
        count
    }

    /// Moves the read position; without DMA at the price of a read per byte skipped.
    fn seek(&mut self, key: u16, offset: u32) {
        if self.key == Some(key) && self.position == offset {
            return;
        }
        let skip = u32::from(key) << KEY_SHIFT | SELECT | SKIP;
        if self.request(skip, offset, PhysAddr::new(0)).is_ok() {
            (self.key, self.position) = (Some(key), offset);
            return;
        }
        if self.key != Some(key) || self.position > offset {
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
        (self.key, self.position) = (Some(key), 0);
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

    /// Carries a request out. What it reads goes to memory that the caller vouches for.
    fn request(&mut self, control: u32, length: u32, address: PhysAddr) -> Result<(), DmaError> {
        let descriptor = self.dma.as_deref_mut().ok_or(DmaError)?;
        *descriptor = Descriptor {
            control: control.to_be_bytes(),
            length: length.to_be_bytes(),
            address: address.as_u64().to_be_bytes(),
        };
        let at = (VirtAddr::from_ptr(descriptor).as_usize() - DIRECT_MAP.as_usize()) as u64;
        // The device reads the descriptor, and writes it and the memory, behind the compiler's back.
        compiler_fence(Ordering::SeqCst);
        for (port, word) in DMA_PORTS.into_iter().zip([(at >> 32) as u32, at as u32]) {
            let mut port = PortWriteOnly::<u32>::new(port);
            // SAFETY: the descriptor is whole, and the memory that it names is the caller's to write.
            unsafe { port.write(word.to_be()) };
        }
        compiler_fence(Ordering::SeqCst);
        self.position = self.position.wrapping_add(length);
        match self.settled() {
            Some(0) => Ok(()),
            // Where it stands now is unknown.
            _ => {
                self.key = None;
                Err(DmaError)
            }
        }
    }

    /// The control word of a request that is done; `None` if the device never says so.
    fn settled(&mut self) -> Option<u32> {
        let control = &raw const self.dma.as_deref_mut()?.control;
        // QEMU is done when the port's write returns; another device may take a while.
        (0..PATIENCE).find_map(|_| {
            // SAFETY: the descriptor is there for good.
            let control = u32::from_be_bytes(unsafe { control.read_volatile() });
            (control & !ERROR == 0).then_some(control)
        })
    }
}

/// Looks at a request that is not done, after which the device is given up.
const PATIENCE: u32 = 1_000_000;

/// As the device expects them.
const _: () = assert!(offset_of!(Descriptor, length) == 4 && offset_of!(Descriptor, address) == 8);

fn trim_at_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}
