//! The steps, and what each should come to.

use std::sync::atomic::Ordering::SeqCst;

use kapi::mm::own::PageRef;
use kapi::mm::space::{FaultAccess, ObjectError};
use kapi::mm::testing::Rng;
use kapi::mm::{GfpFlags, ZoneKind};
use kapi::testing::{Host, fail_after, in_use, stop_failing};
use kapi::{Errno, IoBuf, UserMemory};
use pagecache::{BdFlush, Kind, PageCache};

use crate::common::{PAGE, adopt, cache, difference, lock, pass, show, show_mut};
use crate::file::{File, Mapped};

/// Pages of a file, at most.
const PAGES: usize = 96;

/// Pages that have another use, of 16384.
const BALLAST: usize = 14_000;

/// Memory of a program, of which the first bytes are at hand.
struct Program<'a> {
    bytes: &'a [u8],
    there: usize,
}

impl UserMemory for Program<'_> {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn write(&self, _: usize, _: &[u8]) -> usize {
        0
    }

    fn clear(&self, _: usize, _: usize) -> usize {
        0
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let count = self.there.saturating_sub(offset).min(bytes.len());
        bytes[..count].copy_from_slice(&self.bytes[offset..offset + count]);
        count
    }
}

pub struct Model {
    rng: Rng,
    cache: &'static PageCache<Host>,
    files: Vec<File>,
    before: (usize, usize),
    lost: u64,
    seed: u64,
    /// So that a few dirty pages are a part of memory worth speaking of.
    _ballast: Vec<PageRef<Host>>,
}

impl Model {
    pub fn new(seed: u64) -> Self {
        let cache = cache();
        drop(File::new(cache, Kind::Device, PAGE));
        let fill = |_| PageRef::of_file(GfpFlags::HIGHUSER).expect("there is memory");
        let ballast = (0..BALLAST).map(fill).collect();
        let before = in_use();
        let kinds = [(Kind::Device, PAGES * PAGE - 512), (Kind::File, 5000), (Kind::Memory, 0), (Kind::File, 0)];
        let files = kinds.map(|(kind, bytes)| File::new(cache, kind, bytes)).into();
        cache.set_bdflush(BdFlush::new([0, 20, 0, 0, 500, 3000, 0, 0, 0]).expect("in range"));
        Self { rng: Rng::new(seed), cache, files, before, lost: 0, seed, _ballast: ballast }
    }

    pub fn step(&mut self, step: usize) {
        let at = self.rng.below(self.files.len());
        let short_of_memory = self.rng.one_in(50);
        if short_of_memory {
            fail_after(self.rng.below(4) as i64);
        }
        match self.rng.below(100) {
            0..35 => self.read(at, short_of_memory),
            35..65 => self.write(at, short_of_memory),
            65..72 => self.sync(at),
            72..74 => self.sync_all(),
            74..79 => self.resize(at),
            79..86 => self.shrink(),
            86..90 => self.map(at),
            90..92 => drop(self.files[at].mapped.pop()),
            92..95 => self.write_back(),
            95..99 => self.break_something(at),
            _ => self.reopen(at),
        }
        stop_failing();
        self.look_for_losses();
        if step.is_multiple_of(200) {
            let valid = self.cache.validate();
            assert_eq!(valid, Ok(()), "seed {}, step {step}", self.seed);
        }
    }

    /// A place in a file and a number of bytes, both within limits.
    fn range(&mut self, at: usize) -> (usize, usize) {
        let size = self.files[at].bytes.len();
        let start = if self.rng.one_in(3) {
            self.rng.below(PAGES) * PAGE
        } else {
            self.rng.below(size + PAGE / 2).min(PAGES * PAGE)
        };
        let count = match self.rng.below(4) {
            0 => PAGE,
            1 => self.rng.below(100),
            2 => self.rng.below(5 * PAGE),
            _ => self.rng.below(PAGE),
        };
        (start, count.min(PAGES * PAGE - start))
    }

    fn read(&mut self, at: usize, short_of_memory: bool) {
        let (start, count) = self.range(at);
        let file = &self.files[at];
        let wanted = count.min(file.bytes.len().saturating_sub(start));
        let mut bytes = vec![0xee; count];
        let result = file.mapping().read(start as u64, &mut IoBuf::fill(&mut bytes));
        let done = result.unwrap_or(0);
        assert_eq!(bytes[..done], file.bytes[start.min(file.bytes.len())..][..done], "{start} {count}");
        if done < wanted {
            let is_bad = lock(&file.disk.bad_reads).contains(&(((start + done) / PAGE) as u64));
            assert!(is_bad || short_of_memory, "{result:?} {start} {count}");
            let error = if done == 0 { result.err() } else { None };
            assert!(matches!(error, None | Some(Errno::EIO | Errno::ENOMEM)), "{error:?}");
        }
    }

