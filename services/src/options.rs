//! Kernel options about memory: the words `name=value` of a command line.
//!
//! [`MemoryOptions::set`] takes one word; a word that it refuses changes nothing. [`KeptRam`] is what `mem=` leaves of
//! RAM: `mem=SIZE` everything below that address, `mem=SIZE@ADDR` (up to eight times) regions given by hand. Given by
//! hand or not, only what the firmware calls RAM is used. (Chapter: "Reserving High RAM Addresses".)

use mm::objects::{CacheName, DebugChoice, DebugFlags};
use mm::pages::AtomicFloor;
use mm::region::RegionSet;
use mm::{PAGE_SIZE, Pfn, PfnRange, PhysAddr};

use crate::number::{NumberError, memparse, number};

/// Regions that `mem=SIZE@ADDR` may name.
pub const MAX_REGIONS: usize = 8;

/// Whether something is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Switch {
    /// It is not.
    #[default]
    Off,
    /// It is.
    On,
}

/// Why a word of the command line was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptionError {
    /// No option has this name.
    Unknown,
    /// The option has no such value.
    BadValue,
    /// The option needs a value, and has none.
    Empty,
    /// The value is a number that does not fit.
    TooLarge,
    /// The option was given too often.
    TooMany,
    /// The word is known from Linux 2.4, and there is nothing to do for it; why not.
    NoEffect(&'static str),
}

/// What the command line says about memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryOptions {
    /// `mem=SIZE`, `mem=SIZE@ADDR`: other RAM is hidden from the allocators.
    pub mem: KeptRam,
    /// `highmem=SIZE`: this many bytes of the memory's end are outside of the direct map, in a zone of their own.
    pub highmem: u64,
    /// `bigphysarea=PAGES`: this many contiguous pages are set aside at boot for drivers.
    pub bigphysarea: usize,
    /// `min_free_kbytes=N`: about this many KiB are kept free for urgent requests.
    pub min_free_kib: Option<usize>,
    /// `atomic_floor=0|min/4`: where GFP_ATOMIC stops.
    pub atomic_floor: AtomicFloor,
    /// `slab_stats=0|1`: statistics in /proc/slabinfo; counting costs every cache its magazines.
    pub slab_stats: Switch,
    /// `slab_debug=LETTERS[,CACHE]`, `init_on_alloc=0|1`, `init_on_free=0|1`: what is done for caches. Letters: F
    /// checks whole slabs, Z sets red zones, P poisons free objects, U remembers users; without any, all of them.
    pub slab_debug: DebugChoice,
    /// `slab_quarantine=SIZE`: so many bytes of freed objects of debugged caches wait before they are used again.
    pub slab_quarantine: usize,
    /// `page_poison=0|1`: free pages are filled with a pattern, which is looked for when they are allocated.
    pub page_poison: Switch,
    /// `page_owner=0|1`: who allocates pages is remembered.
    pub page_owner: Switch,
}

impl MemoryOptions {
    /// What holds where the command line says nothing.
    pub const DEFAULT: Self = Self {
        mem: KeptRam::ALL,
        highmem: 0,
        bigphysarea: 0,
        min_free_kib: None,
        atomic_floor: AtomicFloor::LastPage,
        slab_stats: Switch::Off,
        slab_debug: DebugChoice::NONE,
        slab_quarantine: 0,
        page_poison: Switch::Off,
        page_owner: Switch::Off,
    };

    /// Obeys one word. A word that is refused changes nothing.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        match name {
            "mem" => return self.mem.set(value),
            "highmem" => self.highmem = size(value)?,
            "bigphysarea" => self.bigphysarea = count(value)?,
            "min_free_kbytes" => self.min_free_kib = Some(count(value)?),
            "atomic_floor" => self.atomic_floor = floor(value)?,
            "slab_stats" => {
                self.slab_stats = switch(value)?;
                self.slab_debug.all.set(DebugFlags::COUNT, self.slab_stats == Switch::On);
            }
            "slab_debug" => (self.slab_debug.chosen, self.slab_debug.only) = slab_debug(value)?,
            "slab_quarantine" => self.slab_quarantine = memparse(value)? as usize,
            "page_poison" => self.page_poison = switch(value)?,
            "page_owner" => self.page_owner = switch(value)?,
            "init_on_alloc" => self.slab_debug.all.set(DebugFlags::ZERO_ON_ALLOC, switch(value)? == Switch::On),
            "init_on_free" => self.slab_debug.all.set(DebugFlags::ZERO_ON_FREE, switch(value)? == Switch::On),
            _ => return Err(OptionError::Unknown),
        }
        Ok(())
    }
}

