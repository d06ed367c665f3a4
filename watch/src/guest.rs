//! The kernel in the guest: its header, and pictures of its memory.

use mm::outside::{Class, Header, Mark, NotAHeader, Walk};
use mm::page::{PageState, Seen};
use mm::{DMA_END, Pfn, ZoneKind};

use crate::cell::Cell;
use crate::inside::{Inside, SLABS_MAX, Sites, SlabPages};
use crate::physical::Physical;
use crate::picture::{Area, CacheInfo, Events, Picture, SwapFigures, ZoneFigures};
use crate::tables::Tables;

const PAGE: u64 = 4096;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Frames that may lie between the end of low memory and 4 GiB.
const HOLE_FRAMES: u64 = 1 << 18;
/// Caches that are looked at: a list that leads to itself has an end, too.
const CACHES_MAX: usize = 512;
/// Runs of vmalloc that are looked at.
const AREAS_MAX: usize = 1 << 16;
/// How often a picture is taken anew when the guest has changed the map meanwhile.
const ATTEMPTS: usize = 3;

/// Why there is no picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPicture {
    /// No kernel has left a header yet.
    NoKernel,
    /// The kernel is of another version.
    Version(u64),
    /// What the header says cannot be.
    Nonsense,
}

/// A guest, and where its header was found.
pub struct Guest<M> {
    memory: M,
    header: Option<u64>,
    sites: Sites,
}

impl<M: Physical> Guest<M> {
    /// The guest whose memory this is.
    pub fn new(memory: M) -> Self {
        Self { memory, header: None, sites: Sites::default() }
    }

    /// A picture of this moment. If the guest changes the map meanwhile, one of the next moment; of several the one
    /// that contradicts itself least.
    ///
    /// # Errors
    /// There is no kernel, or none that can be read.
    pub fn picture(&mut self) -> Result<Picture, NoPicture> {
        let header = self.header()?;
        let mut best = self.take(&header)?;
        for _ in 1..ATTEMPTS {
            if best.torn == 0 {
                break;
            }
            let next = self.take(&header)?;
            if next.torn < best.torn {
                best = next;
            }
        }
        Ok(best)
    }

    /// The moment that the guest has marked last.
    pub fn mark(&mut self) -> Option<Mark> {
        let at = self.header.or_else(|| self.find())?;
        let mut words = [0; Mark::WORDS];
        for (nth, word) in (0..).zip(&mut words) {
            *word = self.memory.word(at + (Header::WORDS as u64 + nth) * 8).ok()?;
        }
        Mark::from_words(&words)
    }

    /// The header, where it was the last time or wherever it is now.
    fn header(&mut self) -> Result<Header, NoPicture> {
        let known = self.header.and_then(|at| self.header_at(at).ok());
        if let Some(header) = known {
            return Ok(header);
        }
        let at = self.find().ok_or(NoPicture::NoKernel)?;
        let header = self.header_at(at).map_err(|error| match error {
            NotAHeader::Missing => NoPicture::NoKernel,
            NotAHeader::Version(version) => NoPicture::Version(version),
        })?;
        self.header = Some(at);
        Ok(header)
    }

