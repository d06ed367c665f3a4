//! Options about memory that came to nothing: said in the log, once all is up.

use super::global::memory;
use crate::{klog, options};

/// Warns of what the command line asks for and nothing has obeyed.
pub fn check_options() {
    let memory_options = options::get().memory;
    if let Some(name) = memory_options.slab_debug.only
        && !memory().objects().is_debuggable(name)
    {
        klog!("warning: kernel option slab_debug: there is no cache '{}'", name.as_str());
    }
    if memory_options.slab_quarantine > 0 && memory_options.slab_debug.chosen.is_empty() {
        klog!("warning: kernel option slab_quarantine has no effect: no slab_debug= says for which caches");
    }
    if memory_options.mem.lacks_regions() {
        klog!("warning: kernel option mem=exactmap has no effect: no mem=SIZE@ADDR says which memory");
    }
}
