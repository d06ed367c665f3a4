//! Shrinkers come, are asked, and go.
//!
//! They are called without a lock, so who takes one out waits until it is called no more.

use core::panic::Location;

use super::PageAllocator;
use crate::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::error::AllocError;
use crate::places::Places;
use crate::platform::{Lock, Platform};
use crate::reclaim::{Shrinker, Shrinkers};
use crate::report::Call;

impl<P: Platform> PageAllocator<P> {
    /// Lets reclaim ask this holder of memory too. Twice is as once. Any context.
    ///
    /// # Errors
    /// The table is full.
    #[track_caller]
    pub fn register_shrinker(&self, shrinker: &'static dyn Shrinker) -> Result<(), AllocError> {
        let caller = Location::caller();
        self.shrinkers.with(|shrinkers| shrinkers.add(shrinker, caller))
    }

    /// Undoes [`register_shrinker`](Self::register_shrinker); when this returns nobody calls it any more. Process
    /// context; may sleep. Says whether it was registered.
    #[track_caller]
    pub fn unregister_shrinker(&self, shrinker: &'static dyn Shrinker) -> bool {
        if self.check_may_sleep(Call::here(&"unregister_shrinker")).is_err() {
            return false;
        }
        let removed = self.shrinkers.with(|shrinkers| shrinkers.remove(shrinker));
        self.wait_for_shrinkers();
        removed
    }

    /// Takes out all shrinkers that lie in `places` or were registered from there, and calls `visit` with where each
    /// was registered. When this returns none of them is called any more. Process context.
    pub(crate) fn disown_shrinkers(&self, places: Places<'_>, visit: &mut dyn FnMut(&'static Location<'static>)) {
        while let Some(caller) = self.shrinkers.with(|shrinkers| shrinkers.take_from(places)) {
            visit(caller);
        }
        self.wait_for_shrinkers();
    }

    /// Calls `visit` with where each shrinker that lies in `places`, or was registered from there, was registered.
    pub(crate) fn each_shrinker_in(&self, places: Places<'_>, visit: &mut dyn FnMut(&'static Location<'static>)) {
        let mut shrinkers = self.shrinkers.with(|shrinkers| *shrinkers);
        core::iter::from_fn(|| shrinkers.take_from(places)).for_each(visit);
    }

    /// The sum of what `ask` returns for each shrinker.
    pub(super) fn ask_shrinkers(&self, ask: impl Fn(&'static dyn Shrinker) -> usize) -> usize {
        self.with_shrinkers(|shrinkers| shrinkers.iter().map(|(_, shrinker)| ask(shrinker)).sum())
    }

    /// The sum of what `ask` returns for shrinkers, until that is `enough`: for the favourite, then for the others in
    /// their order.
    pub(super) fn ask_for_enough(&self, enough: usize, ask: impl Fn(&'static dyn Shrinker) -> usize) -> usize {
        self.with_shrinkers(|shrinkers| {
            let first = self.favourite.of_round();
            let is_first = |place: usize| Some(place) == first;
            let preferred = shrinkers.iter().filter(|&(place, _)| is_first(place));
            let others = shrinkers.iter().filter(|&(place, _)| !is_first(place));
            let mut sum = 0;
            let giver = preferred.chain(others).find(|&(_, shrinker)| {
                sum += ask(shrinker);
                sum >= enough
            });
            self.favourite.set(giver.map(|(place, _)| place));
            sum
        })
    }

    /// Calls `f` with the shrinkers, of which none goes meanwhile.
    fn with_shrinkers<R>(&self, f: impl FnOnce(&Shrinkers) -> R) -> R {
        let shrinkers = self.shrinkers.with(|shrinkers| {
            self.asking.fetch_add(1, Relaxed);
            *shrinkers
        });
        let result = f(&shrinkers);
        // Whoever sees that nobody asks sees what was done.
        self.asking.fetch_sub(1, Release);
        result
    }

    /// Waits until no shrinker is called that was taken out before.
    fn wait_for_shrinkers(&self) {
        while self.asking.load(Acquire) > 0 {
            self.platform.wait_for_memory(&mut || self.asking.load(Acquire) == 0);
        }
    }
}
