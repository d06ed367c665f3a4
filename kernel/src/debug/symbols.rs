//! The kernel's own symbol table: from an address to a function's name.
//!
//! The image builder writes the table into the segment between `__symbols_start` and `__symbols_end`
//! (kernel.ld). All numbers are little endian:
//!
//! - header: the bytes `KSYM`, the number of entries (u32), the length of the names in bytes (u32)
//! - entries, sorted: the function's offset from `__kernel_start` (u32), its name's place in the names (u32)
//! - names: a length byte, then that many bytes of ASCII
//!
//! An image that was not post-processed has an empty table; every lookup then finds nothing.

use core::slice;
use core::str;

use x86_64::VirtAddr;

unsafe extern "C" {
    static __kernel_start: u8;
    static __text_end: u8;
    static __symbols_start: u8;
    static __symbols_end: u8;
}

const MAGIC: &[u8] = b"KSYM";
const HEADER_LEN: usize = 12;
const ENTRY_LEN: usize = 8;

/// The function that holds `address`, and how many bytes into it the address lies. Any context.
pub fn lookup(address: VirtAddr) -> Option<(&'static str, usize)> {
    let start = VirtAddr::from_ptr(&raw const __kernel_start);
    let end = VirtAddr::from_ptr(&raw const __text_end);
    if address < start || address >= end {
        return None;
    }
    let offset = u32::try_from(address - start).ok()?;
    let table = Table::parse(section())?;
    let (begin, name) = table.last_at_or_before(offset)?;
    Some((name, usize::try_from(offset - begin).ok()?))
}

/// The bytes between the linker's two marks.
fn section() -> &'static [u8] {
    let start = &raw const __symbols_start;
    let len = (&raw const __symbols_end).addr() - start.addr();
    // SAFETY: the linker script reserves exactly this range; it is mapped read-only and never changes.
    unsafe { slice::from_raw_parts(start, len) }
}

/// A view of the table's two parts.
struct Table<'a> {
    entries: &'a [u8],
    names: &'a [u8],
}

impl<'a> Table<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let count = usize::try_from(read_u32(rest, 0)?).ok()?;
        let names_len = usize::try_from(read_u32(rest, 4)?).ok()?;
        let body = bytes.get(HEADER_LEN..)?;
        let (entries, rest) = body.split_at_checked(count.checked_mul(ENTRY_LEN)?)?;
        Some(Self { entries, names: rest.get(..names_len)? })
    }

    /// Binary search: the last entry whose offset is not above `offset`.
    fn last_at_or_before(&self, offset: u32) -> Option<(u32, &'a str)> {
        let (mut low, mut high) = (0, self.entries.len() / ENTRY_LEN);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.offset(middle)? <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let index = low.checked_sub(1)?;
        Some((self.offset(index)?, self.name(index)?))
    }

    fn offset(&self, index: usize) -> Option<u32> {
        read_u32(self.entries, index * ENTRY_LEN)
    }

    fn name(&self, index: usize) -> Option<&'a str> {
        let place = usize::try_from(read_u32(self.entries, index * ENTRY_LEN + 4)?).ok()?;
        let len = usize::from(*self.names.get(place)?);
        str::from_utf8(self.names.get(place + 1..place + 1 + len)?).ok()
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}
