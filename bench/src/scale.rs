//! What a call of ours costs as there is more memory, and more that lives.

use bench_report::Outcome;
use bench_report::scale::{Curve, Panel};
use mm::{CacheFlags, CacheRef, CacheSpec, GfpFlags, Memory, Order, PAGE_SIZE};

use crate::arena::FRAMES;
use crate::clock::{ticks, ticks_each};
use crate::peers::{Bench, Bytes, Machine, Pages, Peer, boot, kmalloc, lines_alone, our_areas, pages_of};
use crate::rows::pairs::{self, Frees};
use crate::rows::{Round, areas, in_turn};

/// Pages that are live while one at random is replaced: 64 MiB, a half of the smallest memory of the other tables.
const LIVE_PAGES: usize = FRAMES / 2;
/// Pairs in one reading of the clock.
const PAIRS: usize = 1000;

const GIB: usize = 1 << 30;
/// Boots of a machine of up to so many GiB, of which the quickest counts; a larger one takes long enough to be sure.
const BOOTS: usize = 5;
const BOOTED_OFTEN: usize = 16;

/// All panels.
pub fn measure() -> Vec<Panel> {
    vec![memory(), objects(), caches(), live_areas()]
}

/// What is measured, and how it is shown. If the curve grows, `why` says what it is that grows.
struct Plan {
    name: &'static str,
    why: &'static str,
}

impl Plan {
    const fn flat(name: &'static str) -> Self {
        Self { name, why: "" }
    }

    /// Measures what `start` makes of each size and of what there is of that size, in turns.
    fn measure<P>(
        self,
        sizes: &[usize],
        things: &[P],
        start: impl for<'a> Fn(&'a P, usize) -> Option<Round<'a>>,
    ) -> Curve {
        eprintln!("measuring: {}", self.name);
        let starts = sizes.iter().zip(things).map(|(&size, thing)| start(thing, size)).collect();
        self.curve(sizes, in_turn(starts))
    }

    fn curve(self, sizes: &[usize], figures: Vec<Option<f64>>) -> Curve {
        let points = sizes.iter().zip(figures).filter_map(|(&size, figure)| Some((size, figure?))).collect();
        Curve { name: self.name, points, why: self.why }
    }
}

/// Managed memory. The host gives none to the frames, which nobody writes to; the page array is real.
fn memory() -> Panel {
    const BOOT: Plan = Plan {
        name: "boot, a frame",
        why: "The page array is written from one end to the other, 16 bytes a \
                  frame: the 4 MiB for 1 GiB stay in the caches, more does not.",
    };
    let sizes = [1, 16, 64, 256];
    eprintln!("measuring: {}", BOOT.name);
    let (boots, machines): (Vec<_>, Vec<_>) = sizes.into_iter().map(booted).unzip();
    let curves = vec![
        Plan::flat("page pair").measure(&sizes, &machines, |peer, _| pairs::pair(peer.as_ref(), Order::ZERO)),
        Plan::flat("batch of 1000 pages, random")
            .measure(&sizes, &machines, |peer, _| pairs::batch(peer.as_ref(), Order::ZERO, Frees::Shuffled)),
        Plan::flat("steady, 16384 live")
            .measure(&sizes, &machines, |peer, _| pairs::steady(peer.as_ref(), LIVE_PAGES, |_| Order::ZERO)),
        BOOT.curve(&sizes, boots),
    ];
    Panel { title: "GiB of managed memory", curves }
}

/// Boots a machine of so many GiB: ticks for a frame, and what was booted.
fn booted(gib: usize) -> (Option<f64>, Box<dyn Peer<Order>>) {
    let frames = gib * GIB / PAGE_SIZE;
    let boot = || {
        let machine = Machine::new(frames);
        let start = ticks();
        let memory = machine.boot();
        ((ticks() - start) as f64 / frames as f64, memory)
    };
    let (first, memory) = boot();
    // A page array is never given back.
    let more = if gib > BOOTED_OFTEN { 1 } else { BOOTS } - 1;
    let figures = (0..more).map(|_| boot().0).fold(first, f64::min);
    (Some(figures), pages_of(memory))
}

/// An object of the curves.
const SMALL: Bytes = Bytes(64);

