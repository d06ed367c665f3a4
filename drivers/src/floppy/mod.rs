//! fd: the first floppy drive, read by ISA DMA into memory that it reaches.
//!
//! A track at a time goes into one of two buffers, one for each side of the disk: the first from kmalloc(GFP_KERNEL |
//! __GFP_DMA), the second from __get_dma_pages. They are taken when the device is opened first. The parameter
//! `fd_memory` names other memory, to see it refused. (Chapter: "The Flags Argument", "get_free_page and Friends", and
//! "vmalloc and Friends" on what cannot be used for DMA.)

mod controller;
mod disk;

use core::fmt;

use kapi::mm::own::{Buffer, KBytes, PageBlock, VmArea};
use kapi::mm::{AllocError, GfpFlags, Order};
use kapi::services::isa::Transfer;
use kapi::{
    CharDriver, Errno, FloppyBus, IoBuf, LockError, Module, OpenDevice, OpenFlags, ParamKind, ParamSpec, SleepLock,
    Values,
};

use controller::Drive;
use disk::{DISK_BYTES, HEADS, TRACK_BYTES, Track};

/// How often a track is tried.
const TRIES: usize = 3;
const DMA: GfpFlags = GfpFlags::KERNEL.union(GfpFlags::DMA);

/// Where a buffer's memory comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// kmalloc with __GFP_DMA.
    KmallocDma,
    /// __get_dma_pages.
    DmaPages,
    /// kmalloc without: mostly above 16 MiB.
    Kmalloc,
    /// vmalloc: nowhere in particular.
    Vmalloc,
}

impl Source {
    /// The two that work.
    const DEFAULT: [Self; HEADS] = [Self::KmallocDma, Self::DmaPages];

    const ALL: [Self; 4] = [Self::KmallocDma, Self::DmaPages, Self::Kmalloc, Self::Vmalloc];
    /// Their names, in the same order.
    const NAMES: [&'static str; 4] = ["kmalloc_dma", "dma_pages", "kmalloc", "vmalloc"];

    fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// The parameter that names both buffers' memory.
const MEMORY: &str = "fd_memory";

static PARAMS: [ParamSpec; 1] = [ParamSpec {
    name: MEMORY,
    kind: ParamKind::Word { of: &Source::NAMES, default: "one from each of the first two" },
    help: "where both buffers come from",
}];

enum Memory<K: FloppyBus> {
    Bytes(KBytes<K>),
    Pages(PageBlock<K>),
    Area(VmArea<K>),
}

impl<K: FloppyBus> Memory<K> {
    fn new(source: Source) -> Result<Self, AllocError> {
        Ok(match source {
            Source::KmallocDma => Self::Bytes(KBytes::new(TRACK_BYTES, DMA)?),
            Source::DmaPages => Self::Pages(PageBlock::new(Order::for_bytes(TRACK_BYTES).ok_or(AllocError)?, DMA)?),
            Source::Kmalloc => Self::Bytes(KBytes::new(TRACK_BYTES, GfpFlags::KERNEL)?),
            Source::Vmalloc => Self::Area(VmArea::new(TRACK_BYTES)?),
        })
    }

    fn buffer(&self) -> &dyn Buffer {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Pages(block) => block,
            Self::Area(area) => area,
        }
    }
}

/// Memory for a track, and which track it holds.
struct TrackBuffer<K: FloppyBus> {
    memory: Memory<K>,
    transfer: Transfer,
    source: Source,
    holds: Option<Track>,
}

impl<K: FloppyBus> TrackBuffer<K> {
    /// `ENOMEM`, or `EINVAL` when ISA DMA does not reach what there is.
    fn new(source: Source) -> Result<Self, Errno> {
        let memory = Memory::new(source)?;
        let addr = memory.buffer().addr();
        let transfer = Transfer::of_buffer(K::memory(), addr, TRACK_BYTES).map_err(|error| {
            let (name, reason) = (source.name(), error.reason());
            K::log(format_args!("fd: no DMA to the buffer at {:016x} ({name}): {reason}", addr.as_usize()));
            Errno::EINVAL
        })?;
        Ok(Self { memory, transfer, source, holds: None })
    }
}

/// The drive and what its tracks are read into.
struct Station<K: FloppyBus> {
    drive: Drive<K::Floppy>,
    sources: [Source; HEADS],
    buffers: [Option<TrackBuffer<K>>; HEADS],
    /// Open files: the motor runs while there are any.
    files: usize,
}

impl<K: FloppyBus> Station<K> {
    fn new(sources: [Source; HEADS]) -> Result<Self, Errno> {
        let drive = Drive::new(K::claim_floppy()?);
        let mut station = Self { drive, sources, buffers: [const { None }; HEADS], files: 0 };
        if sources != Source::DEFAULT {
            station.take_buffers()?;
        }
        Ok(station)
    }

