//! grabber: a frame grabber.
//!
//! Opening /dev/grabber0 copies the display's frame buffer into one contiguous buffer. The buffer is what such hardware
//! needs: it would be filled by DMA. It comes from bigphysarea or, without that, from get_free_pages, which knows only
//! powers of two up to 2 MiB. (Chapter: "The bigphysarea Patch", which names the driver zr36120 as its user.)

use core::fmt;

use kapi::mm::own::{Buffer, IoMem, PageBlock};
use kapi::mm::{GfpFlags, Order, PAGE_SIZE, PhysAddr};
use kapi::{CharDriver, Errno, Hardware, IoBuf, Minor, Module, OpenFlags, Param, ParamKind, ParamSpec, Preset, Values};

use crate::single::Single;

/// Bytes of a pixel.
const PIXEL: usize = 4;
/// How much is copied at once.
const WORD: usize = size_of::<u64>();

/// The most pixels in a line, and the most lines.
const MAX_SIDE: u64 = 16_384;

const fn side(name: &'static str, default: u64, help: &'static str) -> ParamSpec {
    ParamSpec { name, kind: ParamKind::Number { least: 1, most: MAX_SIDE, default: Preset::Number(default) }, help }
}

static PARAMS: [ParamSpec; 2] = [side("grabber_width", 640, "pixels in a line"), side("grabber_height", 480, "lines")];

/// The pixels that are copied: from the start of the frame buffer, line by line.
#[derive(Clone, Copy)]
struct Frame {
    width: usize,
    height: usize,
}

impl Frame {
    fn read(params: &[Param<'_>]) -> Result<Self, Errno> {
        let values = Values::read(&PARAMS, params)?;
        let number = |spec: &ParamSpec| values.number(spec.name).map(|value| value as usize).ok_or(Errno::EINVAL);
        Ok(Self { width: number(&PARAMS[0])?, height: number(&PARAMS[1])? })
    }

    /// Bytes of the frame. `EINVAL`, and a line in the log, when there are more than `room` or when they are no
    /// multiple of what is copied at once.
    fn bytes<K: Hardware>(self, room: u64) -> Result<usize, Errno> {
        let Self { width, height } = self;
        let bytes = width * height * PIXEL;
        if bytes as u64 > room {
            K::log(format_args!("grabber: {width}x{height} pixels are {bytes} bytes, and the screen has {room}"));
            return Err(Errno::EINVAL);
        }
        if !bytes.is_multiple_of(WORD) {
            K::log(format_args!("grabber: {width}x{height} is an odd number of pixels: two are copied at once"));
            return Err(Errno::EINVAL);
        }
        Ok(bytes)
    }
}

/// The contiguous buffer, wherever it came from.
enum Memory<K: Hardware> {
    Big(K::BigBuffer),
    Pages(PageBlock<K>),
}

impl<K: Hardware> Memory<K> {
    /// Takes `bytes` bytes from bigphysarea, else from get_free_pages.
    fn new(bytes: usize) -> Result<Self, Errno> {
        if let Ok(buffer) = K::big_buffer(bytes) {
            return Ok(Self::Big(buffer));
        }
        let pages = bytes.div_ceil(PAGE_SIZE);
        let block = Order::for_bytes(bytes).and_then(|order| PageBlock::new(order, GfpFlags::KERNEL).ok());
        match &block {
            Some(block) => K::log(format_args!(
                "grabber: no bigphysarea for {pages} pages, {} from get_free_pages",
                block.order().pages()
            )),
            None => {
                K::log(format_args!("grabber: {pages} contiguous pages are not to be had: try bigphysarea={pages}"))
            }
        }
        block.map(Self::Pages).ok_or(Errno::ENOMEM)
    }

    fn source(&self) -> &'static str {
        match self {
            Self::Big(_) => "bigphysarea",
            Self::Pages(_) => "get_free_pages",
        }
    }

    fn buffer(&self) -> &dyn Buffer {
        match self {
            Self::Big(buffer) => buffer,
            Self::Pages(block) => block,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Big(buffer) => buffer.bytes_mut(),
            Self::Pages(block) => block.bytes_mut(),
        }
    }
}

