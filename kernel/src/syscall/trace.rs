//! `strace=1`: a line in the log for each call.

use core::fmt;

use linux_raw_sys::general::{__NR_exit, __NR_exit_group};
use mm::VirtAddr;
use services::options::Switch;

use super::call::{ARGUMENTS, Call, Outcome};
use super::entry::{Entry, Kind};
use crate::{klog, options, user};

/// Bytes that are shown of a path.
const SHOWN: usize = 40;

/// A call's arguments, kept for its line: a call may change the registers, and the memory behind them.
pub(super) struct Trace {
    number: usize,
    kinds: &'static [Kind],
    arguments: [u64; ARGUMENTS],
    /// The first path, and what the second one begins with.
    paths: [Text; 2],
}

/// The beginning of a path.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; SHOWN],
    /// `None` where nothing can be read.
    len: Option<usize>,
}

/// Whether calls are to be traced.
pub(super) fn is_wanted() -> bool {
    options::get().strace == Switch::On
}

impl Trace {
    /// The arguments of `call`, if calls are to be traced. What never returns has its line at once.
    pub(super) fn begin(number: usize, entry: Option<&'static Entry>, call: &Call<'_>) -> Option<Self> {
        if !is_wanted() {
            return None;
        }
        let kinds: &[Kind] = entry.map_or(&[Kind::Flags; ARGUMENTS], |entry| entry.arguments);
        let mut trace = Self { number, kinds, arguments: call.arguments(), paths: [Text::EMPTY; 2] };
        let paths = kinds.iter().zip(call.arguments()).filter(|(kind, _)| **kind == Kind::Path);
        for (text, (_, at)) in trace.paths.iter_mut().zip(paths) {
            *text = Text::read(VirtAddr::new(at as usize));
        }
        if [__NR_exit, __NR_exit_group].contains(&(number as u32)) {
            trace.write(call, &"?");
        }
        Some(trace)
    }

    /// Writes the line.
    pub(super) fn end(&self, call: &Call<'_>, outcome: Outcome) {
        let result = fmt::from_fn(|f| match outcome {
            Ok(value) => write!(f, "{value:#x}"),
            Err(error) => write!(f, "{} {error:?}", -error.number()),
        });
        self.write(call, &result);
    }

    fn write(&self, call: &Call<'_>, result: &dyn fmt::Display) {
        let (name, pid) = (call.process.name(), call.process.pid());
        klog!("{name}[{pid}] {} = {result}", fmt::from_fn(|f| self.write_call(f)));
    }

    fn write_call(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match abi::names::of(self.number) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "call {}", self.number)?,
        }
        let mut paths = self.paths.iter();
        f.write_str("(")?;
        for (index, (kind, value)) in self.kinds.iter().zip(self.arguments).enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match kind {
                Kind::Fd => write!(f, "{}", value as i32)?,
                Kind::Count => write!(f, "{}", value as i64)?,
                Kind::Mode => write!(f, "{value:#o}")?,
                Kind::Address | Kind::Flags => write!(f, "{value:#x}")?,
                Kind::Path => paths.next().map_or(Ok(()), |text| text.write(f, value))?,
            }
        }
        f.write_str(")")
    }
}

impl Text {
    const EMPTY: Self = Self { bytes: [0; SHOWN], len: None };

    /// What there is to be read, up to a zero.
    fn read(at: VirtAddr) -> Self {
        let mut text = Self::EMPTY;
        let read = user::copy_from_some(at, &mut text.bytes);
        let end = text.bytes[..read].iter().position(|byte| *byte == 0);
        text.len = end.or((read > 0).then_some(read));
        text
    }

    /// The path in quotes; its address where nothing could be read there.
    fn write(&self, f: &mut fmt::Formatter<'_>, at: u64) -> fmt::Result {
        let Some(len) = self.len else { return write!(f, "{at:#x}") };
        let more = if len == SHOWN { "..." } else { "" };
        write!(f, "\"{}\"{more}", self.bytes[..len].escape_ascii())
    }
}
