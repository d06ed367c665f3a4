//! The rows of the three tables.

use bench_report::{Heading, Unit};
use mm::Order;

use super::pairs::{self, Frees};
use super::{Row, space, two_cpus};
use crate::arena::FRAMES;
use crate::peers::{Bytes, Pages};
use crate::random::Random;

/// 8 pages.
const THREE: Order = match Order::new(3) {
    Some(order) => order,
    None => Order::ZERO,
};

/// Rows about pages.
pub const PAGES: &[Row<Order>] = &[
    Row::ticks("pair, order 0", &[16, 10], 301, |peer| pairs::pair(peer, Order::ZERO)),
    Row::ticks("pair, order 3", &[16, 10], 301, |peer| pairs::pair(peer, THREE)),
    Row::ticks("pair, order 9", &[18, 10], 301, |peer| pairs::pair(peer, Order::MAX)),
    Row::ticks("batch of 1000, LIFO", &[18, 10], 301, |peer| pairs::batch(peer, Order::ZERO, Frees::Reversed)),
    Row::ticks("batch of 1000, random", &[18, 10], 301, |peer| pairs::batch(peer, Order::ZERO, Frees::Shuffled)),
    Row::ticks("batch of 1000, random, order 3", &[30, 10], 301, |peer| pairs::batch(peer, THREE, Frees::Shuffled)),
    Row::ticks("steady, 50 % live", &[15, 10], 301, |peer| pairs::steady(peer, FRAMES / 2, |_| Order::ZERO)),
    Row::ticks("drain: free all at random, merged", &[40, 25], 31, pairs::drain),
    Row::ticks("2 CPUs: pair", &[15, 10], 61, |peer| two_cpus::pair(peer, Order::ZERO)),
    Row::ticks("2 CPUs: batch of 1000", &[20, 12], 61, |peer| two_cpus::batch(peer, Order::ZERO)),
    Row::ticks("2 CPUs: one allocates, one frees", &[60, 30], 61, |peer| two_cpus::cross_free(peer, Order::ZERO)),
    Row { heading: other("metadata, bytes a frame", Unit::Bytes), rounds: 1, start: space::metadata },
    Row { heading: other("free as 2 MiB after churn, %", Unit::Percent), rounds: 1, start: space::unfragmented },
];

const fn other(name: &'static str, unit: Unit) -> Heading {
    Heading { name, unit, targets: &[] }
}

/// Live objects of the mixed sizes.
const MIXED: usize = 4000;
const SMALL: Bytes = Bytes(64);
const LARGE: Bytes = Bytes(1024);

/// Rows about objects.
pub const OBJECTS: &[Row<Bytes>] = &[
    Row::ticks("pair, 64 bytes", &[24, 14], 301, |peer| pairs::pair(peer, SMALL)),
    Row::ticks("pair, 1024 bytes", &[24, 14], 301, |peer| pairs::pair(peer, LARGE)),
    Row::ticks("batch of 1000, random, 64 bytes", &[30, 18], 301, |peer| pairs::batch(peer, SMALL, Frees::Shuffled)),
    Row::ticks("batch of 1000, random, 1024 bytes", &[38, 32], 301, |peer| pairs::batch(peer, LARGE, Frees::Shuffled)),
    Row::ticks("mixed sizes, 4000 live", &[30, 20], 301, |peer| pairs::steady(peer, MIXED, mixed)),
    Row::ticks("2 CPUs: pair", &[24, 12], 61, |peer| two_cpus::pair(peer, SMALL)),
    Row::ticks("2 CPUs: batch of 1000", &[40, 15], 61, |peer| two_cpus::batch(peer, SMALL)),
    Row::ticks("2 CPUs: one allocates, one frees", &[100, 55], 61, |peer| two_cpus::cross_free(peer, SMALL)),
];

/// 16 to 1024 bytes.
fn mixed(random: &mut Random) -> Bytes {
    Bytes(16 + random.below(1009))
}

/// Live areas of a long run.
const MANY: usize = 15_000;
const FOUR: Pages = Pages(4);

/// Rows about areas.
pub const AREAS: &[Row<Pages>] = &[
    Row::ticks("pair, no other live", &[15], 301, |peer| pairs::pair(peer, FOUR)),
    Row::ticks("pair, 1000 live", &[15], 301, |peer| pairs::pair_among(peer, 1000, areas, FOUR)),
    Row::ticks("mixed sizes, 1000 live", &[], 301, |peer| pairs::steady(peer, 1000, areas)),
    Row::ticks("mixed sizes, 15000 live", &[], 301, |peer| pairs::steady(peer, MANY, areas)),
    Row::ticks("2 CPUs: pair", &[], 61, |peer| two_cpus::pair(peer, FOUR)),
    Row::ticks("2 CPUs: one allocates, one frees", &[], 61, |peer| two_cpus::cross_free(peer, FOUR)),
];

/// An area of 1 to 16 pages.
pub fn areas(random: &mut Random) -> Pages {
    Pages(1 + random.below(Pages::MOST))
}
