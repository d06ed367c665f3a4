//! What readers of the machine's memory find: where everything lies.
//!
//! It is filled once, when swap has started, and says where numbers are, not what they are: who reads the memory
//! costs this kernel nothing. `/proc/memmap` shows the same picture from inside.

use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release};

use ::mm::outside::{Class, Header, Mark, SiteFields, SwapWords, write_map};
use ::mm::page::Seen;
use ::mm::{PAGE_SIZE, VirtAddr};

use super::global::memory;
use super::handover::{self, HANDOVER};
use super::swap::swap;
use super::{bigphysarea, tables};
use crate::arch::layout::{MODULES_END, MODULES_START, PAGE_ARRAY, VMALLOC_END, VMALLOC_START};
use crate::arch::paging;
use crate::board::watcher;
use crate::sync::SpinLock;
use crate::{klog, time};

/// A page of its own, so that whoever looks for it looks at starts of pages alone.
#[repr(C, align(4096))]
struct Published([AtomicU64; PAGE_SIZE / size_of::<u64>()]);

static PUBLISHED: Published = Published([const { AtomicU64::new(0) }; PAGE_SIZE / size_of::<u64>()]);

/// Marks so far. Held while one is seen: nothing else happens then.
static MARKS: SpinLock<u64> = SpinLock::new(0);

/// Why a moment was not marked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotMarked {
    /// No name for a picture.
    BadName,
    /// Nobody watches.
    NoWatcher,
}

/// Fills the page in. Boot, once swap has started.
pub fn publish() {
    let header = describe();
    if header.own == 0 {
        klog!("warning: no header for readers of the memory: the image shows nowhere");
        return;
    }
    let words = header.to_words();
    for (place, word) in PUBLISHED.0.iter().zip(words).skip(1) {
        place.store(word, Relaxed);
    }
    PUBLISHED.0[0].store(words[0], Release);
}

/// Where everything lies, now.
fn describe() -> Header {
    let mut header = Header::EMPTY;
    memory().describe(&mut header);
    let physical = |frame: ::mm::Pfn| frame.phys().as_u64();
    header.own = tables::translate(VirtAddr::from_ptr(&raw const PUBLISHED)).map_or(0, physical);
    header.tables = paging::kernel_root().map_or(0, physical);
    header.page_map = PAGE_ARRAY.as_usize() as u64;
    header.vmalloc = [VMALLOC_START.as_usize() as u64, VMALLOC_END.as_usize() as u64];
    header.modules = [MODULES_START.as_usize() as u64, MODULES_END.as_usize() as u64];
    header.ticks = time::jiffies().addr() as u64;
    let [slots, free] = swap().words().map(|word| word.as_usize() as u64);
    header.swap = SwapWords { slots, free };
    place_fields(&mut header.sites);
    let mut lost = 0;
    let mut add = |range: ::mm::PfnRange, class| {
        let (start, end) = (u64::from(range.start.as_u32()), u64::from(range.end.as_u32()));
        lost += usize::from(!header.add_region(start, end, class));
    };
    bigphysarea::range().into_iter().for_each(|range| add(range, Class::SetAside));
    let image = HANDOVER.with(|handover| handover.image.clone());
    image.ranges().iter().for_each(|&range| add(range, Class::Image));
    handover::hidden_ram().for_each(|range| add(range, Class::Hidden));
    // Behind the page map there may be RAM that it was not told of.
    let hidden_end = handover::hidden_ram().map(|range| range.end.as_u32()).max().unwrap_or(0);
    header.frames = header.frames.max(hidden_end.into());
    if lost > 0 {
        klog!("memmap: {lost} regions have no room and are shown as boot memory");
    }
    header
}

/// Finds out where in the place of a call things are: no compiler promises that.
#[track_caller]
fn place_fields(fields: &mut SiteFields) {
    let place = Location::caller();
    let (start, name) = (VirtAddr::from_ptr(place), place.file());
    let words = |step: usize| (0..=size_of_val(place) - step).step_by(step);
    // SAFETY: the value lives for ever and is made of words without gaps.
    let word = |offset: &usize| unsafe { start.add(*offset).as_mut_ptr::<u64>().read() };
    // SAFETY: as above.
    let half = |offset: &usize| unsafe { start.add(*offset).as_mut_ptr::<u32>().read() };
    let file = words(8).find(|offset| word(offset) == name.as_ptr().addr() as u64);
    let bytes = words(8).find(|offset| word(offset) == name.len() as u64);
    let line = words(4).find(|offset| half(offset) == place.line());
    match (file, bytes, line) {
        (Some(file), Some(bytes), Some(line)) if place.line() != place.column() => {
            (fields.file, fields.file_bytes, fields.line) = (file as u64, bytes as u64, line as u64);
        }
        // Then nobody's name is shown.
        _ => *fields = SiteFields::default(),
    }
}

/// The text of /proc/memmap: what every frame is. Process context.
pub fn write_memmap(out: &mut dyn fmt::Write) -> fmt::Result {
    let header = published().ok_or(fmt::Error)?;
    write_map(&header, |frame| memory().pages().map().get(frame).map(Seen::of), out)
}

/// The header that was filled in.
fn published() -> Option<Header> {
    let mut words = [0; Header::WORDS];
    words.iter_mut().zip(&PUBLISHED.0).for_each(|(word, place)| *word = place.load(Relaxed));
    // Its third word is where it lies.
    Header::from_words(&words, words[2]).ok()
}

/// Has whoever watches from outside take a picture of this moment, by this name, and comes back when it is taken.
/// Until then nothing else happens in the machine. Process context.
///
/// # Errors
/// Why no picture was taken.
pub fn mark(name: &str) -> Result<(), NotMarked> {
    MARKS.with(|marks| {
        let mark = Mark::new(*marks + 1, name).ok_or(NotMarked::BadName)?;
        if !watcher::is_there() {
            return Err(NotMarked::NoWatcher);
        }
        *marks = mark.number;
        for (place, word) in PUBLISHED.0[Header::WORDS..].iter().zip(mark.to_words()) {
            place.store(word, Release);
        }
        watcher::wait();
        Ok(())
    })
}
