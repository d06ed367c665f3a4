//! Rows of one CPU: what an allocation and its free take.

use mm::Order;

use super::{Outcome, Round, take, take_all};
use crate::arena::FRAMES;
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
pub fn pair(peer: &dyn Peer, order: Order) -> Option<Round<'_>> {
    let block = peer.alloc(order)?;
    peer.free(block, order);
    Some(Box::new(move || Outcome::Exactly(pair_ticks(peer, order, PAIRS))))
}

/// Ticks of one of `pairs` pairs.
pub fn pair_ticks(peer: &dyn Peer, order: Order, pairs: usize) -> f64 {
    ticks_each(pairs, || {
        for _ in 0..pairs {
            let block = take(peer, order);
            peer.free(block, order);
        }
    })
}

/// Allocates a batch, then frees it.
pub fn batch(peer: &dyn Peer, order: Order, frees: Frees) -> Option<Round<'_>> {
    let mut random = Random::new(1);
    let mut blocks = Vec::with_capacity(BATCH);
    Some(Box::new(move || Outcome::Exactly(batch_ticks(peer, order, frees, &mut random, &mut blocks))))
}

/// Ticks of one pair of a batch; what lies between allocating and freeing is not counted.
pub fn batch_ticks(peer: &dyn Peer, order: Order, frees: Frees, random: &mut Random, blocks: &mut Vec<Block>) -> f64 {
    blocks.clear();
    let allocs = ticks_each(BATCH, || {
        for _ in 0..BATCH {
            blocks.push(take(peer, order));
        }
    });
    match frees {
        Frees::Reversed => blocks.reverse(),
        Frees::Shuffled => random.shuffle(blocks),
    }
    let frees = ticks_each(BATCH, || {
        for &block in blocks.iter() {
            peer.free(block, order);
        }
    });
    allocs + frees
}

/// With half of the memory allocated: frees a page at random and allocates one, again and again.
pub fn steady(peer: &dyn Peer) -> Option<Round<'_>> {
    let mut random = Random::new(2);
    // Heaps that waste pages hold less than this.
    let half = core::iter::from_fn(|| peer.alloc(Order::ZERO)).take(FRAMES / 2);
    let mut live: Vec<_> = half.collect();
    Some(Box::new(move || {
        // The victims stand in a row, so that finding them costs nothing.
        for at in 0..BATCH {
            let other = at + random.below(live.len() - at);
            live.swap(at, other);
        }
        Outcome::Exactly(ticks_each(BATCH, || {
            for block in &mut live[..BATCH] {
                peer.free(*block, Order::ZERO);
                *block = take(peer, Order::ZERO);
            }
        }))
    }))
}

/// Frees all pages, each by itself and in random order, until they are merged again. Only the frees and the merging count.
pub fn drain(peer: &dyn Peer) -> Option<Round<'_>> {
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
