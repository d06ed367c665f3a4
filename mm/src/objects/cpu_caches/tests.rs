//! Which magazines a CPU gets, keeps, and leaves to others.

use std::boxed::Box;
use std::vec::Vec;

use super::{CpuCaches, Lack, MagazineSizes, Reach};
use crate::objects::magazine::MagazineRef;
use crate::objects::magazine::tests::magazine as new_magazine;
use crate::platform::MAX_CPUS;
use crate::testing::HostPlatform;

type Caches = CpuCaches<HostPlatform>;

/// Sizes of small objects: a depot of 16 magazines, of which it keeps 8.
static SIZES: MagazineSizes = MagazineSizes::for_objects(64);
const KEPT: usize = 8;

/// A new magazine; only its address matters here.
fn magazine() -> MagazineRef {
    new_magazine(8)
}

/// The caches of CPUs 0 to 3, which have their magazines.
fn caches() -> &'static Caches {
    let caches: &'static Caches = Box::leak(Box::new(Caches::new()));
    caches.init_in_place();
    (0..4).for_each(|cpu| caches.attach(cpu, [magazine(), magazine()]));
    caches
}

/// Lets a CPU trade in this many full magazines; returns them, the first one first.
fn stock(caches: &Caches, cpu: usize, count: usize) -> Vec<MagazineRef> {
    let trade_in = |_| {
        let full = caches.loaded(cpu).expect("a CPU");
        caches.add(cpu, magazine());
        assert_eq!(caches.trade_in(cpu, &SIZES, SIZES.depot()), Ok(()));
        full
    };
    (0..count).map(trade_in).collect()
}

/// The magazine that a CPU gets from others, if it gets one.
fn from_others(caches: &Caches, cpu: usize, reach: Reach) -> Option<MagazineRef> {
    caches.trade_with_others(cpu, &SIZES, || reach).then(|| caches.loaded(cpu)).flatten()
}

#[test]
fn magazines_of_large_objects_are_small() {
    for (stride, capacity, depot) in
        [(8, 64, 16), (256, 64, 16), (1024, 32, 32), (4096, 16, 64), (8192, 8, 64), (131_072, 2, 16)]
    {
        let sizes = MagazineSizes::for_objects(stride);
        assert_eq!((sizes.capacity(), sizes.depot()), (capacity, depot), "{stride}");
    }
    for stride in (8..=131_072).step_by(4) {
        let sizes = MagazineSizes::for_objects(stride);
        assert!(sizes.depot() * sizes.capacity() * stride <= 4 << 20, "{stride}: {sizes:?}");
        assert!(sizes.capacity() > 0);
    }
}

#[test]
fn a_cpu_keeps_half_a_depot_from_others_while_memory_is_plenty() {
    for owner in 0..3 {
        let caches = caches();
        stock(caches, owner, KEPT);
        assert!(from_others(caches, 3, Reach::Surplus).is_none(), "it keeps {KEPT}");
        let more = stock(caches, owner, 2);
        assert!(from_others(caches, 3, Reach::Surplus) == Some(more[1]));
        assert!(from_others(caches, 3, Reach::Surplus) == Some(more[0]));
        assert!(from_others(caches, 3, Reach::Surplus).is_none(), "it keeps {KEPT}");
        let taken = (0..).take_while(|_| from_others(caches, 3, Reach::All).is_some()).count();
        assert_eq!(taken, KEPT, "while memory is short, others get all");
    }
}

#[test]
fn the_surplus_of_one_cpu_is_not_that_of_another() {
    let caches = caches();
    let [first, _, third] = [0, 1, 2].map(|cpu| stock(caches, cpu, [KEPT + 1, KEPT, KEPT + 2][cpu]));
    assert!(from_others(caches, 3, Reach::Surplus) == Some(first[KEPT]));
    assert!(from_others(caches, 3, Reach::Surplus) == Some(third[KEPT + 1]));
    assert!(from_others(caches, 3, Reach::Surplus) == Some(third[KEPT]));
    assert!(from_others(caches, 3, Reach::Surplus).is_none());
}

