//! Debugging on demand: red zones, poison, and the last user of each object.
//!
//! ```text
//!   ... | red zone | object | red zone | allocated by | freed by | ... | red zone | object | ...
//! ```
//!
//! A red zone says whether its object is live. The functions here check and repair one object, which only the caller
//! uses meanwhile.

use core::ops::Range;
use core::panic::Location;
use core::ptr::NonNull;

use bitflags::bitflags;

use crate::addr::VirtAddr;
use crate::objects::name::CacheName;
use crate::report::{Damage, Dump};

bitflags! {
    /// Debugging of a cache. With any of it, all calls go the slow way.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct DebugFlags: u8 {
        /// The whole slab is checked at each call. (Letter F.)
        const CONSISTENCY = 1;
        /// Writes before and behind an object are found. (Letter Z.)
        const RED_ZONE = 2;
        /// Writes into free objects are found. (Letter P.)
        const POISON = 4;
        /// Who allocated and freed an object last is remembered. (Letter U.)
        const USERS = 8;
        /// Objects, and pages if it is for all, are zeroed when they are allocated. (Kernel option `init_on_alloc=1`.)
        const ZERO_ON_ALLOC = 16;
        /// Objects, and pages if it is for all, are zeroed when they are freed. (Kernel option `init_on_free=1`.)
        const ZERO_ON_FREE = 32;
        /// Allocations and the most live objects are counted exactly. (Kernel option `slab_stats=1`.)
        const COUNT = 64;
    }
}

impl DebugFlags {
    /// The flags that need room around objects.
    const SPACE: Self = Self::RED_ZONE.union(Self::USERS);

    /// The flags of some letters of F, Z, P and U, in any order; `None` for any other text.
    pub fn from_letters(letters: &str) -> Option<Self> {
        letters.bytes().try_fold(Self::empty(), |flags, letter| {
            let flag = match letter.to_ascii_uppercase() {
                b'F' => Self::CONSISTENCY,
                b'Z' => Self::RED_ZONE,
                b'P' => Self::POISON,
                b'U' => Self::USERS,
                _ => return None,
            };
            Some(flags | flag)
        })
    }

    /// Whether objects need room around them.
    pub(super) const fn need_space(self) -> bool {
        self.intersects(Self::SPACE)
    }
}

/// The debugging that the kernel's options choose, for caches that are created from then on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DebugChoice {
    /// For every cache.
    pub all: DebugFlags,
    /// For one cache, or for all when no name is given.
    pub chosen: DebugFlags,
    /// The name of that cache.
    pub only: Option<CacheName>,
}

impl DebugChoice {
    /// Nothing, for no cache.
    pub const NONE: Self = Self { all: DebugFlags::empty(), chosen: DebugFlags::empty(), only: None };

    /// The flags for a cache.
    pub(super) fn for_cache(&self, name: CacheName) -> DebugFlags {
        if self.only.is_none_or(|only| only == name) { self.all | self.chosen } else { self.all }
    }
}

/// Bytes of a red zone.
pub(super) const ZONE: usize = 8;

/// Bytes behind an object of `size` bytes: red zone, then, aligned, two users.
pub(super) const fn behind(size: usize, flags: DebugFlags) -> usize {
    if flags.contains(DebugFlags::USERS) {
        (size + ZONE).next_multiple_of(size_of::<usize>()) + 2 * size_of::<usize>() - size
    } else {
        ZONE
    }
}

/// The bytes of a red zone around a free object, and around a live one. (The magic numbers of 2.4.)
const FREE_ZONE: [u8; ZONE] = 0x5a2c_f071_5a2c_f071_u64.to_ne_bytes();
const LIVE_ZONE: [u8; ZONE] = 0x170f_c2a5_170f_c2a5_u64.to_ne_bytes();
/// The bytes of a free object, and its last one.
const POISON: u8 = 0x5a;
const POISON_END: u8 = 0xa5;

/// The place of a call.
pub(super) type User = &'static Location<'static>;

/// The two users that are remembered.
#[derive(Clone, Copy)]
pub(super) enum Event {
    Alloc = 0,
    Free = 1,
}

/// An object of a debugged cache, with its surroundings.
#[derive(Clone, Copy)]
pub(super) struct Watched {
    object: NonNull<u8>,
    size: usize,
    flags: DebugFlags,
}

/// Whether an object is live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Live,
    Free,
}

impl Watched {
    /// # Safety
    /// `object` is `size` bytes; where `flags` need space, [`ZONE`] bytes before it and [`behind`] bytes behind it
    /// belong to it, and [`mark`](Self::mark) comes first. Only the caller uses it as long as this exists.
    pub(super) unsafe fn new(object: NonNull<u8>, size: usize, flags: DebugFlags) -> Self {
        Self { object, size, flags }
    }

    fn bytes(&mut self, range: Range<isize>) -> &mut [u8] {
        let first = self.object.as_ptr().wrapping_offset(range.start);
        // SAFETY: by the contract of `new` the ranges asked for here belong to the object and to the caller.
        unsafe { core::slice::from_raw_parts_mut(first, (range.end - range.start) as usize) }
    }

    fn before(&mut self) -> &mut [u8] {
        self.bytes(-(ZONE as isize)..0)
    }

