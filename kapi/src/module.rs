//! What a module is: something that insmod makes and rmmod drops.

use core::fmt;

use crate::chrdev::CharDriver;
use crate::errno::Errno;
use crate::kernel::Kernel;
use crate::params::{ParamSpec, Values};

/// A module: linked into the kernel, or loaded from a file.
///
/// insmod makes the value, rmmod drops it: what it owns goes with it, whatever happens on the way. The kernel gives its
/// devices and its file in /proc their names after `load`, takes the names away before the drop, and counts who uses
/// the module meanwhile; it is dropped when nobody does. So a module needs no statics and no count of its own.
///
/// ```
/// use core::time::Duration;
/// use kapi::testing::{self, Host, insmod};
/// use kapi::{CharDriver, Errno, Kernel, ParamKind, ParamSpec, Preset, Timer, Values};
///
/// /// Says so each time that so many seconds have passed.
/// struct Nag<K: Kernel> {
///     _timer: K::Timer,
/// }
///
/// impl<K: Kernel> kapi::Module<K> for Nag<K> {
///     const NAME: &'static str = "nag";
///     const ABOUT: &'static str = "says what time it is";
///     const PARAMS: &'static [ParamSpec] = &[ParamSpec {
///         name: "seconds",
///         kind: ParamKind::Number { least: 1, most: 3600, default: Preset::Number(60) },
///         help: "seconds between two lines",
///     }];
///
///     fn load(values: &Values<'_>) -> Result<Self, Errno> {
///         let seconds = values.number("seconds").ok_or(Errno::EINVAL)?;
///         let timer = K::Timer::new(move |_| K::log(format_args!("{seconds} s have passed")))?;
///         timer.start_every(Duration::from_secs(seconds));
///         Ok(Self { _timer: timer })
///     }
/// }
///
/// impl<K: Kernel> CharDriver for Nag<K> {}
///
/// let _machine = testing::machine();
/// let nag: Nag<Host> = insmod(&["seconds=5"])?;
/// testing::pass(Duration::from_secs(11));
/// drop(nag);
/// testing::pass(Duration::from_secs(11));
/// assert_eq!(testing::take_log(), ["5 s have passed"; 2]);
/// assert_eq!(insmod::<Nag<Host>>(&["seconds=0"]).err(), Some(Errno::EINVAL));
/// # Ok::<(), Errno>(())
/// ```
pub trait Module<K: Kernel>: CharDriver + Sized + 'static {
    /// The module's and driver's name; its devices are `name0`, `name1`, ...
    const NAME: &'static str;
    /// What it is, on one line.
    const ABOUT: &'static str;
    /// The parameters that an insmod line may have.
    const PARAMS: &'static [ParamSpec] = &[];
    /// What follows its name in that of its file in /proc, whose text is [`proc_text`](Self::proc_text), if it has one.
    const PROC_SUFFIX: Option<&'static str> = None;

    /// Makes the module; `values` are as [`PARAMS`](Self::PARAMS) allows. Process context.
    ///
    /// # Errors
    /// `EINVAL` for values that do not go together, which the log then explains, `ENOMEM`, and whatever stands in the
    /// way. What was taken until then is given back.
    fn load(values: &Values<'_>) -> Result<Self, Errno>;

    /// How many devices it has, 0 for none.
    fn devices(&self) -> u16 {
        0
    }

    /// Whether it must stay although no file is open: somebody has something of it. Process context.
    fn is_busy(&self) -> bool {
        false
    }

    /// Bytes that the module holds: what /proc/modules shows as its size.
    fn footprint(&self) -> usize {
        size_of::<Self>()
    }

    /// Writes the text of its file in /proc. Process context.
    ///
    /// # Errors
    /// When `out` has no room, or what the text is about cannot be had now.
    fn proc_text(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}
