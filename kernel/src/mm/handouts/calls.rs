//! The calls that a person may ask for, and the one way in which each is made.
//! Where there is a function with the book's name, it is called: a breakpoint there stops at the prompt too.

use core::ptr::NonNull;

use ::mm::objects::{CacheFlags, CacheName, ObjectInfo, Whereabouts};
use ::mm::own::Calls;
use ::mm::page::PageState;
use ::mm::{AllocError, CacheRef, CacheSpec, FreeError, GfpFlags, Order, Pfn, PhysAddr, Tag, VirtAddr};

use super::caches::{self, Cache, Callees};
use super::handout::{Handout, What};
use super::outcome::Refusal;
use crate::mm::{Kernel, KernelPlatform, memory};
use crate::sync::without_interrupts;

/// A block of pages, as it was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Block {
    /// By an address.
    At(VirtAddr),
    /// By its frame: a block of high memory has no address.
    Frame(Pfn),
}

impl Block {
    /// The frame around it, if it is memory.
    pub(super) fn frame(self) -> Option<Pfn> {
        match self {
            Self::At(addr) => memory().frame_of(addr),
            Self::Frame(frame) => Some(frame),
        }
    }
}

/// What a cache is to be like.
#[derive(Clone, Copy, Debug)]
pub struct NewCache {
    /// Its name.
    pub name: CacheName,
    /// Bytes of an object.
    pub size: usize,
    /// Bytes that the first object of a slab lies further in than that of the slab before; 0 for a cache line.
    pub offset: usize,
    /// How objects are treated.
    pub flags: CacheFlags,
    /// What it calls.
    pub callees: Callees,
}

/// A call to make.
#[derive(Clone, Copy, Debug)]
pub enum Request {
    /// kmalloc of so many bytes.
    Kmalloc(usize, GfpFlags),
    /// kfree.
    Kfree(VirtAddr),
    /// __get_free_pages; alloc_pages where high memory will do.
    GetPages(Order, GfpFlags),
    /// get_zeroed_page.
    GetZeroedPage(GfpFlags),
    /// free_pages; __free_pages for a frame.
    FreePages(Block, Order),
    /// vmalloc of so many bytes.
    Vmalloc(usize),
    /// vfree.
    Vfree(VirtAddr),
    /// ioremap of so many bytes of device memory.
    Ioremap(PhysAddr, usize),
    /// iounmap.
    Iounmap(VirtAddr),
    /// kmem_cache_create.
    CacheCreate(NewCache),
    /// kmem_cache_alloc.
    CacheAlloc(CacheName, GfpFlags),
    /// kmem_cache_free.
    CacheFree(CacheName, VirtAddr),
    /// kmem_cache_shrink.
    CacheShrink(CacheName),
    /// kmem_cache_destroy.
    CacheDestroy(CacheName),
}

impl What {
    /// The call that frees it. An object of a cache is one for kfree too.
    pub const fn free(self) -> Request {
        match self {
            Self::Object(addr, _) | Self::OfCache(addr, _) => Request::Kfree(addr),
            Self::Block(_, order, Some(addr)) => Request::FreePages(Block::At(addr), order),
            Self::Block(frame, order, None) => Request::FreePages(Block::Frame(frame), order),
            Self::Area(addr, _) => Request::Vfree(addr),
            Self::Device(addr, ..) => Request::Iounmap(addr),
        }
    }
}

/// A request, and what must be known to carry it out.
#[derive(Clone, Copy)]
pub(super) struct Errand {
    pub(super) request: Request,
    /// The live handout that a free names.
    pub(super) frees: Option<Handout>,
    /// The place of the cache.
    pub(super) cache: Option<usize>,
    pub(super) handle: Option<CacheRef<KernelPlatform>>,
}

/// What a call did.
pub(super) enum Done {
    Handed(What),
    Freed,
    Created(Cache),
    Shrunk(usize),
    Destroyed,
}

impl Errand {
    /// Makes the call, in whatever context this is.
    pub(super) fn carry_out(&self) -> Result<Done, Refusal> {
        match self.request {
            Request::Kmalloc(size, gfp) => kmalloc(size, gfp),
            Request::GetPages(order, gfp) => get_pages(order, gfp),
            Request::GetZeroedPage(gfp) => block(Calls::<Kernel>::get_zeroed_page(gfp), Order::ZERO),
            Request::Vmalloc(size) => {
                handed(memory().areas().vmalloc_tagged(size, Tag::Prompt).map(|addr| What::Area(addr, size)))
            }
            Request::Ioremap(phys, size) => {
                let mapped = memory().areas().ioremap_tagged(phys, size, Tag::Prompt);
                handed(mapped.map(|addr| What::Device(addr, phys, size)))
            }
            Request::Kfree(addr) => self.kfree(addr),
            Request::FreePages(block, order) => self.free_pages(block, order),
            // The tag tells whose an area is, so the call itself refuses any other.
            Request::Vfree(addr) => freed(memory().areas().vfree_tagged(addr, Tag::Prompt)),
            Request::Iounmap(addr) => freed(memory().areas().iounmap_tagged(addr, Tag::Prompt)),
            Request::CacheCreate(new) => self.create(new),
            Request::CacheAlloc(_, gfp) => self.with_cache(|cache, place| {
                let object = Calls::<Kernel>::kmem_cache_alloc(cache, gfp);
                handed(object.map(|object| What::OfCache(VirtAddr::from_ptr(object.as_ptr()), place)))
            }),
            // Nobody else has objects of these caches.
            Request::CacheFree(_, addr) => self.with_cache(|cache, _| {
                let object = NonNull::new(addr.as_mut_ptr()).ok_or(Refusal::Free(FreeError::Wild))?;
                // SAFETY: so a live object of the cache is a handout, which its typist gives up.
                freed(unsafe { memory().kmem_cache_free(cache, object) })
            }),
            Request::CacheShrink(_) => self.with_cache(|cache, _| Ok(Done::Shrunk(memory().kmem_cache_shrink(cache)))),
            Request::CacheDestroy(_) => self.with_cache(|cache, _| {
                memory().kmem_cache_destroy(cache).map(|()| Done::Destroyed).map_err(Refusal::Destroy)
            }),
        }
    }

