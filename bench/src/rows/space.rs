//! Rows of space: what an allocator keeps for itself, and what it splinters.

use bench_report::Outcome;
use mm::{Order, PAGE_SIZE};

use super::{Round, take_all};
use crate::arena::FRAMES;
use crate::peers::{Block, Metadata, Peer};
use crate::random::Random;

/// Bytes for each frame: outside of the memory, or lost in it.
pub fn metadata(peer: &dyn Peer<Order>) -> Option<Round<'_>> {
    Some(Box::new(move || {
        let bytes = match peer.metadata() {
            Metadata::Outside(bytes) => bytes,
            Metadata::Inside => (FRAMES - take_all(peer, Order::ZERO).len()) * PAGE_SIZE,
        };
        Outcome::Exactly(bytes as f64 / FRAMES as f64)
    }))
}

/// Times that the live pages grow to a half of the memory and shrink to a quarter, before they grow a last time.
const CYCLES: usize = 20;
/// Orders of the churn: 0 to 3, all alike often.
const ORDERS: usize = 4;

/// The share of the free memory that can be had in blocks of 2 MiB after blocks of 1 to 8 pages came and went.
///
/// For a fair denominator, a peer's memory is what it hands out as 2 MiB blocks when it is fresh, page for page.
pub fn unfragmented(peer: &dyn Peer<Order>) -> Option<Round<'_>> {
    let round = move || {
        let fresh = large_pages(peer);
        let live = churn(peer, &mut Random::new(4));
        peer.coalesce();
        Outcome::Exactly(100.0 * large_pages(peer) as f64 / fresh.saturating_sub(live).max(1) as f64)
    };
    // What is not shared is the limit, whose orders have memory of their own.
    if peer.is_shared() { Some(Box::new(round)) } else { None }
}

/// Pages that can be had in blocks of the largest order; they are given back.
fn large_pages(peer: &dyn Peer<Order>) -> usize {
    let blocks = take_all(peer, Order::MAX);
    for &block in &blocks {
        peer.free(block, Order::MAX);
    }
    blocks.len() * Order::MAX.pages() as usize
}

/// Lets blocks come and go; returns the pages that stay.
fn churn(peer: &dyn Peer<Order>, random: &mut Random) -> usize {
    let mut live: Vec<(Block, Order)> = Vec::new();
    let mut pages = 0;
    for cycle in 0..=CYCLES {
        while pages < FRAMES / 2 {
            let order = Order::new(random.below(ORDERS)).unwrap_or(Order::ZERO);
            let Some(block) = peer.alloc(order) else { break };
            live.push((block, order));
            pages += order.pages() as usize;
        }
        while cycle < CYCLES && pages > FRAMES / 4 {
            let (block, order) = live.swap_remove(random.below(live.len()));
            peer.free(block, order);
            pages -= order.pages() as usize;
        }
    }
    pages
}
