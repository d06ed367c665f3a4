//! The model: picks an operation, predicts it, performs it, compares.

mod compare;

use std::collections::BTreeMap;

use mm::space::{
    FaultAccess, FaultError, Growth, MapRequest, ObjectError, Place, Protection, Sharing, SpaceError, SwapStore,
};
use mm::testing::{HostUser, Rng};
use mm::{Order, VirtAddr, ZoneKind};

use crate::common::{Kernel, blocks};
use crate::naive::{Bytes, Content, Naive, Objects, PLACES, Page};
use crate::program::{NONE, Program, R, RW, RX, TestObject};
use crate::swap::Swap;

/// Spaces at once, at most.
const SPACES: usize = 6;
/// Pages of each object.
const OBJECT_PAGES: usize = 9;
/// Operations between two comparisons of everything.
const COMPARE_EVERY: usize = 512;
/// Pages where areas are put: across the ends of tables, and in the way of the heap.
const WINDOWS: [usize; 4] = [0x400 - 20, (1 << 18) - 20, HEAP + 40, 0x4_0000 + 77];
const WINDOW: usize = 40;
const HEAP: usize = 0x2_0000;
const STACK_END: usize = 1 << 21;
const STACK_MOST: usize = 64;

struct Process {
    program: Program,
    naive: Naive,
}

pub struct Model {
    memory: Kernel,
    seed: u64,
    now: usize,
    rng: Rng,
    processes: Vec<Process>,
    swap: Swap,
    objects: Vec<TestObject>,
    bytes: Objects,
    start: [[usize; Order::COUNT]; ZoneKind::COUNT],
    /// Whether allocations may fail at the moment.
    scarce: bool,
    /// Whether swap cannot be read at the moment.
    broken: bool,
    failures: usize,
    seen: Seen,
}

/// What happened that the model is for.
#[derive(Default)]
struct Seen {
    swapped: usize,
    unreadable: usize,
    full: usize,
    refused: usize,
    emptied: usize,
}

/// Slots of each of two areas: now and then they are full.
const SLOTS: usize = 40;
/// Shares that a slot may have.
const SHARES: u32 = 4;

const fn addr(page: usize) -> VirtAddr {
    VirtAddr::new(page * 4096)
}

impl Model {
    pub fn new(memory: Kernel, seed: u64) -> Self {
        let swap = Swap::start(SLOTS);
        swap.store.set_most(SHARES);
        // The list of spaces has its memory.
        drop(Program::new_in(swap.spaces));
        memory.drop_caches();
        let start = blocks(memory);
        let objects =
            vec![TestObject::new(OBJECT_PAGES), TestObject::cached(OBJECT_PAGES), TestObject::cached(OBJECT_PAGES)];
        let bytes = vec![vec![Bytes::default(); OBJECT_PAGES]; objects.len()];
        let (rng, processes, seen) = (Rng::new(seed), Vec::new(), Seen::default());
        let (now, scarce, broken, failures) = (0, false, false, 0);
        Self { memory, seed, now, rng, processes, swap, objects, bytes, start, scarce, broken, failures, seen }
    }

    pub fn step(&mut self, step: usize) {
        self.now = step;
        if step.is_multiple_of(COMPARE_EVERY) {
            self.compare();
        }
        if self.processes.is_empty() {
            self.spawn();
        }
        self.scarce = self.rng.one_in(8);
        if self.scarce {
            self.memory.platform().fail_after(self.rng.below(4) as i64);
        }
        self.broken = self.rng.one_in(8);
        self.swap.store.set_broken(self.broken.then_some(ObjectError::Io));
        let at = self.rng.below(self.processes.len());
        match self.rng.below(100) {
            0..45 => self.touch(at),
            45..55 => self.swap_out(),
            55..68 => self.map(at),
            68..76 => self.unmap(at),
            76..84 => self.protect(at),
            84..88 => self.set_break(at),
            88..91 => self.fork(at),
            91..94 => self.change_object(),
            94..97 => self.copy(at),
            97..99 => HostUser.forget(self.processes[at].program.space.root()),
            _ => self.exit(at),
        }
        self.plenty();
        self.mend();
    }

    /// Swap can be read again.
    fn mend(&mut self) {
        self.broken = false;
        self.swap.store.set_broken(None);
    }

    /// Ends what a call fails by, if that is so; says whether it was.
    fn helps(&mut self, error: FaultError) -> bool {
        match error {
            FaultError::NoMemory if self.scarce => self.plenty(),
            FaultError::Io if self.broken => {
                self.seen.unreadable += 1;
                self.mend();
            }
            _ => return false,
        }
        true
    }

    /// Reclaim runs, or an area goes.
    fn swap_out(&mut self) {
        match self.rng.below(20) {
            0 => {
                self.plenty();
                self.mend();
                let area = [0, 5][self.rng.below(2)];
                assert_eq!(self.swap.off(area), Ok(()), "{}", self.here());
                self.seen.emptied += 1;
            }
            1..8 => _ = self.swap.store.launder(),
            _ => {
                let (before, most) = (self.swap.store.shares(), self.rng.below(40));
                let out = self.swap.out(most);
                self.seen.swapped += self.swap.store.shares() - before;
                self.seen.full += usize::from(out < most && self.swap.store.free_pages() == 0);
            }
        }
    }

