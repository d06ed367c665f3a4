//! Requests between those who submit and a driver that the test plays.

mod common;

use std::sync::Arc;
use std::time::Duration;

use blocks::{Patience, Refused, SLOTS};
use common::{Ends, Page, hold, page, played, submit, whole};
use kapi::block::{MAX_SEGMENTS, PAGE_SECTORS};
use kapi::testing::{fail_after, in_use, machine, pass, spawn, stop_failing, take_log};
use kapi::{BlockError, BlockOp};

use BlockOp::{Flush, Read, Write};

#[test]
fn neighbours_become_one_request() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(1);
    // The first one starts at once, and the others wait.
    for (token, index) in [100, 11, 10, 13, 12, 20].into_iter().enumerate() {
        assert_eq!(submit(&queue, Read, index, &page, ends.done(token)), Ok(()));
    }
    // Neighbours, but the other way.
    assert_eq!(submit(&queue, Write, 14, &page, ends.done(6)), Ok(()));
    assert_eq!(queue.counts().in_flight, 4);
    let [first] = driver.take().try_into().expect("one at a time");
    driver.complete(first.tag, Ok(()));
    let shape = || {
        let seen = driver.take();
        let [one] = &seen[..] else { panic!("{seen:?}") };
        let shape = (one.op, one.sector / PAGE_SECTORS, one.segments.len());
        driver.complete(one.tag, Ok(()));
        shape
    };
    assert_eq!([shape(), shape(), shape()], [(Read, 10, 4), (Write, 14, 1), (Read, 20, 1)]);
    assert_eq!(ends.take_all(), (0..7).map(|token| (token, Ok(()))).collect::<Vec<_>>());
    let reads = queue.counts().reads;
    assert_eq!((reads.ended, reads.merged, reads.sectors), (3, 3, 6 * PAGE_SECTORS));
    assert!(queue.validate());
}

#[test]
fn a_request_has_so_many_pieces_at_most() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(4);
    let run = queue.run();
    for index in 0..MAX_SEGMENTS + 3 {
        assert_eq!(submit(&queue, Write, index as u64, &page, ends.done(index)), Ok(()));
    }
    assert_eq!(driver.take(), [], "the run has not ended");
    drop(run);
    let lengths: Vec<_> = driver.take().iter().map(|seen| seen.segments.len()).collect();
    assert_eq!(lengths, [MAX_SEGMENTS, 3]);
}

#[test]
fn tokens_and_memory_stay_together() {
    let _machine = machine();
    let ends = Ends::new();
    let pages: Vec<Page> = (0..8).map(|_| page()).collect();
    let (queue, driver) = played(1);
    let run = queue.run();
    // From both ends, and the gap between them at last.
    for index in [3, 4, 2, 6, 7, 1, 5, 0] {
        assert_eq!(submit(&queue, Read, index, &pages[index as usize], ends.done(index as usize)), Ok(()));
    }
    drop(run);
    let [one] = driver.take().try_into().expect("one request");
    let frames: Vec<_> = one.segments.iter().map(|segment| segment.frame()).collect();
    assert_eq!(frames, pages.iter().map(Page::frame).collect::<Vec<_>>());
    // Piece by piece after a failure: each token with its own page.
    driver.complete(one.tag, Err(BlockError::Io));
    for index in 0..8 {
        let [piece] = driver.take().try_into().expect("a piece");
        assert_eq!((piece.sector, piece.segments), (index * PAGE_SECTORS, vec![whole(&pages[index as usize])]));
        assert_eq!(ends.count(), 0);
        driver.complete(piece.tag, if index == 5 { Err(BlockError::Io) } else { Ok(()) });
        assert_eq!(ends.take(index as usize), Some(if index == 5 { Err(BlockError::Io) } else { Ok(()) }));
    }
    assert_eq!(take_log(), ["disk: read of 8 sectors from 40 on failed: the disk reports an error"]);
    let reads = queue.counts().reads;
    assert_eq!((reads.ended, reads.failed, reads.sectors), (1, 1, 7 * PAGE_SECTORS));
    assert!(queue.validate() && !queue.is_busy());
}

#[test]
fn requests_go_one_way_over_the_disk() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(1);
    for (token, index) in [50, 70, 10, 90, 30, 60, 20].into_iter().enumerate() {
        let op = if token % 2 == 0 { Read } else { Write };
        assert_eq!(submit(&queue, op, index, &page, ends.done(token)), Ok(()));
    }
    let order: Vec<_> = driver.finish().into_iter().map(|sector| sector / PAGE_SECTORS).collect();
    assert_eq!(order, [50, 60, 70, 90, 10, 20, 30]);
}

