//! The commands that know this kernel: threads, log, modules, power.

use core::fmt;
use core::marker::PhantomData;

use services::options::Switch;
use shell::options::Options;
use shell::{Command, CommandSet, Env, Job, Outcome, Status};

use super::memory::{self, manual};
use super::{crash, irqstress, job_commands, kernel_log, module_commands, picture, pressure, tty, uname, workers};
use crate::board::qemu::{self, ExitCode};
use crate::mm::page_cache;
use crate::resource::pci;
use crate::{bench, debug, klog, sched, startup};

struct Table<E>(PhantomData<E>);

impl<E: Env> Table<E> {
    /// The shell's own commands, and those of this kernel.
    const ALL: &'static [&'static [Command<E>]] = &[shell::commands::all(), Self::COMMANDS];

    /// Sorted by name.
    const COMMANDS: &'static [Command<E>] = &[
        command("@irq", "COMMAND [OPERAND...]", "makes a call of the allocators from a timer", memory::at_irq)
            .explained(manual::AT_IRQ),
        command(
            "bench",
            "[pages|slab|kmalloc|vmalloc|ioremap|modules|all]",
            "measures what allocations cost",
            bench::run,
        ),
        command("cache", "[create|alloc|free|shrink|destroy NAME ...]", "lookaside caches by hand", memory::run)
            .explained(manual::CACHE),
        command("crash", "[END]", "dies, in the way that is asked for; needs the kernel option crash=1", crash::run),
        command("dmesg", "[-t] [-c|-C]", kernel_log::ABOUT, kernel_log::dmesg),
        command("freepages", "ADDRESS|PFN ORDER", "frees a block of pages", memory::run).explained(manual::FREEPAGES),
        command("getpages", "ORDER [FLAGS]", "allocates a block of pages", memory::run).explained(manual::GETPAGES),
        command("getzeroed", "[FLAGS]", "allocates a page of zeros", memory::run).explained(manual::GETZEROED),
        command("held", "[-f]", "lists what was handed out at the prompt and not freed; -f frees it", memory::held)
            .explained(manual::HELD),
        command("insmod", "MODULE|FILE [PARAMETER=VALUE...]", "attaches a module", module_commands::insmod),
        command("ioremap", "PHYSICAL SIZE", "maps device memory", memory::run).explained(manual::IOREMAP),
        command("iounmap", "ADDRESS", "undoes ioremap", memory::run).explained(manual::IOUNMAP),
        command(
            "irqstress",
            "[MODULE...] [rounds=N]",
            "writes to devices from a thread and from interrupts",
            irqstress::run,
        ),
        command("jobs", "", "lists what runs in the background", job_commands::jobs),
        command("kfree", "ADDRESS", "frees an object", memory::run).explained(manual::KFREE),
        command("kill", "[-INT|-TERM] %JOB|THREAD...", "asks jobs and commands to end", job_commands::kill),
        command("kmalloc", "SIZE [FLAGS]", "allocates an object of SIZE bytes", memory::run).explained(manual::KMALLOC),
        command(
            "lspci",
            "[-v]",
            "lists what answers on the PCI bus: address, kind, vendor and device, revision",
            lspci,
        ),
        command(
            "modinfo",
            "MODULE|FILE...",
            "shows what a module is, and its parameters with what they may be",
            module_commands::modinfo,
        ),
        command("page", "ADDRESS|PFN", "shows all that is known of a page", memory::page::page).explained(manual::PAGE),
        command("peek", "ADDRESS [BYTES]", "shows bytes of what was handed out", memory::bytes::peek)
            .explained(manual::PEEK),
        command("picture", "NAME", "has the watcher take a picture of the memory", picture::picture)
            .explained(picture::MANUAL),
        command("poke", "ADDRESS BYTE [COUNT]", "writes bytes of what was handed out", memory::bytes::poke)
            .explained(manual::POKE),
        command("poweroff", "", "ends the machine", poweroff),
        command(
            "pressure",
            "[FILE] [pages=N]",
            "shows what requests of different flags do when memory is short",
            pressure::run,
        )
        .explained(pressure::MANUAL),
        command("ps", "", "lists the threads: number, state, ticks used, stack bytes, name", ps),
        command("reboot", "", "starts the machine again; a script ends there", reboot),
        command("rmmod", "MODULE...", "detaches modules", module_commands::rmmod),
        command("uname", "[-a] [-s] [-n] [-r] [-v] [-m]", "says what system this is", uname::uname),
        command("vfree", "ADDRESS", "frees an area of vmalloc", memory::run).explained(manual::VFREE),
        command("vmalloc", "SIZE", "allocates pages at contiguous addresses", memory::run).explained(manual::VMALLOC),
        command("wait", "[%JOB...]", "waits for jobs, or for all", job_commands::wait),
    ];
}

