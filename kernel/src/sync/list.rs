//! Lists through links inside of their members.
//!
//! Nothing is allocated to put a member on a list. Key types: [`List`], [`Link`], [`Linked`]. Run queues, wait queues,
//! timers and task queues are such lists. A type may have several links, told apart by a number, and be on as many
//! lists at a time.
//!
//! Invariants:
//! - (a) a member lives as long as it is on a list: it is `'static`, or its owner takes it off first.
//! - (b) a link belongs to the list that its member is on, and changes only with that list's `&mut`.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// A member's place on one list.
pub struct Link<T> {
    next: AtomicPtr<T>,
    on_list: AtomicBool,
}

impl<T> Link<T> {
    /// A link that is on no list.
    pub const fn new() -> Self {
        Self { next: AtomicPtr::new(ptr::null_mut()), on_list: AtomicBool::new(false) }
    }

    /// Whether the member is on a list by this link.
    pub fn is_on_list(&self) -> bool {
        self.on_list.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<&'static T> {
        let next = self.next.load(Ordering::Relaxed);
        // SAFETY: null, or set by `set_next` from a reference to a member that by (a) is alive.
        unsafe { next.as_ref() }
    }

    fn set_next(&self, next: Option<&'static T>) {
        let next = next.map_or(ptr::null_mut(), |member| ptr::from_ref(member).cast_mut());
        self.next.store(next, Ordering::Relaxed);
    }
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What can be on a list by its link number `L`.
pub trait Linked<const L: usize>: Sized + 'static {
    /// That link.
    fn link(&self) -> &Link<Self>;
}

/// A first-in, first-out list of members; `L` says by which of their links.
pub struct List<T: Linked<L>, const L: usize = 0> {
    first: Option<&'static T>,
    last: Option<&'static T>,
}

impl<T: Linked<L>, const L: usize> List<T, L> {
    /// An empty list.
    pub const fn new() -> Self {
        Self { first: None, last: None }
    }

    /// The first member.
    pub const fn first(&self) -> Option<&'static T> {
        self.first
    }

    /// The members, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &'static T> + '_ {
        core::iter::successors(self.first, |member| member.link().next())
    }

    /// Puts `member` at the end, unless it is on a list by this link already: then returns false.
    pub fn push(&mut self, member: &'static T) -> bool {
        if member.link().on_list.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.insert_after(self.last, member);
        true
    }

    /// Puts `member` before the first one for which `goes_after` holds, else at the end. False if it is on a list.
    pub fn insert_before(&mut self, member: &'static T, goes_after: impl Fn(&T) -> bool) -> bool {
        if member.link().on_list.swap(true, Ordering::Relaxed) {
            return false;
        }
        let before = self.iter().take_while(|other| !goes_after(other)).last();
        self.insert_after(before, member);
        true
    }

    fn insert_after(&mut self, before: Option<&'static T>, member: &'static T) {
        let next = match before {
            Some(before) => before.link().next(),
            None => self.first,
        };
        member.link().set_next(next);
        match before {
            Some(before) => before.link().set_next(Some(member)),
            None => self.first = Some(member),
        }
        if next.is_none() {
            self.last = Some(member);
        }
    }

    /// Takes the first member off.
    pub fn pop(&mut self) -> Option<&'static T> {
        let first = self.first?;
        self.take_off(None, first);
        Some(first)
    }

    /// Takes `member` off; false if it is not on this list.
    pub fn remove(&mut self, member: &T) -> bool {
        if !member.link().is_on_list() {
            return false;
        }
        let mut before = None;
        let mut at = self.first;
        while let Some(candidate) = at {
            if ptr::eq(candidate, member) {
                self.take_off(before, candidate);
                return true;
            }
            before = at;
            at = candidate.link().next();
        }
        false
    }

    fn take_off(&mut self, before: Option<&'static T>, member: &'static T) {
        let next = member.link().next();
        match before {
            Some(before) => before.link().set_next(next),
            None => self.first = next,
        }
        if next.is_none() {
            self.last = before;
        }
        member.link().set_next(None);
        member.link().on_list.store(false, Ordering::Relaxed);
    }
}

impl<T: Linked<L>, const L: usize> Default for List<T, L> {
    fn default() -> Self {
        Self::new()
    }
}
