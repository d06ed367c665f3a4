//! `page`: all that is known of a page.

use core::fmt::{self, Display};

use ::mm::areas::{AreaInfo, AreaKind};
use ::mm::objects::Whereabouts;
use ::mm::page::PageState;
use ::mm::pages::FrameInfo;
use ::mm::{Tag, VirtAddr};
use shell::{Env, Job, Outcome, Status};

use super::operands::{Place, need, operands, place};
use super::show::{Addr, Pages, kind};
use crate::arch::layout::Area;
use crate::mm::{memory, tables};
use crate::proc::rights;

/// `page ADDRESS|PFN`
pub fn page<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let [word] = operands(job.args)?;
    let place = place(need(word)?)?;
    let mut out = job.out();
    let (addr, frame) = match place {
        Place::At(addr) => (Some(addr), tables::translate(addr.page_down())),
        Place::Frame(frame) => (memory().page_address(frame), Some(frame)),
    };
    if let Some(addr) = addr {
        writeln!(out, "{}", mapping(addr))?;
        if let Some(area) = memory().areas().area_at(addr) {
            writeln!(out, "{}", area_line(&area))?;
        }
    }
    if let Some(frame) = frame {
        match memory().pages().frame_info(frame) {
            Some(info) => {
                writeln!(out, "{}", frame_line(&info))?;
                writeln!(out, "{}", block_line(&info))?;
            }
            None => writeln!(out, "pfn {:#x}: no RAM", frame.as_u32())?,
        }
        // An object is known by its address in the direct map.
        let direct = memory().page_address(frame).map(|start| start.add(addr.map_or(0, VirtAddr::page_offset)));
        if let Some(line) = direct.and_then(object_line) {
            writeln!(out, "{line}")?;
        }
    }
    out.finish()?;
    Ok(Status::OK)
}

/// What an address means, and how its page is mapped.
fn mapping(addr: VirtAddr) -> impl Display {
    fmt::from_fn(move |f| {
        write!(f, "{}: {}, ", Addr(addr), Area::of(addr).name())?;
        let page = addr.page_down();
        match tables::next_run(page, page.add(1)).filter(|run| run.start <= page) {
            Some(run) => write!(f, "mapped by a page of {}, {}", rights::size(run.level), rights::of(run.rights)),
            None => f.write_str("not mapped"),
        }
    })
}

/// A vm area.
fn area_line(area: &AreaInfo) -> impl Display {
    fmt::from_fn(move |f| {
        write!(f, "area {}-{}: {}", Addr(area.start), Addr(area.guard()), kind(area.kind))?;
        if let AreaKind::Ioremap(phys) = area.kind {
            write!(f, " of {:08x}", phys.as_u64())?;
        }
        f.write_str(" and a guard page")?;
        area.caller.map_or(Ok(()), |caller| write!(f, ", allocated at {}:{}", caller.file(), caller.line()))
    })
}

/// A frame: its number, place and zone.
fn frame_line(info: &FrameInfo) -> impl Display {
    fmt::from_fn(move |f| {
        let frame = info.frame;
        write!(f, "pfn {:#x} ({}): physical {:08x}", frame.as_u32(), frame.as_u32(), frame.phys().as_u64())?;
        match memory().page_address(frame) {
            Some(addr) => write!(f, ", direct map {}", Addr(addr))?,
            None => f.write_str(", not in the direct map")?,
        }
        write!(f, ", zone {}", info.zone.name())
    })
}

/// The block that a frame is in.
fn block_line(info: &FrameInfo) -> impl Display {
    fmt::from_fn(move |f| {
        let (first, pages) = (info.block.start.as_u32(), Pages(info.block.frames()));
        match info.state {
            PageState::Inner => f.write_str("of no block: it belongs to boot, to the kernel or to the firmware")?,
            PageState::Free(order) => write!(f, "free, in the buddy lists: order {}", order.log2())?,
            PageState::Cached(order) => write!(f, "free, kept ready for a CPU: order {}", order.log2())?,
            PageState::Allocated(order) => {
                write!(f, "allocated: order {}, references {}", order.log2(), info.references)?
            }
            PageState::Slab => f.write_str("slab")?,
            PageState::Retired => f.write_str("slab that was damaged: nobody's")?,
        }
        if info.state != PageState::Inner {
            write!(f, ", {pages} from pfn {first:#x} on")?;
        }
        if info.tag != Tag::None {
            write!(f, "; {}", info.tag.refusal())?;
        }
        info.allocated.map_or(Ok(()), |caller| write!(f, "; allocated at {}:{}", caller.file(), caller.line()))
    })
}

/// The object around an address of the direct map.
fn object_line(addr: VirtAddr) -> Option<impl Display> {
    let object = memory().objects().object_info(addr)?;
    Some(fmt::from_fn(move |f| {
        write!(f, "object {} of {} at {}", object.number, object.objects, Addr(object.start))?;
        write!(f, ": {}, {} bytes, ", object.cache.as_str(), object.usable)?;
        f.write_str(match object.whereabouts {
            Whereabouts::Live => "live",
            Whereabouts::Cached => "free, in a magazine",
            Whereabouts::InSlab => "free, in the slab",
            Whereabouts::Quarantined => "freed, in quarantine",
            _ => "damaged",
        })?;
        for (what, user) in [("allocated", object.allocated), ("freed", object.freed)] {
            if let Some(user) = user {
                write!(f, "; {what} at {}:{}", user.file(), user.line())?;
            }
        }
        Ok(())
    }))
}
