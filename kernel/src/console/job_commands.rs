//! The commands `jobs`, `kill` and `wait`.

use kapi::Errno;
use shell::{Env, Failure, Job, Outcome, Status};

use super::jobs::JobNumber;
use super::workers;
use crate::sched;

/// The commands that the shell runs itself, so that they need no worker.
pub const IN_SHELL: [&str; 3] = ["jobs", "kill", "wait"];

/// `jobs`: one line a job; of those that have ended, once.
pub fn jobs<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(0)?;
    let mut out = job.out();
    for number in JobNumber::known() {
        number.describe(|line| writeln!(out, "{line}")).transpose()?;
    }
    out.finish()?;
    Ok(Status::OK)
}

/// `kill [-INT|-TERM] %JOB|THREAD...`: as if ^C were typed for each.
pub fn kill<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut targets = job.args;
    match targets.get(0) {
        Some("-INT" | "-2" | "-TERM" | "-15") => targets = targets.skip(1),
        Some(option) if option.starts_with('-') => {
            return Err(Failure::Argument("a command can only be asked to end, by -INT or -TERM", option));
        }
        _ => {}
    }
    if targets.is_empty() {
        return Err(Failure::Usage("missing operand"));
    }
    let mut status = Status::OK;
    for target in targets.iter() {
        if let Err(failure) = interrupt(target) {
            status = job.complain(&failure, Status::FAILED);
        }
    }
    Ok(status)
}

/// Interrupts a job (`%1`), or the command of a thread, by its number as ps shows it.
fn interrupt(target: &str) -> Result<(), Failure<'_>> {
    if target.starts_with('%') {
        let number = JobNumber::parse(target).ok_or(Failure::Argument("no such job", target))?;
        // One that has just ended is as good as killed.
        workers::interrupt_job(number);
        return Ok(());
    }
    let id = target.parse().map_err(|_| Failure::Argument("neither a job like %1 nor a thread's number", target))?;
    if workers::interrupt_thread(id) {
        return Ok(());
    }
    let mut exists = false;
    sched::threads(|thread| exists |= thread.id == id);
    // The kernel's own threads are nobody's to end.
    Err(if exists { Failure::Named(target, Errno::EPERM) } else { Failure::Argument("no such thread", target) })
}

/// `wait [%JOB...]`: until these jobs have ended, or all; the status of the last one named.
pub fn wait<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut status = Status::OK;
    if job.args.is_empty() {
        for number in JobNumber::known() {
            ended(number)?;
        }
    }
    for word in job.args.iter() {
        status = match JobNumber::parse(word) {
            Some(number) => ended(number)?,
            None => job.complain(&Failure::Argument("no such job", word), Status::NOT_FOUND),
        };
    }
    Ok(status)
}

/// The status of a job, once it has ended.
fn ended<'a>(number: JobNumber) -> Result<Status, Failure<'a>> {
    number.wait().map_err(|error| Failure::Plain(error.into()))
}
