//! How a mapping is written: its pages' size, and what may be done there.

use core::fmt::{self, Display};

use mm::mapper::Level;
use pagetable::x86_64::Flags;

/// The size of a page that an entry of this level maps.
pub const fn size(level: Level) -> &'static str {
    match level {
        Level::One => "4K",
        Level::Two => "2M",
        Level::Three | Level::Four => "1G",
    }
}

/// The rights of a leaf: `rw- global`.
pub fn of(rights: Flags) -> impl Display {
    fmt::from_fn(move |f| {
        let has = |flag, name: &'static str| if rights.contains(flag) { name } else { "" };
        f.write_str(if rights.contains(Flags::WRITABLE) { "rw" } else { "r-" })?;
        f.write_str(if rights.contains(Flags::NO_EXECUTE) { "-" } else { "x" })?;
        write!(f, "{}{}", has(Flags::GLOBAL, " global"), has(Flags::NO_CACHE, " uncached"))
    })
}
