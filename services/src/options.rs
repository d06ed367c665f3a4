//! Kernel options about memory: the words `name=value` of a command line.
//!
//! [`MemoryOptions::set`] takes one word; a word that it refuses changes nothing. [`KeptRam`] is what `mem=` leaves of
//! RAM: `mem=SIZE` everything below that address, `mem=SIZE@ADDR` (up to eight times) regions given by hand. Given by
//! hand or not, only what the firmware calls RAM is used. (Chapter: "Reserving High RAM Addresses".)

use mm::objects::{CacheName, DebugChoice, DebugFlags};
use mm::pages::AtomicFloor;
use mm::region::RegionSet;
use mm::{PAGE_SIZE, Pfn, PfnRange, PhysAddr};

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
    /// The option was given too often.
    TooMany,
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
}

impl KeptRam {
    /// All of it.
    pub const ALL: Self = Self { below: None, regions: [PfnRange::new(Pfn::new(0), Pfn::new(0)); MAX_REGIONS], len: 0 };

    /// The last `mem=SIZE` stands, and each `mem=SIZE@ADDR` adds to it. 2.4's `mem=exactmap`, which may stand before
    /// them, says nothing more.
    fn set(&mut self, value: &str) -> Result<(), OptionError> {
        if value == "exactmap" {
            return Ok(());
        }
        let Some((bytes, start)) = value.split_once('@') else {
            self.below = Some(PhysAddr::new(size(value)?));
            return Ok(());
        };
        let start = number(start)?;
        let end = start.checked_add(size(bytes)?).ok_or(OptionError::BadValue)?;
        let place = self.regions.get_mut(self.len).ok_or(OptionError::TooMany)?;
        *place = PfnRange::new(frame(start.div_ceil(PAGE_SIZE as u64)), frame(end / PAGE_SIZE as u64));
        self.len += 1;
        Ok(())
    }

    /// The whole frames of the regions given by hand, as given.
    pub fn regions(&self) -> &[PfnRange] {
        &self.regions[..self.len]
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

/// A number of bytes, decimal or, after 0x, hexadecimal, and perhaps K, M or G: `4096`, `0x1000`, `64K`, `126M`, `1G`.
fn number(text: &str) -> Result<u64, OptionError> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(unsigned(digits)?, 16),
        None => unsigned(digits)?.parse(),
    };
    number.ok().and_then(|number: u64| number.checked_mul(1 << shift)).ok_or(OptionError::BadValue)
}

/// A [`number`] that is not 0.
fn size(text: &str) -> Result<u64, OptionError> {
    number(text).and_then(|bytes| if bytes > 0 { Ok(bytes) } else { Err(OptionError::BadValue) })
}

/// A plain decimal number.
fn count(text: &str) -> Result<usize, OptionError> {
    unsigned(text)?.parse().map_err(|_| OptionError::BadValue)
}

/// Refuses the sign that the library's numbers may have.
fn unsigned(digits: &str) -> Result<&str, OptionError> {
    if digits.starts_with('+') { Err(OptionError::BadValue) } else { Ok(digits) }
}

fn floor(text: &str) -> Result<AtomicFloor, OptionError> {
    match text {
        "0" => Ok(AtomicFloor::LastPage),
        "min/4" => Ok(AtomicFloor::QuarterOfMin),
        _ => Err(OptionError::BadValue),
    }
}

/// `0` or `1`.
pub fn switch(text: &str) -> Result<Switch, OptionError> {
    match text {
        "0" => Ok(Switch::Off),
        "1" => Ok(Switch::On),
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
