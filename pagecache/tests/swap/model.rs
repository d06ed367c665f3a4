//! Programs that write, read, fork and end, each with a table of its bytes.
//!
//! Their pages go and come meanwhile.

use kapi::Errno;
use kapi::mm::space::FaultError;
use kapi::mm::testing::{Rng, TestKernel};
use kapi::testing::{fail_after, stop_failing};

use crate::common::{PAGE, lock};
use crate::world::{Program, World, at};

/// Pages of a program.
const PAGES: usize = 48;
/// Programs at most: together they have more pages than all disks have slots.
const PROGRAMS: usize = 6;

/// What a page of a program has; none before it was written to.
type Bytes = Option<Box<[u8; PAGE]>>;

pub struct Model {
    world: &'static World,
    random: Rng,
    seed: u64,
    programs: Vec<(Program, Vec<Bytes>)>,
    /// Whether disks may fail, or memory be out, so that calls may.
    is_failing: bool,
}

impl Model {
    pub fn new(world: &'static World, seed: u64) -> Self {
        let first = (world.program(PAGES), vec![None; PAGES]);
        Self { world, random: Rng::new(seed), seed, programs: vec![first], is_failing: false }
    }

    pub fn step(&mut self, step: usize) {
        let what = self.random.below(100);
        match what {
            0..30 => self.write(step),
            30..60 => self.read(step),
            60..63 => self.fork(),
            63..66 => self.end(),
            66..76 => self.read(step),
            76..78 => self.discard(),
            78..88 => {
                let pages = 1 + self.random.below(24);
                self.world.press(pages);
            }
            88..94 => self.change_faults(),
            94..96 => self.swap_on_or_off(step),
            // Each costs a request's whole patience.
            _ if self.random.one_in(6) => self.without_memory(step),
            _ => {}
        }
        if step.is_multiple_of(1000) {
            self.validate(step);
        }
    }

    fn any_page(&mut self) -> (usize, usize) {
        (self.random.below(self.programs.len()), self.random.below(PAGES))
    }

    /// That a call has failed for a reason that there may be.
    fn may_fail(&self, error: FaultError, step: usize) {
        let is_known = matches!(error, FaultError::NoMemory | FaultError::Io);
        assert!(self.is_failing && is_known, "seed {}, step {step}: {error:?}", self.seed);
    }

    fn write(&mut self, step: usize) {
        let (program, page) = self.any_page();
        let (from, byte) = (self.random.below(PAGE), self.random.next_u64() as u8);
        let bytes = vec![byte; 1 + self.random.below(PAGE - from).min(40)];
        let (space, pages) = &mut self.programs[program];
        match space.copy_in(at(page, from), &bytes) {
            Ok(()) => {
                let content = pages[page].get_or_insert_with(|| Box::new([0; PAGE]));
                content[from..from + bytes.len()].copy_from_slice(&bytes);
            }
            Err(error) => self.may_fail(error, step),
        }
    }

    fn read(&mut self, step: usize) {
        let (program, page) = self.any_page();
        let (space, pages) = &mut self.programs[program];
        let mut found = [0xee; PAGE];
        match space.copy_out(at(page, 0), &mut found) {
            Ok(()) => {
                let expected = pages[page].as_deref().unwrap_or(&[0; PAGE]);
                assert!(found == *expected, "seed {}, step {step}: page {page} of program {program}", self.seed);
            }
            Err(error) => self.may_fail(error, step),
        }
    }

    fn fork(&mut self) {
        if self.programs.len() < PROGRAMS {
            let parent = self.random.below(self.programs.len());
            let (space, pages) = &mut self.programs[parent];
            match space.fork() {
                Ok(child) => {
                    let pages = pages.clone();
                    self.programs.push((child, pages));
                }
                Err(_) => assert!(self.is_failing),
            }
        }
    }

    fn end(&mut self) {
        if self.programs.len() > 1 {
            let program = self.random.below(self.programs.len());
            self.programs.swap_remove(program);
        } else {
            self.programs[0] = (self.world.program(PAGES), vec![None; PAGES]);
        }
    }

    fn discard(&mut self) {
        let (program, first) = self.any_page();
        let count = 1 + self.random.below(PAGES - first);
        let (space, pages) = &mut self.programs[program];
        space.discard(at(first, 0), count * PAGE).expect("pages of its own");
        pages[first..first + count].fill(None);
    }

    /// Some pages of a disk cannot be read, or not be written; or all can be again.
    fn change_faults(&mut self) {
        let disk = self.world.disks[self.random.below(self.world.disks.len())].clone();
        let slots = lock(&disk.bytes).len() / PAGE;
        let bad = (0..8).map(|_| self.random.below(slots) as u64).collect();
        match self.random.below(6) {
            0 => *lock(&disk.bad_reads) = bad,
            1 => *lock(&disk.bad_writes) = bad,
            _ => {
                lock(&disk.bad_reads).clear();
                lock(&disk.bad_writes).clear();
            }
        }
        let has_faults = |disk: &crate::common::Disk| !lock(&disk.bad_reads).is_empty();
        self.is_failing = self.world.disks.iter().any(|disk| has_faults(disk));
    }

    fn swap_on_or_off(&mut self, step: usize) {
        let disk = self.random.below(self.world.disks.len());
        let priority = [None, Some(3)][self.random.below(2)];
        match self.world.swapoff(disk) {
            Ok(()) => {}
            Err(Errno::EINVAL) => self.world.swapon(disk, priority).expect("a good disk"),
            Err(error) => {
                let is_known = matches!(error, Errno::EIO | Errno::ENOMEM);
                assert!(self.is_failing && is_known, "seed {}, step {step}: {error:?}", self.seed);
            }
        }
    }

    /// A few steps while memory is out.
    fn without_memory(&mut self, step: usize) {
        let before = std::mem::replace(&mut self.is_failing, true);
        fail_after(self.random.below(3) as i64);
        match self.random.below(8) {
            0 => self.fork(),
            1 => self.swap_on_or_off_without_memory(),
            2..5 => self.write(step),
            _ => self.read(step),
        }
        stop_failing();
        self.is_failing = before;
    }

    fn swap_on_or_off_without_memory(&mut self) {
        let disk = self.random.below(self.world.disks.len());
        match self.world.swapoff(disk) {
            Ok(()) | Err(Errno::EIO | Errno::ENOMEM) => {}
            Err(Errno::EINVAL) => assert!(matches!(self.world.swapon(disk, None), Ok(()) | Err(Errno::ENOMEM))),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn validate(&mut self, step: usize) {
        assert_eq!(self.world.cache.validate(), Ok(()), "seed {}, step {step}", self.seed);
        for (space, _) in &mut self.programs {
            assert_eq!(space.validate(), Ok(()), "seed {}, step {step}", self.seed);
        }
        let swapped: usize = self.programs.iter().map(|(space, _)| space.usage().swapped).sum();
        let totals = self.world.swap.totals();
        assert!(totals.free <= totals.slots && swapped <= PROGRAMS * PAGES);
        let _ = TestKernel::memory().platform().take_reports();
    }

    /// Reads all once more, with disks that work again, and ends all programs.
    pub fn finish(mut self) {
        for disk in &self.world.disks {
            lock(&disk.bad_reads).clear();
            lock(&disk.bad_writes).clear();
        }
        self.is_failing = false;
        (0..2000).for_each(|step| self.read(step));
        self.validate(0);
    }
}
