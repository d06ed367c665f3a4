//! Memory: mmap and its kin, brk.

use core::ops::Range;

use kapi::{Errno, OpenFlags};
use linux_raw_sys::general::{
    MADV_DONTFORK, MADV_DONTNEED, MADV_NORMAL, MADV_WILLNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN, MAP_HUGETLB, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_TYPE, MS_ASYNC, MS_INVALIDATE,
    MS_SYNC, PROT_EXEC, PROT_READ, PROT_WRITE,
};
use mm::{PAGE_SIZE, VirtAddr};

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::mm::space::{
    Content, Growth, MapRequest, Mapped, MappedArea, Place, Protection, SharedMemory, Sharing, SpaceError, UserSpace,
};
use crate::process::Process;

pub(super) const CALLS: &[Entry] = calls![
    brk(Address),
    mmap(Address, Count, Flags, Flags, Fd, Count),
    munmap(Address, Count),
    mprotect(Address, Count, Flags),
    madvise(Address, Count, Count),
    msync(Address, Count, Flags),
    mlock(Address, Count),
    munlock(Address, Count),
    mlockall(Flags),
    munlockall(),
];

/// Never fails: a break that cannot be moved is returned as it is.
fn brk(call: &mut Call<'_>) -> Outcome {
    let to = call.optional(0);
    Ok(call.process.space().with(|space| space.set_break(to))?.as_usize())
}

fn mmap(call: &mut Call<'_>) -> Outcome {
    let (bytes, flags) = (call.arg(1), call.word(3));
    if bytes == 0 || !call.arg(5).is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let request = MapRequest {
        at: place(call.arg(0), flags)?,
        protection: protection(call.word(2)),
        growth: if flags & MAP_GROWSDOWN != 0 { Growth::Down } else { Growth::None },
        ..content(call, bytes, flags)?
    };
    if flags & MAP_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    let source = match &request.content {
        Content::Object(object, first) => Some((object.clone(), *first)),
        Content::Anonymous => None,
    };
    let (protection, sharing) = (request.protection, request.sharing);
    let mapped = call.process.space().with(|space| space.map(request))?;
    let start = mapped.map_err(|error| match error {
        SpaceError::OutOfRange => Errno::ENOMEM,
        other => errno(other),
    })?;
    if let Some((Mapped(source), first_page)) = source {
        let end = start.add(bytes.next_multiple_of(PAGE_SIZE));
        let area = MappedArea { start, end, first_page, protection, sharing };
        source.placed(area).inspect_err(|_| {
            // The program does not know of it.
            let _: Outcome = in_space(call.process, |space| space.unmap(start, bytes));
        })?;
    }
    Ok(start.as_usize())
}

/// What is to be mapped, for whom, and what the program may ever do there.
fn content(call: &Call<'_>, bytes: usize, flags: u32) -> Result<MapRequest<Mapped>, Errno> {
    let sharing = match flags & MAP_TYPE {
        MAP_SHARED | MAP_SHARED_VALIDATE => Sharing::Shared,
        MAP_PRIVATE => Sharing::Private,
        _ => return Err(Errno::EINVAL),
    };
    let anonymous = flags & MAP_ANONYMOUS != 0;
    match sharing {
        Sharing::Private if anonymous => Ok(MapRequest::anonymous(bytes)),
        Sharing::Shared if anonymous => {
            Ok(MapRequest { sharing, ..MapRequest::object(SharedMemory::create(bytes)?, 0, bytes) })
        }
        _ => file(call, bytes, sharing),
    }
}

fn file(call: &Call<'_>, bytes: usize, sharing: Sharing) -> Result<MapRequest<Mapped>, Errno> {
    let file = call.process.files().get(call.int(4))?;
    let first = (call.arg(5) / PAGE_SIZE) as u64;
    if call.arg(5).checked_add(bytes).is_none() {
        return Err(Errno::EOVERFLOW);
    }
    let is_writable = file.flags().contains(OpenFlags::WRITE);
    let mut most = Protection::all();
    if sharing == Sharing::Shared && !is_writable {
        most.remove(Protection::WRITE);
    }
    if !file.flags().contains(OpenFlags::READ) || !most.contains(protection(call.word(2))) {
        return Err(Errno::EACCES);
    }
    Ok(MapRequest { sharing, most, ..MapRequest::object(Mapped(file.page_source()?), first, bytes) })
}

fn place(at: usize, flags: u32) -> Result<Place, Errno> {
    let address = VirtAddr::new(at);
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) == 0 {
        // A hint that is no page's address means the page that it lies in.
        return Ok(if at == 0 { Place::Anywhere } else { Place::Hint(address.page_down()) });
    }
    if address.page_offset() != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(if flags & MAP_FIXED_NOREPLACE != 0 { Place::FixedNoReplace(address) } else { Place::Fixed(address) })
}

