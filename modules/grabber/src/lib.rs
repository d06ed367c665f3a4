//! grabber: a frame grabber.
//!
//! Opening /dev/grabber0 copies the display's frame buffer into one contiguous buffer. The buffer is what such hardware
//! needs: it would be filled by DMA. It comes from bigphysarea or, without that, from get_free_pages, which knows only
//! powers of two up to 2 MiB. (Chapter: "The bigphysarea Patch", which names the driver zr36120 as its user.)
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;

use kapi::mm::own::{Buffer, IoMem, PageBlock};
use kapi::mm::{GfpFlags, Order, PAGE_SIZE, PhysAddr};
use kapi::{
    CharDriver, Errno, Hardware, IoBuf, OpenDevice, OpenFlags, ParamKind, ParamSpec, Preset, SleepLock, Values,
};

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
    fn of(values: &Values<'_>) -> Result<Self, Errno> {
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

/// What the kernel makes of this crate.
pub type Module<K> = Grabber<K>;

/// The driver.
pub struct Grabber<K: Hardware> {
    frame: Frame,
    /// Bytes of the frame.
    bytes: usize,
    start: PhysAddr,
    grab: K::Mutex<Grab<K>>,
}

/// What a grab takes. The mapping goes before the claim.
struct Grab<K: Hardware> {
    memory: Memory<K>,
    screen: IoMem<K>,
    _claim: K::MemRegion,
}

impl<K: Hardware> Grab<K> {
    /// Copies the frame of `bytes` bytes as it is now.
    fn copy(&mut self, bytes: usize) {
        let places = self.memory.bytes_mut()[..bytes].chunks_exact_mut(WORD);
        for (place, at) in places.zip((0..).step_by(WORD)) {
            // The mapping is as long as the frame, so each word is there.
            place.copy_from_slice(&self.screen.readq(at).unwrap_or(0).to_le_bytes());
        }
    }
}

impl<K: Hardware> CharDriver for Grabber<K> {
    /// Grabs a frame. The device is not for writing: `EACCES`.
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        if file.minor().0 != 0 {
            return Err(Errno::ENODEV);
        }
        if file.flags().contains(OpenFlags::WRITE) {
            return Err(Errno::EACCES);
        }
        Ok(self.grab.with(|grab| grab.copy(self.bytes))?)
    }

    fn read(&self, _file: &OpenDevice, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(self.bytes);
        self.grab.with(|grab| buf.put(&grab.memory.buffer().bytes()[start..self.bytes]))?
    }

    fn size(&self, _file: &OpenDevice) -> Result<u64, Errno> {
        Ok(self.bytes as u64)
    }
}

impl<K: Hardware> kapi::Module<K> for Grabber<K> {
    const NAME: &'static str = "grabber";
    const ABOUT: &'static str = "a frame grabber, which needs one contiguous buffer";
    const PARAMS: &'static [ParamSpec] = &PARAMS;
    const PROC_SUFFIX: Option<&'static str> = Some("mem");

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let frame = Frame::of(values)?;
        let Some((start, room)) = K::frame_buffer() else {
            K::log(format_args!("grabber: the machine has no frame buffer"));
            return Err(Errno::ENODEV);
        };
        let bytes = frame.bytes::<K>(room)?;
        let claim = K::claim_memory(start, bytes as u64, Self::NAME)?;
        let grab = Grab { memory: Memory::new(bytes)?, screen: IoMem::map(start, bytes)?, _claim: claim };
        Ok(Self { frame, bytes, start, grab: SleepLock::new(grab) })
    }

    fn devices(&self) -> u16 {
        1
    }

    fn footprint(&self) -> usize {
        size_of::<Self>() + self.bytes
    }

    fn proc_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Frame { width, height } = self.frame;
        let buffer = self.grab.with(|grab| (grab.memory.buffer().addr(), grab.memory.source()));
        let (addr, source) = buffer.map_err(|_| fmt::Error)?;
        let phys = K::memory().frame_of(addr).map_or(0, |frame| frame.phys().as_u64());
        writeln!(out, "frame:  {width}x{height}, {} bytes from {:08x}", self.bytes, self.start.as_u64())?;
        writeln!(out, "buffer: {phys:08x} ({source})")
    }
}
