//! How a command's run ends, and why it gives up.

use core::fmt;

use kapi::Errno;

use crate::env::Status;

/// How a command's run ended.
pub type Outcome<'a> = Result<Status, Failure<'a>>;

/// Why a command gave up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure<'a> {
    /// A call failed on the file or thing of this name: `cat: NAME: No such file or directory`.
    Named(&'a str, Errno),
    /// A call failed, and there is no name to blame: `sort: Cannot allocate memory`.
    Plain(Errno),
    /// Standard output took no more: `echo: write error: No space left on device`.
    Output(Errno),
    /// The file of this name would be read while it grows: `cat: NAME: input file is output file`.
    SameFile(&'a str),
    /// An argument makes no sense: `head: invalid number: 'x'`.
    Argument(&'static str, &'a str),
    /// Something else is wrong with how the command was called: `cmp: missing operand`.
    Usage(&'static str),
}

impl Failure<'_> {
    /// The error of the call that failed.
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Named(_, errno) | Self::Plain(errno) | Self::Output(errno) => Some(*errno),
            Self::SameFile(_) | Self::Argument(..) | Self::Usage(_) => None,
        }
    }

    /// The status of a command that a signal would have killed without a word: ^C, or a pipe without a reader.
    pub const fn silent(&self) -> Option<Status> {
        match self {
            Self::Output(Errno::EPIPE) => Some(Status::BROKEN_PIPE),
            Self::Named(_, Errno::EINTR) | Self::Plain(Errno::EINTR) | Self::Output(Errno::EINTR) => {
                Some(Status::INTERRUPTED)
            }
            _ => None,
        }
    }
}

impl From<Errno> for Failure<'_> {
    fn from(errno: Errno) -> Self {
        Self::Plain(errno)
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name, errno) => write!(f, "{name}: {errno}"),
            Self::Plain(errno) => write!(f, "{errno}"),
            Self::Output(errno) => write!(f, "write error: {errno}"),
            Self::SameFile(name) => write!(f, "{name}: input file is output file"),
            Self::Argument(what, argument) => write!(f, "{what}: '{argument}'"),
            Self::Usage(what) => f.write_str(what),
        }
    }
}
