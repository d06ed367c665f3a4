//! Who made a call that was refused.
//!
//! It is a line of Rust, or a function of a module in C.
//!
//! What C calls stands in `c/` and `exports/`, which tells nobody anything: there the stack says more.

use core::fmt;
use core::panic::Location;

use super::backtrace::Trace;
use super::symbols::Place;

/// Where the functions stand that C calls.
const FOR_C: [&str; 2] = ["src/c/", "src/exports/"];

/// Whoever made a call at `at`, by the name that people know the place by. `thread` is the running thread's stack. Any
/// context; takes no lock that it would wait for.
pub fn caller(at: &'static Location<'static>, thread: Option<(mm::VirtAddr, mm::VirtAddr)>) -> Caller {
    let is_for_c = FOR_C.iter().any(|directory| at.file().contains(directory));
    Caller { at, module: is_for_c.then(|| module_on_the_way(thread)).flatten() }
}

/// The innermost place on the way here that is in a module.
pub fn module_on_the_way(thread: Option<(mm::VirtAddr, mm::VirtAddr)>) -> Option<Place> {
    Trace::here(thread).sites().find_map(|site| site.function().filter(|place| place.module().is_some()))
}

/// Who made a call.
pub struct Caller {
    at: &'static Location<'static>,
    module: Option<Place>,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(place) => place.fmt(f),
            None => write!(f, "{}:{}", self.at.file(), self.at.line()),
        }
    }
}
