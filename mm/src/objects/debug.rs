//! What is debugged, by flags: which cache has which.

use bitflags::bitflags;

use crate::objects::name::CacheName;

bitflags! {
    /// Debugging of a cache. With any of it, all calls go the slow way.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct DebugFlags: u8 {
        /// The whole slab is checked at each call. (Letter F.)
        const CONSISTENCY = 1;
        /// Writes before an object are found, and behind what was asked for. (Letter Z.)
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

    /// Whether a check looks at objects.
    pub(super) const fn is_looked_at(self) -> bool {
        self.intersects(Self::SPACE.union(Self::POISON))
    }

    /// Whether objects are marked, or filled, when they are allocated and freed.
    pub(super) const fn is_marked(self) -> bool {
        self.is_looked_at() || self.intersects(Self::ZERO_ON_ALLOC.union(Self::ZERO_ON_FREE))
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
