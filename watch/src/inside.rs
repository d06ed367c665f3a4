//! Reads what is beyond the page map: objects of slabs, callers, areas.

use std::collections::HashMap;
use std::rc::Rc;

use mm::areas::AreaKind;
use mm::outside::{Class, Header};

use crate::cell::Cell;
use crate::details::{Details, NO_SITE, NamedArea, ObjectUse, Slab};
use crate::physical::{Outside, Physical};
use crate::picture::CacheInfo;
use crate::tables::Tables;

const PAGE: u64 = 4096;
/// Slabs that are looked at.
pub(crate) const SLABS_MAX: usize = 1 << 14;
/// Areas.
const AREAS_MAX: usize = 1 << 14;
/// More objects than any slab has.
const OBJECTS_MAX: usize = 4096;
/// Bytes of the longest descriptor that is read.
const DESCRIPTOR_MAX: u64 = 256;
/// Bytes of the longest name of a file.
const FILE_MAX: u64 = 200;

/// Pages of a slab in a row, and where its descriptor is.
#[derive(Clone, Copy)]
pub(crate) struct SlabPages {
    pub(crate) frame: u32,
    pub(crate) pages: u32,
    pub(crate) descriptor: u64,
}

/// Places of calls that were read.
#[derive(Default)]
pub(crate) struct Sites {
    known: HashMap<u64, u16>,
    texts: Rc<Vec<String>>,
}

/// A kernel whose memory is read.
pub(crate) struct Inside<'a, M> {
    pub(crate) header: &'a Header,
    pub(crate) memory: &'a M,
    pub(crate) tables: &'a Tables<'a, M>,
}