    fn take_buffers(&mut self) -> Result<(), Errno> {
        for (buffer, source) in self.buffers.iter_mut().zip(self.sources) {
            if buffer.is_none() {
                *buffer = Some(TrackBuffer::new(source)?);
            }
        }
        Ok(())
    }

    /// The first file starts the motor.
    fn open(&mut self) -> Result<(), Errno> {
        self.take_buffers()?;
        if self.files == 0 {
            self.drive.start()?;
            // Another disk may be in.
            self.buffers.iter_mut().flatten().for_each(|buffer| buffer.holds = None);
        }
        self.files += 1;
        Ok(())
    }

    /// The last file stops it.
    fn close(&mut self) {
        self.files -= 1;
        if self.files == 0 {
            self.drive.stop();
        }
    }

    fn read(&mut self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let Some((track, offset)) = Track::at(position) else { return Ok(0) };
        let slot = self.buffers.get_mut(usize::from(track.head)).and_then(Option::as_mut).ok_or(Errno::EIO)?;
        if slot.holds != Some(track) {
            slot.holds = None;
            read_track(&mut self.drive, track, slot.transfer)?;
            slot.holds = Some(track);
        }
        buf.put(&slot.memory.buffer().bytes()[offset..TRACK_BYTES])
    }
}

/// Reads a track, with another try where the drive was not sure.
fn read_track<C: kapi::FloppyController>(drive: &mut Drive<C>, track: Track, transfer: Transfer) -> Result<(), Errno> {
    let mut result = Err(Errno::EIO);
    for _ in 0..TRIES {
        result = drive.recover().and_then(|()| drive.read_track(track, transfer));
        if result != Err(Errno::EIO) {
            break;
        }
    }
    result
}

/// The driver.
pub struct Floppy<K: FloppyBus>(K::Mutex<Station<K>>);

impl<K: FloppyBus> CharDriver for Floppy<K> {
    /// Starts the motor. `ENXIO` without drive or disk, `ENOMEM` without DMA memory; `EROFS` for writing to a disk that
    /// is there.
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        if file.minor().0 != 0 {
            return Err(Errno::ENODEV);
        }
        self.0.with(Station::open)??;
        if file.flags().contains(OpenFlags::WRITE) {
            self.release(file);
            return Err(Errno::EROFS);
        }
        Ok(())
    }

    fn release(&self, _file: &OpenDevice) {
        let closed = self.0.with_uninterruptible(Station::close);
        // Files are closed in process context. A broken drive stays as it is, for good.
        debug_assert_ne!(closed, Err(LockError::WrongContext));
    }

    /// Reads at most to the end of a track. `EIO` when the disk cannot be read there.
    fn read(&self, _file: &OpenDevice, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.0.with(|station| station.read(position, buf))?
    }

    fn size(&self, _file: &OpenDevice) -> Result<u64, Errno> {
        Ok(DISK_BYTES as u64)
    }
}

impl<K: FloppyBus> Module<K> for Floppy<K> {
    const NAME: &'static str = "fd";
    const ABOUT: &'static str = "the first floppy drive, read by ISA DMA";
    const PARAMS: &'static [ParamSpec] = &PARAMS;
    const PROC_SUFFIX: Option<&'static str> = Some("mem");

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let source = values.word(MEMORY).and_then(Source::find);
        let station = Station::new(source.map_or(Source::DEFAULT, |source| [source; HEADS]))?;
        Ok(Self(K::Mutex::new(station)))
    }

    fn devices(&self) -> u16 {
        1
    }

    fn proc_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let written = self.0.with(|station| {
            station.buffers.iter().flatten().try_for_each(|buffer| {
                let phys = u32::from(buffer.transfer.page()) << 16 | u32::from(buffer.transfer.offset());
                writeln!(out, "buffer: {phys:08x} ({})", buffer.source.name())
            })
        });
        written.unwrap_or(Err(fmt::Error))
    }
}
