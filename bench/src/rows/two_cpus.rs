//! Rows of two CPUs: what they take from each other.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bench_report::Outcome;

use super::pairs::{BATCH, Frees, batch_ticks, pair_ticks};
use super::{Round, take};
use crate::clock::ticks;
use crate::cpu::{CPUS, become_cpu};
use crate::peers::{Block, Peer};
use crate::random::Random;

/// Pairs of each thread.
const PAIRS: usize = 4000;
/// Batches of each thread.
const BATCHES: usize = 4;
/// Blocks that are handed over at once.
const PARCEL: usize = 500;
/// Parcels that can be under way.
const BELT: usize = 4;
/// Parcels of one reading of the clock.
const PARCELS: usize = 20;

/// Where threads wait for each other.
struct Gate(AtomicUsize);

impl Gate {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Waits until all CPUs are here.
    fn pass(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
        while self.0.load(Ordering::Acquire) < CPUS {
            core::hint::spin_loop();
        }
    }
}

/// Runs `work` on both CPUs at once; the mean of their figures. Both have allocated before.
fn on_both<R: Copy + Sync>(peer: &dyn Peer<R>, request: R, work: impl Fn(usize) -> f64 + Sync) -> f64 {
    let gate = Gate::new();
    let on = |cpu: usize| {
        peer.free(take(peer, request), request);
        gate.pass();
        work(cpu)
    };
    let (mine, other) = thread::scope(|scope| {
        let other = scope.spawn(|| {
            become_cpu(1);
            on(1)
        });
        (on(0), other.join())
    });
    // A thread that panicked has said why.
    (mine + other.unwrap_or(f64::NAN)) / CPUS as f64
}

/// Pairs on both.
pub fn pair<R: Copy + Sync + 'static>(peer: &dyn Peer<R>, request: R) -> Option<Round<'_>> {
    let round = move || Outcome::Exactly(on_both(peer, request, |_| pair_ticks(peer, request, PAIRS)));
    if peer.is_shared() { Some(Box::new(round)) } else { None }
}

/// Batches, freed at random, on both.
pub fn batch<R: Copy + Sync + 'static>(peer: &dyn Peer<R>, request: R) -> Option<Round<'_>> {
    let batches = move |cpu: usize| {
        let mut random = Random::new(cpu as u64);
        let mut blocks = Vec::with_capacity(BATCH);
        let mut one = || batch_ticks(peer, request, Frees::Shuffled, &mut random, &mut blocks);
        (0..BATCHES).map(|_| one()).sum::<f64>() / BATCHES as f64
    };
    let round = move || Outcome::Exactly(on_both(peer, request, batches));
    if peer.is_shared() { Some(Box::new(round)) } else { None }
}

/// Blocks on their way from the thread that allocates to the one that frees.
struct Parcel {
    is_full: AtomicBool,
    blocks: [AtomicUsize; PARCEL],
}

impl Parcel {
    const fn new() -> Self {
        Self { is_full: AtomicBool::new(false), blocks: [const { AtomicUsize::new(0) }; PARCEL] }
    }

    fn wait(&self, full: bool) {
        while self.is_full.load(Ordering::Acquire) != full {
            core::hint::spin_loop();
        }
    }
}

/// One CPU allocates, the other frees what it gets: ticks from the first allocation to the last free, for each block.
pub fn cross_free<R: Copy + Sync + 'static>(peer: &dyn Peer<R>, request: R) -> Option<Round<'_>> {
    let round = move || Outcome::Exactly(handed_over(peer, request));
    if peer.is_shared() { Some(Box::new(round)) } else { None }
}

fn handed_over<R: Copy + Sync>(peer: &dyn Peer<R>, request: R) -> f64 {
    let belt: [Parcel; BELT] = [const { Parcel::new() }; BELT];
    let gate = Gate::new();
    let receive = || {
        become_cpu(1);
        gate.pass();
        for number in 0..PARCELS {
            free_parcel(peer, request, &belt[number % BELT]);
        }
        ticks()
    };
    let (start, end) = thread::scope(|scope| {
        let receiver = scope.spawn(receive);
        gate.pass();
        let start = ticks();
        for number in 0..PARCELS {
            fill_parcel(peer, request, &belt[number % BELT]);
        }
        (start, receiver.join())
    });
    end.map_or(f64::NAN, |end| end.saturating_sub(start) as f64 / (PARCELS * PARCEL) as f64)
}

fn fill_parcel<R: Copy>(peer: &dyn Peer<R>, request: R, parcel: &Parcel) {
    parcel.wait(false);
    for place in &parcel.blocks {
        place.store(take(peer, request).number(), Ordering::Relaxed);
    }
    parcel.is_full.store(true, Ordering::Release);
}

fn free_parcel<R: Copy>(peer: &dyn Peer<R>, request: R, parcel: &Parcel) {
    parcel.wait(true);
    for place in &parcel.blocks {
        if let Some(block) = Block::new(place.load(Ordering::Relaxed)) {
            peer.free(block, request);
        }
    }
    parcel.is_full.store(false, Ordering::Release);
}
