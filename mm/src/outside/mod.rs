//! For who looks at a machine's memory from outside.
//!
//! A kernel fills in a [`Header`] once and leaves it in a page that can be found: a reader of its memory learns from it
//! where everything lies, and decodes that with the types here. [`Walk`] tells what each frame is from the entries of
//! the page map, in order; [`write_map`] shows that as text. The kernel itself does the same for /proc/memmap.
//!
//! What is read from outside may be half of a change, or anything at all: no call here panics for it. A block that
//! contradicts its neighbours is counted as torn.

mod class;
mod header;
mod mark;
mod text;
mod walk;
mod words;

pub use class::Class;
pub use header::{Header, NotAHeader};
pub use mark::Mark;
pub use text::write_map;
pub use walk::{View, Walk};
pub use words::{AreaFields, CacheFields, EventWords, Region, SiteFields, SlabFields, SwapWords, ZoneWords};
