//! Pipes between threads: bytes, ends, names, waiting for several of them.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use common::Hoard;
use kapi::{Errno, Events, IoBuf, LockError, OpenFlags, Whence};
use kernel::fs::{self, Make, OpenFile, PIPE_BUF, PIPE_BYTES, Place};
use kernel::sched::{PollTable, spawn};
use kernel::testing::memory;
use mm::GfpFlags;

kernel::test_kernel!(test_main);

/// Where all paths start.
const ROOT: Place = Place::root();

/// Pages that are free once all caches are empty.
fn free_pages() -> usize {
    memory().drop_caches();
    memory().pages().free_pages_total()
}

/// The `n`-th byte of a sequence without a short period.
fn byte(n: usize) -> u8 {
    (n.wrapping_mul(0x9e37_79b9) >> 13) as u8
}

fn sleep(millis: u64) {
    kernel::sched::sleep(Duration::from_millis(millis)).unwrap();
}

/// Sends `count` bytes, in small pieces.
fn send(writer: &OpenFile, count: usize) {
    let mut left = count;
    while left > 0 {
        let piece = left.min(1000);
        writer.write_all(&[1; 1000][..piece]).unwrap();
        left -= piece;
    }
}

/// Reads all that is there; how much that was.
fn drain(reader: &OpenFile) -> usize {
    let mut bytes = [0; 1000];
    let mut count = 0;
    while events(reader).contains(Events::READABLE) {
        count += reader.read_bytes(&mut bytes).unwrap();
    }
    count
}

/// What can be done with the file now.
fn events(file: &OpenFile) -> Events {
    file.poll(&mut PollTable::new().unwrap())
}

#[test_case]
fn pipes_carry_bytes_between_threads() {
    const LEN: usize = 50_000;
    let free = free_pages();
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    let thread = spawn("writer", move || {
        let mut chunk = [0; 777];
        let mut sent = 0;
        while sent < LEN {
            let n = chunk.len().min(LEN - sent);
            for (at, place) in chunk[..n].iter_mut().enumerate() {
                *place = byte(sent + at);
            }
            if writer.write_all(&chunk[..n]).is_err() {
                return 1;
            }
            sent += n;
        }
        0
    })
    .unwrap();
    let mut bytes = [0; 1000];
    let mut at = 0;
    loop {
        let n = reader.read_bytes(&mut bytes).unwrap();
        if n == 0 {
            break;
        }
        assert!(bytes[..n].iter().enumerate().all(|(offset, &found)| found == byte(at + offset)));
        at += n;
    }
    assert_eq!((at, thread.join()), (LEN, Ok(0)));
    assert_eq!(reader.llseek(0, Whence::Start), Err(Errno::ESPIPE));
    drop((reader, thread));
    // The thread's stack goes when the reaper has run.
    sleep(50);
    assert_eq!(free_pages(), free);
}

#[test_case]
fn bytes_that_are_written_behind_the_oldest_in_its_page_arrive() {
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    let (mut written, mut read) = (0, 0);
    // The pipe is kept full, so that its end is always in the page of its start.
    for step in [1000, 96, 3000, 4096, 1, 4095, 5000, PIPE_BYTES] {
        while written < read + PIPE_BYTES {
            writer.write_all(&[byte(written)]).unwrap();
            written += 1;
        }
        let mut bytes = [0; PIPE_BYTES];
        let mut got = 0;
        while got < step {
            got += reader.read_bytes(&mut bytes[got..step]).unwrap();
        }
        assert!(bytes[..step].iter().enumerate().all(|(n, value)| *value == byte(read + n)), "after {read} bytes");
        read += step;
    }
}

#[test_case]
fn a_pipe_without_readers_is_broken() {
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    let thread = spawn("writer", move || match writer.write_all(&[0; 100_000]) {
        Err(Errno::EPIPE) => 0,
        _ => 1,
    })
    .unwrap();
    assert_eq!(reader.read_bytes(&mut [0; 10]), Ok(10));
    drop(reader);
    assert_eq!(thread.join(), Ok(0));
}

