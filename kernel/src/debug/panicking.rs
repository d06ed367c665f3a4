//! Whether the machine's end is being reported.
//!
//! From then on what was interrupted may hold any lock for ever: output takes none that is not free.

use core::sync::atomic::{AtomicBool, Ordering};

static PANICKING: AtomicBool = AtomicBool::new(false);

/// Whether the machine's end is being reported. Any context.
pub fn is_panicking() -> bool {
    PANICKING.load(Ordering::Relaxed)
}

/// Says that the machine's end is being reported from here on. Any context.
pub fn begin() {
    PANICKING.store(true, Ordering::Relaxed);
}
