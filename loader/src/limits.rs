//! How large an object may be: what bounds the time and the memory of a file.

/// How many sections an object may have, with the first, which is none.
pub const MAX_SECTIONS: usize = 256;
/// How many segments a program may have: their table fits into a page.
pub const MAX_SEGMENTS: u16 = 73;
/// The largest alignment of a section, in bytes: a page, since a part begins with one.
pub const MAX_ALIGNMENT: u64 = 4096;
/// The largest size of all parts together, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// The longest name that is read, in bytes: whoever names a long one often would cost time without end.
pub const MAX_NAME: usize = 2048;
/// How many global symbols an object may define: no two may have one name, and a table of them has to be kept.
pub const MAX_GLOBALS: usize = 512;
