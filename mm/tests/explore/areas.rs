//! Areas that several CPUs free at once.
//! Of all frees of an area one wins, and a flush comes before its next owner.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mm::{PAGE_SIZE, VirtAddr};

use super::platform::{INTERRUPT, run_on};
use super::{Machine, SCHEDULES, explore, explore_by, join, spawn};

/// Frees an area unless another thread has; counts it then.
fn try_free(machine: &'static Machine, area: VirtAddr, freed: &AtomicUsize) {
    freed.fetch_add(usize::from(machine.memory.areas().free_empty(area).is_ok()), Relaxed);
}

/// Takes an area that no other thread frees.
fn take(machine: &'static Machine, pages: usize) -> VirtAddr {
    let area = take_any(machine, pages);
    assert!(!machine.memory.platform().is_stale(area), "a TLB may still show the last owner's pages");
    area
}

/// Takes an area that another thread may guess and free at once: whatever TLBs show then is that one's.
fn take_any(machine: &'static Machine, pages: usize) -> VirtAddr {
    machine.memory.areas().take_empty(pages).expect("addresses")
}

fn counters<const N: usize>() -> &'static [AtomicUsize; N] {
    Box::leak(Box::new([const { AtomicUsize::new(0) }; N]))
}

#[test]
fn of_those_that_free_an_area_at_once_one_wins() {
    fn scenario(machine: &'static Machine) {
        let memory = machine.memory;
        // More than the area index holds, so that they take places from each other.
        let areas = [(); 3].map(|()| take(machine, 2));
        // Where the next two will be, unless the other thread has ended.
        let guesses = [areas[2].add(3 * PAGE_SIZE), areas[2].add(7 * PAGE_SIZE)];
        let [owners, others] = counters();
        let owner = spawn(0, move || {
            for area in areas {
                try_free(machine, area, owners);
            }
            for _ in guesses {
                try_free(machine, take_any(machine, 3), owners);
            }
            memory.drop_caches();
        });
        let other = spawn(1, move || {
            for area in guesses.into_iter().chain(areas).rev() {
                try_free(machine, area, others);
            }
            memory.drop_caches();
        });
        join([owner, other]);
        assert_eq!(owners.load(Relaxed) + others.load(Relaxed), 5, "each was freed once");
        assert_eq!(memory.areas().iter().count(), 0);
    }
    explore(scenario);
}

#[test]
fn an_area_is_closed_once_with_and_without_a_cpu() {
    explore(|machine: &'static Machine| {
        // One that is taken on CPU 0, and one by a caller that has no CPU.
        run_on(INTERRUPT);
        let without = take(machine, 2);
        run_on(0);
        let with = take(machine, 2);
        let [freed] = counters();
        let free = |cpu, areas: [VirtAddr; 2]| {
            spawn(cpu, move || areas.iter().for_each(|&area| try_free(machine, area, freed)))
        };
        let areas = [with, without];
        join([free(0, areas), free(1, areas), free(1, [without, with]), free(INTERRUPT, areas)]);
        assert_eq!(freed.load(Relaxed), 2, "each was freed once");
        assert_eq!(machine.memory.areas().iter().count(), 0);
    });
}

#[test]
fn an_area_that_is_freed_and_taken_again_meanwhile_is_closed_once() {
    fn scenario(machine: &'static Machine) {
        let area = take(machine, 2);
        let [taken, freed] = counters();
        let owner = spawn(0, move || {
            try_free(machine, area, freed);
            machine.memory.vm_unmap_aliases();
            // The same range, unless it went to another CPU.
            taken.fetch_add(usize::from(take(machine, 2) == area), Relaxed);
            try_free(machine, area, freed);
        });
        let others = [1, 1].map(|cpu| spawn(cpu, move || try_free(machine, area, freed)));
        join([owner].into_iter().chain(others));
        let live: Vec<_> = machine.memory.areas().iter().map(|live| live.start).collect();
        let still_there = usize::from(live.contains(&area));
        assert_eq!(1 + taken.load(Relaxed) - freed.load(Relaxed), still_there);
        live.into_iter().for_each(|area| machine.memory.areas().free_empty(area).expect("it is open"));
    }
    explore_by(5 * SCHEDULES, scenario);
}

#[test]
fn once_vm_unmap_aliases_has_returned_no_tlb_shows_what_was_freed_before() {
    explore_by(5 * SCHEDULES, |machine: &'static Machine| {
        let free = |areas: [VirtAddr; 4]| {
            spawn(0, move || {
                for area in areas {
                    machine.memory.areas().free_empty(area).expect("only its owner frees it");
                    machine.memory.vm_unmap_aliases();
                    assert!(!machine.memory.platform().is_stale(area), "another thread has it in hand");
                }
            })
        };
        let areas = || [(); 4].map(|()| take(machine, 2));
        join([areas(), areas()].map(free));
    });
}

#[test]
fn an_area_that_loses_its_place_in_the_index_is_still_freed_once() {
    // The race is one step wide: more schedules.
    explore_by(5 * SCHEDULES, |machine: &'static Machine| {
        // They fill the area index.
        let areas = [(); 6].map(|()| take(machine, 2));
        let free = |area| machine.memory.areas().free_empty(area).expect("only its owner frees it");
        let owner = spawn(0, move || areas[..2].iter().copied().for_each(free));
        // New ranges, which take their places.
        let other = spawn(1, move || [3, 4].map(|pages| take(machine, pages)).into_iter().for_each(free));
        join([owner, other]);
        areas[2..].iter().copied().for_each(free);
        assert_eq!(machine.memory.areas().iter().count(), 0);
    });
}