#[test_case]
fn a_thread_that_waits_for_a_pipe_can_be_stopped() {
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    let thread = spawn("reader", move || i32::from(reader.read_bytes(&mut [0; 10]) != Err(Errno::EINTR))).unwrap();
    sleep(20);
    thread.interrupt();
    assert_eq!(thread.join(), Ok(0));
    drop(writer);
}

#[test_case]
fn small_writes_arrive_in_one_piece() {
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    let threads = [1, 2, 3].map(|mark: u8| {
        let writer = writer.clone();
        spawn("writer", move || {
            (0..40).map(|_| i32::from(writer.write(&mut IoBuf::take(&[mark; 1000])) != Ok(1000))).sum()
        })
        .unwrap()
    });
    drop(writer);
    let mut piece = [0; 1000];
    for _ in 0..120 {
        let mut len = 0;
        while len < piece.len() {
            len += reader.read_bytes(&mut piece[len..]).unwrap();
        }
        assert!(piece.iter().all(|byte| *byte == piece[0]), "pieces of two writers are mixed");
    }
    assert_eq!(reader.read_bytes(&mut piece), Ok(0));
    for thread in threads {
        assert_eq!(thread.join(), Ok(0));
    }
}

#[test_case]
fn ends_that_must_not_wait_do_not() {
    let (reader, writer) = fs::pipe(OpenFlags::NONBLOCK).unwrap();
    assert_eq!(reader.read_bytes(&mut [0; 10]), Err(Errno::EAGAIN));
    send(&writer, PIPE_BYTES - 1);
    assert_eq!(writer.write(&mut IoBuf::take(&[2; 2])), Err(Errno::EAGAIN), "not in one piece");
    assert_eq!(writer.write(&mut IoBuf::take(&[2; PIPE_BUF + 1])), Ok(1), "what is larger may be cut");
    assert_eq!(drain(&reader), PIPE_BYTES);
    // As a program changes it.
    reader.set_status(OpenFlags::empty());
    assert_eq!(reader.flags(), OpenFlags::READ);
    let thread = spawn("writer", move || {
        sleep(20);
        i32::from(writer.write_all(b"late") != Ok(()))
    });
    assert_eq!(reader.read_bytes(&mut [0; 10]), Ok(4));
    assert_eq!(thread.unwrap().join(), Ok(0));
}

#[test_case]
fn polls_say_what_can_be_done() {
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    assert_eq!((events(&reader), events(&writer)), (Events::empty(), Events::WRITABLE));
    writer.write_all(b"x").unwrap();
    assert_eq!((events(&reader), events(&writer)), (Events::READABLE, Events::WRITABLE));
    send(&writer, PIPE_BYTES - PIPE_BUF);
    assert_eq!((events(&reader), events(&writer)), (Events::READABLE, Events::empty()), "a write of a page would wait");
    drop(writer);
    assert_eq!(events(&reader), Events::READABLE | Events::HANG_UP);
    assert_eq!(drain(&reader), PIPE_BYTES - PIPE_BUF + 1);
    assert_eq!(events(&reader), Events::HANG_UP);
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    drop(reader);
    assert_eq!(events(&writer), Events::WRITABLE | Events::ERROR);
    let always = Events::READABLE | Events::WRITABLE;
    assert_eq!(events(&fs::open(&ROOT, "/tmp/bigfile", OpenFlags::READ, 0).unwrap()), always);
    assert_eq!(events(&fs::open(&ROOT, "/dev/null", OpenFlags::READ, 0).unwrap()), always);
}

/// Waits until one of the files is ready, and says which.
fn ready(files: &[OpenFile], limit: Option<Duration>) -> Result<Option<usize>, LockError> {
    let mut table = PollTable::new().unwrap();
    loop {
        if let Some(at) = files.iter().position(|file| !file.poll(&mut table).is_empty()) {
            return Ok(Some(at));
        }
        if !table.wait(limit)? {
            return Ok(None);
        }
    }
}

#[test_case]
fn a_poll_waits_for_several_pipes_and_misses_none() {
    poll_several();
    let free = free_pages();
    poll_several();
    assert_eq!(free_pages(), free);
}

