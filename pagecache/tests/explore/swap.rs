//! Swap under many schedules.
//!
//! Page tables share a slot, pages go out and come back, processes fork, write and end, an area goes. A page table is
//! one entry in a lock here, which is held while `assign`, `duplicate` and `forget` are called, as a space does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use kapi::mm::own::{AnyBox, PageRef};
use kapi::mm::space::{SwapSlot, SwapStore};
use kapi::mm::{GfpFlags, PAGE_SIZE, ZoneKind};
use pagecache::swap::{Header, NewArea, Swap, Totals};
use shuttle::sync::Mutex;
use shuttle::thread;

use super::kernel::Machine;
use super::{Disk, PAGES, World, explore_by, get, set, spawn};

/// Schedules of each kind.
const SCHEDULES: usize = 25;
/// The number of the only device.
const DEVICE: u64 = 1;
/// What the page has at first.
const CONTENT: u8 = 7;

/// What a page table has for the page.
enum Entry {
    Page(PageRef<Machine>),
    Swapped(SwapSlot),
    Empty,
}

/// What a thread leaves out, which it must not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A page is written to in the swap cache.
    WriteInCache,
    /// A page that comes back is entered whatever is there by now.
    EnterBlindly,
    /// A share is given back before the page has come.
    ReleaseFirst,
}

/// A process: its entry, and what its page must have.
struct Table {
    swap: &'static Swap<Machine>,
    entry: Mutex<Entry>,
    content: AtomicU8,
    fault: Fault,
}

impl Table {
    fn change<R>(&self, f: impl FnOnce(&mut Entry) -> R) -> R {
        f(&mut self.entry.lock().expect("no thread fails here"))
    }

    /// The scan of reclaim's.
    fn swap_out(&self) {
        let _page = self.change(|entry| {
            let Entry::Page(page) = &*entry else { return None };
            let slot = self.swap.assign(page.frame())?;
            Some(std::mem::replace(entry, Entry::Swapped(slot)))
        });
    }

    /// A fault; the page must have what it shall.
    fn swap_in(&self) {
        let Some(slot) = self.change(|entry| if let Entry::Swapped(slot) = entry { Some(*slot) } else { None }) else {
            return;
        };
        if self.fault == Fault::ReleaseFirst {
            self.swap.release(slot);
        }
        let brought = self.swap.bring(slot).ok();
        // SAFETY: the reference came with the page, and is nobody else's.
        let page = brought.and_then(|frame| unsafe { PageRef::<Machine>::adopt(frame) });
        let (entered, other) = self.change(|entry| {
            let is_there = matches!(entry, Entry::Swapped(now) if *now == slot);
            if !is_there && self.fault != Fault::EnterBlindly {
                return (false, page);
            }
            let page = page.expect("the slot is ours");
            self.check(&page);
            *entry = Entry::Page(page);
            (true, None)
        });
        if entered && self.fault != Fault::ReleaseFirst {
            self.swap.release(slot);
        }
        other.into_iter().for_each(|page| self.put(page));
    }

    fn check(&self, page: &PageRef<Machine>) {
        assert_eq!(get(page.frame()), self.content.load(SeqCst), "a byte is lost");
    }

    /// Gives a mapping's reference back.
    fn put(&self, page: PageRef<Machine>) {
        self.swap.forget(page.frame());
        drop(page);
    }

    /// A write; a page that others have is copied.
    fn write(&self, content: u8) {
        loop {
            self.swap_in();
            let shared = self.change(|entry| {
                let Entry::Page(page) = entry else { return None };
                self.check(page);
                let frame = page.frame();
                let is_sole = match self.fault {
                    Fault::WriteInCache => page.references() <= 2,
                    _ => page.references() == 1 || self.swap.forget(frame),
                };
                if !is_sole {
                    return Some(page.another());
                }
                set(frame, content);
                self.content.store(content, SeqCst);
                Some(None)
            });
            match shared {
                Some(Some(old)) => self.copy(old),
                Some(None) => return,
                // It was swapped out again meanwhile.
                None => {}
            }
        }
    }