    fn behind(&mut self) -> &mut [u8] {
        let end = self.size as isize;
        self.bytes(end..end + ZONE as isize)
    }

    fn content(&mut self) -> &mut [u8] {
        self.bytes(0..self.size as isize)
    }

    /// Writes red zones and poison, or zeros, as an object in `life` has them.
    pub(super) fn mark(&mut self, life: Life) {
        if self.flags.contains(DebugFlags::RED_ZONE) {
            let zone = if life == Life::Live { LIVE_ZONE } else { FREE_ZONE };
            self.before().copy_from_slice(&zone);
            self.behind().copy_from_slice(&zone);
        }
        if self.flags.contains(DebugFlags::POISON) && life == Life::Free {
            let content = self.content();
            content.fill(POISON);
            if let Some(last) = content.last_mut() {
                *last = POISON_END;
            }
        } else if self.flags.contains(DebugFlags::ZERO_ON_FREE) && life == Life::Free
            || self.flags.contains(DebugFlags::ZERO_ON_ALLOC) && life == Life::Live
        {
            self.content().fill(0);
        }
    }

    /// The first damage to an object in `life`, and the place of the first wrong byte, counted from the object's start.
    pub(super) fn damage(&mut self, life: Life) -> Option<(Damage, isize)> {
        let wrong = |bytes: &[u8], right: [u8; ZONE]| bytes.iter().zip(right).position(|(&byte, right)| byte != right);
        if self.flags.contains(DebugFlags::RED_ZONE) {
            let zone = if life == Life::Live { LIVE_ZONE } else { FREE_ZONE };
            if let Some(at) = wrong(self.before(), zone) {
                return Some((Damage::Before, at as isize - ZONE as isize));
            }
            let size = self.size as isize;
            if let Some(at) = wrong(self.behind(), zone) {
                return Some((Damage::Behind, size + at as isize));
            }
        }
        if self.flags.contains(DebugFlags::POISON) && life == Life::Free {
            let (last, rest) = self.content().split_last()?;
            let wrong = rest.iter().position(|&byte| byte != POISON);
            let end = if *last == POISON_END { None } else { Some(rest.len()) };
            return wrong.or(end).map(|at| (Damage::AfterFree, at as isize));
        }
        None
    }

    /// The object's address.
    pub(super) fn addr(&self) -> VirtAddr {
        VirtAddr::from_ptr(self.object.as_ptr())
    }

    /// Repairs the damage around an object in `life`.
    pub(super) fn repair(&mut self, damage: Damage, life: Life) {
        let zone = if life == Life::Live { LIVE_ZONE } else { FREE_ZONE };
        match damage {
            Damage::Before => self.before().copy_from_slice(&zone),
            Damage::Behind => self.behind().copy_from_slice(&zone),
            Damage::AfterFree => self.mark(Life::Free),
            Damage::Slab => {}
        }
    }

    /// Up to eight bytes from `at` on, counted from the object's start, for a report.
    pub(super) fn dump(&mut self, at: isize) -> Dump {
        let zone = if self.flags.contains(DebugFlags::RED_ZONE) { ZONE as isize } else { 0 };
        let len = (self.size as isize + zone - at).clamp(0, 8);
        let mut bytes = [0; 8];
        bytes[..len as usize].copy_from_slice(self.bytes(at..at + len));
        Dump { at, bytes, len: len as usize }
    }

    fn user_place(&self, event: Event) -> *mut Option<User> {
        let first = self.object.as_ptr().wrapping_add(self.size + ZONE);
        first.wrapping_add(first.align_offset(size_of::<usize>())).cast::<Option<User>>().wrapping_add(event as usize)
    }

    /// Clears the users: the first call in fresh memory.
    pub(super) fn forget(&mut self) {
        for event in [Event::Alloc, Event::Free].into_iter().filter(|_| self.flags.contains(DebugFlags::USERS)) {
            // SAFETY: by the contract of `new` the place belongs to the object.
            unsafe { self.user_place(event).write(None) };
        }
    }

    /// Stores the last user of this event.
    pub(super) fn remember(&mut self, event: Event, user: User) {
        if self.flags.contains(DebugFlags::USERS) {
            // SAFETY: as in `forget`.
            unsafe { self.user_place(event).write(Some(user)) };
        }
    }

    /// The last user of this event.
    pub(super) fn user(&self, event: Event) -> Option<User> {
        if !self.flags.contains(DebugFlags::USERS) {
            return None;
        }
        // SAFETY: as in `forget`, which has made the place valid.
        unsafe { self.user_place(event).read() }
    }
}

#[cfg(test)]
mod tests {
    use super::DebugFlags;

    #[test]
    fn letters_are_flags() {
        let all = DebugFlags::CONSISTENCY | DebugFlags::RED_ZONE | DebugFlags::POISON | DebugFlags::USERS;
        assert_eq!(DebugFlags::from_letters("FZPU"), Some(all));
        assert_eq!(DebugFlags::from_letters("z"), Some(DebugFlags::RED_ZONE));
        assert_eq!(DebugFlags::from_letters(""), Some(DebugFlags::empty()));
        assert_eq!(DebugFlags::from_letters("FX"), None);
    }
}
