//! A running command: its arguments, its environment, and how it ends.

use core::fmt;

use kapi::{Errno, OpenFlags};

use crate::env::{Env, File, Status, Stream};
use crate::io::Out;
use crate::text::Text;
use crate::words::Args;

/// A command: what `help` shows of it, and the function that runs it.
pub struct Command<E: Env> {
    /// The name that is typed.
    pub name: &'static str,
    /// Options and operands.
    pub usage: &'static str,
    /// What it does, on one line.
    pub about: &'static str,
    /// The status of a run that failed: 1, or 2 where 1 is an answer.
    pub trouble: Status,
    /// Runs it.
    pub run: for<'a> fn(&Job<'a, E>) -> Outcome<'a>,
}

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
            Self::Argument(..) | Self::Usage(_) => None,
        }
    }

    /// The status of a command that a signal would have killed without a word: ^C, or a pipe without a reader.
    const fn silent(&self) -> Option<Status> {
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
            Self::Argument(what, argument) => write!(f, "{what}: '{argument}'"),
            Self::Usage(what) => f.write_str(what),
        }
    }
}

/// A command while it runs.
pub struct Job<'a, E: Env> {
    /// The system.
    pub env: &'a E,
    /// The command's name as typed.
    pub name: &'a str,
    /// Its arguments, without the name.
    pub args: Args<'a>,
}

impl<'a, E: Env> Job<'a, E> {
    /// Standard input.
    pub fn input(&self) -> &'a E::File {
        self.env.stream(Stream::Input)
    }

    /// Standard output, unbuffered.
    pub fn output(&self) -> &'a E::File {
        self.env.stream(Stream::Output)
    }

    /// Standard output through a small buffer.
    pub fn out(&self) -> Out<'a, E> {
        Out::new(self.env, self.output())
    }

    /// Opens `path` for reading.
    pub fn open(&self, path: &'a str) -> Result<E::File, Failure<'a>> {
        self.env.open(path, OpenFlags::READ).map_err(|errno| Failure::Named(path, errno))
    }

    /// Opens `path` for writing; what it held is gone.
    pub fn create(&self, path: &'a str) -> Result<E::File, Failure<'a>> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
        self.env.open(path, flags).map_err(|errno| Failure::Named(path, errno))
    }

    /// Reads from `file`. ^C ends even a command that never has to wait.
    pub fn read(&self, file: &E::File, bytes: &mut [u8]) -> Result<usize, Errno> {
        if self.env.interrupted() {
            return Err(Errno::EINTR);
        }
        file.read(bytes)
    }

    /// Says on standard error what went wrong, unless it ends the command silently; returns the status that follows.
    pub fn complain(&self, failure: &Failure<'_>, trouble: Status) -> Status {
        if let Some(status) = failure.silent() {
            return status;
        }
        self.say(format_args!("{}: {failure}\n", self.name));
        trouble
    }

    /// Writes to standard error, ^C or not, in one piece; cut to what fits into a message. If that fails, there is
    /// nobody left to tell.
    pub fn say(&self, message: fmt::Arguments<'_>) {
        let mut text = Text::<512>::new();
        if fmt::Write::write_fmt(&mut text, message).is_err() {
            text.truncate(text.len().min(511));
            let _ = text.push(b"\n");
        }
        let mut rest = text.as_bytes();
        while let Ok(done @ 1..) = self.env.stream(Stream::Error).write(rest) {
            rest = rest.get(done..).unwrap_or_default();
        }
    }

    /// Runs `each` with every file operand, or with standard input when there is none, `-` included. A file that
    /// cannot be opened or read is complained about, and the others still have their turn.
    pub fn for_each_input(
        &self,
        operands: Args<'a>,
        mut each: impl FnMut(&E::File, &'a str) -> Result<(), Failure<'a>>,
    ) -> Outcome<'a> {
        if operands.is_empty() {
            return each(self.input(), "-").map(|()| Status::OK);
        }
        let mut status = Status::OK;
        for path in operands.iter() {
            let result = match path {
                "-" => each(self.input(), path),
                _ => self.open(path).and_then(|file| each(&file, path)),
            };
            match result {
                Err(failure @ Failure::Named(..)) if failure.silent().is_none() => {
                    status = self.complain(&failure, Status::FAILED);
                }
                other => other?,
            }
        }
        Ok(status)
    }
}
