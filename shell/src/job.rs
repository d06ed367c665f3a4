//! A command, and a command while it runs: its arguments and its environment.

use core::fmt;

use kapi::{Errno, OpenFlags};

use crate::env::{Env, File, Status, Stream};
use crate::failure::{Failure, Outcome};
use crate::io::{self, Out};
use crate::words::Args;

/// A command: what `help` shows of it, and the function that runs it.
pub struct Command<E: Env> {
    /// The name that is typed.
    pub name: &'static str,
    /// Options and operands.
    pub usage: &'static str,
    /// What it does, on one line.
    pub about: &'static str,
    /// What else there is to say, in whole lines; empty for nothing.
    pub manual: &'static str,
    /// The status of a run that failed: 1, or 2 where 1 is an answer.
    pub trouble: Status,
    /// Runs it.
    pub run: for<'a> fn(&Job<'a, E>) -> Outcome<'a>,
}

impl<E: Env> Command<E> {
    /// The command with these lines as its manual.
    pub const fn explained(self, manual: &'static str) -> Self {
        Self { manual, ..self }
    }
}

/// The commands that a line may name: tables of them, such as the shell's own and the system's.
pub struct CommandSet<E: Env> {
    tables: &'static [&'static [Command<E>]],
}

impl<E: Env> CommandSet<E> {
    /// The commands of these tables. Of two commands with one name, only the first is ever found.
    pub const fn new(tables: &'static [&'static [Command<E>]]) -> Self {
        Self { tables }
    }

    /// All commands, table after table.
    pub fn iter(self) -> impl Iterator<Item = &'static Command<E>> {
        self.tables.iter().copied().flatten()
    }

    /// The command called `name`.
    pub fn find(self, name: &str) -> Option<&'static Command<E>> {
        self.iter().find(|command| command.name == name)
    }
}

// Derived, these would ask the environment to be `Copy` too.
impl<E: Env> Copy for CommandSet<E> {}

impl<E: Env> Clone for CommandSet<E> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Where programs are.
const BIN: &str = "/bin/";
/// Bytes of a program's name, at most, to be looked for there.
const MAX_PROGRAM: usize = 32;

/// How deep commands may run commands, as `time repeat 3 ls` does: each takes some of the thread's small stack.
const MAX_DEPTH: u8 = 4;

/// The path of a program of this name; `None` for a name that is too long.
fn path_of<'b>(name: &str, path: &'b mut [u8]) -> Option<&'b str> {
    let path = path.get_mut(..BIN.len() + name.len())?;
    let (bin, place) = path.split_at_mut(BIN.len());
    bin.copy_from_slice(BIN.as_bytes());
    place.copy_from_slice(name.as_bytes());
    core::str::from_utf8(path).ok()
}

/// A command while it runs.
pub struct Job<'a, E: Env> {
    /// The system.
    pub env: &'a E,
    /// The commands that it may call in its turn, itself included.
    pub commands: CommandSet<E>,
    /// The command's name as typed.
    pub name: &'a str,
    /// Its arguments, without the name.
    pub args: Args<'a>,
    /// How many commands run this one, each in the one before.
    pub depth: u8,
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

    /// Refuses more than `most` arguments.
    pub fn at_most(&self, most: usize) -> Result<(), Failure<'static>> {
        if self.args.len() > most { Err(Failure::Usage("too many operands")) } else { Ok(()) }
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
        io::read(self.env, file, bytes)
    }

    /// `EINTR` after ^C: what a loop asks that neither reads nor writes.
    pub fn go_on(&self) -> Result<(), Errno> {
        io::go_on(self.env)
    }

    /// Calls the command that the job names and turns its outcome into a status.
    pub fn run(&self) -> Status {
        if self.name.contains('/') {
            return self.run_program();
        }
        let Some(command) = self.commands.find(self.name) else {
            return self.run_nothing();
        };
        (command.run)(self).unwrap_or_else(|failure| self.complain(&failure, command.trouble))
    }

    /// There is no command of that name. There may be a program, which runs by its path, or by name where a program
    /// is the shell.
    fn run_nothing(&self) -> Status {
        let (name, mut path) = (self.name, [0; BIN.len() + MAX_PROGRAM]);
        match path_of(name, &mut path).filter(|path| self.env.stat(path).is_ok()) {
            Some(path) => {
                self.say(format_args!("sh: {name}: command not found; {path} is a program (or INIT=/bin/sh)\n"));
            }
            None => self.say(format_args!("sh: {name}: command not found\n")),
        }
        Status::NOT_FOUND
    }

    /// Runs a program, whose path is the name.
    fn run_program(&self) -> Status {
        self.env.program(self.name, &mut self.args.iter()).unwrap_or_else(|error| {
            let status = if error == Errno::ENOENT { Status::NOT_FOUND } else { Status::CANNOT_RUN };
            io::complain(self.env, "sh", &Failure::Named(self.name, error), status)
        })
    }

    /// Runs the command that `words` name, as a part of this one; its status.
    pub fn run_within(&self, words: Args<'a>) -> Outcome<'a> {
        let name = words.get(0).ok_or(Failure::Usage("missing operand"))?;
        if self.depth == MAX_DEPTH {
            return Err(Failure::Argument("too many commands run each other, before", name));
        }
        Ok(Job { name, args: words.skip(1), depth: self.depth + 1, ..*self }.run())
    }

    /// Says on standard error what went wrong, unless it ends the command silently; returns the status that follows.
    pub fn complain(&self, failure: &Failure<'_>, trouble: Status) -> Status {
        io::complain(self.env, self.name, failure, trouble)
    }

    /// Writes a message to standard error.
    pub fn say(&self, message: fmt::Arguments<'_>) {
        io::say(self.env, message);
    }

    /// Refuses the open file `file` if standard output is the same one: a command that writes while it reads would read
    /// what it wrote, and never come to the end.
    pub fn refuse_output(&self, file: &E::File, path: &'a str) -> Result<(), Failure<'a>> {
        let output = self.output().id();
        if output.is_some() && output == file.id() { Err(Failure::SameFile(path)) } else { Ok(()) }
    }

    /// As [`for_each_input`](Self::for_each_input), for a command that writes while it reads: the file that is standard
    /// output is refused.
    pub fn for_each_copied_input(
        &self,
        operands: Args<'a>,
        mut each: impl FnMut(&E::File, &'a str) -> Result<(), Failure<'a>>,
    ) -> Outcome<'a> {
        self.for_each_input(operands, |file, path| {
            self.refuse_output(file, path)?;
            each(file, path)
        })
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
                Err(failure @ (Failure::Named(..) | Failure::SameFile(_))) if failure.silent().is_none() => {
                    status = self.complain(&failure, Status::FAILED);
                }
                other => other?,
            }
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn arguments_that_would_be_ignored_are_refused() {
        let world = World::new();
        for line in ["sleep 1 2", "uptime now", "free -m 3", "lsmod scull", "help cat cp", "slabtop 3 4", "uniq /a /b"]
        {
            let ran = world.run(line);
            let command = line.split(' ').next().unwrap_or_default();
            assert_eq!((ran.err, ran.status), (std::format!("{command}: too many operands\n"), 1));
        }
    }
}
