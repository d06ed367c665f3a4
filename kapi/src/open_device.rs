//! A device that is open: which one, how, and what its driver keeps with it.

use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use mm::own::AnyBox;
use mm::{AllocError, GfpFlags, Global};

use crate::errno::Errno;
use crate::file::OpenFlags;

/// Which device of a driver: 0 for the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Minor(pub u16);

/// A device that somebody has opened, as its driver sees it. (Linux: `struct file`.)
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use kapi::testing::{File, Host};
/// use kapi::{CharDriver, Errno, IoBuf, Minor, OpenDevice, OpenFlags};
///
/// /// Each open file counts its own reads.
/// struct Counter;
///
/// impl CharDriver for Counter {
///     fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
///         Ok(file.set_private_data::<Host, _>(AtomicU64::new(0))?)
///     }
///
///     fn read(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
///         let reads: &AtomicU64 = file.private_data()?;
///         if file.flags().contains(OpenFlags::NONBLOCK) && reads.load(Relaxed) > 0 {
///             return Err(Errno::EAGAIN);
///         }
///         buf.put(&reads.fetch_add(1, Relaxed).to_le_bytes())
///     }
/// }
///
/// let _machine = kapi::testing::machine();
/// let first = File::open(&Counter, Minor(0), OpenFlags::READ | OpenFlags::NONBLOCK)?;
/// let second = File::open(&Counter, Minor(0), OpenFlags::READ)?;
/// assert_eq!((first.read(1), second.read(1), second.read(1)), (Ok(vec![0]), Ok(vec![0]), Ok(vec![1])));
/// assert_eq!(first.read(1), Err(Errno::EAGAIN));
/// # Ok::<(), Errno>(())
/// ```
#[derive(Debug)]
pub struct OpenDevice {
    minor: Minor,
    flags: AtomicU32,
    private: Option<AnyBox>,
}

impl OpenDevice {
    /// A device that is about to be opened: for whoever calls drivers.
    pub const fn new(minor: Minor, flags: OpenFlags) -> Self {
        Self { minor, flags: AtomicU32::new(flags.bits()), private: None }
    }

    /// Which device of the driver.
    pub const fn minor(&self) -> Minor {
        self.minor
    }

    /// How it is open: as it was opened, but for `NONBLOCK` and `APPEND`, which may change meanwhile.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Relaxed))
    }

    /// It is open in another way now: for whoever calls drivers.
    pub fn set_flags(&self, flags: OpenFlags) {
        self.flags.store(flags.bits(), Relaxed);
    }

    /// Whether calls that would wait return `EAGAIN` (O_NONBLOCK).
    pub fn is_nonblocking(&self) -> bool {
        self.flags().contains(OpenFlags::NONBLOCK)
    }

    /// Keeps `data` with the open file: it is dropped behind `release`. What was kept before is dropped now. Process
    /// context; may sleep for memory.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn set_private_data<K: Global, T: Any + Send + Sync>(&mut self, data: T) -> Result<(), AllocError> {
        self.private = Some(AnyBox::new::<K, T>(data, GfpFlags::KERNEL)?);
        Ok(())
    }

    /// What `open` has kept. Any context.
    ///
    /// # Errors
    /// `EBADF` when that is nothing, or of another type.
    pub fn private_data<T: Any>(&self) -> Result<&T, Errno> {
        self.private.as_ref().and_then(AnyBox::get).ok_or(Errno::EBADF)
    }
}