    fn header_at(&self, at: u64) -> Result<Header, NotAHeader> {
        let mut bytes = [0; Header::WORDS * 8];
        self.memory.read(at, &mut bytes).map_err(|_| NotAHeader::Missing)?;
        let mut words = [0; Header::WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Header::from_words(&words, at)
    }

    /// The page that is a header: each page that was ever written to may be.
    fn find(&self) -> Option<u64> {
        let (mut at, mut chunk) = (0, vec![0; CHUNK]);
        let magic = Header::EMPTY.to_words()[0].to_le_bytes();
        while let Some(next) = self.memory.next_written(at) {
            let start = next / PAGE * PAGE;
            let bytes = self.memory.end().saturating_sub(start).min(CHUNK as u64) as usize;
            // What cannot be read whole is read page by page: there memory has a hole.
            let step = if self.memory.read(start, &mut chunk[..bytes]).is_ok() {
                bytes
            } else {
                let page = bytes.min(PAGE as usize);
                if self.memory.read(start, &mut chunk[..page]).is_err() {
                    chunk[..page].fill(0);
                }
                page
            };
            for (nth, page) in (0..).zip(chunk[..step].chunks(PAGE as usize)) {
                let place = start + nth * PAGE;
                let is_there = || !matches!(self.header_at(place), Err(NotAHeader::Missing));
                if page.starts_with(&magic) && is_there() {
                    return Some(place);
                }
            }
            at = start + (step as u64).max(PAGE).div_ceil(PAGE) * PAGE;
        }
        None
    }

    fn take(&mut self, header: &Header) -> Result<Picture, NoPicture> {
        if header.frames == 0 || header.frames > self.memory.end() / PAGE + HOLE_FRAMES {
            return Err(NoPicture::Nonsense);
        }
        let tables = Tables::new(&self.memory, header.tables);
        let zones = figures(header, &tables);
        let Cells { mut cells, slabs, torn } = self.cells(header, &tables);
        let (areas, caches) = (areas(header, &tables), caches(header, &tables));
        let inside = Inside { header, memory: &self.memory, tables: &tables };
        let details = inside.details(&cells, &slabs, &caches, &mut self.sites);
        name_vmalloc(&mut cells, &areas, header);
        let mut picture = Picture {
            ticks: tables.word(header.ticks).unwrap_or(0),
            cells,
            zones,
            events: events(header, &tables),
            swap: swap(header, &tables),
            caches,
            areas,
            details,
            torn: 0,
        };
        // What the zones count must be what the map shows, and the same before and after.
        let counted = |zone: usize| picture.zones[zone].listed != picture.listed(ZoneKind::ALL[zone]);
        let changed = (0..ZoneKind::COUNT).filter(|&zone| counted(zone)).count();
        picture.torn = torn + changed + usize::from(figures(header, &tables) != picture.zones);
        Ok(picture)
    }

    /// What every frame is.
    fn cells(&self, header: &Header, tables: &Tables<'_, M>) -> Cells {
        let frames = header.frames as u32;
        let (mut cells, mut slabs) = (Vec::with_capacity(frames as usize), Vec::new());
        let mut walk = Walk::new(header);
        let mut next = |cells: &mut Vec<Cell>, entry: Option<Seen>| {
            let frame = cells.len() as u32;
            if frame < frames {
                let view = walk.next(Pfn::new(frame), entry);
                cells.push(Cell::new(&view, frame, zone_of(header, frame)));
                if let Some(entry) = entry.filter(|entry| entry.state() == PageState::Slab) {
                    add_slab_page(&mut slabs, frame, entry.link());
                }
            }
        };
        let end = header.page_map.saturating_add(u64::from(frames) * Seen::BYTES as u64);
        let mut chunk = vec![0; CHUNK];
        tables.each_run(header.page_map..end, |run| {
            let first = run.start.saturating_sub(header.page_map) / Seen::BYTES as u64;
            while (cells.len() as u64) < first.min(u64::from(frames)) {
                next(&mut cells, None);
            }
            let mut done = 0;
            while done < run.bytes && (cells.len() as u64) < u64::from(frames) {
                let bytes = (run.bytes - done).min(CHUNK as u64) as usize;
                let is_read = self.memory.read(run.physical.saturating_add(done), &mut chunk[..bytes]).is_ok();
                for entry in chunk[..bytes].as_chunks().0 {
                    next(&mut cells, is_read.then(|| Seen::from_bytes(*entry)));
                }
                done += bytes as u64;
            }
        });
        while cells.len() < frames as usize {
            next(&mut cells, None);
        }
        Cells { cells, slabs, torn: walk.torn() }
    }
}

/// What a walk over the page map has found.
struct Cells {
    cells: Vec<Cell>,
    slabs: Vec<SlabPages>,
    /// How often the map contradicts itself.
    torn: usize,
}

/// Adds a page of a slab: to the last slab, if it has the same descriptor.
fn add_slab_page(slabs: &mut Vec<SlabPages>, frame: u32, descriptor: u64) {
    let last = slabs.last_mut().filter(|last| last.descriptor == descriptor && last.frame + last.pages == frame);
    if let Some(last) = last {
        last.pages += 1;
    } else if slabs.len() < SLABS_MAX {
        slabs.push(SlabPages { frame, pages: 1, descriptor });
    }
}

/// Calls pages of vmalloc so that a value owns: the page map says only that they are a value's.
fn name_vmalloc(cells: &mut [Cell], areas: &[Area], header: &Header) {
    for area in areas.iter().filter(|area| (header.vmalloc[0]..header.vmalloc[1]).contains(&area.start)) {
        let first = area.first as usize;
        let pages = cells.get_mut(first..first.saturating_add(area.pages as usize)).unwrap_or_default();
        for cell in pages.iter_mut().filter(|cell| cell.class() == Class::Value) {
            *cell = cell.with_class(Class::Vmalloc);
        }
    }
}

/// The zone that a frame's number belongs to.
fn zone_of(header: &Header, frame: u32) -> ZoneKind {
    if frame < DMA_END.as_u32() {
        ZoneKind::Dma
    } else if u64::from(frame) < header.highmem_start {
        ZoneKind::Normal
    } else {
        ZoneKind::HighMem
    }
}

/// The zones' numbers; 0 for what cannot be read.
fn figures<M: Physical>(header: &Header, tables: &Tables<'_, M>) -> [ZoneFigures; ZoneKind::COUNT] {
    let word = |at| tables.word(at).unwrap_or(0);
    header.zones.map(|zone| ZoneFigures {
        managed: word(zone.managed),
        listed: word(zone.listed),
        depot: word(zone.depot),
        min: word(zone.min),
        low: word(zone.low),
        high: word(zone.high),
        reserve_allocs: word(zone.reserve_allocs),
        refusals: word(zone.refusals),
        sleeps: word(zone.sleeps),
        failures: word(zone.failures),
    })
}

/// What has happened, over all CPUs.
fn events<M: Physical>(header: &Header, tables: &Tables<'_, M>) -> Events {
    let words = &header.events;
    let count = |word: u64| {
        let at = |set: u64| set.checked_mul(words.stride)?.checked_add(word.checked_mul(8)?);
        let number = |set| at(set).and_then(|offset| words.first.checked_add(offset)).map(|at| tables.word(at));
        (0..words.sets.min(64)).filter_map(|set| number(set)?.ok()).fold(0, u64::wrapping_add)
    };
    Events {
        reclaims: count(words.reclaims),
        bad_frees: count(words.bad_frees),
        rounds: count(words.rounds),
        pages_in: count(words.pages_in),
        pages_out: count(words.pages_out),
        swapped_in: count(words.swapped_in),
        swapped_out: count(words.swapped_out),
        oom_kills: count(words.oom_kills),
    }
}

/// Swap; none where the kernel has no numbers for it.
fn swap<M: Physical>(header: &Header, tables: &Tables<'_, M>) -> SwapFigures {
    let word = |at| tables.word(at).unwrap_or(0);
    SwapFigures { slots: word(header.swap.slots), free: word(header.swap.free) }
}

/// The caches, newest first.
fn caches<M: Physical>(header: &Header, tables: &Tables<'_, M>) -> Vec<CacheInfo> {
    let fields = &header.caches;
    let mut caches = Vec::new();
    let mut at = tables.word(fields.head).unwrap_or(0);
    while at != 0 && caches.len() < CACHES_MAX {
        let word = |offset: u64| tables.word(at.wrapping_add(offset)).unwrap_or(0);
        let mut name = vec![0; fields.name_max.min(64) as usize];
        if tables.read(at.wrapping_add(fields.name), &mut name).is_err() {
            break;
        }
        let visible = name.iter().take_while(|byte| byte.is_ascii_graphic()).map(|&byte| char::from(byte)).collect();
        caches.push(CacheInfo { number: (word(fields.word) >> 32) as u32, name: visible, stride: word(fields.stride) });
        at = word(fields.next);
    }
    caches
}

/// What is mapped of vmalloc's addresses and of modules'.
fn areas<M: Physical>(header: &Header, tables: &Tables<'_, M>) -> Vec<Area> {
    let mut areas = Vec::new();
    for range in [header.vmalloc, header.modules] {
        tables.each_run(range[0]..range[1], |run| {
            if areas.len() < AREAS_MAX {
                let (first, pages) = ((run.physical / PAGE) as u32, (run.bytes / PAGE) as u32);
                areas.push(Area { start: run.start, first, pages });
            }
        });
    }
    areas
}
