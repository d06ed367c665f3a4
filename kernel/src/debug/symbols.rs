//! From an address to a function's name, from a name's hash to an address.
//!
//! The image builder writes the table of `loader::Ksyms` into the segment between `__symbols_start` and
//! `__symbols_end` (kernel.ld). An image that was not post-processed has an empty one; every lookup then finds nothing.

use alloc::sync::Arc;
use core::fmt;
use core::slice;

use loader::{Exports, Ksyms};
use x86_64::VirtAddr;

use super::loaded::{self, Code};

unsafe extern "C" {
    static __kernel_start: u8;
    static __text_end: u8;
    static __symbols_start: u8;
    static __symbols_end: u8;
}

/// A place in a function, by its name.
#[derive(Clone)]
pub struct Place {
    function: Function,
    /// Bytes from the function's start.
    pub offset: usize,
}

#[derive(Clone)]
enum Function {
    Kernel(&'static str),
    /// The one that the code's byte with this number belongs to.
    Module(Arc<dyn Code>, u32),
}

/// The function that `address` lies in. Any context.
pub fn lookup(address: VirtAddr) -> Option<Place> {
    let start = VirtAddr::from_ptr(&raw const __kernel_start);
    let end = VirtAddr::from_ptr(&raw const __text_end);
    if address < start || address >= end {
        return in_module(address);
    }
    let offset = u32::try_from(address - start).ok()?;
    let (begin, name) = Ksyms::parse(section())?.find(offset)?;
    Some(Place { function: Function::Kernel(name), offset: usize::try_from(offset - begin).ok()? })
}

fn in_module(address: VirtAddr) -> Option<Place> {
    let code = loaded::find(address)?;
    let at = u32::try_from(address - code.range().start).ok()?;
    let begin = code.function(at).map_or(0, |(begin, _)| begin);
    Some(Place { function: Function::Module(code, at), offset: usize::try_from(at - begin).ok()? })
}

impl Place {
    /// The function's name; that of the module's code, where no function is known.
    pub fn name(&self) -> &str {
        match &self.function {
            Function::Kernel(name) => name,
            Function::Module(code, at) => code.function(*at).map_or(".text", |(_, name)| name),
        }
    }

    /// The module whose code it is; `None` for the kernel's own.
    pub fn module(&self) -> Option<&str> {
        match &self.function {
            Function::Kernel(_) => None,
            Function::Module(code, _) => Some(code.module()),
        }
    }

    /// Takes note that a thread died of what is done here.
    pub fn blame(&self) {
        if let Function::Module(code, _) = &self.function {
            code.blame();
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.name(), self.offset)?;
        self.module().map_or(Ok(()), |module| write!(f, " [{module}]"))
    }
}

/// The names of the kernel's own functions, by rising address.
pub fn of_kernel() -> impl Iterator<Item = (VirtAddr, &'static str)> {
    let start = VirtAddr::from_ptr(&raw const __kernel_start);
    let names = Ksyms::parse(section()).into_iter().flat_map(|names| names.iter());
    names.map(move |(offset, name)| (start + u64::from(offset), name))
}

/// What of the image may be linked to, by the hashes of names.
pub fn exports() -> Option<Exports<'static>> {
    let (_, rest) = Ksyms::split(section())?;
    Exports::parse(rest)
}

/// The image's address that an offset in [`exports`] stands for.
pub fn exported(offset: u32) -> VirtAddr {
    VirtAddr::from_ptr(&raw const __kernel_start) + u64::from(offset)
}

/// The bytes between the linker's two marks.
fn section() -> &'static [u8] {
    let start = &raw const __symbols_start;
    let len = (&raw const __symbols_end).addr() - start.addr();
    // SAFETY: the linker script reserves exactly this range; it is mapped read-only and never changes.
    unsafe { slice::from_raw_parts(start, len) }
}
