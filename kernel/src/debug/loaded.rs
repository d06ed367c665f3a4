//! Code that came after the image: where it lies, and its functions' names.
//!
//! Key types: [`Code`]. Whoever loads code adds it here before it runs, and takes it out when it runs no more. Reports
//! look in from any context, so nothing waits: while the list is in use, addresses have no names.

use alloc::sync::Arc;
use core::ops::Range;

use x86_64::VirtAddr;

use crate::sync::SpinLock;

/// Ranges of code that there can be at a time.
const MOST: usize = 64;

/// Code of a module.
pub trait Code: Send + Sync {
    /// Its addresses.
    fn range(&self) -> Range<VirtAddr>;
    /// Whose it is.
    fn module(&self) -> &str;
    /// The function that byte `offset` of the code belongs to, and where that begins.
    fn function(&self, offset: u32) -> Option<(u32, &str)>;
    /// Takes note that a thread died of what this code did.
    fn blame(&self);
}

/// The list is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

static LOADED: SpinLock<[Option<Arc<dyn Code>>; MOST]> = SpinLock::new([const { None }; MOST]);

/// Adds code. Any context.
///
/// # Errors
/// When there are [`MOST`] already.
pub fn add(code: Arc<dyn Code>) -> Result<(), TooMany> {
    LOADED.with(|loaded| {
        let place = loaded.iter_mut().find(|place| place.is_none()).ok_or(TooMany)?;
        *place = Some(code);
        Ok(())
    })
}

/// Takes out the code that begins at `start`. Process context: what describes it is freed.
pub fn remove(start: VirtAddr) {
    let its = |code: &mut Arc<dyn Code>| code.range().start == start;
    drop(LOADED.with(|loaded| loaded.iter_mut().find_map(|place| place.take_if(its))));
}

/// The code that `address` lies in. Any context.
pub(super) fn find(address: VirtAddr) -> Option<Arc<dyn Code>> {
    let loaded = LOADED.try_lock()?;
    loaded.iter().flatten().find(|code| code.range().contains(&address)).cloned()
}
