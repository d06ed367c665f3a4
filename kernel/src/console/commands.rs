//! The commands that know this kernel: threads, log, modules, power.

use kapi::{Errno, Param};
use shell::io::write_all;
use shell::{Command, Failure, Job, Outcome, Status};

use super::process::Process;
use super::{crew, irqstress};
use crate::options::{self, Switch};
use crate::{arch, bench, log, modules, sched};

/// Most parameters of one insmod line.
const MAX_PARAMS: usize = 8;

/// The commands, sorted by name.
pub const COMMANDS: &[Command<Process>] = &[
    command("bench", "[pages|slab|kmalloc|vmalloc|ioremap|all]", "measures what allocations cost", bench::run),
    command("crash", "panic|fault|hang|reset", "ends the machine badly; needs the kernel option crash=1", crash),
    command("dmesg", "", "shows the kernel log", dmesg),
    command("insmod", "MODULE [PARAMETER=VALUE...]", "attaches a module", insmod),
    command(
        "irqstress",
        "[MODULE...] [rounds=N]",
        "writes to devices from a thread and from interrupts",
        irqstress::run,
    ),
    command("lspci", "", "lists what answers on the PCI bus: address, kind, vendor and device, revision", lspci),
    command("poweroff", "", "ends the machine", poweroff),
    command("ps", "", "lists the threads: number, state, ticks used, stack bytes, name", ps),
    command("reboot", "", "resets the machine", reboot),
    command("rmmod", "MODULE...", "detaches modules", rmmod),
];

const fn command(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: for<'a> fn(&Job<'a, Process>) -> Outcome<'a>,
) -> Command<Process> {
    Command { name, usage, about, trouble: Status::FAILED, run }
}

fn crash<'a>(job: &Job<'a, Process>) -> Outcome<'a> {
    if options::get().crash == Switch::Off {
        return Err(Failure::Usage("needs the kernel option crash=1"));
    }
    match job.args.get(0) {
        Some("panic") => panic!("crash: asked for"),
        Some("fault") => arch::crash::fault(),
        Some("hang") => arch::crash::hang(),
        Some("reset") => arch::crash::reset(),
        other => Err(Failure::Argument("panic, fault, hang or reset, not", other.unwrap_or(""))),
    }
}

fn poweroff<'a>(_: &Job<'a, Process>) -> Outcome<'a> {
    super::power_off()
}

fn reboot<'a>(_: &Job<'a, Process>) -> Outcome<'a> {
    arch::crash::reset()
}

fn dmesg<'a>(job: &Job<'a, Process>) -> Outcome<'a> {
    let mut bytes = [0; 1024];
    let mut position = 0;
    loop {
        let (len, next) = log::read(position, &mut bytes);
        if len == 0 {
            return Ok(Status::OK);
        }
        write_all(job.env, job.output(), &bytes[..len]).map_err(Failure::Output)?;
        position = next;
    }
}

fn ps<'a>(job: &Job<'a, Process>) -> Outcome<'a> {
    let mut out = job.out();
    let mut result = writeln!(out, "   ID S     TICKS  STACK NAME");
    sched::threads(|thread| {
        if result.is_err() {
            return;
        }
        let (id, letter, name) = (thread.id, thread.state.letter(), thread.name);
        result = write!(out, "{id:>5} {letter} {:>9} {:>6} {name}", thread.ticks, thread.stack_bytes);
        let command = crew::command_of(id);
        result = result.and_then(|()| match &command {
            Some(command) => writeln!(out, ": {}", command.as_str()),
            None => writeln!(out),
        });
    });
    result?;
    out.finish()?;
    Ok(Status::OK)
}

fn lspci<'a>(job: &Job<'a, Process>) -> Outcome<'a> {
    let mut out = job.out();
    let mut result = Ok(());
    arch::pci::for_each(|function| {
        let (at, kind) = (function.address, function.kind());
        if result.is_ok() {
            result = writeln!(
                out,
                "{:02x}:{:02x}.{} {kind:?}: {:04x}:{:04x} (rev {:02x})",
                at.bus(),
                at.device(),
                at.function(),
                function.vendor,
                function.device,
                function.revision
            );
        }
    });
    result?;
    out.finish()?;
    Ok(Status::OK)
}

fn insmod<'a>(job: &Job<'a, Process>) -> Outcome<'a> {
    let name = job.args.get(0).ok_or(Failure::Usage("missing operand"))?;
    let mut params = [Param { name: "", value: "" }; MAX_PARAMS];
    let mut count = 0;
    for word in job.args.skip(1).iter() {
        let (name, value) = word.split_once('=').ok_or(Failure::Named(word, Errno::EINVAL))?;
        *params.get_mut(count).ok_or(Failure::Usage("too many parameters"))? = Param { name, value };
        count += 1;
    }
    let named = |errno| Failure::Named(name, errno);
    modules::insmod(name, &params[..count]).map_err(named)?;
    Ok(Status::OK)
}

fn rmmod<'a>(job: &Job<'a, Process>) -> Outcome<'a> {
    if job.args.is_empty() {
        return Err(Failure::Usage("missing operand"));
    }
    let mut status = Status::OK;
    for name in job.args.iter() {
        if let Err(errno) = modules::rmmod(name) {
            status = job.complain(&Failure::Named(name, errno), Status::FAILED);
        }
    }
    Ok(status)
}