    /// Has a copy of `old` in its place, unless that has gone out meanwhile.
    fn copy(&self, old: PageRef<Machine>) {
        let copy = PageRef::<Machine>::of_process(GfpFlags::HIGHUSER).expect("there is memory");
        set(copy.frame(), get(old.frame()));
        let _replaced = self.change(|entry| {
            let is_there = matches!(entry, Entry::Page(page) if page.frame() == old.frame());
            is_there.then(|| std::mem::replace(entry, Entry::Page(copy)))
        });
        drop(_replaced);
        self.put(old);
    }

    /// A child that has what this one has.
    fn fork(&self) -> Arc<Self> {
        let entry = self.change(|entry| match entry {
            Entry::Page(page) => Entry::Page(page.another().expect("few references")),
            Entry::Swapped(slot) => {
                self.swap.duplicate(*slot).expect("the slot is ours");
                Entry::Swapped(*slot)
            }
            Entry::Empty => Entry::Empty,
        });
        let content = AtomicU8::new(self.content.load(SeqCst));
        Arc::new(Self { swap: self.swap, entry: Mutex::new(entry), content, fault: self.fault })
    }

    /// The end of a process.
    fn end(&self) {
        match self.change(|entry| std::mem::replace(entry, Entry::Empty)) {
            Entry::Page(page) => self.put(page),
            Entry::Swapped(slot) => self.swap.release(slot),
            Entry::Empty => {}
        }
    }
}

fn open(swap: &'static Swap<Machine>, disk: &Arc<Disk>) {
    let mut header = [0; PAGE_SIZE];
    assert!(Header::write(&mut header, PAGES as u64));
    let area = NewArea {
        name: "/dev/explored",
        device: DEVICE,
        backing: disk.clone(),
        share: |slots| Ok(Arc::new(slots)),
        pages: PAGES as u64,
        header: &header,
        priority: None,
        claim: AnyBox::new::<Machine, _>((), GfpFlags::KERNEL).expect("there is memory"),
    };
    swap.open(area).expect("a good disk");
}

type Threads = Vec<thread::JoinHandle<()>>;
type Tables = [Arc<Table>; 2];

