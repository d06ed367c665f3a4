//! The kernel's command line: `name=value` words, each known to one table.
//!
//! For an unknown option or a value that makes no sense the log has a warning; boot goes on. The options about
//! memory are mm's ([`MemoryOptions`]).

use services::options::{MemoryOptions, OptionError, Switch, switch};
use spin::Once;

use crate::klog;
use crate::sync::SpinLock;

/// Bytes of the longest command line.
pub const MAX_LINE: usize = 512;

/// What the command line asks for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of memory.
    pub memory: MemoryOptions,
    /// `crash=0|1`: the command `crash` works.
    pub crash: Switch,
    /// `oops=end|panic`: what follows when a thread dies.
    pub on_oops: OnOops,
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
    const DEFAULT: Self = Self { memory: MemoryOptions::DEFAULT, crash: Switch::Off, on_oops: OnOops::EndThread };

    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        match name {
            "crash" => self.crash = switch(value)?,
            "oops" => self.on_oops = on_oops(value)?,
            _ => self.memory.set(name, value)?,
        }
        Ok(())
    }
}

fn on_oops(value: &str) -> Result<OnOops, OptionError> {
    match value {
        "end" => Ok(OnOops::EndThread),
        "panic" => Ok(OnOops::Panic),
        _ => Err(OptionError::BadValue),
    }
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
        match options.set(name, value) {
            Ok(()) => {}
            Err(OptionError::Unknown) => klog!("warning: unknown kernel option {word}"),
            Err(OptionError::BadValue) => klog!("warning: kernel option {name}: bad value '{value}'"),
            Err(OptionError::TooMany) => klog!("warning: kernel option {name}: '{value}' is one too many"),
        }
    }
    OPTIONS.call_once(|| options);
}
