//! The model: picks an operation, predicts it, performs it, keeps account.

use core::ptr::NonNull;

use mm::pages::AtomicFloor;
use mm::testing::{HostPlatform, Rng};
use mm::{
    CacheFlags, CacheRef, CacheSpec, CtorFlags, GfpFlags, Order, PAGE_SIZE, Pfn, PhysAddr, Platform, Priority,
    VirtAddr, ZoneKind,
};

use crate::common::{ATOMIC, DMA, KERNEL, Kernel, at_rest, blocks, slab_pages, zones};
use crate::held::{Held, Kind, Ranges};

/// What the constructor leaves in the first word of an object.
const MAGIC: u64 = 0x5c01_1e47;
/// Operations between two full checks.
const CHECK_EVERY: usize = 8192;
const CACHES: [(&str, usize, CacheFlags); 4] = [
    ("made", 200, CacheFlags::empty()),
    ("aligned", 700, CacheFlags::HWCACHE_ALIGN),
    ("low", 3000, CacheFlags::CACHE_DMA),
    ("kept", 24, CacheFlags::NO_REAP),
];

fn construct(object: NonNull<u8>, _: &str, _: CtorFlags) {
    // SAFETY: the allocator hands fresh objects of at least a word to the constructor.
    unsafe { object.cast::<u64>().write(MAGIC) };
}

fn destruct(object: NonNull<u8>, _: &str, _: CtorFlags) {
    // SAFETY: as above.
    assert_eq!(unsafe { object.cast::<u64>().read() }, MAGIC);
}

pub struct Model {
    memory: Kernel,
    atomic_floor: AtomicFloor,
    seed: u64,
    now: usize,
    rng: Rng,
    held: Vec<Held>,
    physical: Ranges,
    addresses: Ranges,
    caches: Vec<CacheRef<HostPlatform>>,
    start: [[usize; Order::COUNT]; ZoneKind::COUNT],
    failures: usize,
}

impl Model {
    pub fn new(memory: Kernel, atomic_floor: AtomicFloor, seed: u64) -> Self {
        let caches: Vec<_> = (0..CACHES.len()).map(|nth| create(memory, nth)).collect();
        memory.drop_caches();
        let start = blocks(memory);
        let (physical, addresses) = (Ranges::default(), Ranges::default());
        let (rng, held) = (Rng::new(seed), Vec::new());
        Self { memory, atomic_floor, seed, now: 0, rng, held, physical, addresses, caches, start, failures: 0 }
    }

    pub fn step(&mut self, step: usize) {
        self.now = step;
        if step.is_multiple_of(CHECK_EVERY) {
            self.check();
        }
        // Memory fills up and empties by turns.
        let odds = if step / 10_000 % 4 == 3 { 4 } else { 6 };
        match self.rng.below(2000) {
            0 => _ = self.memory.drop_caches(),
            1 => _ = self.memory.pages().balance(),
            2 => _ = self.memory.pages().reclaim(GfpFlags::BUFFER),
            3..8 => self.recreate(),
            8..12 => {
                let nth = self.rng.below(CACHES.len());
                self.memory.kmem_cache_shrink(self.caches[nth]);
            }
            _ if self.rng.below(10) < odds => self.allocate(),
            _ => self.free_one(),
        }
    }

    fn allocate(&mut self) {
        match self.rng.below(100) {
            0..30 => self.take_pages(),
            30..65 => self.take_object(),
            65..90 => self.take_of_cache(),
            90..93 => self.take_area(),
            93..95 => self.take_device(),
            _ => self.take_reference(),
        }
    }

    /// Flags of a request; mostly urgent ones when memory is short, since the others wait then.
    fn gfp(&mut self) -> GfpFlags {
        let all = [KERNEL, ATOMIC, GfpFlags::BUFFER, GfpFlags::USER, GfpFlags::HIGHUSER];
        let short = self.memory.pages().is_unbalanced() && !self.rng.one_in(200);
        let gfp = if short { ATOMIC } else { all[self.rng.below(all.len())] };
        if self.rng.one_in(8) { gfp | DMA } else { gfp }
    }

    /// The zone that must serve a request now: the first of its list that may.
    fn serving_zone(&self, gfp: GfpFlags, order: Order) -> Option<ZoneKind> {
        self.zone_with(gfp, order, 0)
    }

    /// Whether a slab of `order` could be made now, for which a descriptor of its own may be needed too.
    fn can_grow(&self, gfp: GfpFlags, order: Order) -> bool {
        self.zone_with(gfp, order, 1).is_some() && self.zone_with(gfp.difference(DMA), Order::ZERO, 1).is_some()
    }

