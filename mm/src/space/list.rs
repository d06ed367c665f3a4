//! All address spaces of a kernel, for reclaim to go round.
//!
//! Key types: [`SpaceList`]. The list keeps the tables of a space by a count: who looks at some keeps them meanwhile,
//! though their owner may have given them up.

use super::machine::UserMachine;
use super::tables::{LockOf, Tables};
use crate::atomic::Ordering::Relaxed;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::own::{Global, KArc, KVVec};
use crate::platform::Lock;

/// Tables that are shared.
pub(super) type Shared<K, M> = KArc<Tables<K, M>, K>;

/// All address spaces of a kernel: a static of its, to which its spaces are made
/// ([`Space::new_in`](super::Space::new_in)).
pub struct SpaceList<K: Global, M: UserMachine> {
    spaces: LockOf<K, Spaces<K, M>>,
}

/// What a [`SpaceList`] has under its lock.
pub struct Spaces<K: Global, M: UserMachine> {
    all: KVVec<Listed<K, M>, K>,
    /// The place of the space whose turn it is.
    hand: usize,
    /// How often somebody went to see all of them.
    rounds: u32,
}

struct Listed<K: Global, M: UserMachine> {
    tables: Shared<K, M>,
    /// The last round in which it was seen.
    seen: u32,
}

impl<K: Global, M: UserMachine> Spaces<K, M> {
    /// None.
    pub const fn new() -> Self {
        Self { all: KVVec::new(), hand: 0, rounds: 0 }
    }
}

impl<K: Global, M: UserMachine> Default for Spaces<K, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Global, M: UserMachine> SpaceList<K, M> {
    /// A list without spaces, of a lock around [`Spaces::new`]: so it can be a static.
    pub const fn new(spaces: LockOf<K, Spaces<K, M>>) -> Self {
        Self { spaces }
    }

    /// How many spaces there are. Any context.
    pub fn len(&self) -> usize {
        self.spaces.with(|spaces| spaces.all.len())
    }

    /// Whether there are none. Any context.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a space. Process context; may sleep.
    pub(super) fn enter(&self, tables: &Shared<K, M>) -> Result<(), AllocError> {
        loop {
            let full = self.spaces.with(|spaces| {
                let nth = spaces.all.len();
                if nth == spaces.all.capacity() {
                    return Some(nth);
                }
                tables.nth.store(nth, Relaxed);
                let listed = Listed { tables: tables.clone(), seen: spaces.rounds.wrapping_sub(1) };
                let pushed = spaces.all.push(listed, GfpFlags::ATOMIC);
                debug_assert!(pushed.is_ok(), "there is room");
                None
            });
            let Some(full) = full else { return Ok(()) };
            self.grow(full)?;
        }
    }

    /// Makes room for more than `full` spaces, if nobody else has.
    fn grow(&self, full: usize) -> Result<(), AllocError> {
        let mut larger = KVVec::with_capacity((2 * full).max(8), GfpFlags::KERNEL)?;
        self.spaces.with(|spaces| {
            if spaces.all.len() < larger.capacity() && spaces.all.capacity() < larger.capacity() {
                let moved = larger.append(&mut spaces.all, GfpFlags::ATOMIC);
                debug_assert!(moved.is_ok(), "there is room");
                core::mem::swap(&mut spaces.all, &mut larger);
            }
        });
        // What is left is freed here, without the lock.
        drop(larger);
        Ok(())
    }

    /// Takes a space out that is in it.
    pub(super) fn leave(&self, tables: &Tables<K, M>) {
        let gone = self.spaces.with(|spaces| {
            let nth = tables.nth.load(Relaxed);
            let gone = spaces.all.swap_remove(nth);
            if let Some(moved) = spaces.all.get(nth) {
                moved.tables.nth.store(nth, Relaxed);
            }
            gone
        });
        drop(gone);
    }

    /// The space whose turn it is. Any context.
    pub(super) fn current(&self) -> Option<Shared<K, M>> {
        self.spaces.with(|spaces| {
            if spaces.hand >= spaces.all.len() {
                spaces.hand = 0;
            }
            spaces.all.get(spaces.hand).map(|listed| listed.tables.clone())
        })
    }

    /// It is the turn of the next space, if it was that of this one. Any context.
    pub(super) fn pass(&self, tables: &Tables<K, M>) {
        self.spaces.with(|spaces| {
            if spaces.hand == tables.nth.load(Relaxed) {
                spaces.hand += 1;
            }
        });
    }

    /// Calls `visit` with each space, those that come meanwhile among them, until it fails; no lock is held then. One
    /// caller at a time.
    pub(super) fn try_each<E>(&self, mut visit: impl FnMut(&Tables<K, M>) -> Result<(), E>) -> Result<(), E> {
        let round = self.spaces.with(|spaces| {
            spaces.rounds = spaces.rounds.wrapping_add(1);
            spaces.rounds
        });
        let unseen = || {
            self.spaces.with(|spaces| {
                let listed = spaces.all.iter_mut().find(|listed| listed.seen != round)?;
                listed.seen = round;
                Some(listed.tables.clone())
            })
        };
        while let Some(tables) = unseen() {
            visit(&tables)?;
        }
        Ok(())
    }
}