fn objects() -> Panel {
    const STEADY: Plan = Plan {
        name: "steady",
        why: "A free at random finds the object's page entry, its slab's descriptor and the byte of its state far \
              away: three lines that the caches have no more. The curve \"the same lines alone\" touches three such \
              lines and does nothing else.",
    };
    const LINES: Plan = Plan { name: "the same lines alone", why: "No allocator: memory itself." };
    let sizes = [10, 100, 1000, 10_000, 100_000, 1_000_000];
    let ours = sizes.map(|_| kmalloc());
    let fresh = sizes.map(|_| kmalloc());
    let curves = vec![
        Plan::flat("kmalloc pair")
            .measure(&sizes, &fresh, |peer, live| pairs::pair_among(peer.as_ref(), live, |_| SMALL, SMALL)),
        STEADY.measure(&sizes, &ours, |peer, live| pairs::steady(peer.as_ref(), live, |_| SMALL)),
        LINES.measure(&sizes, &sizes.map(lines_alone), |peer, live| pairs::steady(peer.as_ref(), live, |_| SMALL)),
    ];
    Panel { title: "live objects of 64 bytes", curves }
}

fn live_areas() -> Panel {
    const STEADY: Plan = Plan {
        name: "steady, mixed sizes",
        why: "A free finds its area in an index of 4096 places, or, if that has none for it, in the tree of all areas \
              under its lock: at 15000 nearly all. Tried: 32,768 places, 125 ticks at 15000; so many descriptors are \
              more than the caches hold.",
    };
    let sizes = [10, 100, 1000, 15_000];
    let ours = sizes.map(|_| our_areas());
    let fresh = sizes.map(|_| our_areas());
    let curves = vec![
        Plan::flat("area pair")
            .measure(&sizes, &fresh, |peer, live| pairs::pair_among(peer.as_ref(), live, areas, Pages(4))),
        STEADY.measure(&sizes, &ours, |peer, live| pairs::steady(peer.as_ref(), live, areas)),
    ];
    Panel { title: "live areas of 1 to 16 pages", curves }
}

fn caches() -> Panel {
    const IN_TURN: Plan = Plan {
        name: "pair, each cache in turn",
        why: "A pair touches seven lines of its cache in five pages: the cache 2, the magazine 2, a state, a \
              descriptor, a page entry. 1000 caches are more lines than the first cache holds, and more pages than \
              the TLB. Tried: the own slabs coloured, 18.8, 27.8, 42 to 45 ticks instead of 21.7, 29.0, 44.",
    };
    let sizes = [10, 100, 1000];
    let shelves = sizes.map(Shelf::new);
    let curves = vec![
        Plan::flat("pair in one cache").measure(&sizes, &shelves, |shelf, _| Some(pair_in_one(shelf))),
        IN_TURN.measure(&sizes, &shelves, |shelf, _| Some(pair_in_turn(shelf))),
        Plan::flat("create and destroy one more").measure(&sizes, &shelves, |shelf, _| Some(create_and_destroy(shelf))),
    ];
    Panel { title: "caches", curves }
}

/// So many caches for objects of 64 bytes.
struct Shelf {
    memory: &'static Memory<Bench>,
    caches: Vec<CacheRef<Bench>>,
}

impl Shelf {
    fn new(count: usize) -> Self {
        let memory = boot(FRAMES);
        let caches = (0..count).map(|number| create(memory, &format!("shelf-{number}"))).collect();
        Self { memory, caches }
    }
}

fn create(memory: &'static Memory<Bench>, name: &str) -> CacheRef<Bench> {
    let spec = CacheSpec { name, size: SMALL.0, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    memory.kmem_cache_create(&spec).expect("room for a cache")
}

/// One object comes and goes.
#[inline(always)]
fn one(memory: &'static Memory<Bench>, cache: CacheRef<Bench>) {
    let object = memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("room for an object");
    // SAFETY: the object was allocated here just now, and nobody else knows of it.
    let freed = unsafe { memory.kmem_cache_free(cache, object) };
    assert!(freed.is_ok(), "a good free was refused");
}

fn pair_in_one(shelf: &Shelf) -> Round<'_> {
    let cache = shelf.caches[shelf.caches.len() / 2];
    Box::new(move || Outcome::Exactly(ticks_each(PAIRS, || (0..PAIRS).for_each(|_| one(shelf.memory, cache)))))
}

fn pair_in_turn(shelf: &Shelf) -> Round<'_> {
    let turns = || shelf.caches.iter().cycle().take(PAIRS);
    Box::new(move || Outcome::Exactly(ticks_each(PAIRS, || turns().for_each(|&cache| one(shelf.memory, cache)))))
}

fn create_and_destroy(shelf: &Shelf) -> Round<'_> {
    Box::new(|| {
        Outcome::Exactly(ticks_each(1, || {
            let cache = create(shelf.memory, "one-more");
            let destroyed = shelf.memory.kmem_cache_destroy(cache);
            assert!(destroyed.is_ok(), "an empty cache was refused");
        }))
    })
}
