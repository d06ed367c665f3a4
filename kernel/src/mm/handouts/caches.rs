//! The caches of the prompt: their constructors and destructors count.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ::mm::objects::{CacheName, Ctor, CtorFlags, Dtor};
use ::mm::{CacheRef, CacheSpec};

use crate::mm::KernelPlatform;

/// Caches at a time.
pub(super) const CACHES: usize = 8;

/// What the constructor writes at an object's start: no object is smaller.
const MARK: [u8; 8] = *b"CREATED!";

/// Whether a cache has a constructor and a destructor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callees {
    /// Neither.
    None,
    /// A constructor that counts its calls and marks the object.
    Ctor,
    /// The same, and a destructor that counts.
    CtorAndDtor,
    /// The destructor alone, which no cache may have.
    Dtor,
}

/// A cache that was created here. `None` of one is all zeros, as [`Handout::NONE`](super::Handout::NONE) is.
pub(super) struct Cache {
    pub(super) name: CacheName,
    pub(super) handle: CacheRef<KernelPlatform>,
    ctor: Option<Ctor>,
    dtor: Option<Dtor>,
}

/// A cache, and how often its constructor and destructor were called.
#[derive(Clone, Copy, Debug)]
pub struct CacheState {
    /// Its name.
    pub name: CacheName,
    /// What it calls.
    pub callees: Callees,
    /// Calls of the constructor.
    pub constructed: usize,
    /// Of these, the ones that told it not to sleep.
    pub atomic: usize,
    /// Calls of the destructor.
    pub destroyed: usize,
}

struct Counts {
    constructed: AtomicUsize,
    atomic: AtomicUsize,
    destroyed: AtomicUsize,
}

impl Counts {
    const fn new() -> Self {
        Self { constructed: AtomicUsize::new(0), atomic: AtomicUsize::new(0), destroyed: AtomicUsize::new(0) }
    }
}

static COUNTS: [Counts; CACHES] = [const { Counts::new() }; CACHES];

/// A constructor and a destructor for each place: they are told no more than the object's address.
const CALLEES: [(Ctor, Dtor); CACHES] = [
    (construct::<0>, destroy::<0>),
    (construct::<1>, destroy::<1>),
    (construct::<2>, destroy::<2>),
    (construct::<3>, destroy::<3>),
    (construct::<4>, destroy::<4>),
    (construct::<5>, destroy::<5>),
    (construct::<6>, destroy::<6>),
    (construct::<7>, destroy::<7>),
];

fn construct<const PLACE: usize>(object: NonNull<u8>, _name: &str, flags: CtorFlags) {
    COUNTS[PLACE].constructed.fetch_add(1, Relaxed);
    COUNTS[PLACE].atomic.fetch_add(flags.contains(CtorFlags::ATOMIC).into(), Relaxed);
    // SAFETY: a constructor owns the object, and none is smaller than the mark.
    unsafe { object.cast().write_unaligned(MARK) };
}

fn destroy<const PLACE: usize>(_object: NonNull<u8>, _name: &str, _flags: CtorFlags) {
    COUNTS[PLACE].destroyed.fetch_add(1, Relaxed);
}

/// Has a cache for this place call what it is to call, from a count of 0 on.
pub(super) fn prepare<'a>(place: usize, callees: Callees, spec: CacheSpec<'a>) -> CacheSpec<'a> {
    let counts = &COUNTS[place];
    for count in [&counts.constructed, &counts.atomic, &counts.destroyed] {
        count.store(0, Relaxed);
    }
    let (ctor, dtor) = CALLEES[place];
    let (ctor, dtor) = match callees {
        Callees::None => (None, None),
        Callees::Ctor => (Some(ctor), None),
        Callees::CtorAndDtor => (Some(ctor), Some(dtor)),
        Callees::Dtor => (None, Some(dtor)),
    };
    CacheSpec { ctor, dtor, ..spec }
}

impl Cache {
    /// The cache that was made of `spec`.
    pub(super) const fn new(name: CacheName, handle: CacheRef<KernelPlatform>, spec: &CacheSpec<'_>) -> Self {
        Self { name, handle, ctor: spec.ctor, dtor: spec.dtor }
    }

    /// The state of the cache in this place.
    pub(super) fn state(&self, place: usize) -> CacheState {
        CacheState {
            name: self.name,
            callees: match (self.ctor, self.dtor) {
                (None, None) => Callees::None,
                (None, Some(_)) => Callees::Dtor,
                (Some(_), None) => Callees::Ctor,
                (Some(_), Some(_)) => Callees::CtorAndDtor,
            },
            constructed: COUNTS[place].constructed.load(Relaxed),
            atomic: COUNTS[place].atomic.load(Relaxed),
            destroyed: COUNTS[place].destroyed.load(Relaxed),
        }
    }
}