    fn with_cache<R>(
        &self,
        call: impl FnOnce(CacheRef<KernelPlatform>, usize) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let (Some(handle), Some(place)) = (self.handle, self.cache) else { return Err(Refusal::NoSuchCache) };
        call(handle, place)
    }

    /// Calls `free`, unless it would take what is no handout. In one piece, so that nobody gets the memory in between.
    fn freed_unless(
        &self,
        takes: impl FnOnce() -> bool,
        refusal: Refusal,
        free: impl FnOnce() -> Result<(), FreeError>,
    ) -> Result<Done, Refusal> {
        without_interrupts(|| {
            if self.frees.is_none() && takes() {
                return Err(refusal);
            }
            freed(free())
        })
    }

    fn kfree(&self, addr: VirtAddr) -> Result<Done, Refusal> {
        let takes = || takes_object(addr);
        // SAFETY: a live object that is no handout was refused.
        self.freed_unless(takes, Refusal::NotYours(addr), || unsafe { Calls::<Kernel>::kfree(addr.as_mut_ptr()) })
    }

    fn free_pages(&self, block: Block, order: Order) -> Result<Done, Refusal> {
        match block {
            Block::At(addr) => {
                let takes =
                    || addr.page_offset() == 0 && memory().frame_of(addr).is_some_and(|at| takes_block(at, order));
                // SAFETY: a live block that is no handout was refused.
                let free = || unsafe { Calls::<Kernel>::free_pages(addr, order) };
                self.freed_unless(takes, Refusal::NotYours(addr), free)
            }
            Block::Frame(frame) => {
                let takes = || takes_block(frame, order);
                // SAFETY: as above.
                let free = || unsafe { memory().free_frames(frame, order) };
                self.freed_unless(takes, Refusal::NotYourBlock(frame), free)
            }
        }
    }

    fn create(&self, new: NewCache) -> Result<Done, Refusal> {
        let place = self.cache.ok_or(Refusal::TooManyCaches)?;
        let plain = CacheSpec {
            name: new.name.as_str(),
            size: new.size,
            offset: new.offset,
            flags: new.flags,
            ctor: None,
            dtor: None,
        };
        let spec = if self.handle.is_none() { caches::prepare(place, new.callees, plain) } else { plain };
        let handle = memory().kmem_cache_create(&spec).map_err(Refusal::Create)?;
        Ok(Done::Created(Cache::new(new.name, handle, &spec)))
    }
}

fn handed(what: Result<What, AllocError>) -> Result<Done, Refusal> {
    what.map(Done::Handed).map_err(|_| Refusal::Alloc)
}

fn freed(result: Result<(), FreeError>) -> Result<Done, Refusal> {
    result.map(|()| Done::Freed).map_err(Refusal::Free)
}

fn kmalloc(size: usize, gfp: GfpFlags) -> Result<Done, Refusal> {
    let object = Calls::<Kernel>::kmalloc(size, gfp);
    handed(object.map(|object| What::Object(VirtAddr::from_ptr(object.as_ptr()), size)))
}

/// High memory has no address, so whoever allows it gets a frame.
fn get_pages(order: Order, gfp: GfpFlags) -> Result<Done, Refusal> {
    if gfp.contains(GfpFlags::HIGHMEM) {
        let block = memory().alloc_pages(gfp, order);
        return handed(block.map(|frame| What::Block(frame, order, memory().page_address(frame))));
    }
    block(Calls::<Kernel>::get_free_pages(gfp, order), order)
}

/// The block at an address that a call returned.
fn block(addr: Result<VirtAddr, AllocError>, order: Order) -> Result<Done, Refusal> {
    let addr = addr.map_err(|_| Refusal::Alloc)?;
    let frame = memory().frame_of(addr).ok_or(Refusal::Alloc)?;
    Ok(Done::Handed(What::Block(frame, order, Some(addr))))
}

/// Whether kfree of this address would free an object.
fn takes_object(addr: VirtAddr) -> bool {
    let is_taken = |info: ObjectInfo| info.start == addr && info.whereabouts == Whereabouts::Live && !info.is_own;
    memory().objects().object_info(addr).is_some_and(is_taken)
}

/// Whether free_pages of this frame would free its block, or give a reference to it back.
fn takes_block(frame: Pfn, order: Order) -> bool {
    memory().pages().frame_info(frame).is_some_and(|info| {
        info.state == PageState::Allocated(order) && info.tag == Tag::None && info.block.start == frame
    })
}
