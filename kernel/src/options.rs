//! The kernel's command line: `name=value` words, each known to one table.
//!
//! For whatever makes no sense the log has a warning; boot goes on. The options about memory are mm's
//! ([`MemoryOptions`]); what they cannot do on this machine is warned of where they are obeyed.

use core::fmt;

use services::command_line::{self, Warning, whole_words};
use services::disk_options::DiskOptions;
use services::options::{MemoryOptions, OptionError, Switch, switch};
use spin::Once;

use crate::sync::SpinLock;
use crate::{klog, log};

/// Bytes of the longest command line.
pub const MAX_LINE: usize = 512;

/// What the command line asks for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of memory.
    pub memory: MemoryOptions,
    /// Of disks in memory.
    pub disks: DiskOptions,
    /// `crash=0|1`: the command `crash` works.
    pub crash: Switch,
    /// `oops=end|panic`: what follows when a thread dies.
    pub on_oops: OnOops,
    /// `strace=0|1`: the log has a line for each system call.
    pub strace: Switch,
    /// `init=PATH`: the program that runs instead of the built-in console.
    pub init: Option<NamedPath>,
    /// `swap=PATH`: a disk that is swap from boot on.
    pub swap: Option<NamedPath>,
}

/// A path, kept inline.
#[derive(Clone, Copy, Debug)]
pub struct NamedPath {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl NamedPath {
    /// Bytes of the longest one.
    const MAX: usize = 128;

    fn new(path: &str) -> Result<Self, OptionError> {
        let mut bytes = [0; Self::MAX];
        match bytes.get_mut(..path.len()) {
            None => return Err(OptionError::TooLarge),
            Some([]) => return Err(OptionError::Empty),
            Some(place) => place.copy_from_slice(path.as_bytes()),
        }
        if path.starts_with('/') { Ok(Self { bytes, len: path.len() }) } else { Err(OptionError::BadValue) }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        // `new` had it as text.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// What follows when a thread dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOops {
    /// The thread's end, alone.
    EndThread,
    /// The machine's.
    Panic,
}

impl Options {
    const DEFAULT: Self = Self {
        memory: MemoryOptions::DEFAULT,
        disks: DiskOptions::DEFAULT,
        crash: Switch::Off,
        on_oops: OnOops::EndThread,
        strace: Switch::Off,
        init: None,
        swap: None,
    };

    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        match name {
            "crash" => self.crash = switch(value)?,
            "init" => self.init = Some(NamedPath::new(value)?),
            "oops" => self.on_oops = on_oops(value)?,
            "swap" => self.swap = if value == "none" { None } else { Some(NamedPath::new(value)?) },
            "strace" => self.strace = switch(value)?,
            // `printk.time=0|1`: the log's to keep, since it may not ask here.
            "printk.time" => log::stamp_console(switch(value)?),
            _ => match self.disks.set(name, value) {
                Err(OptionError::Unknown) => self.memory.set(name, value)?,
                outcome => outcome?,
            },
        }
        Ok(())
    }
}

fn on_oops(value: &str) -> Result<OnOops, OptionError> {
    match value {
        "end" => Ok(OnOops::EndThread),
        "panic" => Ok(OnOops::Panic),
        "" => Err(OptionError::Empty),
        _ => Err(OptionError::BadValue),
    }
}

static OPTIONS: Once<Options> = Once::new();
static LINE: SpinLock<([u8; MAX_LINE], usize)> = SpinLock::new(([0; MAX_LINE], 0));

/// The command line as it was given, on one line; what of it is not UTF-8 is escaped.
pub fn line() -> impl fmt::Display {
    let (bytes, len) = LINE.with(|line| *line);
    fmt::from_fn(move |f| {
        let mut chunks = bytes[..len].utf8_chunks();
        chunks.try_for_each(|chunk| write!(f, "{}{}", chunk.valid(), chunk.invalid().escape_ascii()))
    })
}

/// The options in force; the defaults before [`init`].
pub fn get() -> &'static Options {
    OPTIONS.get().unwrap_or(&Options::DEFAULT)
}

/// Reads the command line, of which `missing` bytes more were not handed in, with a warning for each word that makes no
/// sense.
pub fn init(given: &[u8], missing: usize) {
    // Zeros may fill the end of it up.
    let last = given.iter().rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace());
    let end = if missing == 0 { last.map_or(0, |last| last + 1) } else { given.len() };
    let kept = whole_words(&given[..end], MAX_LINE);
    let words = kept.trim_ascii_start();
    LINE.with(|(bytes, len)| {
        *len = words.len();
        bytes[..*len].copy_from_slice(words);
        bytes[..*len].iter_mut().filter(|byte| byte.is_ascii_whitespace()).for_each(|byte| *byte = b' ');
    });
    klog!("command line: {}", line());
    let mut warn = |warning| klog!("warning: {warning}");
    if end + missing > kept.len() {
        warn(Warning::Cut(end + missing - kept.len()));
    }
    let mut options = Options::DEFAULT;
    command_line::read(words, &mut |name, value| options.set(name, value), &mut warn);
    OPTIONS.call_once(|| options);
}
