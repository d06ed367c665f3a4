//! A module with functions for other modules: it lends spoons.
//!
//! The functions are what its users call, by the name of this crate; the module is there so that they have somebody to
//! call. It cannot go while a module that uses it is there.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering};

use kapi::{CharDriver, Errno, Kernel, Values};

/// How many there are.
pub const SPOONS: u32 = 4;

static LENT: AtomicU32 = AtomicU32::new(0);

/// Lends a spoon and says which it is, from 1 on; `None` when all are lent. Any context.
pub fn lend() -> Option<u32> {
    let more = |lent| (lent < SPOONS).then_some(lent + 1);
    LENT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map(|before| before + 1).ok()
}

/// Takes a spoon back. Any context.
pub fn take_back() {
    let fewer = |lent: u32| lent.checked_sub(1);
    // Who brings one that was not lent keeps it.
    let _ = LENT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
}

/// What the kernel makes of this crate.
pub type Module<K> = Lender<K>;

/// The module: /proc/lenderspoons says how many are lent.
#[derive(Debug)]
pub struct Lender<K>(PhantomData<fn() -> K>);

impl<K: Kernel> kapi::Module<K> for Lender<K> {
    const NAME: &'static str = "lender";
    const ABOUT: &'static str = "lends spoons to other modules";
    const PROC_SUFFIX: Option<&'static str> = Some("spoons");

    fn load(_values: &Values<'_>) -> Result<Self, Errno> {
        Ok(Self(PhantomData))
    }

    fn proc_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(out, "{} of {SPOONS} lent", LENT.load(Ordering::Relaxed))
    }
}

impl<K: Kernel> CharDriver for Lender<K> {}

#[cfg(test)]
mod tests {
    use super::{SPOONS, lend, take_back};

    #[test]
    fn no_more_are_lent_than_there_are() {
        assert!((1..=SPOONS).all(|spoon| lend() == Some(spoon)));
        assert_eq!(lend(), None);
        take_back();
        assert_eq!(lend(), Some(SPOONS));
        (0..=SPOONS).for_each(|_| take_back());
        assert_eq!(lend(), Some(1));
    }
}