/// All commands that a line may name. Those here ask nothing of their environment but what each command may ask.
pub const fn set<E: Env>() -> CommandSet<E> {
    CommandSet::new(Table::<E>::ALL)
}

const fn command<E: Env>(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: for<'a> fn(&Job<'a, E>) -> Outcome<'a>,
) -> Command<E> {
    Command { name, usage, about, manual: "", trouble: Status::FAILED, run }
}

/// Ends the machine, with what was written on its disks: with success, unless lines were run without a person at a
/// terminal and something that they may count on did not start.
pub fn power_off() -> ! {
    let verdict = if tty::is_terminal() { ExitCode::Success } else { startup::verdict() };
    if verdict == ExitCode::Failure {
        klog!("startup: {} failures, see dmesg: this run counts as failed", startup::failures());
    }
    page_cache::sync_at_the_end();
    qemu::exit(verdict)
}

/// Ends the machine as a program has ended that ran in the console's place: with failure, unless its status is 0.
pub fn power_off_after(status: i32) -> ! {
    if status == 0 {
        power_off()
    }
    page_cache::sync_at_the_end();
    qemu::exit(ExitCode::Failure)
}

fn poweroff<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(0)?;
    power_off()
}

/// Starts the machine again: under QEMU that is for the runner to do.
fn reboot<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(0)?;
    page_cache::sync_at_the_end();
    qemu::leave(ExitCode::Reboot);
    debug::crash::reset()
}

fn ps<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(0)?;
    let mut out = job.out();
    let mut result = writeln!(out, "   ID S     TICKS  STACK NAME");
    sched::threads(|thread| {
        if result.is_err() {
            return;
        }
        let (id, letter, name) = (thread.id, thread.state.letter(), thread.name);
        result = write!(out, "{id:>5} {letter} {:>9} {:>6} {name}", thread.ticks, thread.stack_bytes);
        let command = workers::command_of(id);
        result = result.and_then(|()| match &command {
            Some(command) => writeln!(out, ": {}", command.as_str()),
            None => writeln!(out),
        });
    });
    result?;
    out.finish()?;
    Ok(Status::OK)
}

fn lspci<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "v");
    let mut detail = Switch::Off;
    while options.take()?.is_some() {
        detail = Switch::On;
    }
    options.no_operands()?;
    let mut out = job.out();
    for function in pci::functions() {
        let at = function.address;
        write!(out, "{:02x}:{:02x}.{} {}", at.bus(), at.device(), at.function(), function.kind())?;
        writeln!(out, ": Device {:04x}:{:04x} (rev {:02x})", function.vendor, function.device, function.revision)?;
        if detail == Switch::Off {
            continue;
        }
        for range in function.ranges() {
            let (start, size) = (range.start, Size(range.size));
            match range.kind {
                pci::Kind::Io => writeln!(out, "\tI/O ports at {start:04x} [size={size}]")?,
                kind => writeln!(out, "\tMemory at {start:08x} ({}-bit, {}) [size={size}]", range.bits, ahead(kind))?,
            }
        }
        writeln!(out)?;
    }
    out.finish()?;
    Ok(Status::OK)
}

/// lspci's word for whether memory may be read ahead.
fn ahead(kind: pci::Kind) -> &'static str {
    if kind == pci::Kind::Prefetchable { "prefetchable" } else { "non-prefetchable" }
}

/// A number of bytes or ports, as lspci writes it: `16M`.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            size if size >= 1 << 30 => write!(f, "{}G", size >> 30),
            size if size >= 1 << 20 => write!(f, "{}M", size >> 20),
            size if size >= 1 << 10 => write!(f, "{}K", size >> 10),
            size => write!(f, "{size}"),
        }
    }
}