/// The part of RAM that is used; the rest is hidden.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptRam {
    below: Option<PhysAddr>,
    regions: [PfnRange; MAX_REGIONS],
    len: usize,
    exact: Switch,
}

impl KeptRam {
    /// All of it.
    pub const ALL: Self = Self {
        below: None,
        regions: [PfnRange::new(Pfn::new(0), Pfn::new(0)); MAX_REGIONS],
        len: 0,
        exact: Switch::Off,
    };

    /// The last `mem=SIZE` stands, and each `mem=SIZE@ADDR` adds to it. 2.4's `mem=exactmap`, which may stand before
    /// them, says nothing more; its `mem=nopentium` was for processors with a fault.
    fn set(&mut self, value: &str) -> Result<(), OptionError> {
        match value {
            "exactmap" => {
                self.exact = Switch::On;
                return Ok(());
            }
            "nopentium" => return Err(OptionError::NoEffect("pages of all sizes are used")),
            _ => {}
        }
        let Some((bytes, start)) = value.split_once('@') else {
            self.below = Some(PhysAddr::new(size(value)?));
            return Ok(());
        };
        let (start, bytes) = both(memparse(start).map_err(OptionError::from), size(bytes))?;
        let end = start.checked_add(bytes).ok_or(OptionError::TooLarge)?;
        let place = self.regions.get_mut(self.len).ok_or(OptionError::TooMany)?;
        *place = PfnRange::new(frame(start.div_ceil(PAGE_SIZE as u64)), frame(end / PAGE_SIZE as u64));
        self.len += 1;
        Ok(())
    }

    /// The whole frames of the regions given by hand, as given.
    pub fn regions(&self) -> &[PfnRange] {
        &self.regions[..self.len]
    }

    /// Whether `mem=exactmap` announced regions that then were not given.
    pub fn lacks_regions(&self) -> bool {
        self.exact == Switch::On && self.len == 0
    }

    /// Every frame that may be used, whether or not it is RAM.
    pub fn frames(&self) -> RegionSet {
        let mut kept = RegionSet::new();
        let end = match self.below {
            Some(below) => frame(below.as_u64() / PAGE_SIZE as u64),
            None if self.len == 0 => PfnRange::ALL.end,
            None => PfnRange::ALL.start,
        };
        kept.insert_or_widen(PfnRange::new(PfnRange::ALL.start, end));
        self.regions().iter().for_each(|&region| kept.insert_or_widen(region));
        kept
    }
}

/// Memory beyond 16 TiB is out of reach.
fn frame(number: u64) -> Pfn {
    Pfn::new(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Both parts of a value. Where one is missing, there is still a value.
fn both(a: Result<u64, OptionError>, b: Result<u64, OptionError>) -> Result<(u64, u64), OptionError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(OptionError::TooLarge), _) | (_, Err(OptionError::TooLarge)) => Err(OptionError::TooLarge),
        _ => Err(OptionError::BadValue),
    }
}

/// A number of bytes that is not 0.
fn size(text: &str) -> Result<u64, OptionError> {
    Ok(memparse(text)?).and_then(|bytes| if bytes > 0 { Ok(bytes) } else { Err(OptionError::BadValue) })
}

/// A number without a unit.
fn count(text: &str) -> Result<usize, OptionError> {
    usize::try_from(number(text)?).map_err(|_| OptionError::TooLarge)
}

impl From<NumberError> for OptionError {
    fn from(error: NumberError) -> Self {
        match error {
            NumberError::Empty => Self::Empty,
            NumberError::Malformed => Self::BadValue,
            NumberError::TooLarge => Self::TooLarge,
        }
    }
}

fn floor(text: &str) -> Result<AtomicFloor, OptionError> {
    match text {
        "0" => Ok(AtomicFloor::LastPage),
        "min/4" => Ok(AtomicFloor::QuarterOfMin),
        "" => Err(OptionError::Empty),
        _ => Err(OptionError::BadValue),
    }
}

/// `0` or `1`.
pub fn switch(text: &str) -> Result<Switch, OptionError> {
    match text {
        "0" => Ok(Switch::Off),
        "1" => Ok(Switch::On),
        "" => Err(OptionError::Empty),
        _ => Err(OptionError::BadValue),
    }
}

/// `FZPU,name`: flags and the one cache that they are for.
fn slab_debug(text: &str) -> Result<(DebugFlags, Option<CacheName>), OptionError> {
    let (letters, name) = text.split_once(',').unwrap_or((text, ""));
    let letters = if letters.is_empty() { "FZPU" } else { letters };
    let flags = DebugFlags::from_letters(letters).ok_or(OptionError::BadValue)?;
    let only = if name.is_empty() { None } else { Some(CacheName::new(name).map_err(|_| OptionError::BadValue)?) };
    Ok((flags, only))
}