    /// Ends a scarcity.
    fn plenty(&mut self) {
        if self.scarce {
            self.memory.platform().fail_never();
            self.failures += self.memory.platform().take_reports().len();
            self.scarce = false;
        }
    }

    /// Where a failure was seen.
    fn here(&self) -> String {
        format!("seed {}, step {}", self.seed, self.now)
    }

    fn spawn(&mut self) {
        let mut program = Program::new_in(self.swap.spaces);
        program.space.init_break(addr(HEAP));
        let at = Place::Fixed(addr(STACK_END - 1));
        program.space.map(MapRequest { at, growth: Growth::Down, ..MapRequest::anonymous(4096) }).expect("memory");
        program.space.set_limits(mm::space::Limits { stack: STACK_MOST * 4096, ..program.space.limits() });
        let pages = BTreeMap::from([(STACK_END - 1, Page::ZEROED)]);
        let stack = (STACK_END - 1, STACK_END, STACK_MOST);
        self.processes.push(Process { program, naive: Naive { pages, heap: (HEAP * 4096, HEAP * 4096), stack } });
    }

    /// A page that may be used: most often one of the space's.
    fn pick_page(&mut self, at: usize) -> usize {
        let naive = &self.processes[at].naive;
        match self.rng.below(20) {
            0 => STACK_END - 1 - self.rng.below(STACK_MOST + 4),
            1..3 => self.pick_range().0,
            _ => {
                let nth = self.rng.below(naive.pages.len().max(1));
                naive.pages.keys().nth(nth).copied().unwrap_or(HEAP)
            }
        }
    }

    fn pick_range(&mut self) -> (usize, usize) {
        let window = WINDOWS[self.rng.below(WINDOWS.len())];
        let first = self.rng.below(WINDOW);
        (window + first, 1 + self.rng.below(WINDOW - first))
    }

    fn pick_protection(&mut self) -> Protection {
        [NONE, R, R, RX, RW, RW, RW, Protection::all()][self.rng.below(8)]
    }

    fn touch(&mut self, at: usize) {
        let (page, place, value) = (self.pick_page(at), self.rng.below(PLACES.len()), self.rng.below(256) as u8);
        let access =
            [FaultAccess::Read, FaultAccess::Write, FaultAccess::Write, FaultAccess::Execute][self.rng.below(4)];
        let address = page * 4096 + PLACES[place];
        let mut result = self.processes[at].program.reach(address, access);
        while result.is_err_and(|error| self.helps(error)) {
            result = self.processes[at].program.reach(address, access);
        }
        let (here, naive) = (self.here(), &mut self.processes[at].naive);
        let result = result.map(|byte| match access {
            // SAFETY: the page shows to the program, and tests have one thread.
            FaultAccess::Write => unsafe { byte.write(value) },
            _ => {
                // SAFETY: as above.
                let read = unsafe { byte.read() };
                assert_eq!(Ok(read), naive.read(page, access, &self.bytes).map(|bytes| bytes[place]), "{here}");
            }
        });
        let expected = match access {
            FaultAccess::Write => naive.write(page, place, value, &mut self.bytes),
            _ => naive.read(page, access, &self.bytes).map(|_| ()),
        };
        assert_eq!(result, expected, "{here}: page {page:#x}, {access:?}");
    }

    fn map(&mut self, at: usize) {
        let ((first, pages), protection) = (self.pick_range(), self.pick_protection());
        let place = match self.rng.below(10) {
            0..4 => Place::Fixed(addr(first)),
            4..6 => Place::FixedNoReplace(addr(first)),
            6..9 => Place::Hint(addr(first)),
            _ => Place::Anywhere,
        };
        let most = if self.rng.one_in(5) { protection | RX } else { Protection::all() };
        let (request, content) = if self.rng.one_in(2) {
            (MapRequest::anonymous(pages * 4096), None)
        } else {
            let (object, page) = (self.rng.below(self.objects.len()), self.rng.below(OBJECT_PAGES + 1));
            let sharing = if self.rng.one_in(2) { Sharing::Shared } else { Sharing::Private };
            let request = MapRequest::object(self.objects[object].clone(), page as u64, pages * 4096);
            (MapRequest { sharing, ..request }, Some((object, page, sharing)))
        };
        let result = self.processes[at].program.space.map(MapRequest { at: place, protection, most, ..request });
        let (here, naive) = (self.here(), &mut self.processes[at].naive);
        let is_free = naive.is_free(first, pages);
        let start = match (place, result) {
            (_, Err(SpaceError::NoMemory)) if self.scarce => return,
            (Place::FixedNoReplace(_), Err(SpaceError::Exists)) if !is_free => return,
            (_, Err(error)) => panic!("{here}: {error:?}"),
            (_, Ok(start)) => start.as_usize() / 4096,
        };
        match place {
            Place::Fixed(_) => naive.unmap(first, pages),
            Place::FixedNoReplace(_) => assert!(is_free, "{here}"),
            Place::Hint(_) => assert_eq!(start == first, is_free, "{here}"),
            Place::Anywhere => {}
        }
        assert!(naive.is_free(start, pages) && (start == first || !matches!(place, Place::Fixed(_))), "{here}");
        for nth in 0..pages {
            let content = match content {
                None => Content::Own(Bytes::default()),
                Some((object, page, Sharing::Private)) => Content::Private { object, page: page + nth },
                Some((object, page, Sharing::Shared)) => Content::Shared { object, page: page + nth },
            };
            naive.pages.insert(start + nth, Page { protection, most, content });
        }
    }

