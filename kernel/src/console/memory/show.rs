//! What came of a call, in words.

use core::fmt::{self, Display};

use ::mm::areas::AreaKind;
use ::mm::objects::Whereabouts;
use ::mm::{FreeError, GfpFlags, Order, Pfn, Tag, VirtAddr};

use crate::mm::handouts::{Answer, Block, CacheState, Callees, Handout, Refusal, Request, What};
use crate::mm::memory;

/// What a call did.
pub(super) fn answer(answer: &Answer) -> impl Display {
    fmt::from_fn(move |f| match answer {
        Answer::Handed(handed) => write!(f, "{}", handout(handed)),
        Answer::Freed(handout) => write!(f, "m{} freed", handout.number),
        Answer::Nothing => f.write_str("nothing to free"),
        Answer::Created => f.write_str("created"),
        Answer::Shrunk(pages) => write!(f, "{} given back", Pages(*pages)),
        Answer::Destroyed(state) => write!(f, "destroyed: {}", cache(state)),
    })
}

/// A handout: where it is, and what it really is.
pub(super) fn handout(handout: &Handout) -> impl Display {
    fmt::from_fn(move |f| {
        write!(f, "m{} = ", handout.number)?;
        match handout.what {
            What::Object(addr, _) | What::OfCache(addr, _) => object(addr, f),
            What::Block(frame, order, addr) => block(frame, order, addr, f),
            What::Area(addr, size) => {
                let pages = Pages(size.div_ceil(::mm::PAGE_SIZE));
                write!(f, "{}: vmalloc, {pages} and a guard page", Addr(addr))
            }
            What::Device(addr, phys, size) => {
                write!(f, "{}: ioremap, {size} bytes of {:08x}, uncached", Addr(addr), phys.as_u64())
            }
        }
    })
}

fn object(addr: VirtAddr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", Addr(addr))?;
    if let Some(object) = memory().objects().object_info(addr) {
        write!(f, ": {} bytes of {}", object.usable, object.cache.as_str())?;
    }
    let Some(frame) = memory().frame_of(addr) else { return Ok(()) };
    let phys = frame.phys().as_u64() + addr.page_offset() as u64;
    write!(f, ", zone {}, physical {phys:08x}", memory().pages().direct().zone_of(frame).name())
}

fn block(frame: Pfn, order: Order, addr: Option<VirtAddr>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match addr {
        Some(addr) => write!(f, "{}", Addr(addr))?,
        None => write!(f, "pfn {:#x}", frame.as_u32())?,
    }
    let zone = memory().pages().direct().zone_of(frame).name();
    write!(f, ": {}, zone {zone}, physical {:08x}", Pages(order.pages() as usize), frame.phys().as_u64())?;
    f.write_str(if addr.is_none() { ", no address" } else { "" })
}

/// A cache, and what its constructor and destructor did.
pub(super) fn cache(state: &CacheState) -> impl Display {
    fmt::from_fn(move |f| {
        write!(f, "{}", state.name.as_str())?;
        if state.callees != Callees::None {
            write!(f, ", {} constructed", state.constructed)?;
        }
        if state.atomic > 0 {
            write!(f, " ({} with SLAB_CTOR_ATOMIC)", state.atomic)?;
        }
        if state.callees == Callees::CtorAndDtor {
            write!(f, ", {} destroyed", state.destroyed)?;
        }
        Ok(())
    })
}

/// What a request is about, before what was wrong with it; nothing where there is only the call.
pub(super) fn subject(request: &Request) -> impl Display {
    fmt::from_fn(move |f| match request {
        Request::Kfree(addr)
        | Request::Vfree(addr)
        | Request::Iounmap(addr)
        | Request::CacheFree(_, addr)
        | Request::FreePages(Block::At(addr), _) => write!(f, "{}: ", Addr(*addr)),
        Request::FreePages(Block::Frame(frame), _) => write!(f, "pfn {:#x}: ", frame.as_u32()),
        Request::CacheCreate(new) => write!(f, "{}: ", new.name.as_str()),
        Request::CacheAlloc(name, _) | Request::CacheShrink(name) | Request::CacheDestroy(name) => {
            write!(f, "{}: ", name.as_str())
        }
        Request::Kmalloc(_, gfp) | Request::GetPages(_, gfp) | Request::GetZeroedPage(gfp)
            if *gfp != GfpFlags::KERNEL =>
        {
            write!(f, "{gfp}: ")
        }
        _ => Ok(()),
    })
}

/// Why a call was refused, and of memory that has another owner, who that is.
pub(super) fn refusal(request: &Request, refusal: Refusal) -> impl Display {
    fmt::from_fn(move |f| {
        write!(f, "{refusal}")?;
        match (refusal, request) {
            (Refusal::NotYours(addr), _) => write!(f, ": {}", owner(addr)),
            (Refusal::NotYourBlock(frame), _) => write!(f, ": {}", owner_of(frame)),
            (Refusal::Free(FreeError::Owned(_)), Request::Vfree(addr) | Request::Iounmap(addr)) => {
                write!(f, ": {}", owner(*addr))
            }
            // A free of this kind finds none here, but one of another kind may.
            (Refusal::Free(FreeError::NoArea), Request::Vfree(addr) | Request::Iounmap(addr)) => {
                let Some(area) = memory().areas().area_at(*addr) else { return Ok(()) };
                write!(f, ": the one around it is of {}, from {} on", kind(area.kind), Addr(area.start))
            }
            _ => Ok(()),
        }
    })
}

/// What made an area.
pub(super) const fn kind(kind: AreaKind) -> &'static str {
    match kind {
        AreaKind::Vmalloc => "vmalloc",
        AreaKind::Vmap => "vmap",
        AreaKind::Ioremap(_) => "ioremap",
        AreaKind::Module => "module",
    }
}

/// Whose the memory at an address is.
pub(super) fn owner(addr: VirtAddr) -> impl Display {
    fmt::from_fn(move |f| {
        if let Some(object) = memory().objects().object_info(addr) {
            write!(f, "an object of {}", object.cache.as_str())?;
            return match object.allocated.filter(|_| object.whereabouts == Whereabouts::Live) {
                Some(user) => write!(f, ", allocated at {}:{}", user.file(), user.line()),
                None => Ok(()),
            };
        }
        if let Some(area) = memory().areas().area_at(addr) {
            let Some(caller) = area.caller else { return f.write_str("an area") };
            return write!(f, "an area of {}:{}", caller.file(), caller.line());
        }
        match memory().frame_of(addr) {
            Some(frame) => write!(f, "{}", owner_of(frame)),
            None => f.write_str("no memory of the allocators"),
        }
    })
}

/// Whose a frame is.
pub(super) fn owner_of(frame: Pfn) -> impl Display {
    fmt::from_fn(move |f| match memory().pages().frame_info(frame).map(|info| info.tag) {
        None => f.write_str("no memory"),
        Some(Tag::None) => f.write_str("a block of another owner"),
        Some(tag) => f.write_str(tag.refusal()),
    })
}

/// An address as messages show it.
pub(super) struct Addr(pub VirtAddr);

impl Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0.as_usize())
    }
}

/// So many pages.
pub(super) struct Pages(pub usize);

impl Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} page{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}