    /// The block that a slab of this cache is made of.
    fn slab_order(&self, name: &str) -> Order {
        let cache = self.memory.objects().caches().find(|cache| cache.name.as_str() == name).expect("listed");
        Order::for_bytes(cache.pages_per_slab * PAGE_SIZE).expect("no slab is larger than a block")
    }

    /// The first zone of the list that may serve a request and has `spare` more pages.
    fn zone_with(&self, gfp: GfpFlags, order: Order, spare: usize) -> Option<ZoneKind> {
        let may = |kind: &ZoneKind| {
            let zone = self.memory.pages().zone_stats(*kind);
            let floor = match (gfp.priority(), self.atomic_floor) {
                (Priority::Atomic, AtomicFloor::LastPage) => 0,
                (Priority::Atomic, AtomicFloor::QuarterOfMin) => (zone.marks.min / 4).saturating_sub(1),
                (Priority::Kernel, _) => zone.marks.min,
                (Priority::User, _) => zone.marks.low,
            };
            let fits = zone.blocks[order.log2()..].iter().any(|&blocks| blocks > 0);
            fits && zone.free >= floor + spare + order.pages() as usize
        };
        gfp.zones().iter().copied().find(may)
    }

    /// A request failed: once reported, and rightly.
    fn failed(&mut self, rightly: bool) {
        self.failures += 1;
        let reports = self.memory.platform().take_reports();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(rightly, "refused although memory was there: {reports:?}");
    }

    fn take_pages(&mut self) {
        let (gfp, memory) = (self.gfp(), self.memory);
        let order = Order::new(self.rng.below(10).min(self.rng.below(10))).expect("below 10");
        let expected = self.serving_zone(gfp, order);
        // Blocks in magazines and depots may merge to one that the lists do not show.
        let hidden = ZoneKind::ALL.map(|kind| memory.pages().zone_stats(kind)).map(|zone| zone.depot + zone.cached > 0);
        let (frame, addressed) = match self.rng.below(4) {
            0 => (memory.alloc_pages(gfp, order), false),
            1 if order == Order::ZERO => (self.zeroed(gfp), true),
            2 if gfp.contains(DMA) => (self.frame(memory.get_dma_pages(gfp, order)), true),
            _ => (self.frame(memory.get_free_pages(gfp.difference(GfpFlags::HIGHMEM), order)), true),
        };
        let Ok(frame) = frame else {
            let gfp = if addressed { gfp.difference(GfpFlags::HIGHMEM) } else { gfp };
            let rightly = self.serving_zone(gfp, order).is_none();
            return self.failed(rightly);
        };
        let zone = memory.pages().direct().zone_of(frame);
        assert!(gfp.zones().contains(&zone) && frame.is_aligned(order.pages()));
        if !addressed || !gfp.contains(GfpFlags::HIGHMEM) {
            assert!(
                expected == Some(zone) || hidden[zone as usize] || expected.is_none() && gfp.may_sleep(),
                "{zone:?} instead of {expected:?}"
            );
        }
        self.physical.insert(frame.phys().as_u64(), order.bytes() as u64);
        let kind = Kind::Block { frame, order, references: 1, addressed };
        let addr = self.memory.page_address(frame).map_or(frame.phys().as_u64() as usize, VirtAddr::as_usize);
        self.hold(kind, addr, order.bytes());
    }

    fn frame(&self, addr: Result<VirtAddr, mm::AllocError>) -> Result<Pfn, mm::AllocError> {
        addr.map(|addr| self.memory.frame_of(addr).expect("in the direct map"))
    }

    fn zeroed(&self, gfp: GfpFlags) -> Result<Pfn, mm::AllocError> {
        let page = self.memory.get_zeroed_page(gfp.difference(GfpFlags::HIGHMEM))?;
        // SAFETY: the page was just allocated for us.
        let bytes = unsafe { core::slice::from_raw_parts(page.as_mut_ptr::<u64>(), PAGE_SIZE / 8) };
        assert!(bytes.iter().all(|&word| word == 0));
        self.frame(Ok(page))
    }

