//! What reports know of a module's code.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use kapi::Errno;
use loader::Ksyms;
use mm::GfpFlags;
use x86_64::VirtAddr;

use super::refused::Refused;
use crate::debug::loaded::{self, Code};
use crate::mm::{KString, KVec, SealedArea};

/// Code that runs, known to reports as long as this lives.
pub(super) struct Text {
    known: Arc<Known>,
    // Behind what refers to it.
    _area: SealedArea,
}

struct Known {
    range: Range<VirtAddr>,
    module: KString,
    /// The table of `loader::Ksyms`; empty for none.
    symbols: KVec<u8>,
    is_broken: AtomicBool,
}

impl Text {
    /// Makes `area`, code of `module` with this table of symbols, known.
    pub(super) fn new(area: SealedArea, module: &str, symbols: &[u8]) -> Result<Self, Refused> {
        let start = VirtAddr::new_truncate(area.addr().as_usize() as u64);
        let mut table = KVec::with_capacity(symbols.len(), GfpFlags::KERNEL)?;
        table.extend_from_slice(symbols, GfpFlags::KERNEL)?;
        let known = Known {
            range: start..start + area.len() as u64,
            module: KString::from_str(module, GfpFlags::KERNEL)?,
            symbols: table,
            is_broken: AtomicBool::new(false),
        };
        let known = Arc::try_new(known).map_err(|_| Errno::ENOMEM)?;
        let too_many = |_| Refused::said(Errno::ENFILE, format_args!("too many modules are loaded"));
        loaded::add(known.clone()).map_err(too_many)?;
        Ok(Self { known, _area: area })
    }

    /// Whether a thread died of what this code did.
    pub(super) fn is_broken(&self) -> bool {
        self.known.is_broken.load(Relaxed)
    }

    /// Its first address.
    pub(super) fn start(&self) -> VirtAddr {
        self.known.range.start
    }

    /// Its addresses, as the allocators have them.
    pub(super) fn range(&self) -> Range<mm::VirtAddr> {
        let Range { start, end } = self.known.range;
        mm::VirtAddr::new(start.as_u64() as usize)..mm::VirtAddr::new(end.as_u64() as usize)
    }

    /// Its functions, by rising address.
    pub(super) fn functions(&self) -> impl Iterator<Item = (VirtAddr, &str)> {
        let names = Ksyms::parse(&self.known.symbols).into_iter().flat_map(|names| names.iter());
        names.map(|(offset, name)| (self.start() + u64::from(offset), name))
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        loaded::remove(self.known.range.start);
    }
}

impl Code for Known {
    fn range(&self) -> Range<VirtAddr> {
        self.range.clone()
    }

    fn module(&self) -> &str {
        &self.module
    }

    fn function(&self, offset: u32) -> Option<(u32, &str)> {
        Ksyms::parse(&self.symbols)?.find(offset)
    }

    fn blame(&self) {
        self.is_broken.store(true, Relaxed);
    }
}
