//! Where quanta come from: the one thing in which the four drivers differ.
//!
//! | driver | store | quantum |
//! |---|---|---|
//! | scull | [`Kmalloc`] | bytes from kmalloc, 4000 |
//! | scullc | [`Cache`] | an object of the cache "scullc", 4000 bytes |
//! | scullp | [`Pages`] | 2^order contiguous pages, order 0 |
//! | scullv | [`Vmalloc`] | 2^order pages from vmalloc, order 4 |

use core::ops::RangeInclusive;

use kapi::mm::own::{Buffer, CacheObject, CacheSource, KBytes, KmemCache, PageBlock, VmArea};
use kapi::mm::{AllocError, CacheFlags, CreateError, DestroyError, GfpFlags, Order, Pfn};
use kapi::{Errno, Kernel, ParamKind, ParamSpec, Preset};

use crate::geometry::{QSETS, Unit};

/// Whether a store can serve a caller that may not sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Atomicity {
    /// It can, with GFP_ATOMIC.
    AnyContext,
    /// It cannot: its allocator itself may sleep.
    ProcessOnly,
}

/// Whether the quantum size may be changed while the driver is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnitChange {
    /// By ioctl; devices take it on when they are next trimmed.
    AtRunTime,
    /// Only by insmod.
    AtLoadTime,
}

/// Which numbers a driver's ioctls have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoctlTable {
    /// scull's, magic 'k'.
    Scull,
    /// The one of scullc, scullp and scullv, magic 'K'.
    Others,
}

/// What of a driver's devices may be mapped. (2.4: pages of a block of several have no count of their own.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mappable {
    /// Nothing: quanta are no whole pages.
    Never,
    /// Quanta of one page.
    SinglePages,
    /// All quanta.
    Always,
}

/// All that a driver's name and texts depend on.
#[derive(Debug)]
pub struct Spec {
    /// The driver's name.
    pub name: &'static str,
    /// In what its quanta are counted.
    pub unit: Unit,
    /// What /proc calls that.
    pub unit_label: &'static str,
    /// What /proc puts between a quantum's number and its address.
    pub colon: &'static str,
    /// Whether the quantum may change at run time.
    pub unit_change: UnitChange,
    /// Whether quanta can be had in interrupt context.
    pub atomicity: Atomicity,
    /// The numbers of its ioctls.
    pub ioctls: IoctlTable,
    /// What of its devices may be mapped.
    pub mappable: Mappable,
    /// What it is, for people.
    pub about: &'static str,
    /// Its parameters: the size of a quantum, the length of a quantum set, the number of devices, the byte limit.
    pub params: [ParamSpec; 4],
}

/// A source of quanta.
pub trait QuantumStore<K: Kernel>: Clone + Send + Sync + 'static {
    /// What owns one quantum; dropping it frees it.
    type Quantum: Buffer + Send;

    /// What has to be kept for as long as the store is used.
    type Backing: Send + Sync;

    /// The driver that this store makes.
    const SPEC: &'static Spec;

    /// A store whose devices will ask for quanta of up to `quantum` bytes. May sleep.
    fn create(quantum: usize) -> Result<(Self, Self::Backing), Errno>;

    /// A quantum of at least `quantum` bytes, with any content.
    fn allocate(&self, quantum: usize, gfp: GfpFlags) -> Result<Self::Quantum, AllocError>;

    /// The frame behind byte `offset` of a quantum that may be mapped.
    fn frame(_quantum: &Self::Quantum, _offset: usize) -> Option<Pfn> {
        None
    }

    /// Ends the store; all quanta have been freed. May sleep.
    fn destroy(backing: Self::Backing) {
        drop(backing);
    }
}

/// The most devices that a driver can have.
pub const MAX_DEVICES: usize = 32;
/// Devices of a driver if no parameter says otherwise.
const DEFAULT_DEVICES: u64 = 4;
/// The largest byte limit: as much memory as there can be.
const MAX_LIMIT: u64 = 1 << 44;

/// The numbers in `range`.
const fn numbers(range: &RangeInclusive<usize>, default: u64) -> ParamKind {
    ParamKind::Number { least: *range.start() as u64, most: *range.end() as u64, default: Preset::Number(default) }
}

/// The parameters of a driver: name, unit and default of its quanta, default length of its sets.
macro_rules! params {
    ($name:literal, $unit:literal = $default:literal in $range:expr, $help:literal, qset = $qset:literal) => {
        [
            ParamSpec { name: concat!($name, "_", $unit), kind: numbers(&$range, $default), help: $help },
            ParamSpec { name: concat!($name, "_qset"), kind: numbers(&QSETS, $qset), help: "quanta in a set" },
            ParamSpec {
                name: concat!($name, "_nr_devs"),
                kind: numbers(&(1..=MAX_DEVICES), DEFAULT_DEVICES),
                help: "number of devices",
            },
            ParamSpec {
                name: concat!($name, "_limit"),
                kind: ParamKind::Number { least: 0, most: MAX_LIMIT, default: Preset::Told("half of low memory") },
                help: "bytes that all scull devices may hold together, 0 for no limit",
            },
        ]
    };
}

/// Quanta from kmalloc: the driver scull.
#[derive(Clone, Copy, Debug)]
pub struct Kmalloc;

impl<K: Kernel> QuantumStore<K> for Kmalloc {
    type Quantum = KBytes<K>;
    type Backing = ();

