//! Slots against a naive table of counts.

use alloc::vec;
use alloc::vec::Vec;

use mm::testing::{Machine, Rng, TestKernel};

use super::{BAD, Bits, CLUSTER, MAX_SHARES, ShareError, Sharer, SlotMap};

type Map = SlotMap<TestKernel>;

impl Map {
    /// Walks all of it.
    fn validate(&self) {
        let is_free = |slot: usize| self.counts.get(slot) == Some(&0);
        for (cluster, &bits) in self.free.iter().enumerate() {
            for bit in 0..CLUSTER {
                assert_eq!(bits >> bit & 1 != 0, is_free(cluster * CLUSTER + bit));
            }
            assert_eq!(self.some.has(cluster), bits != 0);
            assert_eq!(self.whole.has(cluster), bits == u32::MAX);
        }
        assert_eq!(self.used, self.counts.iter().filter(|count| **count & !BAD != 0).count());
        assert_eq!(self.good, self.counts.iter().filter(|count| **count != BAD).count());
    }
}

fn map(slots: u32, bad: &[u32]) -> Map {
    let map = Map::new(slots, bad.iter().copied()).expect("memory");
    map.validate();
    map
}

#[test]
fn bits_are_found_behind_the_last_from_the_start() {
    let _machine = TestKernel::boot(&Machine::with_mib(16));
    let mut bits = Bits::<TestKernel>::new(200).expect("memory");
    assert_eq!(bits.next(7), None);
    bits.set(64, true);
    bits.set(199, true);
    for (start, found) in [(0, 64), (64, 64), (65, 199), (199, 199), (200, 64), (5000, 64)] {
        assert_eq!(bits.next(start), Some(found), "from {start}");
    }
    bits.set(199, false);
    assert_eq!(bits.next(65), Some(64));
}

#[test]
fn slots_are_taken_in_a_row_and_never_the_header_nor_a_bad_one() {
    let _machine = TestKernel::boot(&Machine::with_mib(16));
    let mut map = map(100, &[5, 5, 98]);
    assert_eq!((map.good(), map.free()), (97, 97));
    // Clusters 1 and 2 are whole, 0 and 3 have what is left.
    let taken: Vec<u32> = core::iter::from_fn(|| map.take()).collect();
    let expected: Vec<u32> = (1..100).filter(|slot| ![5, 98].contains(slot)).collect();
    assert_eq!(taken, expected);
    assert_eq!((map.free(), map.used(), map.take()), (0, 97, None));
    map.validate();
}

#[test]
fn a_wholly_free_cluster_goes_before_what_others_left() {
    let _machine = TestKernel::boot(&Machine::with_mib(16));
    let mut map = map(96, &[]);
    for _ in 0..40 {
        map.take();
    }
    // A hole in cluster 0; the rest of cluster 1 comes first, then cluster 2, then the hole.
    assert_eq!(map.release(3), Ok(0));
    let taken: Vec<u32> = core::iter::from_fn(|| map.take()).collect();
    assert_eq!(taken, (41..96).chain([3]).collect::<Vec<_>>());
}

#[test]
fn shares_do_not_overflow_and_nothing_is_released_twice() {
    let _machine = TestKernel::boot(&Machine::with_mib(16));
    let mut map = map(8, &[]);
    let slot = map.take().expect("free");
    for _ in 1..MAX_SHARES {
        assert_eq!(map.share(slot, Sharer::Mapping), Ok(()));
    }
    assert_eq!(map.share(slot, Sharer::Mapping), Err(ShareError::Full));
    // The swap cache has room for its own.
    assert_eq!(map.share(slot, Sharer::Cache), Ok(()));
    assert_eq!(map.share(slot, Sharer::Cache), Err(ShareError::Full));
    assert_eq!(map.shares(slot), MAX_SHARES + 1);
    for left in (0..=MAX_SHARES).rev() {
        assert_eq!(map.release(slot), Ok(left));
    }
    for wrong in [slot, 0, 8, u32::MAX] {
        assert_eq!(map.release(wrong), Err(ShareError::Unused));
        assert_eq!(map.share(wrong, Sharer::Mapping), Err(ShareError::Unused));
    }
    map.validate();
}

#[test]
fn a_slot_that_turns_bad_goes_with_its_last_share() {
    let _machine = TestKernel::boot(&Machine::with_mib(16));
    let mut map = map(8, &[]);
    let slot = map.take().expect("free");
    assert_eq!(map.share(slot, Sharer::Mapping), Ok(()));
    (0..2).for_each(|_| map.mark_bad(slot));
    assert_eq!((map.used(), map.good(), map.shares(slot)), (1, 7, 2));
    assert_eq!((map.release(slot), map.release(slot)), (Ok(1), Ok(0)));
    assert_eq!((map.used(), map.good(), map.free()), (0, 6, 6));
    map.mark_bad(7);
    assert!(core::iter::from_fn(|| map.take()).all(|taken| taken != slot && taken != 7));
    map.validate();
}

#[test]
fn any_order_of_calls_agrees_with_a_table_of_counts() {
    let _machine = TestKernel::boot(&Machine::with_mib(16));
    let mut random = Rng::new(1717);
    let (mut map, mut model) = (map(300, &[9]), vec![0u16; 300]);
    let mut bad = vec![0u32, 9];
    for step in 0..100_000 {
        let slot = random.below(300) as u32;
        let shares = &mut model[slot as usize];
        match random.below(if step / 10_000 % 2 == 0 { 5 } else { 7 }) {
            0 | 1 => match map.take() {
                Some(taken) => {
                    assert!(model[taken as usize] == 0 && !bad.contains(&taken));
                    model[taken as usize] = 1;
                }
                None => assert!((0..300).all(|slot| model[slot as usize] != 0 || bad.contains(&slot))),
            },
            2 => {
                assert_eq!(map.share(slot, Sharer::Mapping).is_ok(), *shares != 0);
                *shares += u16::from(*shares != 0);
            }
            3 if random.one_in(2000) => {
                map.mark_bad(slot);
                bad.push(slot);
            }
            _ => match map.release(slot) {
                Ok(left) => {
                    *shares -= 1;
                    assert_eq!(left, *shares);
                }
                Err(_) => assert_eq!(*shares, 0),
            },
        }
        assert_eq!(map.used(), model.iter().filter(|shares| **shares != 0).count());
        if step % 5000 == 0 {
            map.validate();
            let used: Vec<u32> = (0..300).filter(|slot| model[*slot as usize] != 0).collect();
            let mut next = 0;
            let found: Vec<u32> = core::iter::from_fn(|| {
                let slot = map.next_used(next)?;
                next = slot + 1;
                Some(slot)
            })
            .collect();
            assert_eq!(found, used);
        }
    }
}
