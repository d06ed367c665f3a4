//! Free address ranges: their new owners, their order, how many a CPU keeps.

mod common;

use std::sync::{Barrier, Mutex, mpsc};

use common::{Kernel, at_rest, boot};
use mm::testing::{Machine, Rng, TestKernel};
use mm::{PAGE_SIZE, VirtAddr};

fn pages(count: usize) -> usize {
    count * PAGE_SIZE
}

#[test]
fn one_flush_does_for_many_areas() {
    let memory = boot(64);
    let flushes = || memory.platform().flushes();
    let before = flushes();
    for _ in 0..640 {
        memory.vfree(memory.vmalloc(1).expect("memory")).expect("a right free");
    }
    assert_eq!(flushes() - before, 10, "one for 64 areas");
    // Pages count too: at most one in 32 of the machine's is lazy.
    let before = flushes();
    for _ in 0..16 {
        memory.vfree(memory.vmalloc(pages(200)).expect("memory")).expect("a right free");
        assert!(memory.areas().lazy_pages() <= 64 * 256 / 32);
    }
    assert_eq!(flushes() - before, 5, "one for three areas");
    at_rest(*memory);
}

#[test]
fn a_range_has_no_new_owner_before_the_flush() {
    let memory = boot(64);
    let first = memory.vmalloc(pages(16)).expect("memory");
    memory.vfree(first).expect("a right free");
    let second = memory.vmalloc(pages(16)).expect("memory");
    assert_ne!(second, first, "TLBs still show it");
    memory.vm_unmap_aliases();
    assert_eq!(memory.vmalloc(pages(16)), Ok(first), "now it is free, and nearer than the tree");
    at_rest(*memory);
}

#[test]
fn ranges_that_are_used_again_ascend() {
    // Shows: K12
    let memory = boot(64);
    let take = || [(); 20].map(|()| memory.vmalloc(pages(16)).expect("memory"));
    let areas = take();
    let ascend = |areas: &[VirtAddr]| areas.windows(2).all(|two| two[1] == two[0].add(pages(17)));
    assert!(ascend(&areas));
    areas.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
    memory.vm_unmap_aliases();
    assert_eq!(take(), areas);
}

#[test]
fn ranges_of_one_size_are_neighbours_although_other_sizes_come_between() {
    // Shows: K12
    let memory = boot(64);
    let mut others = Vec::new();
    // 15 ranges come in refills of 1, 2, 4 and 8.
    let areas: Vec<_> = (0..15)
        .map(|_| {
            let area = memory.vmalloc(pages(16)).expect("memory");
            others.push(memory.vmalloc(pages(3)).expect("memory"));
            area
        })
        .collect();
    for row in [1..3, 3..7, 7..15] {
        let row = &areas[row];
        assert!(row.windows(2).all(|two| two[1] == two[0].add(pages(17))), "{row:?}");
    }
    // Where the lowest hole is too small for a refill, there is none.
    memory.vfree(areas[3]).expect("a right free");
    memory.drop_caches();
    let end = others[14].add(pages(4));
    assert_eq!((memory.vmalloc(pages(16)), memory.areas().try_area_at(end)), (Ok(areas[3]), None));
    assert_eq!(memory.vmalloc(pages(16)), Ok(end));
    memory.vfree(end).expect("a right free");
    areas.into_iter().chain(others).for_each(|area| memory.vfree(area).expect("a right free"));
    at_rest(*memory);
}

#[test]
fn a_cpu_keeps_only_so_many_ranges_of_one_size() {
    let memory = boot(64);
    let areas: Vec<_> = (0..600).map(|_| memory.vmalloc(1).expect("memory")).collect();
    for &area in &areas {
        memory.vfree(area).expect("a right free");
        memory.validate().expect("valid");
    }
    memory.vm_unmap_aliases();
    // The range pool has room for as many. A few are neighbours that had no owner yet.
    let kept = areas.iter().filter(|&&area| memory.areas().try_area_at(area).is_some()).count();
    assert!((490..=512).contains(&kept), "{kept}");
    at_rest(*memory);
}

#[test]
fn ranges_that_were_freed_ascending_ascend_over_many_flushes() {
    // Shows: K12
    let memory = boot(64);
    let take = || [(); 200].map(|()| memory.vmalloc(pages(2)).expect("memory"));
    let areas = take();
    areas.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
    memory.vm_unmap_aliases();
    assert_eq!(take(), areas);
    areas.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
    at_rest(*memory);
}