    fn write(&mut self, at: usize, short_of_memory: bool) {
        let (start, count) = self.range(at);
        let value = self.rng.next_u64() as u8;
        let new: Vec<u8> = (0..count).map(|at| value.wrapping_add(at as u8)).collect();
        let there = if self.rng.one_in(4) { self.rng.below(count + 1) } else { count };
        let file = &mut self.files[at];
        let fits = match file.disk.kind {
            Kind::Device => count.min(file.bytes.len().saturating_sub(start)),
            _ => count,
        };
        let program = Program { bytes: &new, there };
        let mut buf = if there < count { IoBuf::take_user(&program) } else { IoBuf::take(&new) };
        let result = file.mapping().write(start as u64, &mut buf);
        let done = result.unwrap_or(0);
        assert_eq!(done, buf.done());
        if file.bytes.len() < start + done && done > 0 {
            file.bytes.resize(start + done, 0);
        }
        if done > 0 {
            file.bytes[start..start + done].copy_from_slice(&new[..done]);
        }
        assert_eq!(file.mapping().size(), file.bytes.len() as u64);
        if done < fits.min(there) {
            let is_bad = lock(&file.disk.bad_reads).contains(&(((start + done) / PAGE) as u64));
            assert!(is_bad || short_of_memory, "{result:?} {start} {count} {there}");
        }
    }