#[test]
fn a_cpu_gets_its_own_back_the_last_one_first() {
    for cpu in 0..3 {
        let caches = caches();
        assert!(!caches.trade(cpu, &SIZES), "it has traded none in");
        let own = stock(caches, cpu, KEPT + 1);
        assert!(from_others(caches, cpu, Reach::All).is_none(), "they are its own");
        for &magazine in own.iter().rev() {
            assert!(caches.trade(cpu, &SIZES) && caches.loaded(cpu) == Some(magazine));
        }
        assert!(!caches.trade(cpu, &SIZES), "all are back");
    }
}

#[test]
fn a_depot_takes_as_many_as_it_is_told_and_has_empty_ones_for() {
    let caches = caches();
    assert_eq!(caches.trade_in(1, &SIZES, 0), Err(Lack::Room));
    assert_eq!(caches.trade_in(1, &SIZES, 1), Err(Lack::Magazine));
    stock(caches, 1, 2);
    caches.add(1, magazine());
    assert_eq!(caches.trade_in(1, &SIZES, 2), Err(Lack::Room));
    assert_eq!(caches.trade_in(1, &SIZES, 3), Ok(()));
}

#[test]
fn nobody_is_asked_how_short_memory_is_while_no_other_has_magazines() {
    let caches = caches();
    let unasked = || unreachable!("no other CPU has any");
    assert!(!caches.trade_with_others(2, &SIZES, unasked));
    stock(caches, 2, KEPT + 1);
    assert!(!caches.trade_with_others(2, &SIZES, unasked));
    while caches.take_waiting().is_some() {}
    assert!(!caches.trade_with_others(1, &SIZES, unasked));
}

#[test]
fn what_is_drained_from_one_depot_is_gone_there_alone() {
    let caches = caches();
    let [_, own, other] = [0, 1, 2].map(|cpu| stock(caches, cpu, [0, KEPT + 2, KEPT + 1][cpu]));
    assert!(caches.take_waiting() == Some(own[KEPT + 1]));
    assert!(from_others(caches, 3, Reach::Surplus) == Some(other[KEPT]), "not of the one that is being drained");
    assert!(caches.trade(1, &SIZES) && caches.loaded(1) == Some(own[KEPT]), "what is left is still there");
    let waiting = (0..).take_while(|_| caches.take_waiting().is_some()).count();
    // The depots' full ones, and an empty one for each trade.
    assert_eq!(waiting, KEPT + 1 + KEPT + 1);
    assert!((0..3).all(|cpu| !caches.trade(cpu, &SIZES)) && from_others(caches, 3, Reach::All).is_none());
}

#[test]
fn the_magazines_of_a_cpu_come_and_go_as_a_pair() {
    let caches = caches();
    assert!(!caches.has_magazines(5) && caches.detach(5).is_none());
    let pair = [magazine(), magazine()];
    caches.attach(5, pair);
    assert!(caches.has_magazines(5) && !caches.has_magazines(6));
    assert!(caches.loaded(5) == Some(pair[0]) && caches.spare(5) == Some(pair[1]));
    caches.swap(5);
    assert!(caches.loaded(5) == Some(pair[1]) && caches.spare(5) == Some(pair[0]));
    assert!(caches.detach(5) == Some([pair[1], pair[0]]) && !caches.has_magazines(5));
}

#[test]
fn the_last_cpu_has_a_place_and_so_has_a_caller_without_cache_index() {
    let caches = caches();
    let pair = [magazine(), magazine()];
    caches.attach(MAX_CPUS - 1, pair);
    assert!(caches.detach(MAX_CPUS - 1) == Some(pair));
    assert!(caches.loaded(MAX_CPUS).is_some_and(|absent| absent.is_empty() && absent.is_full()));
    assert!(!caches.has_magazines(MAX_CPUS) && caches.loaded(MAX_CPUS + 1).is_none());
}