fn protection(bits: u32) -> Protection {
    let mut protection = Protection::empty();
    protection.set(Protection::READ, bits & PROT_READ != 0);
    protection.set(Protection::WRITE, bits & PROT_WRITE != 0);
    protection.set(Protection::EXEC, bits & PROT_EXEC != 0);
    protection
}

fn munmap(call: &mut Call<'_>) -> Outcome {
    let (at, bytes) = (call.address(0), call.arg(1));
    in_space(call.process, |space| space.unmap(at, bytes))
}

fn mprotect(call: &mut Call<'_>) -> Outcome {
    let (at, bytes, bits) = (call.address(0), call.arg(1), call.word(2));
    if at.page_offset() != 0 || bits & !(PROT_READ | PROT_WRITE | PROT_EXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    if bytes == 0 {
        return Ok(0);
    }
    let protected = call.process.space().with(|space| space.protect(at, bytes, protection(bits)))?;
    protected.map(|()| 0).map_err(|error| match error {
        SpaceError::OutOfRange => Errno::ENOMEM,
        other => errno(other),
    })
}

/// Advice is taken note of, but for the one that has to be followed: that memory is not needed any more, and zeros when
/// it is next.
fn madvise(call: &mut Call<'_>) -> Outcome {
    let at = call.address(0);
    if at.page_offset() != 0 || at.as_usize().checked_add(call.arg(1)).is_none() {
        return Err(Errno::EINVAL);
    }
    match call.word(2) {
        _ if call.arg(1) == 0 => Ok(0),
        MADV_DONTNEED => {
            let (at, bytes) = (call.address(0), call.arg(1));
            in_space(call.process, |space| space.discard(at, bytes))
        }
        MADV_NORMAL..=MADV_WILLNEED | 8..=MADV_DONTFORK | 11..=19 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// With `MS_ASYNC` nothing is begun that would not come by itself.
fn msync(call: &mut Call<'_>) -> Outcome {
    let (at, flags) = (call.address(0), call.word(2));
    let both = MS_SYNC | MS_ASYNC;
    if at.page_offset() != 0 || flags & !(both | MS_INVALIDATE) != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let bytes = call.arg(1).checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
    let end = at.as_usize().checked_add(bytes).map(VirtAddr::new).ok_or(Errno::ENOMEM)?;
    let (mut from, mut has_hole) = (at, false);
    while from < end {
        let next = call.process.space().with(|space| Synced::next(space, from, end))?;
        let Some(area) = next.filter(|area| area.start < end) else { break };
        has_hole |= area.start > from;
        if let Some((object, pages)) = area.shown(from, end).filter(|_| flags & MS_SYNC != 0) {
            object.0.sync(pages)?;
        }
        from = area.end;
    }
    if has_hole || from < end { Err(Errno::ENOMEM) } else { Ok(0) }
}

/// An area that is synced, without its space.
struct Synced {
    start: VirtAddr,
    end: VirtAddr,
    /// What is to be synced of it, and the page of that which `start` shows.
    shared: Option<(Mapped, u64)>,
}

impl Synced {
    /// The first area that does not end before `from`. The page cache knows which of its pages before `end` were
    /// written to.
    fn next(space: &mut UserSpace, from: VirtAddr, end: VirtAddr) -> Option<Self> {
        let area = space.areas().find(|area| area.end > from)?;
        let shared = area.object.filter(|_| area.sharing == Sharing::Shared);
        let shared = shared.map(|(object, page)| (object.clone(), page));
        let area = Self { start: area.start, end: area.end, shared };
        let (from, end) = (from.max(area.start), end.min(area.end));
        if area.shared.is_some() && from < end {
            // All of it is mapped.
            let _: Result<(), _> = space.note_written(from, end.as_usize() - from.as_usize());
        }
        Some(area)
    }

    /// What it shows at `from..end`, as pages of the object.
    fn shown(&self, from: VirtAddr, end: VirtAddr) -> Option<(&Mapped, Range<u64>)> {
        let (object, first) = self.shared.as_ref()?;
        let (from, end) = (from.max(self.start), end.min(self.end));
        let page = |at: VirtAddr| first + ((at.as_usize() - self.start.as_usize()) / PAGE_SIZE) as u64;
        Some((object, page(from)..page(end)))
    }
}

/// No page that a program has goes away by itself.
fn mlock(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn munlock(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn mlockall(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn munlockall(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn in_space(process: &Process, f: impl FnOnce(&mut UserSpace) -> Result<(), SpaceError>) -> Outcome {
    process.space().with(f)?.map(|()| 0).map_err(errno)
}

/// As mmap and its kin say it.
const fn errno(error: SpaceError) -> Errno {
    match error {
        SpaceError::NoMemory | SpaceError::NotMapped => Errno::ENOMEM,
        SpaceError::Misaligned | SpaceError::OutOfRange | SpaceError::Unshareable | SpaceError::Ungrowable => {
            Errno::EINVAL
        }
        SpaceError::Exists => Errno::EEXIST,
        SpaceError::Denied => Errno::EACCES,
    }
}