/// Explores the threads of `scenario` over two page tables that share a page; then both end, no slot has a share, the
/// area is closed, and nothing is left of it.
fn drive(fault: Fault, scenario: fn(&'static Swap<Machine>, &World, &Tables) -> Threads) {
    explore_by(SCHEDULES, move |world| vec![spawn(move || run(fault, scenario, world))]);
}

fn run(fault: Fault, scenario: fn(&'static Swap<Machine>, &World, &Tables) -> Threads, world: World) {
    let swap: &'static Swap<Machine> = Box::leak(Box::new(Swap::new(world.cache)));
    open(swap, &world.disk);
    let page = PageRef::of_process(GfpFlags::HIGHUSER).expect("there is memory");
    set(page.frame(), CONTENT);
    let first = Table { swap, entry: Mutex::new(Entry::Page(page)), content: AtomicU8::new(CONTENT), fault };
    let tables = [first.fork(), Arc::new(first)];
    for thread in scenario(swap, &world, &tables) {
        thread.join().expect("no panic");
    }
    tables.iter().for_each(|table| table.swap_in());
    tables.iter().for_each(|table| table.end());
    while world.disk.is_busy() {
        thread::yield_now();
    }
    // A page whose I/O ends between the look and the end of its last reference is left to reclaim.
    world.cache.shrink(GfpFlags::HIGHUSER, &ZoneKind::ALL, PAGES);
    let Totals { slots, free } = swap.totals();
    assert_eq!((free, world.cache.stats().swap_cached), (slots, 0), "a slot is lost");
    if slots > 0 {
        swap.close(DEVICE, &mut |_| Ok(())).expect("nothing is left");
    }
    // One that somebody was on the way to stays until areas come or go.
    open(swap, &world.disk);
    swap.close(DEVICE, &mut |_| Ok(())).expect("nothing is in it");
    assert_eq!(swap.totals(), Totals::default());
}

fn shrink(world: &World) -> thread::JoinHandle<()> {
    let cache = world.cache;
    spawn(move || (0..3).for_each(|_| _ = cache.shrink(GfpFlags::HIGHUSER, &ZoneKind::ALL, 4)))
}

/// A thread that does something with a page table.
fn with(table: &Arc<Table>, f: impl FnOnce(&Table) + Send + 'static) -> thread::JoinHandle<()> {
    let table = table.clone();
    spawn(move || f(&table))
}

fn scan_and_fault(_: &'static Swap<Machine>, world: &World, tables: &Tables) -> Threads {
    let scan = |table: &Table| {
        for _ in 0..2 {
            table.swap_out();
            table.swap_in();
        }
        table.swap_out();
    };
    vec![with(&tables[0], scan), with(&tables[1], scan), shrink(world)]
}

fn write_and_fork(_: &'static Swap<Machine>, world: &World, tables: &Tables) -> Threads {
    tables.iter().for_each(|table| table.swap_out());
    let scan = |table: &Table| {
        table.swap_out();
        table.swap_in();
        table.swap_out();
    };
    let scans = tables.each_ref().map(|table| with(table, scan));
    let writes = with(&tables[0], |table| (1..3).for_each(|byte| table.write(byte)));
    let forks = with(&tables[1], |table| {
        let child = table.fork();
        child.write(9);
        child.swap_out();
        child.swap_in();
        child.end();
        table.write(8);
    });
    scans.into_iter().chain([writes, forks, shrink(world)]).collect()
}

fn come_and_end(_: &'static Swap<Machine>, world: &World, tables: &Tables) -> Threads {
    tables.iter().for_each(|table| table.swap_out());
    let faults = [(); 2].map(|()| with(&tables[0], Table::swap_in));
    faults.into_iter().chain([with(&tables[1], Table::end), shrink(world)]).collect()
}

#[test]
fn page_tables_that_share_a_page_share_its_slot() {
    drive(Fault::None, scan_and_fault);
}

#[test]
fn who_writes_to_a_page_on_its_way_has_one_of_his_own() {
    drive(Fault::None, write_and_fork);
}

#[test]
fn the_last_share_goes_while_another_comes_back() {
    drive(Fault::None, come_and_end);
}

#[test]
fn an_area_goes_while_its_pages_come_back_and_others_go_out() {
    drive(Fault::None, |swap, world, tables| {
        tables.iter().for_each(|table| table.swap_out());
        let faults = with(&tables[0], |table| {
            for _ in 0..2 {
                table.swap_in();
                table.swap_out();
            }
        });
        let all = tables.clone();
        let closes = spawn(move || {
            let mut bring_back = |_| {
                all.iter().for_each(|table| table.swap_in());
                Ok(())
            };
            swap.close(DEVICE, &mut bring_back).expect("all comes back");
        });
        let ends = with(&tables[1], |table| {
            let child = table.fork();
            table.end();
            child.end();
        });
        vec![faults, closes, ends, shrink(world)]
    });
}

/// It matters that a page leaves the swap cache before it is written to.
#[test]
#[should_panic(expected = "a byte is lost")]
fn pages_written_to_in_the_swap_cache_lose_bytes() {
    drive(Fault::WriteInCache, write_and_fork);
}

/// It matters that who has brought a page looks again.
#[test]
#[should_panic(expected = "the slot is ours")]
fn pages_entered_blindly_cost_shares() {
    drive(Fault::EnterBlindly, write_and_fork);
}

/// It matters that a share stays until the page has come.
#[test]
#[should_panic(expected = "the slot is ours")]
fn shares_given_back_too_early_cost_the_page() {
    drive(Fault::ReleaseFirst, write_and_fork);
}