    fn take_object(&mut self) {
        let gfp = self.gfp().difference(GfpFlags::HIGHMEM);
        let largest = 1 << self.rng.below(18);
        let size = self.rng.below(largest + 1);
        let zeroed = self.rng.one_in(4);
        let object = if zeroed { self.memory.kzalloc(size, gfp) } else { self.memory.kmalloc(size, gfp) };
        let class = size.next_power_of_two().max(32);
        let Ok(object) = object else {
            let rightly = !self.can_grow(gfp, self.slab_order(&format!("size-{class}")));
            return self.failed(rightly);
        };
        let held = self.memory.objects().ksize(object.as_ptr()).expect("it is live");
        // Where there are red zones, what was asked for.
        assert!(held == class || held == size.max(1), "{size}: {held}");
        assert_eq!(object.as_ptr() as usize % class, 0);
        // SAFETY: the object is ours and at least this long.
        let bytes = unsafe { core::slice::from_raw_parts(object.as_ptr(), size) };
        assert!(!zeroed || bytes.iter().all(|&byte| byte == 0));
        // The pattern is made of words.
        self.hold_object(Kind::Object, object, (held & !7).max(1), gfp.contains(DMA));
    }

    fn take_of_cache(&mut self) {
        let gfp = self.gfp().difference(GfpFlags::HIGHMEM | DMA);
        let nth = self.rng.below(CACHES.len());
        let (name, size, flags) = CACHES[nth];
        let Ok(object) = self.memory.kmem_cache_alloc(self.caches[nth], gfp) else {
            let gfp = if flags.contains(CacheFlags::CACHE_DMA) { gfp | DMA } else { gfp };
            let rightly = !self.can_grow(gfp, self.slab_order(name));
            return self.failed(rightly);
        };
        assert!(!flags.contains(CacheFlags::HWCACHE_ALIGN) || (object.as_ptr() as usize).is_multiple_of(64));
        let held = self.hold_object(Kind::OfCache(nth), object, size, flags.contains(CacheFlags::CACHE_DMA));
        assert!(nth > 0 || held.first_word() == MAGIC);
    }

    fn hold_object(&mut self, kind: Kind, object: NonNull<u8>, len: usize, low: bool) -> Held {
        let frame = self.memory.frame_of(VirtAddr::from_ptr(object.as_ptr())).expect("in the direct map");
        assert!(!low || self.memory.pages().direct().zone_of(frame) == ZoneKind::Dma);
        self.physical.insert(self.phys(object.as_ptr() as usize), len as u64);
        self.hold(kind, object.as_ptr() as usize, len)
    }

    fn phys(&self, addr: usize) -> u64 {
        (addr - self.memory.platform().direct_map().as_usize()) as u64
    }

    fn take_area(&mut self) {
        let pages = 1 + self.rng.below(8).min(self.rng.below(40));
        let above = |zone: mm::pages::ZoneStats| zone.free.saturating_sub(zone.marks.min);
        let [dma, normal, high] = zones(self.memory).map(above);
        let Ok(area) = self.memory.vmalloc(pages * PAGE_SIZE - self.rng.below(PAGE_SIZE)) else {
            // Descriptor and page tables need memory with an address.
            return self.failed(dma + normal + high < pages + 5 || dma + normal < 5);
        };
        self.addresses.insert(area.as_usize() as u64, ((pages + 1) * PAGE_SIZE) as u64);
        for page in 0..pages {
            let frame = self.memory.areas().frame_at(area.add(page * PAGE_SIZE)).expect("mapped");
            self.physical.insert(frame.phys().as_u64(), PAGE_SIZE as u64);
        }
        assert_eq!(self.memory.areas().frame_at(area.add(pages * PAGE_SIZE)), None, "the guard page is mapped");
        self.hold(Kind::Area, area.as_usize(), pages * PAGE_SIZE);
    }

    fn take_device(&mut self) {
        let offset = self.rng.below(PAGE_SIZE);
        let len = 1 + self.rng.below(5 * PAGE_SIZE);
        let Ok(addr) = self.memory.ioremap(PhysAddr::new(0xfe00_0000 + offset as u64), len) else {
            let rightly = self.serving_zone(KERNEL, Order::ZERO).is_none();
            return self.failed(rightly);
        };
        assert_eq!(addr.page_offset(), offset);
        let pages = (offset + len).div_ceil(PAGE_SIZE);
        self.addresses.insert(addr.page_down().as_usize() as u64, ((pages + 1) * PAGE_SIZE) as u64);
        self.hold(Kind::Device, addr.as_usize(), len);
    }

    /// Takes a further reference to a block.
    fn take_reference(&mut self) {
        let count = self.held.len();
        let Some(nth) = (count > 0).then(|| self.rng.below(count)) else { return };
        if let Kind::Block { frame, references, .. } = &mut self.held[nth].kind {
            assert!(self.memory.get_page(*frame));
            *references += 1;
        }
    }