    /// After a sync without an error all is on the disk; an error is one of which the file was not told.
    fn sync(&mut self, at: usize) {
        let (start, count) = if self.rng.one_in(2) { (0, PAGES * PAGE) } else { self.range(at) };
        let file = &mut self.files[at];
        let mut seen = file.seen;
        let result = file.mapping().sync(start as u64..(start + count) as u64, &mut seen);
        file.seen = seen;
        match result {
            Ok(()) if file.disk.kind != Kind::Memory => {
                let end = file.bytes.len().min(start + count);
                let start = start.min(end);
                let difference = difference(&file.on_disk(start..end), &file.bytes[start..end]);
                assert_eq!(difference, None, "{:?} {start}..{end} of {}", file.disk.kind, file.bytes.len());
            }
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, Errno::EIO);
                assert!(file.may_have_failed || file.is_bad(), "an error of nothing");
            }
        }
        file.may_have_failed = file.is_bad();
    }

    fn sync_all(&mut self) {
        let result = self.cache.sync();
        let cannot_keep = |file: &File| file.disk.bad_flush.load(SeqCst);
        assert!(result.is_ok() || self.files.iter().any(cannot_keep));
        for file in self.files.iter().filter(|file| file.disk.kind != Kind::Memory) {
            if lock(&file.disk.bad_writes).is_empty() {
                let difference = difference(&file.on_disk(0..file.bytes.len()), &file.bytes);
                assert_eq!(difference, None, "{:?} of {}", file.disk.kind, file.bytes.len());
            }
        }
    }

    fn resize(&mut self, at: usize) {
        let size = if self.rng.one_in(3) { self.rng.below(PAGES) * PAGE } else { self.rng.below(PAGES * PAGE) };
        let file = &mut self.files[at];
        if file.disk.kind == Kind::Device {
            return;
        }
        let before = file.bytes.len();
        let result = file.mapping().set_size(size as u64);
        assert_eq!(result, Ok(()));
        file.bytes.resize(size, 0);
        lock(&file.disk.bytes).truncate(before.min(size));
        for mapped in &file.mapped {
            file.check(mapped);
        }
    }

    fn shrink(&mut self) {
        let gfp = [GfpFlags::KERNEL, GfpFlags::BUFFER, GfpFlags::ATOMIC][self.rng.below(3)];
        let zones = if self.rng.one_in(2) { &ZoneKind::ALL[..] } else { gfp.zones() };
        let dirty: usize = self.files.iter().map(|file| file.disk.writes.load(SeqCst)).sum();
        if self.rng.one_in(20) {
            self.cache.invalidate();
        } else {
            self.cache.shrink(gfp, zones, self.rng.below(20));
        }
        let written: usize = self.files.iter().map(|file| file.disk.writes.load(SeqCst)).sum();
        assert!(gfp == GfpFlags::KERNEL || written == dirty, "I/O without leave");
    }

    /// Maps a page, or writes to one that is mapped.
    fn map(&mut self, at: usize) {
        let index = self.rng.below(PAGES);
        let write = self.rng.one_in(2);
        let file = &mut self.files[at];
        if file.mapped.len() > 6
            && let Some(mapped) = file.mapped.first()
        {
            let range = file.bytes_of(mapped.index);
            if write && !range.is_empty() {
                show_mut(mapped.page.frame(), |page| page[..range.len()].fill(7));
                file.bytes[range].fill(7);
                self.cache.note_dirty(mapped.page.frame());
            }
            return file.check(mapped);
        }
        let access = if write { FaultAccess::Write } else { FaultAccess::Read };
        match file.mapping().page(index as u64, access) {
            Ok(frame) => {
                let mapped = Mapped { index, page: adopt(frame) };
                file.check(&mapped);
                file.mapped.push(mapped);
            }
            Err(ObjectError::Beyond) => assert!(index >= file.bytes.len().div_ceil(PAGE)),
            Err(ObjectError::Io) => assert!(lock(&file.disk.bad_reads).contains(&(index as u64))),
            Err(ObjectError::NoMemory) => {}
        }
    }

    fn write_back(&mut self) {
        pass(self.rng.below(4000) as u64);
        if self.rng.one_in(2) {
            self.cache.kupdate_round();
        } else {
            self.cache.bdflush_round();
        }
    }

    fn break_something(&mut self, at: usize) {
        let index = self.rng.below(PAGES) as u64;
        let what = self.rng.below(8);
        let file = &mut self.files[at];
        match what {
            0 => _ = lock(&file.disk.bad_reads).insert(index),
            1 => {
                lock(&file.disk.bad_writes).insert(index);
                file.may_have_failed = true;
            }
            2 => {
                file.disk.bad_flush.store(true, SeqCst);
                file.may_have_failed = true;
            }
            3 => file.disk.bad_flush.store(false, SeqCst),
            4..6 => lock(&file.disk.bad_reads).clear(),
            _ => lock(&file.disk.bad_writes).clear(),
        }
    }

    /// A mapping goes, and comes again: without a sync before what was not written is gone.
    fn reopen(&mut self, at: usize) {
        let file = &mut self.files[at];
        if file.disk.kind == Kind::Memory {
            return;
        }
        file.reopen(self.cache);
        file.bytes = file.on_disk(0..file.bytes.len());
    }

    fn look_for_losses(&mut self) {
        let lost = self.cache.stats().events.lost;
        if lost == self.lost {
            return;
        }
        let (most, before) = (lost - self.lost, self.lost);
        let found: usize = self.files.iter_mut().map(File::take_back_lost).sum();
        // A page may have been written to after it was lost: then it is as it should be.
        self.lost = self.cache.stats().events.lost;
        assert!(found as u64 <= most + (self.lost - before), "more is lost than was told");
    }

    pub fn finish(mut self) {
        for file in &self.files {
            lock(&file.disk.bad_reads).clear();
            lock(&file.disk.bad_writes).clear();
            file.disk.bad_flush.store(false, SeqCst);
        }
        assert_eq!(self.cache.sync(), Ok(()));
        self.sync_all();
        self.cache.validate().expect("valid");
        let events = self.cache.stats().events;
        println!("seed {}: {events:?}", self.seed);
        assert!(events.write_errors > 0 && events.read_errors > 0 && events.laundered > 0 && events.throttled > 0);
        self.files.clear();
        self.cache.validate().expect("valid");
        assert_eq!(in_use(), self.before);
    }
}

impl File {
    fn is_bad(&self) -> bool {
        !lock(&self.disk.bad_writes).is_empty() || self.disk.bad_flush.load(SeqCst)
    }

    fn bytes_of(&self, index: usize) -> std::ops::Range<usize> {
        let start = (index * PAGE).min(self.bytes.len());
        start..self.bytes.len().min(start + PAGE)
    }

    /// A mapped page has what the file has, and zeros behind its end.
    fn check(&self, mapped: &Mapped) {
        let range = self.bytes_of(mapped.index);
        show(mapped.page.frame(), |page| {
            assert_eq!(page[..range.len()], self.bytes[range.clone()]);
            assert!(page[range.len()..].iter().all(|&byte| byte == 0));
        });
    }
}
