//! The kernel's command line: `name=value` words, each known to one table.
//!
//! An option that nobody knows, or a value that makes no sense, is warned of and ignored: boot goes on.

use ::mm::PhysAddr;
use ::mm::slab::{CacheName, DebugChoice, DebugFlags};
use ::mm::zone::AtomicFloor;
use spin::Once;

use crate::klog;
use crate::sync::SpinLock;

/// Bytes of the longest command line.
pub const MAX_LINE: usize = 512;

/// What the command line asks for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `mem=SIZE`: memory from this address on is hidden from the allocators.
    pub mem: Option<PhysAddr>,
    /// `highmem=SIZE`: this much of the memory's end is outside of the direct map, in a zone of its own.
    pub highmem: u64,
    /// `bigphysarea=PAGES`: this many contiguous pages are set aside at boot for drivers.
    pub bigphysarea: usize,
    /// `min_free_kbytes=N`: about this much is kept free for urgent requests.
    pub min_free_kib: Option<usize>,
    /// `atomic_floor=0|min/4`: where GFP_ATOMIC stops.
    pub atomic_floor: AtomicFloor,
    /// `slab_stats=0|1`: statistics in /proc/slabinfo; counting costs every cache its magazines.
    pub slab_stats: Switch,
    /// `slab_debug=LETTERS[,CACHE]`, `init_on_alloc=0|1`, `init_on_free=0|1`: what is done for caches. Letters: F checks whole
    /// slabs, Z sets red zones, P poisons free objects, U remembers users; without any, all of them.
    pub slab_debug: DebugChoice,
    /// `crash=0|1`: the command `crash` works.
    pub crash: Switch,
}

/// Whether something is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Switch {
    /// It is not.
    #[default]
    Off,
    /// It is.
    On,
}

impl Options {
    const DEFAULT: Self = Self {
        mem: None,
        highmem: 0,
        bigphysarea: 0,
        min_free_kib: None,
        atomic_floor: AtomicFloor::LastPage,
        slab_stats: Switch::Off,
        slab_debug: DebugChoice::NONE,
        crash: Switch::Off,
    };
}

static OPTIONS: Once<Options> = Once::new();
static LINE: SpinLock<([u8; MAX_LINE], usize)> = SpinLock::new(([0; MAX_LINE], 0));

/// Runs `f` with a copy of the command line as it was given.
pub fn with_line<R>(f: impl FnOnce(&str) -> R) -> R {
    let (bytes, len) = LINE.with(|line| *line);
    f(core::str::from_utf8(&bytes[..len]).unwrap_or_default())
}

/// The options in force; the defaults before [`init`].
pub fn get() -> &'static Options {
    OPTIONS.get().unwrap_or(&Options::DEFAULT)
}

/// Reads the command line, with a warning for each word that makes no sense.
pub fn init(line: &str) {
    LINE.with(|(bytes, len)| {
        *len = line.len().min(MAX_LINE);
        bytes[..*len].copy_from_slice(&line.as_bytes()[..*len]);
    });
    let mut options = Options::DEFAULT;
    for word in line.split_ascii_whitespace() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match set(&mut options, name, value) {
            Ok(()) => {}
            Err(Refusal::Unknown) => klog!("warning: unknown kernel option {word}"),
            Err(Refusal::BadValue) => klog!("warning: kernel option {name}: bad value '{value}'"),
        }
    }
    OPTIONS.call_once(|| options);
}

enum Refusal {
    Unknown,
    BadValue,
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), Refusal> {
    match name {
        "mem" => options.mem = Some(PhysAddr::new(parse_size(value).ok_or(Refusal::BadValue)?)),
        "highmem" => options.highmem = parse_size(value).ok_or(Refusal::BadValue)?,
        "bigphysarea" => options.bigphysarea = value.parse().map_err(|_| Refusal::BadValue)?,
        "min_free_kbytes" => options.min_free_kib = Some(value.parse().map_err(|_| Refusal::BadValue)?),
        "atomic_floor" => options.atomic_floor = parse_floor(value).ok_or(Refusal::BadValue)?,
        "slab_stats" => {
            options.slab_stats = parse_switch(value).ok_or(Refusal::BadValue)?;
            options.slab_debug.all.set(DebugFlags::COUNT, options.slab_stats == Switch::On);
        }
        "slab_debug" => {
            (options.slab_debug.chosen, options.slab_debug.only) = parse_slab_debug(value).ok_or(Refusal::BadValue)?;
        }
        "init_on_alloc" => set_flag(options, DebugFlags::ZERO_ON_ALLOC, value)?,
        "init_on_free" => set_flag(options, DebugFlags::ZERO_ON_FREE, value)?,
        "crash" => options.crash = parse_switch(value).ok_or(Refusal::BadValue)?,
        _ => return Err(Refusal::Unknown),
    }
    Ok(())
}

fn set_flag(options: &mut Options, flag: DebugFlags, value: &str) -> Result<(), Refusal> {
    options.slab_debug.all.set(flag, parse_switch(value).ok_or(Refusal::BadValue)? == Switch::On);
    Ok(())
}

/// `FZPU,name`: flags and the one cache that they are for.
fn parse_slab_debug(text: &str) -> Option<(DebugFlags, Option<CacheName>)> {
    let (letters, name) = text.split_once(',').unwrap_or((text, ""));
    let letters = if letters.is_empty() { "FZPU" } else { letters };
    let only = if name.is_empty() { None } else { Some(CacheName::new(name).ok()?) };
    Some((DebugFlags::from_letters(letters)?, only))
}

/// A size in bytes, KiB, MiB or GiB: `4096`, `64K`, `126M`, `1G`; `None` if it is no such number or 0.
fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        b'g' | b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(1 << shift).filter(|&size| size > 0)
}

fn parse_floor(text: &str) -> Option<AtomicFloor> {
    match text {
        "0" => Some(AtomicFloor::LastPage),
        "min/4" => Some(AtomicFloor::QuarterOfMin),
        _ => None,
    }
}

fn parse_switch(text: &str) -> Option<Switch> {
    match text {
        "0" => Some(Switch::Off),
        "1" => Some(Switch::On),
        _ => None,
    }
}