    fn hold(&mut self, kind: Kind, addr: usize, len: usize) -> Held {
        let held = Held { kind, addr, len, seed: self.rng.next_u64() };
        held.write();
        self.held.push(held);
        held
    }

    fn free_one(&mut self) {
        let count = self.held.len();
        let Some(nth) = (count > 0).then(|| self.rng.below(count)) else { return };
        self.held[nth].check();
        if let Kind::Block { frame, order, references, .. } = &mut self.held[nth].kind
            && *references > 1
        {
            *references -= 1;
            return self.memory.free_frames(*frame, *order).expect("a right free");
        }
        let held = self.held.swap_remove(nth);
        self.free(&held);
    }

    fn free(&mut self, held: &Held) {
        let (addr, memory) = (VirtAddr::new(held.addr), self.memory);
        let freed = match held.kind {
            Kind::Block { frame, order, addressed: true, .. } => {
                self.physical.remove(frame.phys().as_u64());
                memory.free_pages(addr, order)
            }
            Kind::Block { frame, order, .. } => {
                self.physical.remove(frame.phys().as_u64());
                memory.free_frames(frame, order)
            }
            Kind::Object => {
                self.physical.remove(self.phys(held.addr));
                memory.kfree(addr.as_mut_ptr())
            }
            Kind::OfCache(nth) => {
                self.physical.remove(self.phys(held.addr));
                let object = NonNull::new(addr.as_mut_ptr()).expect("not null");
                memory.kmem_cache_free(self.caches[nth], object)
            }
            Kind::Area => {
                for at in (0..held.len).step_by(PAGE_SIZE) {
                    self.physical.remove(memory.areas().frame_at(addr.add(at)).expect("mapped").phys().as_u64());
                }
                self.addresses.remove(held.addr as u64);
                memory.vfree(addr)
            }
            Kind::Device => {
                self.addresses.remove(addr.page_down().as_usize() as u64);
                memory.iounmap(addr)
            }
        };
        assert_eq!(freed, Ok(()), "{held:?}");
    }

    /// Destroys a cache, which works only when it has no objects, and makes it again.
    fn recreate(&mut self) {
        let nth = self.rng.below(CACHES.len());
        let live = self.held.iter().filter(|held| matches!(held.kind, Kind::OfCache(of) if of == nth)).count();
        match self.memory.kmem_cache_destroy(self.caches[nth]) {
            Ok(()) => {
                assert_eq!(live, 0);
                self.caches[nth] = create(self.memory, nth);
            }
            error => {
                assert_eq!(error, Err(mm::DestroyError::Busy(live)));
                assert_eq!(self.memory.platform().take_reports().len(), 1);
            }
        }
    }

    /// Every page is free or accounted for, every object counted, every invariant holds.
    fn check(&self) {
        at_rest(self.memory);
        let pages = |held: &Held| match held.kind {
            Kind::Block { order, .. } => order.pages() as usize,
            Kind::Area => held.len / PAGE_SIZE,
            _ => 0,
        };
        let held: usize = self.held.iter().map(pages).sum();
        let memory = self.memory;
        let used = held + slab_pages(memory) + memory.tables().count() + memory.areas().lazy_pages();
        assert_eq!(memory.pages().free_pages_total() + used, memory.pages().managed_pages());
        let objects = self.held.iter().filter(|held| matches!(held.kind, Kind::Object)).count();
        let classes = memory.objects().caches().filter(|cache| cache.name.as_str().starts_with("size-"));
        assert_eq!(classes.map(|cache| cache.active_objects).sum::<usize>(), objects);
        assert!(
            memory
                .objects()
                .caches()
                .all(|cache| cache.active_slabs <= cache.slabs && cache.high >= cache.active_objects)
        );
    }

    /// Frees everything; all memory must be back as it was.
    pub fn finish(mut self) {
        self.check();
        println!("seed {}: {} pieces held, {} requests failed", self.seed, self.held.len(), self.failures);
        while !self.held.is_empty() {
            self.free_one();
        }
        for &cache in &self.caches {
            self.memory.kmem_cache_shrink(cache);
        }
        self.memory.drop_caches();
        self.check();
        assert_eq!(blocks(self.memory), self.start);
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}, step {}", self.seed, self.now);
        }
    }
}

fn create(memory: Kernel, nth: usize) -> CacheRef<HostPlatform> {
    let (name, size, flags) = CACHES[nth];
    let (ctor, dtor) = if nth == 0 { (Some(construct as _), Some(destruct as _)) } else { (None, None) };
    memory.kmem_cache_create(&CacheSpec { name, size, offset: 0, flags, ctor, dtor }).expect("a cache")
}
