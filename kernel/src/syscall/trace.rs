//! `strace=1`: a line in the log for each call.

use core::fmt;

use services::options::Switch;

use super::call::{ARGUMENTS, Call, Outcome};
use super::entry::{Entry, Kind};
use crate::{klog, options};

/// A call's arguments, kept for its line: a call may change the registers.
pub(super) struct Trace {
    number: usize,
    arguments: [u64; ARGUMENTS],
}

impl Trace {
    /// The arguments of `call`, if calls are to be traced.
    pub(super) fn begin(number: usize, call: &Call<'_>) -> Option<Self> {
        (options::get().strace == Switch::On).then(|| Self { number, arguments: call.arguments() })
    }

    /// Writes the line.
    pub(super) fn end(&self, call: &Call<'_>, entry: Option<&Entry>, outcome: Outcome) {
        let process = call.process;
        let (name, pid) = (process.name(), process.pid());
        let result = fmt::from_fn(|f| match outcome {
            Ok(value) => write!(f, "{:#x}", value),
            Err(error) => write!(f, "{} {error:?}", -error.number()),
        });
        klog!("{name}[{pid}] {} = {result}", fmt::from_fn(|f| self.write_call(f, entry)));
    }

    fn write_call(&self, f: &mut fmt::Formatter<'_>, entry: Option<&Entry>) -> fmt::Result {
        let kinds: &[Kind] = entry.map_or(&[Kind::Flags; ARGUMENTS], |entry| entry.arguments);
        match abi::names::of(self.number) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "call {}", self.number)?,
        }
        let mut separator = "(";
        for (kind, value) in kinds.iter().zip(self.arguments) {
            f.write_str(separator)?;
            write_argument(f, *kind, value)?;
            separator = ", ";
        }
        f.write_str(if kinds.is_empty() { "()" } else { ")" })
    }
}

fn write_argument(f: &mut fmt::Formatter<'_>, kind: Kind, value: u64) -> fmt::Result {
    match kind {
        Kind::Fd => write!(f, "{}", value as i32),
        Kind::Count => write!(f, "{}", value as i64),
        Kind::Mode => write!(f, "{value:#o}"),
        Kind::Path | Kind::Address | Kind::Flags => write!(f, "{value:#x}"),
    }
}
