//! Pages of a file in memory: against a model, without memory, without data.

use std::collections::BTreeMap;

use mm::own::{CachedPage, KBytes};
use mm::testing::{Booted, Machine, Rng, TestKernel};
use mm::{AllocError, GfpFlags, Order, PAGE_SIZE, Pfn};
use services::file_pages::FilePages;
use services::radix::RadixTree;

const HIGHUSER: GfpFlags = GfpFlags::HIGHUSER;
/// Random operations of the model test.
const OPERATIONS: usize = 50_000;

type Pages = FilePages<TestKernel>;
type Page = CachedPage<TestKernel>;

/// Why a page was not read.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    NoMemory,
    Io,
}

impl From<AllocError> for Failed {
    fn from(AllocError: AllocError) -> Self {
        Self::NoMemory
    }
}

fn boot() -> Booted {
    TestKernel::boot(&Machine { highmem_start: Pfn::new(5120), ..Machine::with_mib(24) })
}

/// Frees what waits in caches, and counts what is free.
fn free(machine: &Booted) -> usize {
    machine.drop_caches();
    machine.pages().free_pages_total()
}

fn page() -> Result<Page, AllocError> {
    Page::new(HIGHUSER)
}

/// The byte that page `index` is full of.
fn content(index: u64) -> u8 {
    (index * 7 + 1) as u8
}

fn fill(index: u64) -> impl Fn(&mut Page) -> Result<(), Failed> {
    move |page| Ok(page.show_mut(|bytes| bytes.fill(content(index)))?)
}

/// Reads the page at `index`, wherever the failure comes.
fn read(pages: &mut Pages, index: u64) -> Result<Pfn, Failed> {
    Ok(pages.read(index, page()?, fill(index))?.frame())
}

fn holds(page: &Page, index: u64) -> bool {
    page.show(|bytes| bytes.len() == PAGE_SIZE && bytes.iter().all(|&byte| byte == content(index))).expect("shown")
}

fn give_back(machine: &Booted, frame: Pfn) {
    machine.free_frames(frame, Order::ZERO).expect("a reference of ours");
}

#[test]
fn a_page_that_was_read_stays_and_comes_from_high_memory() {
    let machine = boot();
    let mut pages = Pages::new();
    let frame = read(&mut pages, 3).expect("memory");
    assert_eq!(machine.pages().direct().zone_of(frame), mm::ZoneKind::HighMem);
    let page = pages.get(3).expect("it was read");
    assert!(page.frame() == frame && holds(page, 3) && !page.is_shared());
    assert!(pages.get(2).is_none() && pages.len() == 1);
}

#[test]
fn a_page_that_cannot_be_read_leaves_nothing_behind() {
    let machine = boot();
    let mut pages = Pages::new();
    read(&mut pages, 0).expect("memory");
    let before = free(&machine);
    for index in [1, 64, 1 << 30] {
        let refused = pages.read(index, page().expect("memory"), |_| Err(Failed::Io));
        assert!(matches!(refused, Err(Failed::Io)));
        assert!(pages.get(index).is_none() && pages.len() == 1 && pages.validate().is_ok());
    }
    assert_eq!(free(&machine), before);
    read(&mut pages, 1).expect("the next try succeeds");
}

#[test]
fn without_memory_at_any_step_nothing_is_lost() {
    let machine = boot();
    let mut pages = Pages::new();
    read(&mut pages, 0).expect("memory");
    let before = free(&machine);
    let hog = || {
        std::iter::from_fn(|| {
            KBytes::<TestKernel>::new(RadixTree::<Page, TestKernel>::NODE_BYTES, GfpFlags::KERNEL).ok()
        })
    };
    // The page and the nodes above it: four levels, and one more for what is there.
    let steps = 1 + RadixTree::<Page, TestKernel>::new().missing_nodes(1 << 20) + 3;
    let mut refusals = 0;
    for granted in 0..=steps {
        let mut held: Vec<_> = hog().take(100).collect();
        let kept = if granted > 0 { page().ok() } else { None };
        machine.platform().fail_after(0);
        held.extend(hog());
        held.truncate(held.len() - granted.saturating_sub(1));
        let got = match kept {
            Some(page) => pages.read(1 << 20, page, fill(1 << 20)).map(Page::frame),
            None => read(&mut pages, 1 << 20),
        };
        machine.platform().fail_never();
        machine.platform().take_reports();
        drop(held);
        assert!(pages.validate().is_ok() && pages.get(0).is_some_and(|page| holds(page, 0)));
        match got {
            Ok(_) => {
                assert!(pages.give_back(2) == 2 && pages.is_empty());
                read(&mut pages, 0).expect("memory");
            }
            Err(error) => {
                refusals += 1;
                assert_eq!((error, pages.len()), (Failed::NoMemory, 1));
            }
        }
        assert_eq!(free(&machine), before, "{granted} allocations");
    }
    assert!((2..=steps).contains(&refusals), "{refusals} refusals, and then it went well");
}