#[test]
fn lazy_ranges_come_back_before_the_addresses_run_out() {
    let memory = TestKernel::boot(&Machine { vmalloc_pages: 64, ..Machine::with_mib(64) });
    for _ in 0..3 {
        let all = memory.vmalloc(pages(63)).expect("the whole range");
        memory.vfree(all).expect("a right free");
    }
    let areas: Vec<_> = (0..32).map(|_| memory.vmalloc(1).expect("addresses")).collect();
    areas.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
    assert!(memory.vmalloc(pages(63)).is_ok());
    at_rest(*memory);
}

#[test]
fn ranges_that_another_cpu_frees_come_back() {
    let memory = boot(64);
    let take = |count| (0..count).map(|_| memory.vmalloc(1).expect("memory")).collect::<Vec<_>>();
    let areas = take(600);
    let other = areas.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            TestKernel::enter(*memory);
            other.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
        });
    });
    memory.validate().expect("valid");
    let descriptors =
        || memory.objects().caches().find(|cache| cache.name.as_str() == "vm_area").map(|cache| cache.active_objects);
    let before = descriptors();
    let again = take(250);
    let from_there = again.iter().filter(|area| areas.contains(area)).count();
    assert!(from_there > 240, "all but a few neighbours that were at hand: {from_there}");
    assert_eq!(descriptors(), before, "they come with their descriptors");
    again.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
    at_rest(*memory);
}

#[test]
fn a_busy_cpu_gives_its_ranges_back_when_it_is_asked_and_asks_nobody() {
    let memory = boot(64);
    let take = |count| memory.vmalloc(pages(count)).expect("memory");
    let free = |area| memory.vfree(area).expect("a right free");
    let is_kept = |area| memory.areas().try_area_at(area).is_some();
    let barrier = Barrier::new(2);
    let (sender, receiver) = mpsc::channel();
    let kept = std::thread::scope(|scope| {
        scope.spawn(|| {
            TestKernel::enter(*memory);
            let (theirs, trigger) = (take(3), take(4));
            free(theirs);
            memory.vm_unmap_aliases();
            sender.send(theirs).expect("the test listens");
            barrier.wait();
            // It was asked meanwhile: its next free empties its cache.
            barrier.wait();
            free(trigger);
            barrier.wait();
            barrier.wait();
        });
        let theirs = receiver.recv().expect("sent");
        barrier.wait();
        memory.drop_caches();
        let in_use = is_kept(theirs);
        let (ours, trigger) = (take(1), take(2));
        free(ours);
        memory.vm_unmap_aliases();
        barrier.wait();
        barrier.wait();
        let asked = is_kept(theirs);
        free(trigger);
        let not_asked = is_kept(ours);
        barrier.wait();
        (in_use, asked, not_asked)
    });
    assert_eq!(kept, (true, false, true));
    at_rest(*memory);
}

#[test]
fn areas_that_go_round_between_cpus_stay_whole() {
    let seed = 31;
    println!("seed {seed}");
    let booted = boot(64);
    let memory: Kernel = *booted;
    let pool = Mutex::new(Vec::new());
    let lock = &|| pool.lock().expect("no thread fails");
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let mut rng = Rng::new(seed + thread);
            scope.spawn(move || {
                TestKernel::enter(memory);
                for _ in 0..20_000 {
                    // One that any thread took, with its address in its first word.
                    let taken = if rng.one_in(2) { lock().pop() } else { None };
                    if let Some(area) = taken {
                        // SAFETY: the area is this thread's now.
                        assert_eq!(unsafe { VirtAddr::as_mut_ptr::<usize>(area).read() }, area.as_usize());
                        memory.vfree(area).expect("a right free");
                    } else {
                        let area = memory.vmalloc(pages(1 + rng.below(2))).expect("memory");
                        // SAFETY: as above.
                        unsafe { area.as_mut_ptr::<usize>().write(area.as_usize()) };
                        let mut pool = lock();
                        let at = rng.below(pool.len() + 1);
                        pool.insert(at, area);
                    }
                    if rng.one_in(2000) {
                        memory.drop_caches();
                    }
                }
            });
        }
    });
    lock().drain(..).for_each(|area| memory.vfree(area).expect("a right free"));
    at_rest(memory);
}