/// What there is while the driver is attached. The mapping goes before the claim.
pub struct Attached<K: Hardware> {
    frame: Frame,
    bytes: usize,
    memory: Memory<K>,
    screen: IoMem<K>,
    start: PhysAddr,
    _claim: K::MemRegion,
}

impl<K: Hardware> Attached<K> {
    fn new(frame: Frame) -> Result<Self, Errno> {
        let Some((start, room)) = K::frame_buffer() else {
            K::log(format_args!("grabber: the machine has no frame buffer"));
            return Err(Errno::ENODEV);
        };
        let bytes = frame.bytes::<K>(room)?;
        let claim = K::claim_memory(start, bytes as u64, "grabber")?;
        Ok(Self { frame, bytes, memory: Memory::new(bytes)?, screen: IoMem::map(start, bytes)?, start, _claim: claim })
    }

    /// Copies the frame as it is now.
    fn grab(&mut self) {
        let places = self.memory.bytes_mut()[..self.bytes].chunks_exact_mut(WORD);
        for (place, at) in places.zip((0..).step_by(WORD)) {
            // The mapping is as long as the frame, so each word is there.
            place.copy_from_slice(&self.screen.readq(at).unwrap_or(0).to_le_bytes());
        }
    }
}

/// The driver.
pub struct Grabber<K: Hardware>(Single<K, Attached<K>>);

impl<K: Hardware> Grabber<K> {
    /// A driver that is not attached.
    pub const fn new(state: K::Mutex<Option<Attached<K>>>) -> Self {
        Self(Single::new(state))
    }
}

impl<K: Hardware> CharDriver for Grabber<K> {
    /// Grabs a frame. The device is not for writing: `EACCES`.
    fn open(&self, minor: Minor, flags: OpenFlags) -> Result<(), Errno> {
        self.0.open_to_read(minor, flags, Errno::EACCES, |attached, _| {
            attached.grab();
            Ok(())
        })
    }

    fn release(&self, _minor: Minor, _flags: OpenFlags) {
        self.0.close(|_, _| {});
    }

    fn read(&self, _minor: Minor, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.0.with(|attached| {
            let start = usize::try_from(position).unwrap_or(usize::MAX).min(attached.bytes);
            buf.put(&attached.memory.buffer().bytes()[start..attached.bytes])
        })
    }

    fn write(&self, _minor: Minor, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EACCES)
    }

    fn size(&self, _minor: Minor) -> Result<u64, Errno> {
        self.0.with(|attached| Ok(attached.bytes as u64))
    }
}

impl<K: Hardware> Module for Grabber<K> {
    fn name(&self) -> &'static str {
        "grabber"
    }

    fn about(&self) -> &'static str {
        "a frame grabber, which needs one contiguous buffer"
    }

    fn params(&self) -> &'static [ParamSpec] {
        &PARAMS
    }

    fn insmod(&self, params: &[Param<'_>]) -> Result<u16, Errno> {
        let frame = Frame::read(params)?;
        self.0.attach(|| Attached::new(frame))?;
        Ok(1)
    }

    fn rmmod(&self) -> Result<(), Errno> {
        self.0.detach(|_| false)
    }

    fn users(&self) -> Option<usize> {
        self.0.users()
    }

    fn footprint(&self) -> usize {
        size_of::<Self>() + self.0.with(|attached| Ok(attached.bytes)).unwrap_or(0)
    }

    fn proc_mem(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let written = self.0.with(|attached| {
            let Frame { width, height } = attached.frame;
            let addr = attached.memory.buffer().addr();
            let phys = K::memory().frame_of(addr).map_or(0, |frame| frame.phys().as_u64());
            let source = attached.memory.source();
            writeln!(out, "frame:  {width}x{height}, {} bytes from {:08x}", attached.bytes, attached.start.as_u64())
                .and_then(|()| writeln!(out, "buffer: {phys:08x} ({source})"))
                .map_err(|_| Errno::EIO)
        });
        written.map_err(|_| fmt::Error)
    }
}