fn poll_several() {
    const ROUNDS: usize = 300;
    let pipes = [(); 3].map(|()| fs::pipe(OpenFlags::empty()).unwrap());
    let readers = pipes.each_ref().map(|(reader, _)| reader.clone());
    let thread = spawn("poller", move || {
        let mut sum = 0;
        for _ in 0..ROUNDS {
            let mut bytes = [0; 1];
            match ready(&readers, None) {
                Ok(Some(at)) => sum += readers[at].read_bytes(&mut bytes).map_or(-1000, |_| i32::from(bytes[0])),
                _ => return -1,
            }
        }
        sum
    })
    .unwrap();
    for round in 0..ROUNDS {
        pipes[round % 3].1.write_all(&[1]).unwrap();
        // Now before the poller looks, now while it sleeps.
        match round % 5 {
            0 => kernel::sched::yield_now().unwrap(),
            1 => sleep(10),
            _ => {}
        }
    }
    assert_eq!(thread.join(), Ok(ROUNDS as i32));
    let readers = pipes.each_ref().map(|(reader, _)| reader.clone());
    assert_eq!(ready(&readers, Some(Duration::from_millis(20))), Ok(None), "nothing comes");
    let [(_, first), others @ ..] = pipes;
    drop(first);
    assert_eq!(ready(&readers, None), Ok(Some(0)), "the other end has gone");
    drop((readers, others, thread));
    sleep(50);
}

#[test_case]
fn a_poll_can_be_stopped_and_leaves_nothing() {
    static STOPPED: AtomicU32 = AtomicU32::new(0);
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    let file = reader.clone();
    let thread = spawn("poller", move || {
        let stopped = ready(&[file], None) == Err(LockError::Interrupted);
        STOPPED.fetch_add(u32::from(stopped), SeqCst);
        0
    })
    .unwrap();
    sleep(20);
    thread.interrupt();
    assert_eq!(thread.join(), Ok(0));
    assert_eq!(STOPPED.load(SeqCst), 1);
    // Nobody is on the queue any more.
    writer.write_all(b"x").unwrap();
    assert_eq!(reader.read_bytes(&mut [0; 4]), Ok(1));
}

#[test_case]
fn a_poll_without_memory_is_off_all_queues_when_it_ends() {
    const MOST: usize = 500;
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    writer.write_all(b"x").unwrap();
    reader.read_bytes(&mut [0; 4]).unwrap();
    let mut hoard = Hoard::new();
    {
        let mut table = PollTable::new().unwrap();
        hoard.fill(GfpFlags::KERNEL);
        for _ in 0..MOST {
            reader.poll(&mut table);
        }
        assert_eq!(table.wait(Some(Duration::ZERO)), Err(LockError::Broken), "there was memory for all");
        // The queue leads to those that found memory, and to nothing else.
        writer.write_all(b"x").unwrap();
    }
    drop(hoard);
    writer.write_all(b"x").unwrap();
    assert_eq!(drain(&reader), 2);
}

#[test_case]
fn pipes_with_names_wait_for_the_other_end() {
    let free = free_pages();
    fs::mknod(&ROOT, "/tmp/fifo", 0o666, Make::Pipe).unwrap();
    let error = |flags| fs::open(&ROOT, "/tmp/fifo", flags, 0).err();
    assert_eq!(error(OpenFlags::WRITE | OpenFlags::NONBLOCK), Some(Errno::ENXIO));
    assert_eq!(error(OpenFlags::READ | OpenFlags::NONBLOCK), None);
    for _ in 0..2 {
        let thread = spawn("writer", || {
            let writer = fs::open(&ROOT, "/tmp/fifo", OpenFlags::WRITE, 0).unwrap();
            i32::from(writer.write_all(b"through a name") != Ok(()))
        })
        .unwrap();
        let reader = fs::open(&ROOT, "/tmp/fifo", OpenFlags::READ, 0).unwrap();
        assert_eq!(reader.stat().unwrap().kind(), fs::Kind::Pipe);
        let mut bytes = [0; 32];
        let mut len = 0;
        while len < 14 {
            len += reader.read_bytes(&mut bytes[len..]).unwrap();
        }
        assert_eq!(&bytes[..len], b"through a name");
        assert_eq!(reader.read_bytes(&mut bytes), Ok(0));
        assert_eq!(thread.join(), Ok(0));
    }
    fs::unlink(&ROOT, "/tmp/fifo").unwrap();
    sleep(50);
    assert_eq!(free_pages(), free);
}