#[test]
fn what_others_have_a_reference_to_is_not_given_back() {
    let machine = boot();
    let mut pages = Pages::new();
    let before = free(&machine);
    for index in 0..10 {
        read(&mut pages, index).expect("memory");
    }
    let shared = [2, 3, 9].map(|index| pages.get(index).and_then(Page::share).expect("a reference"));
    assert_eq!((pages.give_back(usize::MAX), pages.len()), (7, 3));
    assert_eq!(pages.give_back(usize::MAX), 0);
    give_back(&machine, shared[1]);
    assert_eq!((pages.give_back(usize::MAX), pages.len()), (1, 2));
    // What is mapped outlives the file.
    drop(pages);
    for frame in [shared[0], shared[2]] {
        give_back(&machine, frame);
    }
    assert_eq!(free(&machine), before);
}

#[test]
fn giving_back_a_few_goes_on_where_it_ended() {
    let _machine = boot();
    let mut pages = Pages::new();
    for index in 0..6 {
        read(&mut pages, index).expect("memory");
    }
    let left = |pages: &Pages| (0..6).filter(|&index| pages.get(index).is_some()).collect::<Vec<_>>();
    assert_eq!((pages.give_back(2), left(&pages)), (2, vec![2, 3, 4, 5]));
    read(&mut pages, 0).expect("memory");
    assert_eq!((pages.give_back(2), left(&pages)), (2, vec![0, 4, 5]));
    assert_eq!((pages.give_back(3), left(&pages)), (3, vec![]));
    assert_eq!(pages.give_back(3), 0);
}

#[test]
fn random_users_find_what_a_naive_model_says() {
    let machine = boot();
    let before = free(&machine);
    let seed = 16;
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut pages = Pages::new();
    // Frames of what is in memory, and the references that others have.
    let mut model: BTreeMap<u64, (Pfn, u32)> = BTreeMap::new();
    for _ in 0..OPERATIONS {
        let index = if rng.one_in(4) { rng.next_u64() >> 44 } else { rng.below(40) as u64 };
        match rng.below(8) {
            0..=2 if pages.get(index).is_none() => {
                let frame = read(&mut pages, index).expect("memory");
                model.insert(index, (frame, 0));
            }
            0..=3 => {
                let found = pages.get(index).map(Page::frame);
                assert_eq!(found, model.get(&index).map(|entry| entry.0));
                assert!(pages.get(index).is_none_or(|page| holds(page, index)));
            }
            4 | 5 => {
                if let Some(entry) = model.get_mut(&index) {
                    assert_eq!(pages.get(index).and_then(Page::share), Some(entry.0));
                    entry.1 += 1;
                }
            }
            6 => {
                if let Some(entry) = model.values_mut().find(|entry| entry.1 > 0) {
                    give_back(&machine, entry.0);
                    entry.1 -= 1;
                }
            }
            _ => {
                let most = rng.below(8);
                let loose = model.values().filter(|entry| entry.1 == 0).count();
                assert_eq!(pages.give_back(most), most.min(loose));
                model.retain(|&index, entry| {
                    let is_there = pages.get(index).is_some();
                    assert!(is_there || entry.1 == 0, "a page that others have was freed");
                    is_there
                });
            }
        }
        assert_eq!(pages.len(), model.len());
    }
    assert_eq!(pages.validate(), Ok(()));
    for (frame, count) in model.into_values() {
        (0..count).for_each(|_| give_back(&machine, frame));
    }
    drop(pages);
    assert_eq!(free(&machine), before);
    machine.validate().expect("valid");
}
