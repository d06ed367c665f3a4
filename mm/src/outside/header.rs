//! What a kernel leaves for readers of its memory.
//!
//! Key types: [`Header`]. It is written once, at boot, and says where numbers lie, not what they are: so they cost the
//! kernel nothing, and no reader has to know how its structures are laid out.

use super::class::Class;
use super::words::{AreaFields, CacheFields, EventWords, Region, SiteFields, SlabFields, SwapWords, ZoneWords};
use crate::gfp::ZoneKind;

/// The first word of a header: `SCULLERY` in the order of memory.
const MAGIC: u64 = u64::from_le_bytes(*b"SCULLERY");
/// Which header it is: one more for each change of its words.
const VERSION: u64 = 2;
/// Regions that a header has room for.
const REGIONS: usize = 64;

/// What a reader of the machine's memory needs to know. All addresses are the kernel's virtual ones, unless it is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The physical address of the header itself: a copy of it elsewhere is none.
    pub own: u64,
    /// The physical address of the kernel's top page table.
    pub tables: u64,
    /// The address of the entry of frame 0.
    pub page_map: u64,
    /// Frames that the page map spans.
    pub frames: u64,
    /// First frame of high memory.
    pub highmem_start: u64,
    /// Where physical address 0 shows.
    pub direct_map: u64,
    /// Addresses of vmalloc: the first, and the one behind the last.
    pub vmalloc: [u64; 2],
    /// Addresses of modules, likewise.
    pub modules: [u64; 2],
    /// The address of the count of ticks since boot; 0 for none.
    pub ticks: u64,
    /// Zones, in the order of [`ZoneKind::ALL`].
    pub zones: [ZoneWords; ZoneKind::COUNT],
    /// Events.
    pub events: EventWords,
    /// Swap.
    pub swap: SwapWords,
    /// Caches.
    pub caches: CacheFields,
    /// Slabs.
    pub slabs: SlabFields,
    /// Who allocated what.
    pub sites: SiteFields,
    /// Areas of vmalloc and of modules.
    pub areas: AreaFields,
    /// Regions without entries that say what they are: the first one that has a frame counts. Unused ones are empty.
    pub regions: [Region; REGIONS],
}

/// Why words are no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAHeader {
    /// There is none, or the kernel has not yet written it.
    Missing,
    /// It is of another version.
    Version(u64),
}

impl Header {
    /// Words of a header.
    pub const WORDS: usize = 13 // the first two, and what is in no group
        + ZoneKind::COUNT * ZoneWords::WORDS
        + EventWords::WORDS
        + SwapWords::WORDS
        + CacheFields::WORDS
        + SlabFields::WORDS
        + SiteFields::WORDS
        + AreaFields::WORDS
        + REGIONS * Region::WORDS;

    /// A header that knows nothing.
    pub const EMPTY: Self = Self {
        own: 0,
        tables: 0,
        page_map: 0,
        frames: 0,
        highmem_start: 0,
        direct_map: 0,
        vmalloc: [0; 2],
        modules: [0; 2],
        ticks: 0,
        zones: [ZoneWords::EMPTY; ZoneKind::COUNT],
        events: EventWords::EMPTY,
        swap: SwapWords::EMPTY,
        caches: CacheFields::EMPTY,
        slabs: SlabFields::EMPTY,
        sites: SiteFields::EMPTY,
        areas: AreaFields::EMPTY,
        regions: [Region::EMPTY; REGIONS],
    };

    /// Adds a region, unless there are too many. Says whether it has found room.
    pub fn add_region(&mut self, start: u64, end: u64, class: Class) -> bool {
        let place = self.regions.iter_mut().find(|region| region.start == region.end);
        place.is_some_and(|place| {
            *place = Region { start, end, class: class as u64 };
            true
        })
    }

    /// What the regions say of a frame.
    pub(super) fn region_of(&self, frame: u32) -> Option<Class> {
        let has = |region: &&Region| (region.start..region.end).contains(&u64::from(frame));
        let region = self.regions.iter().find(has)?;
        u8::try_from(region.class).ok().and_then(Class::new)
    }

    /// The header as it stands in memory. The first word is to be written last.
    pub fn to_words(mut self) -> [u64; Self::WORDS] {
        let mut words = [0; Self::WORDS];
        (words[0], words[1]) = (MAGIC, VERSION);
        let mut free = words[2..].iter_mut();
        self.each(|field| {
            if let Some(word) = free.next() {
                *word = *field;
            }
        });
        words
    }

    /// The header that these words are, found at this physical address.
    ///
    /// # Errors
    /// Why they are none.
    pub fn from_words(words: &[u64; Self::WORDS], at: u64) -> Result<Self, NotAHeader> {
        let mut header = Self::EMPTY;
        if words[0] != MAGIC {
            return Err(NotAHeader::Missing);
        }
        let mut rest = words[2..].iter();
        header.each(|field| *field = rest.next().copied().unwrap_or(0));
        if header.own != at {
            return Err(NotAHeader::Missing);
        }
        if words[1] != VERSION {
            return Err(NotAHeader::Version(words[1]));
        }
        Ok(header)
    }

    /// Every field, in the order of the words behind the first two.
    fn each(&mut self, mut visit: impl FnMut(&mut u64)) {
        let visit: &mut dyn FnMut(&mut u64) = &mut visit;
        let first = [&mut self.own, &mut self.tables, &mut self.page_map, &mut self.frames, &mut self.highmem_start];
        first.into_iter().chain([&mut self.direct_map]).for_each(&mut *visit);
        self.vmalloc.iter_mut().chain(&mut self.modules).chain([&mut self.ticks]).for_each(&mut *visit);
        self.zones.iter_mut().for_each(|zone| zone.each(visit));
        self.events.each(visit);
        self.swap.each(visit);
        self.caches.each(visit);
        self.slabs.each(visit);
        self.sites.each(visit);
        self.areas.each(visit);
        self.regions.iter_mut().for_each(|region| region.each(visit));
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Header, NotAHeader};

    fn numbered() -> Header {
        let (mut header, mut number) = (Header::EMPTY, 100);
        header.each(|field| {
            *field = number;
            number += 1;
        });
        header
    }

    #[test]
    fn every_word_comes_back() {
        let header = numbered();
        let words = header.to_words();
        assert_eq!(Header::from_words(&words, header.own), Ok(header));
        let mut fields = 0;
        numbered().each(|_| fields += 1);
        assert_eq!(fields + 2, Header::WORDS);
    }

    #[test]
    fn a_copy_of_a_header_is_none() {
        let mut words = numbered().to_words();
        assert_eq!(Header::from_words(&words, 0x1000), Err(NotAHeader::Missing));
        words[1] = 77;
        assert_eq!(Header::from_words(&words, 100), Err(NotAHeader::Version(77)));
        words[0] = 0;
        assert_eq!(Header::from_words(&words, 100), Err(NotAHeader::Missing));
    }

    #[test]
    fn the_first_region_counts_and_too_many_are_refused() {
        let mut header = Header::EMPTY;
        assert!(header.add_region(10, 20, Class::Image));
        assert!(header.add_region(0, 100, Class::Boot));
        assert_eq!(header.region_of(15), Some(Class::Image));
        assert_eq!(header.region_of(20), Some(Class::Boot));
        assert_eq!(header.region_of(100), None);
        let added = (0..100).take_while(|&at| header.add_region(at, at + 1, Class::Hidden)).count();
        assert_eq!(added, header.regions.len() - 2);
    }
}
