//! Rows of one CPU: what an allocation and its free take.

use bench_report::Outcome;
use mm::Order;

use super::{Round, take, take_all};
use crate::clock::{ticks, ticks_each};
use crate::peers::{Block, Peer};
use crate::random::Random;

/// Pairs in one reading of the clock.
const PAIRS: usize = 2000;
/// Blocks of a batch.
pub const BATCH: usize = 1000;
/// Ticks after which a drain is given up.
const DRAIN_LIMIT: u64 = 4_000_000_000;
/// Frees between two looks at the clock of a drain.
const DRAIN_STEP: usize = 256;

/// The order in which a batch is freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frees {
    /// Last one first.
    Reversed,
    /// At random.
    Shuffled,
}

/// Allocates a block and frees it, again and again.
pub fn pair<R: Copy + 'static>(peer: &dyn Peer<R>, request: R) -> Option<Round<'_>> {
    let block = peer.alloc(request)?;
    peer.free(block, request);
    Some(Box::new(move || Outcome::Exactly(pair_ticks(peer, request, PAIRS))))
}

/// Ticks of one of `pairs` pairs.
pub fn pair_ticks<R: Copy>(peer: &dyn Peer<R>, request: R, pairs: usize) -> f64 {
    ticks_each(pairs, || {
        for _ in 0..pairs {
            let block = take(peer, request);
            peer.free(block, request);
        }
    })
}

/// With `live` blocks allocated in a row: allocates one more and frees it, again and again.
pub fn pair_among<R: Copy + 'static>(peer: &dyn Peer<R>, live: usize, draw: Draw<R>, request: R) -> Option<Round<'_>> {
    fill(peer, live, draw, &mut Random::new(5));
    pair(peer, request)
}

/// Allocates a batch, then frees it.
pub fn batch<R: Copy + 'static>(peer: &dyn Peer<R>, request: R, frees: Frees) -> Option<Round<'_>> {
    let block = peer.alloc(request)?;
    peer.free(block, request);
    let mut random = Random::new(1);
    let mut blocks = Vec::with_capacity(BATCH);
    Some(Box::new(move || Outcome::Exactly(batch_ticks(peer, request, frees, &mut random, &mut blocks))))
}

/// Ticks of one pair of a batch; what lies between allocating and freeing is not counted.
pub fn batch_ticks<R: Copy>(
    peer: &dyn Peer<R>,
    request: R,
    frees: Frees,
    random: &mut Random,
    blocks: &mut Vec<Block>,
) -> f64 {
    blocks.clear();
    let allocs = ticks_each(BATCH, || {
        for _ in 0..BATCH {
            blocks.push(take(peer, request));
        }
    });
    match frees {
        Frees::Reversed => blocks.reverse(),
        Frees::Shuffled => random.shuffle(blocks),
    }
    let frees = ticks_each(BATCH, || {
        for &block in blocks.iter() {
            peer.free(block, request);
        }
    });
    allocs + frees
}

/// Draws a request at random.
pub type Draw<R> = fn(&mut Random) -> R;

/// Allocates `live` blocks, or as many as there are.
fn fill<R: Copy>(peer: &dyn Peer<R>, live: usize, draw: Draw<R>, random: &mut Random) -> Vec<(Block, R)> {
    let mut one = || {
        let request = draw(random);
        peer.alloc(request).map(|block| (block, request))
    };
    core::iter::from_fn(&mut one).take(live).collect()
}

/// With about `live` blocks allocated: frees one at random and allocates another, again and again.
pub fn steady<R: Copy + 'static>(peer: &dyn Peer<R>, live: usize, draw: Draw<R>) -> Option<Round<'_>> {
    let mut random = Random::new(2);
    let least = live.clamp(1, BATCH);
    // Heaps that waste pages hold less than was asked for.
    let mut live = fill(peer, live, draw, &mut random);
    if live.len() < least {
        return None;
    }
    Some(Box::new(move || {
        // The victims stand in a row, so that finding them costs nothing; where few are live, they come again.
        for at in 0..least {
            let other = at + random.below(live.len() - at);
            live.swap(at, other);
        }
        let requests: Vec<R> = (0..BATCH).map(|_| draw(&mut random)).collect();
        Outcome::Exactly(ticks_each(BATCH, || {
            for requests in requests.chunks(least) {
                for ((block, request), &next) in live.iter_mut().zip(requests) {
                    peer.free(*block, *request);
                    (*block, *request) = (take(peer, next), next);
                }
            }
        }))
    }))
}

/// Frees all pages, each by itself and in random order, until they are merged again. Only the frees and the merging
/// count.
pub fn drain(peer: &dyn Peer<Order>) -> Option<Round<'_>> {
    let mut random = Random::new(3);
    Some(Box::new(move || {
        let mut live = take_all(peer, Order::ZERO);
        random.shuffle(&mut live);
        let start = ticks();
        for (step, blocks) in live.chunks(DRAIN_STEP).enumerate() {
            for &block in blocks {
                peer.free(block, Order::ZERO);
            }
            let spent = ticks() - start;
            if spent > DRAIN_LIMIT {
                return Outcome::MoreThan(spent as f64 / ((step + 1) * DRAIN_STEP) as f64);
            }
        }
        peer.coalesce();
        Outcome::Exactly((ticks() - start) as f64 / live.len() as f64)
    }))
}
