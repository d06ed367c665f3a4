//! Whose fault a fault is.
//!
//! An instruction that faults often lies in `memset` or in the allocator, but the bad pointer came from whoever called
//! in. So the blame goes to the innermost function on the way that is not the kernel's own: a driver's, a command's, a
//! test's.

use super::backtrace::Site;

/// The crates, and the rooms of the kernel, that do what others ask of them; `core` and `alloc` are the language's.
const SERVANTS: [&str; 6] = ["core::", "alloc::", "mm::", "services::", "kapi::", "kernel::"];
/// What of those asks on its own account.
const CALLERS: [&str; 4] =
    ["kernel::console::commands::", "kernel::console::crash::", "kernel::console::irqstress::", "kernel::bench::"];

/// The place to blame among those of a trace, innermost first: the innermost if they are all the kernel's own.
pub fn blame(mut sites: impl Iterator<Item = Site>) -> Option<Site> {
    let first = sites.next()?;
    if is_callers(first) { Some(first) } else { sites.find(|&site| is_callers(site)).or(Some(first)) }
}

/// Whether the place lies in a function that called into the kernel.
fn is_callers(site: Site) -> bool {
    let Some(place) = site.function() else { return false };
    if place.module().is_some() {
        return true;
    }
    let name = place.name();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    // A name without a path is a symbol of assembly, or a function that the compiler calls, such as `memset`.
    name.contains("::") && (begins(&CALLERS) || !begins(&SERVANTS))
}