#[test]
fn nobody_starves_behind_a_stream() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(1);
    assert_eq!(submit(&queue, Read, 500, &page, ends.done(0)), Ok(()));
    assert_eq!(submit(&queue, Read, 3, &page, ends.done(1)), Ok(()));
    // There is always one more ahead.
    for round in 0..40 {
        assert_eq!(submit(&queue, Read, 502 + round * 2, &page, ends.done(10 + round as usize)), Ok(()));
        let [seen] = driver.take().try_into().expect("one at a time");
        driver.complete(seen.tag, Ok(()));
        if ends.take(1).is_some() {
            assert!(round <= 17, "{round}");
            return;
        }
    }
    panic!("the first request still waits");
}

#[test]
fn reads_get_a_request_while_writes_wait() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(2);
    let write = |index: u64| submit(&queue, Write, index * 2, &page, ends.done(index as usize));
    let taken = (0..100).take_while(|&index| write(index).is_ok()).count();
    assert_eq!(taken, SLOTS - 16);
    assert_eq!(write(99), Err(Refused::Busy));
    // What travels along needs none, and what it joins is one less.
    assert_eq!(submit(&queue, Write, 21, &page, ends.done(200)), Ok(()));
    let read = |index: u64| submit(&queue, Read, 300 + index * 2, &page, ends.done(300 + index as usize));
    assert_eq!((0..100).take_while(|&index| read(index).is_ok()).count(), 17);
    // The gate of writes opens when a batch is free.
    let mut ended = 0;
    while write(99).is_err() {
        let seen = driver.take();
        ended += seen.len();
        seen.iter().for_each(|seen| driver.complete(seen.tag, Ok(())));
    }
    assert!((30..=33).contains(&ended), "{ended}");
    driver.finish();
    assert!(queue.validate() && !queue.is_busy());
}

