//! Memory that commands ask for.

use mm::own::{Buffer, KBytes, VmArea};
use mm::{AllocError, GfpFlags, PAGE_SIZE};

use crate::mm::Kernel;

/// Memory for a command: from kmalloc, or from vmalloc where kmalloc has no piece so large.
pub enum CommandBuffer {
    /// At most a page.
    Small(KBytes<Kernel>),
    /// Whole pages, wherever they are.
    Large(VmArea<Kernel>),
}

impl CommandBuffer {
    /// `bytes` of memory, at least. May sleep.
    pub fn new(bytes: usize) -> Result<Self, AllocError> {
        if bytes <= PAGE_SIZE {
            KBytes::new(bytes, GfpFlags::KERNEL).map(Self::Small)
        } else {
            VmArea::new(bytes).map(Self::Large)
        }
    }
}

impl AsRef<[u8]> for CommandBuffer {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes.bytes(),
            Self::Large(area) => area.bytes(),
        }
    }
}

impl AsMut<[u8]> for CommandBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes) => bytes.bytes_mut(),
            Self::Large(area) => area.bytes_mut(),
        }
    }
}
