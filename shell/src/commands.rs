//! The commands that need no more of the system than [`Env`].

mod cat;
mod cmp;
mod dd;
mod echo;
mod escape;
mod free;
mod grep;
mod head;
mod help;
mod hexdump;
mod ls;
mod mknod;
mod modules;
mod pattern;
mod printf;
mod repeat;
mod seq;
mod slabtop;
mod sort;
mod sync;
mod tail;
mod time;
mod uniq;
mod wc;

use crate::env::{Env, Status};
use crate::failure::Outcome;
use crate::job::{Command, Job};

/// A command's entry: its trouble status is 1.
const fn command<E: Env>(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: for<'a> fn(&Job<'a, E>) -> Outcome<'a>,
) -> Command<E> {
    Command { name, usage, about, manual: "", trouble: Status::FAILED, run }
}

/// A command's entry where status 1 is an answer, and so trouble is 2.
const fn query<E: Env>(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: for<'a> fn(&Job<'a, E>) -> Outcome<'a>,
) -> Command<E> {
    Command { name, usage, about, manual: "", trouble: Status::SYNTAX, run }
}

struct Table<E>(core::marker::PhantomData<E>);

impl<E: Env> Table<E> {
    const COMMANDS: &'static [Command<E>] = &[
        command(":", "", "does nothing, successfully", echo::succeed),
        command("cat", "[FILE...]", "copies files to standard output", cat::cat),
        query("cmp", "[-s] FILE [FILE]", "compares two files byte by byte", cmp::cmp),
        command("cp", "FROM TO | FILE... DIRECTORY", "copies a file, or files into a directory", cat::cp),
        command(
            "dd",
            "[if=] [of=] [bs=] [count=] [skip=] [seek=] [conv=notrunc,fsync] [iflag=nonblock] [oflag=nonblock,sync] \
                [status=none|progress]",
            dd::ABOUT,
            dd::dd,
        ),
        command("echo", "[-n] [-e] [-E] [WORD...]", "prints its words; -e: with backslash sequences", echo::echo),
        command("false", "", "does nothing, unsuccessfully", echo::fail),
        command("free", "[-k|-m|-h]", "shows how much memory is free, in KiB, MiB, or units to suit", free::free),
        query("grep", "[-E|-F] [-c] [-i] [-n] [-q] [-v] PATTERN [FILE...]", grep::ABOUT, grep::grep),
        command("head", "[-n LINES|-c BYTES|-LINES] [FILE...]", "copies the start of files", head::head),
        command("help", "[COMMAND]", "lists the commands, or explains one", help::help),
        command("hexdump", "[-C] [-n BYTES] [-s OFFSET] [FILE...]", "shows bytes in hexadecimal", hexdump::hexdump),
        command("ls", "[-l] [PATH...]", "lists files and directories", ls::ls),
        command("lsmod", "", "lists the modules that are attached", modules::lsmod),
        command("mknod", "NAME c|b MAJOR MINOR | NAME p", mknod::ABOUT, mknod::mknod),
        command("printf", "FORMAT [ARGUMENT...]", "prints formatted text", printf::printf),
        command("repeat", "COUNT COMMAND [ARGUMENT...]", repeat::ABOUT_REPEAT, repeat::repeat),
        command("rm", "[-f] FILE...", "removes files", ls::rm),
        command("seq", "[FIRST [STEP]] LAST", "prints numbers, one a line", seq::seq),
        command("slabtop", "[LINES]", "shows the largest slab caches", slabtop::slabtop),
        command("sleep", "SECONDS", "waits; decimals are understood", time::sleep),
        query("sort", "[-n] [-r] [-u] [FILE...]", "sorts lines", sort::sort),
        command("sync", "[FILE...]", sync::ABOUT, sync::sync),
        command("tail", "[-n [+]LINES|-c [+]BYTES|-LINES] [FILE...]", "copies the end of files", tail::tail),
        command("time", "COMMAND [ARGUMENT...]", "runs a command and shows how long it took", time::time),
        command("true", "", "does nothing, successfully", echo::succeed),
        command("uniq", "[-c] [FILE]", "leaves out lines that repeat the one before", uniq::uniq),
        command("uptime", "", "shows how long the system has been up", time::uptime),
        command("watch", "[-n SECONDS] [-c COUNT] [-t] COMMAND [ARGUMENT...]", repeat::ABOUT_WATCH, repeat::watch),
        command("wc", "[-l] [-w] [-c] [FILE...]", "counts lines, words and bytes", wc::wc),
    ];
}

/// The commands, sorted by name.
pub const fn all<E: Env>() -> &'static [Command<E>] {
    Table::<E>::COMMANDS
}

#[cfg(test)]
mod interruption;