impl<M: Physical> Inside<'_, M> {
    /// All details.
    pub(crate) fn details(
        &self,
        cells: &[Cell],
        slabs: &[SlabPages],
        caches: &[CacheInfo],
        sites: &mut Sites,
    ) -> Details {
        let slabs: Vec<Slab> = slabs.iter().filter_map(|pages| self.slab(pages).ok()).collect();
        let areas = self.areas(cells, &slabs, caches, sites);
        let owners = self.owners(cells, sites).unwrap_or_default();
        Details { slabs, owners, areas, sites: sites.texts.clone() }
    }

    /// Copies what is at an address: of the direct map without a look at page tables.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Outside> {
        let offset = at.wrapping_sub(self.header.direct_map);
        let end = self.header.highmem_start.saturating_mul(PAGE);
        if offset.checked_add(into.len() as u64).is_some_and(|behind| behind <= end) {
            self.memory.read(offset, into)
        } else {
            self.tables.read(at, into)
        }
    }

    fn word(&self, at: u64) -> Result<u64, Outside> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn slab(&self, pages: &SlabPages) -> Result<Slab, Outside> {
        let fields = &self.header.slabs;
        let first = self.word(pages.descriptor.wrapping_add(fields.first))?;
        let mut count = [0; 2];
        self.read(pages.descriptor.wrapping_add(fields.objects), &mut count)?;
        let count = usize::from(u16::from_le_bytes(count));
        let bytes = u64::from(pages.pages).saturating_mul(PAGE);
        let start = first.wrapping_sub(self.header.direct_map).wrapping_sub(u64::from(pages.frame) * PAGE);
        if start >= bytes || count > OBJECTS_MAX {
            return Err(Outside);
        }
        let mut states = vec![0; count];
        self.read(pages.descriptor.wrapping_sub(count as u64), &mut states)?;
        let objects = states.iter().rev().map(|state| self.object(*state)).collect();
        Ok(Slab { frame: pages.frame, pages: pages.pages, start: start as u32, objects })
    }

    fn object(&self, state: u8) -> ObjectUse {
        let fields = &self.header.slabs;
        let states = [
            (fields.free, ObjectUse::Free),
            (fields.cached, ObjectUse::Cached),
            (fields.quarantined, ObjectUse::Quarantined),
            (fields.live, ObjectUse::Live),
        ];
        states.iter().find(|(value, _)| *value == u64::from(state)).map_or(ObjectUse::Unknown, |(_, object)| *object)
    }

    /// The areas: live objects of the cache of their descriptors.
    fn areas(&self, cells: &[Cell], slabs: &[Slab], caches: &[CacheInfo], sites: &mut Sites) -> Vec<NamedArea> {
        let number = self.header.areas.cache;
        let Some(cache) = caches.iter().find(|cache| u64::from(cache.number) == number) else { return Vec::new() };
        let is_its = |slab: &&Slab| {
            let cell = cells.get(slab.frame as usize);
            cell.is_some_and(|cell| cell.class() == Class::Slab && cell.detail() == cache.number)
        };
        let mut areas = Vec::new();
        for slab in slabs.iter().filter(is_its) {
            let first = self.header.direct_map.wrapping_add(u64::from(slab.frame) * PAGE + u64::from(slab.start));
            for (nth, _) in (0..).zip(&slab.objects).filter(|(_, object)| **object == ObjectUse::Live) {
                let at = first.wrapping_add(cache.stride.wrapping_mul(nth));
                if areas.len() < AREAS_MAX
                    && let Ok(Some(area)) = self.area(at, sites)
                {
                    areas.push(area);
                }
            }
        }
        areas.sort_unstable_by_key(|area| area.start);
        areas
    }

    /// An area by its descriptor; `None` if nobody has it.
    fn area(&self, at: u64, sites: &mut Sites) -> Result<Option<NamedArea>, Outside> {
        let fields = &self.header.areas;
        let mut bytes = vec![0; fields.bytes.min(DESCRIPTOR_MAX) as usize];
        self.read(at, &mut bytes)?;
        let word = |offset: u64| {
            let from = usize::try_from(offset).ok()?;
            bytes.get(from..from.checked_add(8)?)?.first_chunk().map(|word| u64::from_le_bytes(*word))
        };
        let found = || Some((word(fields.start)?, word(fields.pages)?, word(fields.word)?, word(fields.caller)?));
        let (start, pages, state, caller) = found().ok_or(Outside)?;
        let kind = match AreaKind::of_word(state) {
            None => return Ok(None),
            Some(AreaKind::Vmalloc) => 0,
            Some(AreaKind::Ioremap(_)) => 1,
            Some(AreaKind::Vmap) => 2,
            Some(AreaKind::Module) => 3,
        };
        let pages = u32::try_from(pages).map_err(|_| Outside)?;
        Ok(Some(NamedArea { start, pages, kind, site: self.site(caller, sites) }))
    }

    /// Who allocated each block, where the kernel remembers it.
    fn owners(&self, cells: &[Cell], sites: &mut Sites) -> Result<Vec<(u32, u16)>, Outside> {
        let table = match self.header.sites.owners {
            0 => 0,
            at => self.word(at)?,
        };
        let mut owners = Vec::new();
        if table == 0 {
            return Ok(owners);
        }
        let per_page = PAGE as usize / 8;
        for (nth, part) in cells.chunks(per_page).enumerate() {
            if !part.iter().any(|cell| is_owned(*cell)) {
                continue;
            }
            let (first, mut places) = (nth * per_page, vec![0; part.len() * 8]);
            self.read(table.wrapping_add(first as u64 * 8), &mut places)?;
            for ((frame, cell), place) in (first as u32..).zip(part).zip(places.as_chunks().0) {
                let site = u64::from_le_bytes(*place);
                if is_owned(*cell) && site != 0 {
                    owners.push((frame, self.site(site, sites)));
                }
            }
        }
        Ok(owners)
    }

    /// The number of the place of a call.
    fn site(&self, at: u64, sites: &mut Sites) -> u16 {
        if at == 0 {
            return NO_SITE;
        }
        // What a module had there is another's when the module is gone.
        let is_module = (self.header.modules[0]..self.header.modules[1]).contains(&at);
        if let Some(number) = sites.known.get(&at).filter(|_| !is_module) {
            return *number;
        }
        let number = self.site_text(at).map_or(NO_SITE, |text| sites.number(text));
        sites.known.insert(at, number);
        number
    }

    fn site_text(&self, at: u64) -> Result<String, Outside> {
        let fields = &self.header.sites;
        if fields.file_bytes == fields.file {
            return Err(Outside);
        }
        let file = self.word(at.wrapping_add(fields.file))?;
        let mut name = vec![0; self.word(at.wrapping_add(fields.file_bytes))?.min(FILE_MAX) as usize];
        self.read(file, &mut name)?;
        let mut line = [0; 4];
        self.read(at.wrapping_add(fields.line), &mut line)?;
        let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        let name = String::from_utf8(name).ok().filter(|_| is_name).ok_or(Outside)?;
        Ok(format!("{name}:{}", u32::from_le_bytes(line)))
    }
}

impl Sites {
    /// The number of this text, which may be new.
    fn number(&mut self, text: String) -> u16 {
        let known = self.texts.iter().position(|known| *known == text);
        let number = known.unwrap_or(self.texts.len());
        match u16::try_from(number) {
            Ok(NO_SITE) | Err(_) => NO_SITE,
            Ok(number) => {
                if known.is_none() {
                    Rc::make_mut(&mut self.texts).push(text);
                }
                number
            }
        }
    }
}

/// Whether a frame is the first of a block that somebody allocated by its pages.
fn is_owned(cell: Cell) -> bool {
    let class = cell.class();
    let is_other = matches!(
        class,
        Class::Hole | Class::Hidden | Class::Image | Class::Boot | Class::SetAside | Class::Slab | Class::Retired
    );
    cell.is_first() && !is_other && !class.is_free()
}