    fn unmap(&mut self, at: usize) {
        let (first, pages) = match self.rng.below(3) {
            // What came anywhere.
            0 => (self.pick_page(at).clamp(1, STACK_END - 2 * STACK_MOST), 1 + self.rng.below(8)),
            _ => self.pick_range(),
        };
        let result = self.processes[at].program.space.unmap(addr(first), pages * 4096);
        if self.scarce && result == Err(SpaceError::NoMemory) {
            return;
        }
        assert_eq!(result, Ok(()), "{}", self.here());
        self.processes[at].naive.unmap(first, pages);
    }

    fn protect(&mut self, at: usize) {
        let ((first, pages), protection) = (self.pick_range(), self.pick_protection());
        let naive = &self.processes[at].naive;
        let (first, pages) = match self.rng.below(3) {
            0 => (first, pages),
            // A range that is mapped.
            _ => {
                let start = naive.pages.range(first..).next().map_or(first, |(&page, _)| page);
                let run = (start..start + pages).take_while(|page| naive.pages.contains_key(page)).count();
                if start >= STACK_END - 2 * STACK_MOST { (first, pages) } else { (start, run.max(1)) }
            }
        };
        let wrong = (first..first + pages).find_map(|page| match naive.pages.get(&page) {
            None => Some(SpaceError::NotMapped),
            Some(page) if !page.most.contains(protection) => Some(SpaceError::Denied),
            Some(_) => None,
        });
        let result = self.processes[at].program.space.protect(addr(first), pages * 4096, protection);
        match (result, wrong) {
            (Err(SpaceError::NoMemory), None) if self.scarce => {}
            (Err(error), Some(wrong)) => assert_eq!(error, wrong, "{}", self.here()),
            (result, wrong) => {
                assert_eq!((result, wrong), (Ok(()), None), "{}", self.here());
                let pages = self.processes[at].naive.pages.range_mut(first..first + pages);
                pages.for_each(|(_, page)| page.protection = protection);
            }
        }
    }

    fn set_break(&mut self, at: usize) {
        let to = HEAP * 4096 + self.rng.below(60 * 4096);
        let to = if self.rng.one_in(10) { to - 5 * 4096 } else { to };
        let (old, process) = (self.processes[at].naive.heap.1, &mut self.processes[at]);
        let result = process.program.space.set_break(Some(VirtAddr::new(to))).as_usize();
        if self.scarce && result == old {
            return;
        }
        assert_eq!(result, self.processes[at].naive.set_break(to), "{}: brk({to:#x})", self.here());
    }

    fn fork(&mut self, at: usize) {
        if self.processes.len() == SPACES {
            return self.exit(at);
        }
        match self.processes[at].program.space.fork() {
            Ok(space) => {
                let naive = self.processes[at].naive.clone();
                self.processes.push(Process { program: Program { space }, naive });
            }
            Err(_) if self.scarce => {}
            Err(_) => {
                // A slot has as many shares as it may have.
                assert_eq!(self.swap.store.most_shares(), SHARES, "{}", self.here());
                self.seen.refused += 1;
            }
        }
    }

    fn exit(&mut self, at: usize) {
        drop(self.processes.swap_remove(at));
    }

    fn change_object(&mut self) {
        let (object, page) = (self.rng.below(self.objects.len()), self.rng.below(OBJECT_PAGES));
        let (place, value) = (self.rng.below(PLACES.len()), self.rng.below(256) as u8);
        self.objects[object].write(page * 4096 + PLACES[place], value);
        self.bytes[object][page][place] = value;
    }

    /// Writes to pages that follow one another from outside, and reads them.
    fn copy(&mut self, at: usize) {
        let (first, pages, value) = (self.pick_page(at), 1 + self.rng.below(3), self.rng.below(256) as u8);
        // The model knows two places of a page, and all else is zeros.
        let mut bytes = vec![0; pages * 4096];
        (0..pages).for_each(|page| PLACES.iter().for_each(|place| bytes[page * 4096 + place] = value));
        let mut result = self.processes[at].program.space.copy_in(addr(first), &bytes);
        while result.is_err_and(|error| self.helps(error)) {
            result = self.processes[at].program.space.copy_in(addr(first), &bytes);
        }
        let (here, naive) = (self.here(), &mut self.processes[at].naive);
        let written = (first..first + pages).try_for_each(|page| {
            (0..PLACES.len()).try_for_each(|place| naive.write(page, place, value, &mut self.bytes))
        });
        assert_eq!(result, written, "{here}");
    }
}
