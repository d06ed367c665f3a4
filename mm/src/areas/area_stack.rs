//! Closed areas that wait for somebody who may sleep to take them apart.
//!
//! Any CPU adds to them in any context, without a lock; who takes them, takes all.

use crate::areas::area::{AreaLink, AreaRef};

/// Areas that were closed by the caller that adds them, and are its own until they are taken.
pub(super) struct AreaStack(AreaLink);

impl AreaStack {
    /// No areas.
    pub(super) const fn new() -> Self {
        Self(AreaLink::new())
    }

    /// Adds an area that only the caller uses.
    pub(super) fn push(&self, area: AreaRef) {
        let mut first = self.0.get();
        loop {
            area.next.set(first);
            match self.0.exchange(first, area) {
                Ok(()) => return,
                Err(other) => first = other,
            }
        }
    }

    /// Takes all areas; only the caller uses them now.
    pub(super) fn take_all(&self) -> impl Iterator<Item = AreaRef> + use<> {
        let mut next = self.0.take();
        core::iter::from_fn(move || {
            let area = next?;
            next = area.next.get();
            Some(area)
        })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }
}
