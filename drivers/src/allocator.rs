//! allocator: hands out the RAM that `mem=` hid, by physical addresses.
//!
//! What it serves is RAM by the firmware's own map, was free when the kernel started, and is in no direct map: who
//! wants to look at it maps it by ioremap. It never tries out whether memory answers. Other drivers call
//! [`Allocator::allocate_dma`]; someone at the console writes `allocate BYTES` or `free ADDRESS` to /dev/allocator0 and
//! reads /proc/allocatormem. (Chapter: "Reserving High RAM Addresses".)

use core::fmt;

use kapi::mm::own::KVec;
use kapi::mm::{AllocError, GfpFlags, PAGE_SIZE, PfnRange, PhysAddr, kib};
use kapi::services::pool::{FramePool, PoolBlock, Use};
use kapi::{CharDriver, Errno, Hardware, IoBuf, Module, OpenDevice, ParamKind, ParamSpec, Preset, SleepLock, Values};

/// Bytes of the longest command.
const MAX_COMMAND: usize = 64;
/// Frames of a megabyte.
const MIB_FRAMES: usize = (1 << 20) / PAGE_SIZE;

/// The parameter that says how much to manage.
const HIMEM: &str = "allocator_himem";
/// As many megabytes as there can be.
const MAX_MIB: u64 = 1 << 24;

static PARAMS: [ParamSpec; 1] = [ParamSpec {
    name: HIMEM,
    kind: ParamKind::Number { least: 0, most: MAX_MIB, default: Preset::Number(0) },
    help: "megabytes to manage, 0 for all that mem= hides",
}];

/// What the driver serves.
struct Served<K: Hardware> {
    pool: FramePool<K>,
    _claims: KVec<K::MemRegion, K>,
}

impl<K: Hardware> Served<K> {
    /// Takes the lowest `wanted` frames of hidden RAM, or all.
    fn new(wanted: Option<usize>) -> Result<Self, Errno> {
        let mut hidden = 0;
        K::hidden_ram(&mut |range| hidden += range.frames());
        if hidden == 0 {
            K::log(format_args!("allocator: no free high memory to use"));
            return Err(Errno::ENOMEM);
        }
        if wanted.is_some_and(|wanted| wanted > hidden) {
            K::log(format_args!("allocator: mem= hides no more than {} kB of RAM", kib(hidden)));
            return Err(Errno::EINVAL);
        }
        let (mut left, mut result) = (wanted.unwrap_or(hidden), Ok(()));
        let mut served = Self { pool: FramePool::new(), _claims: KVec::new() };
        K::hidden_ram(&mut |range| {
            let frames = left.min(range.frames());
            left -= frames;
            if frames > 0 && result.is_ok() {
                result = served.take(PfnRange::new(range.start, range.start.add(frames as u32)));
            }
        });
        result.map(|()| served)
    }

    fn take(&mut self, range: PfnRange) -> Result<(), Errno> {
        let claim = K::claim_memory(range.start.phys(), (range.frames() * PAGE_SIZE) as u64, "allocator")?;
        self._claims.push(claim, GfpFlags::KERNEL)?;
        Ok(self.pool.add(range, GfpFlags::KERNEL)?)
    }

    fn allocate(&mut self, bytes: usize, gfp: GfpFlags) -> Result<PhysAddr, AllocError> {
        let frames = u32::try_from(bytes.div_ceil(PAGE_SIZE)).map_err(|_| AllocError)?;
        self.pool.alloc(frames, 1, gfp).map(|range| range.start.phys())
    }

    fn free(&mut self, addr: PhysAddr) -> Result<(), Errno> {
        let frame = addr.frame().filter(|_| addr.page_offset() == 0).ok_or(Errno::EINVAL)?;
        self.pool.free(frame).map(|_| ()).map_err(|_| Errno::EINVAL)
    }

    /// Obeys a line from the console; `EINVAL`, and a line in the log, when it is none.
    fn command(&mut self, line: &str) -> Result<(), Errno> {
        match Command::parse(line.trim()) {
            Some(Command::Allocate(bytes)) => {
                self.allocate(bytes, GfpFlags::KERNEL)?;
                Ok(())
            }
            Some(Command::Free(addr)) => free_reported::<K>(self.free(PhysAddr::new(addr)), addr),
            None => {
                K::log(format_args!("allocator: expects \"allocate BYTES\" or \"free ADDRESS\", in hexadecimal"));
                Err(Errno::EINVAL)
            }
        }
    }

    fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for PoolBlock { range, state } in self.pool.blocks() {
            let word = if *state == Use::Free { "free" } else { "used" };
            let (first, end) = (range.start.phys().as_u64(), range.end.phys().as_u64());
            writeln!(out, "{first:08x}-{:08x} {:8} kB {word}", end - 1, kib(range.frames()))?;
        }
        let stats = self.pool.stats();
        writeln!(out, "total: {} kB used, {} kB free", kib(stats.used.frames), kib(stats.free.frames))
    }
}

/// What someone at the console may ask for.
enum Command {
    Allocate(usize),
    Free(u64),
}

impl Command {
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ')? {
            ("allocate", bytes) => bytes.parse().ok().filter(|&bytes| bytes > 0).map(Self::Allocate),
            ("free", addr) => u64::from_str_radix(addr.trim_start_matches("0x"), 16).ok().map(Self::Free),
            _ => None,
        }
    }
}

/// Says in the log that nothing was freed.
fn free_reported<K: Hardware>(result: Result<(), Errno>, addr: u64) -> Result<(), Errno> {
    result.inspect_err(|_| K::log(format_args!("allocator: {addr:08x} is not the start of a block that is allocated")))
}

/// The driver.
pub struct Allocator<K: Hardware>(K::Mutex<Served<K>>);

impl<K: Hardware> Allocator<K> {
    /// Allocates `bytes` bytes, rounded up to whole pages, and returns their physical address. Content undefined. The
    /// list of blocks grows by kmalloc with `gfp`; with GFP_ATOMIC any context may call, and is refused while the list
    /// is in use.
    ///
    /// # Errors
    /// No such memory, no bytes, or the caller may not sleep.
    pub fn allocate_dma(&self, bytes: usize, gfp: GfpFlags) -> Result<PhysAddr, AllocError> {
        let take = |served: &mut Served<K>| served.allocate(bytes, gfp);
        let taken = if gfp.contains(GfpFlags::WAIT) { self.0.with(take).ok() } else { self.0.try_with(take) };
        taken.unwrap_or(Err(AllocError))
    }

    /// Frees what [`allocate_dma`](Self::allocate_dma) returned. Process context.
    ///
    /// # Errors
    /// `EINVAL`, and a line in the log, when `addr` is not that.
    pub fn free_dma(&self, addr: PhysAddr) -> Result<(), Errno> {
        free_reported::<K>(self.0.with(|served| served.free(addr))?, addr.as_u64())
    }
}

impl<K: Hardware> CharDriver for Allocator<K> {
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        if file.minor().0 == 0 { Ok(()) } else { Err(Errno::ENODEV) }
    }

    /// Nothing to read: the blocks are listed in /proc.
    fn read(&self, _file: &OpenDevice, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Ok(0)
    }

    /// Obeys one command. `EINVAL` when it makes no sense, `ENOMEM`.
    fn write(&self, _file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut command = [0; MAX_COMMAND];
        if buf.remaining() > MAX_COMMAND {
            return Err(Errno::EINVAL);
        }
        let n = buf.get(&mut command)?;
        let line = core::str::from_utf8(&command[..n]).map_err(|_| Errno::EINVAL)?;
        self.0.with(|served| served.command(line))?.map(|()| n)
    }

    fn is_stream(&self) -> bool {
        true
    }
}

impl<K: Hardware> Module<K> for Allocator<K> {
    const NAME: &'static str = "allocator";
    const ABOUT: &'static str = "hands out the memory that the kernel option mem= hid";
    const PARAMS: &'static [ParamSpec] = &PARAMS;
    const PROC_SUFFIX: Option<&'static str> = Some("mem");

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let megabytes = values.number(HIMEM).filter(|&megabytes| megabytes > 0);
        let served = Served::new(megabytes.map(|megabytes| megabytes as usize * MIB_FRAMES))?;
        Ok(Self(K::Mutex::new(served)))
    }

    fn devices(&self) -> u16 {
        1
    }

    /// While a block is allocated its owner still uses it.
    fn is_busy(&self) -> bool {
        self.0.with(|served| served.pool.stats().used.blocks > 0).unwrap_or(true)
    }

    fn proc_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.0.with(|served| served.write(out)).unwrap_or(Err(fmt::Error))
    }
}