#[test]
fn who_waits_gets_a_request_in_turn() {
    let _machine = machine();
    let ends = Ends::new();
    let (queue, driver) = played(1);
    let held = page();
    let taken =
        (0..100).take_while(|&index| submit(&queue, Write, index * 2, &held, ends.done(index as usize)).is_ok());
    let taken = taken.count();
    let waiters: Vec<_> = (0..6_u64)
        .map(|nth| {
            let queue = queue.clone();
            spawn(move || {
                let page = page();
                let sector = (400 + nth * 2) * PAGE_SECTORS;
                let outcome = queue.submit(Write, sector, whole(&page), ends.done(1000 + nth as usize), Patience::Wait);
                while ends.take(1000 + nth as usize).is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                outcome
            })
        })
        .collect();
    let mut finished = 0;
    while finished < taken + 6 {
        finished += driver.finish().len();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(waiters.into_iter().all(|waiter| waiter.join() == Ok(())));
    assert!(queue.validate() && !queue.is_busy());
}

#[test]
fn who_waits_within_a_run_does_not_wait_for_its_end() {
    let _machine = machine();
    let ends = Ends::new();
    let (queue, driver) = played(2);
    let waiter = spawn({
        let queue = queue.clone();
        move || {
            let (page, run) = (page(), queue.run());
            for index in 0..200 {
                let sector = index * 2 * PAGE_SECTORS;
                let done = ends.done(index as usize);
                assert_eq!(queue.submit(Write, sector, whole(&page), done, Patience::Wait), Ok(()));
            }
            drop(run);
            while ends.count() < 200 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    // Nobody calls `expire`, as the kernel does once a second.
    let (mut finished, mut looks) = (0, 0);
    while finished < 200 && looks < 2000 {
        finished += driver.finish().len();
        looks += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(finished, 200);
    waiter.join();
    assert!(queue.validate() && !queue.is_busy());
}

#[test]
fn flushes_that_wait_are_one_and_go_first() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(1);
    assert_eq!(submit(&queue, Write, 0, &page, ends.done(0)), Ok(()));
    assert_eq!(submit(&queue, Write, 9, &page, ends.done(1)), Ok(()));
    (2..5).for_each(|token| assert_eq!(queue.flush(ends.done(token), Patience::None), Ok(())));
    let [first] = driver.take().try_into().expect("one at a time");
    driver.complete(first.tag, Ok(()));
    let [flush] = driver.take().try_into().expect("one flush");
    assert_eq!((flush.op, flush.segments.len()), (Flush, 0));
    // One that comes while another is under way covers more: it is not the same.
    assert_eq!(queue.flush(ends.done(5), Patience::None), Ok(()));
    driver.complete(flush.tag, Ok(()));
    assert_eq!(ends.take_all().len(), 4);
    assert_eq!(driver.finish().len(), 2);
    assert_eq!((queue.counts().flushes.ended, queue.counts().flushes.merged), (2, 2));
}

#[test]
fn a_busy_driver_is_asked_again() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(4);
    *hold(&driver.busy) = 2;
    assert_eq!(submit(&queue, Read, 0, &page, ends.done(0)), Ok(()));
    assert_eq!(driver.take(), []);
    // By the next one, and in the end by the clock.
    assert_eq!(submit(&queue, Read, 9, &page, ends.done(1)), Ok(()));
    assert_eq!(driver.take(), []);
    assert_eq!(queue.expire(), 0);
    assert_eq!(driver.finish().len(), 2);
    assert!(queue.validate() && !queue.is_busy());
}

#[test]
fn a_request_without_answer_is_given_up() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(2);
    queue.set_timeout(Duration::from_secs(3));
    assert_eq!(submit(&queue, Read, 0, &page, ends.done(0)), Ok(()));
    let [lost] = driver.take().try_into().expect("it was started");
    pass(Duration::from_secs(2));
    assert_eq!((queue.expire(), ends.count()), (0, 0));
    pass(Duration::from_secs(2));
    assert_eq!(submit(&queue, Read, 9, &page, ends.done(1)), Ok(()));
    assert_eq!(queue.expire(), 1);
    assert_eq!(*hold(&driver.aborted), [lost.tag]);
    assert_eq!(ends.take(0), Some(Err(BlockError::Timeout)));
    // An answer after that changes nothing.
    driver.complete(lost.tag, Ok(()));
    assert_eq!(driver.finish().len(), 1);
    assert_eq!(ends.take_all(), [(1, Ok(()))]);
    let log = take_log();
    assert_eq!(log[0], "disk: read of 8 sectors from 0 on failed: no answer in time");
    assert_eq!(log[1], format!("disk: the driver ends a request that it does not have: {}", lost.tag));
    assert!(queue.validate() && !queue.is_busy());
}

#[test]
fn an_answer_that_comes_while_a_request_is_given_up_counts() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(1);
    queue.set_timeout(Duration::from_secs(1));
    *hold(&driver.answers_late) = true;
    for token in 0..3 {
        assert_eq!(submit(&queue, Write, token * 2, &page, ends.done(token as usize)), Ok(()));
    }
    pass(Duration::from_secs(2));
    // As it has ended its tag is free again when the driver has let go of it, and not before.
    assert_eq!(queue.expire(), 0);
    assert_eq!(ends.take_all(), [(0, Ok(()))]);
    assert_eq!(hold(&driver.aborted).len(), 1);
    assert!(queue.validate());
    driver.take().iter().skip(1).for_each(|seen| driver.complete(seen.tag, Ok(())));
    driver.finish();
    assert_eq!(ends.take_all().len(), 2);
    assert!(queue.validate() && !queue.is_busy());
}

#[test]
fn a_disk_that_goes_leaves_nobody_waiting() {
    let _machine = machine();
    let before = in_use();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(1);
    for token in 0..4 {
        assert_eq!(submit(&queue, Read, token * 2, &page, ends.done(token as usize)), Ok(()));
    }
    let going = spawn({
        let queue = queue.clone();
        move || queue.retire()
    });
    // Those that wait end at once; the one that the driver has, when it says so.
    while ends.count() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(submit(&queue, Read, 9, &page, ends.done(9)), Err(Refused::Failed(BlockError::Gone)));
    let [last] = driver.take().try_into().expect("one at a time");
    driver.complete(last.tag, Ok(()));
    going.join();
    assert_eq!(ends.take(0), Some(Ok(())));
    assert!(ends.take_all().iter().all(|&(_, result)| result == Err(BlockError::Gone)));
    assert!(queue.driver().is_none());
    assert_eq!(Arc::strong_count(&driver), 1, "the queue has let go of it");
    drop((queue, driver, page));
    take_log();
    assert_eq!(in_use(), before);
}

#[test]
fn a_request_needs_no_memory() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(8);
    fail_after(0);
    for token in 0..60 {
        let op = if token % 3 == 0 { Write } else { Read };
        assert_eq!(submit(&queue, op, token * 7 % 64, &page, ends.done(token as usize)), Ok(()));
    }
    driver.finish();
    assert_eq!(queue.flush(ends.done(100), Patience::None), Ok(()));
    driver.finish();
    stop_failing();
    assert_eq!(ends.take_all().len(), 61);
    assert!(queue.validate());
}

#[test]
fn what_cannot_be_is_refused() {
    let _machine = machine();
    let (ends, page) = (Ends::new(), page());
    let (queue, driver) = played(1);
    let beyond = Err(Refused::Failed(BlockError::Beyond));
    assert_eq!(submit(&queue, Read, 1024, &page, ends.done(0)), beyond);
    assert_eq!(queue.submit(Write, 8185, whole(&page), ends.done(0), Patience::None), beyond);
    assert_eq!(queue.submit(Write, u64::MAX, whole(&page), ends.done(0), Patience::None), beyond);
    driver.complete(7, Ok(()));
    driver.complete(u16::MAX, Ok(()));
    assert_eq!(take_log().len(), 2);
    assert!(queue.validate() && ends.count() == 0);
    let early = common::queue();
    assert_eq!(submit(&early, Read, 0, &page, ends.done(0)), Err(Refused::Failed(BlockError::Gone)));
}
