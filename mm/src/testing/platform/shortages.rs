//! What tests say about memory that is short, and hear of who waited for it.

use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;
use std::vec::Vec;

use super::super::lock::hold;
use super::HostPlatform;
use crate::platform::LastResort;
use crate::sleep::Slept;

impl HostPlatform {
    /// Lets `count` more allocations of pages succeed and all further ones fail, until
    /// [`fail_never`](Self::fail_never).
    pub fn fail_after(&self, count: i64) {
        self.budget.store(count, Relaxed);
    }

    /// Ends [`fail_after`](Self::fail_after).
    pub fn fail_never(&self) {
        self.budget.store(-1, Relaxed);
    }

    /// Whether the reclaim thread was woken since the last call.
    pub fn take_reclaimer_woken(&self) -> bool {
        self.reclaimer_woken.swap(false, Relaxed)
    }

    /// What requests are answered for which memory is out, one after the other.
    pub fn answer_shortages(&self, answers: &[LastResort]) {
        *hold(&self.last_resorts) = answers.iter().rev().copied().collect();
    }

    /// How often memory was out for a request since the last call.
    pub fn take_shortages(&self) -> usize {
        self.shortages.swap(0, Relaxed)
    }

    /// Tells each request that has slept so often that it waits for itself; 0 ends this.
    pub fn give_up_after(&self, naps: usize) {
        self.longest_wait.store(naps, Relaxed);
    }

    /// The requests that slept since the last call, oldest first.
    pub fn take_slept(&self) -> Vec<Slept> {
        core::mem::take(&mut hold(&self.slept))
    }

    /// Sets how long waiters sleep without a wake-up, at most.
    pub fn set_nap(&self, longest: Duration) {
        *hold(&self.napping) = longest;
    }
}
