//! Bootmem's calls in any order, against a model of pages.

use core::ops::Range;

use mm::region::CAPACITY;
use mm::testing::Rng;
use mm::{BootZone, Bootmem, BootmemError, PAGE_SIZE};

use super::{MIB, agrees, keeping, phys, range};

/// What bootmem should know of each of a few pages.
#[derive(Clone, Default)]
struct Pages {
    usable: Vec<bool>,
    withheld: Vec<bool>,
    hidden: Vec<bool>,
    /// Reserved or allocated.
    reserved: Vec<bool>,
}

impl Pages {
    const COUNT: usize = 48;

    fn new() -> Self {
        let none = vec![false; Self::COUNT];
        Self { usable: none.clone(), withheld: none.clone(), hidden: none.clone(), reserved: none }
    }

    fn is_ram(&self, page: usize) -> bool {
        self.usable[page] && !self.withheld[page]
    }

    fn free(&self) -> Vec<bool> {
        let is_free = |page: usize| self.is_ram(page) && !self.hidden[page] && !self.reserved[page];
        (0..Self::COUNT).map(is_free).collect()
    }

    /// Why these pages cannot be given back.
    fn refusal(&self, mut pages: Range<usize>) -> Result<(), BootmemError> {
        if pages.clone().any(|page| !self.is_ram(page) || self.hidden[page]) {
            return Err(BootmemError::NotRam);
        }
        if pages.any(|page| !self.reserved[page]) { Err(BootmemError::AlreadyFree) } else { Ok(()) }
    }
}

/// A call that says something of pages, whatever was said before.
#[derive(Clone)]
enum Word {
    Usable(Range<usize>),
    Withheld(Range<usize>),
    Reserved(Range<usize>),
    Kept(Range<usize>),
}

impl Word {
    fn random(rng: &mut Rng) -> Self {
        let start = rng.below(Pages::COUNT);
        let pages = start..(start + 1 + rng.below(12)).min(Pages::COUNT);
        match rng.below(20) {
            0..9 => Self::Usable(pages),
            9..11 => Self::Withheld(pages),
            11..19 => Self::Reserved(pages),
            _ => Self::Kept(start.min(10)..Pages::COUNT - rng.below(10)),
        }
    }

    fn say(&self, bootmem: &mut Bootmem, model: &mut Pages) {
        let bytes =
            |pages: &Range<usize>| (phys((pages.start * PAGE_SIZE) as u64), phys((pages.end * PAGE_SIZE) as u64));
        match self {
            Self::Usable(pages) => {
                let (start, end) = bytes(pages);
                bootmem.add_ram(start, end);
                model.usable[pages.clone()].fill(true);
            }
            Self::Withheld(pages) => {
                let (start, end) = bytes(pages);
                bootmem.withhold(start, end);
                model.withheld[pages.clone()].fill(true);
            }
            Self::Reserved(pages) => {
                let (start, end) = bytes(pages);
                let free = model.free()[pages.clone()].iter().filter(|&&free| free).count();
                assert_eq!(bootmem.reserve(start, end), Ok(free));
                model.reserved[pages.clone()].fill(true);
            }
            Self::Kept(pages) => {
                let before = model.free();
                model.hidden.iter_mut().enumerate().for_each(|(page, hidden)| *hidden |= !pages.contains(&page));
                let gone: Vec<bool> = before.iter().zip(model.free()).map(|(&was, is)| was && !is).collect();
                let hidden = bootmem.keep_only(&keeping(&[range(pages.start as u32, pages.end as u32)]));
                agrees(&hidden.expect("room"), &gone, 0);
            }
        }
    }
}

#[test]
fn calls_in_any_order_lose_no_reservation() {
    for seed in 0..150 {
        println!("seed {seed}");
        let (mut rng, mut bootmem, mut model) = (Rng::new(seed), Bootmem::new(), Pages::new());
        for _ in 0..60 {
            match rng.below(6) {
                0 => {
                    let (start, pages) = (rng.below(Pages::COUNT), 1 + rng.below(5));
                    let pages = start..(start + pages).min(Pages::COUNT);
                    let bytes = |page: usize| phys((page * PAGE_SIZE) as u64);
                    let expected = model.refusal(pages.clone());
                    assert_eq!(bootmem.free(bytes(pages.start), bytes(pages.end)), expected, "{pages:?}");
                    if expected.is_ok() {
                        model.reserved[pages].fill(false);
                    }
                }
                1 => {
                    let pages = 1 + rng.below(3);
                    if let Ok(block) = bootmem.alloc(pages * PAGE_SIZE, PAGE_SIZE, BootZone::Low) {
                        let first = block.start.as_u64() as usize / PAGE_SIZE;
                        assert!(model.free()[first..first + pages].iter().all(|&free| free), "a second owner");
                        model.reserved[first..first + pages].fill(true);
                    }
                }
                2 => {
                    // Behind the last small request of the same page, or on a page of its own.
                    let free = model.free();
                    if let Ok(block) = bootmem.alloc(1000, 8, BootZone::Low) {
                        let (start, end) = (block.start.as_u64() as usize, block.start.as_u64() as usize + 1000);
                        let pages = start / PAGE_SIZE..end.div_ceil(PAGE_SIZE);
                        let usable = |page: usize| model.is_ram(page) && !model.hidden[page];
                        assert!(pages.clone().all(usable), "no memory that may be used");
                        pages.filter(|&page| free[page]).for_each(|page| model.reserved[page] = true);
                    }
                }
                _ => Word::random(&mut rng).say(&mut bootmem, &mut model),
            }
            agrees(bootmem.unreserved(), &model.free(), 0);
        }
    }
}

#[test]
fn the_order_of_calls_makes_no_difference() {
    for seed in 0..100 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut words: Vec<Word> = (0..20).map(|_| Word::random(&mut rng)).collect();
        let mut sets = Vec::new();
        for _ in 0..4 {
            let (mut bootmem, mut model) = (Bootmem::new(), Pages::new());
            words.iter().for_each(|word| word.say(&mut bootmem, &mut model));
            agrees(bootmem.unreserved(), &model.free(), 0);
            sets.push((bootmem.kept_ram().expect("room").ranges().to_vec(), bootmem.finish().ranges().to_vec()));
            (1..words.len()).for_each(|at| words.swap(at, rng.below(at + 1)));
        }
        assert!(sets.windows(2).all(|two| two[0] == two[1]), "{sets:?}");
    }
}

#[test]
fn a_refused_call_changes_nothing() {
    // Every second page, as many as the table of what is free takes.
    let mut bootmem = Bootmem::new();
    let page = PAGE_SIZE as u64;
    bootmem.add_ram(phys(0), phys(64 * MIB));
    let mut taken = 0;
    while bootmem.reserve(phys(2 * taken * page), phys((2 * taken + 1) * page)).is_ok() {
        taken += 1;
    }
    let before = bootmem.unreserved().ranges().to_vec();
    assert_eq!(before.len(), CAPACITY);
    let at = phys(63 * MIB);
    assert_eq!(bootmem.reserve(at, phys(63 * MIB + 1)), Err(BootmemError::TooManyRanges));
    assert_eq!(bootmem.reserved_within(at, phys(64 * MIB)).count(), 0);
    assert_eq!(bootmem.unreserved().ranges(), before);
    assert_eq!(bootmem.free(phys(0), phys(3 * page)), Err(BootmemError::AlreadyFree), "a part is free");
    assert_eq!(bootmem.unreserved().ranges(), before);
    assert_eq!(bootmem.free(phys(2 * page), phys(3 * page)), Ok(()), "melts two into one");
}