    const SPEC: &'static Spec = &Spec {
        name: "scull",
        unit: Unit::Bytes,
        unit_label: "q",
        colon: ": ",
        unit_change: UnitChange::AtRunTime,
        atomicity: Atomicity::AnyContext,
        ioctls: IoctlTable::Scull,
        mappable: Mappable::Never,
        about: "memory devices whose quanta come from kmalloc",
        params: params!("scull", "quantum" = 4000 in Unit::Bytes.range(), "bytes in a quantum", qset = 1000),
    };

    fn create(_quantum: usize) -> Result<(Self, ()), Errno> {
        Ok((Self, ()))
    }

    fn allocate(&self, quantum: usize, gfp: GfpFlags) -> Result<Self::Quantum, AllocError> {
        KBytes::new(quantum, gfp)
    }
}

/// Quanta from a lookaside cache of their own: the driver scullc.
pub struct Cache<K: Kernel> {
    source: CacheSource<K>,
}

impl<K: Kernel> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self { source: self.source }
    }
}

impl<K: Kernel> QuantumStore<K> for Cache<K> {
    type Quantum = CacheObject<K>;
    type Backing = KmemCache<K>;

    const SPEC: &'static Spec = &Spec {
        name: "scullc",
        unit: Unit::Bytes,
        unit_label: "quantum",
        colon: ":",
        unit_change: UnitChange::AtLoadTime,
        atomicity: Atomicity::AnyContext,
        ioctls: IoctlTable::Others,
        mappable: Mappable::Never,
        about: "memory devices whose quanta come from a lookaside cache",
        params: params!("scullc", "quantum" = 4000 in Unit::Bytes.range(), "bytes in a quantum", qset = 500),
    };

    fn create(quantum: usize) -> Result<(Self, KmemCache<K>), Errno> {
        // A cache's objects have at least 8 bytes.
        match KmemCache::create("scullc", quantum.max(8), 0, CacheFlags::HWCACHE_ALIGN) {
            Ok(cache) => Ok((Self { source: cache.source() }, cache)),
            Err(CreateError::DuplicateName) => {
                K::log(format_args!("scullc: a cache of that name is still there"));
                Err(Errno::EBUSY)
            }
            Err(_) => Err(Errno::ENOMEM),
        }
    }

    fn allocate(&self, _quantum: usize, gfp: GfpFlags) -> Result<CacheObject<K>, AllocError> {
        self.source.alloc(gfp)
    }

    fn destroy(cache: KmemCache<K>) {
        match cache.destroy() {
            Ok(()) => {}
            Err(DestroyError::Busy(objects)) => K::log(format_args!("scullc: {objects} objects leaked")),
            Err(error) => K::log(format_args!("scullc: cache not destroyed: {error:?}")),
        }
    }
}

/// Quanta of whole pages: the driver scullp.
#[derive(Clone, Copy, Debug)]
pub struct Pages;

impl<K: Kernel> QuantumStore<K> for Pages {
    type Quantum = PageBlock<K>;
    type Backing = ();

    const SPEC: &'static Spec = &Spec {
        name: "scullp",
        unit: Unit::Order,
        unit_label: "order",
        colon: ":",
        unit_change: UnitChange::AtRunTime,
        atomicity: Atomicity::AnyContext,
        ioctls: IoctlTable::Others,
        mappable: Mappable::SinglePages,
        about: "memory devices whose quanta are whole pages",
        params: params!("scullp", "order" = 0 in Unit::Order.range(), "log2 of the pages in a quantum", qset = 500),
    };

    fn create(_quantum: usize) -> Result<(Self, ()), Errno> {
        Ok((Self, ()))
    }

    fn allocate(&self, quantum: usize, gfp: GfpFlags) -> Result<Self::Quantum, AllocError> {
        PageBlock::new(Order::for_bytes(quantum).ok_or(AllocError)?, gfp)
    }

    fn frame(quantum: &PageBlock<K>, _offset: usize) -> Option<Pfn> {
        quantum.frame()
    }
}

/// Quanta that are contiguous only to the eye: the driver scullv.
#[derive(Clone, Copy, Debug)]
pub struct Vmalloc;

impl<K: Kernel> QuantumStore<K> for Vmalloc {
    type Quantum = VmArea<K>;
    type Backing = ();

    const SPEC: &'static Spec = &Spec {
        name: "scullv",
        unit: Unit::Order,
        unit_label: "order",
        colon: ":",
        unit_change: UnitChange::AtRunTime,
        atomicity: Atomicity::ProcessOnly,
        ioctls: IoctlTable::Others,
        mappable: Mappable::Always,
        about: "memory devices whose quanta come from vmalloc",
        params: params!("scullv", "order" = 4 in Unit::Order.range(), "log2 of the pages in a quantum", qset = 500),
    };

    fn create(_quantum: usize) -> Result<(Self, ()), Errno> {
        Ok((Self, ()))
    }

    /// vmalloc takes no flags: it may always sleep.
    fn allocate(&self, quantum: usize, _gfp: GfpFlags) -> Result<Self::Quantum, AllocError> {
        VmArea::new(quantum)
    }

    fn frame(quantum: &VmArea<K>, offset: usize) -> Option<Pfn> {
        K::memory().areas().frame_at(quantum.addr().add(offset))
    }
}
