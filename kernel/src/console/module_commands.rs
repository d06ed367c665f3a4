//! The commands about modules: insmod, rmmod, modinfo.
//!
//! What is refused is said with what would be allowed: both come from the module's own table of parameters.

use core::fmt;

use kapi::{Errno, Param, ParamSpec};
use shell::{Env, Failure, Job, Outcome, Status};

use crate::modules::{self, Info, State};

/// Most parameters of one insmod line: more than any module has.
const MAX_PARAMS: usize = 8;

/// `insmod MODULE|FILE [PARAMETER=VALUE...]`
pub fn insmod<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let name = job.args.get(0).ok_or(Failure::Usage("missing operand"))?;
    let mut params = [Param { name: "", value: "" }; MAX_PARAMS];
    let mut count = 0;
    for word in job.args.skip(1).iter() {
        // A word without a value is told from an unknown parameter by its name.
        let (param, value) = word.split_once('=').unwrap_or((word, ""));
        *params.get_mut(count).ok_or(Failure::Usage("too many parameters"))? = Param { name: param, value };
        count += 1;
    }
    Ok(match modules::attach(name, &params[..count]) {
        Ok(()) => Status::OK,
        Err(why) if why.errno == Errno::ENOENT && !name.contains('/') => unknown(job, name),
        Err(why) => refuse(job, name, format_args!("{why}")),
    })
}

/// `rmmod MODULE...`
pub fn rmmod<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    each_word(job, |name| match modules::detach(name) {
        Ok(()) => Status::OK,
        Err(why) if why.errno == Errno::ENOENT && is_known(name) => refuse(job, name, format_args!("not attached")),
        Err(why) if why.errno == Errno::ENOENT => unknown(job, name),
        Err(why) => refuse(job, name, format_args!("{why}")),
    })
}

/// `modinfo MODULE|FILE...`
pub fn modinfo<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut failed = Ok(());
    let status = each_word(job, |name| {
        let mut shown = |info: &Info<'_>| {
            if failed.is_ok() {
                failed = show(job, info);
            }
        };
        match modules::describe(name, &mut shown) {
            Ok(()) => Status::OK,
            Err(why) if why.errno == Errno::ENOENT && !name.contains('/') => unknown(job, name),
            Err(why) => refuse(job, name, format_args!("{why}")),
        }
    })?;
    failed?;
    Ok(status)
}

/// Writes what is known of a module.
fn show<'a, E: Env>(job: &Job<'a, E>, info: &Info<'_>) -> Result<(), Failure<'a>> {
    let mut out = job.out();
    writeln!(out, "module:      {}", info.name)?;
    writeln!(out, "description: {}", info.about)?;
    match info.state {
        None => writeln!(out, "state:       not attached")?,
        Some((State::Live, users)) => writeln!(out, "state:       attached, {users} open")?,
        Some((state, users)) => writeln!(out, "state:       {state}, {users} open")?,
    }
    for spec in info.params {
        writeln!(out, "parm:        {}", line(spec))?;
    }
    for variable in info.variables {
        writeln!(out, "parm:        {variable}")?;
    }
    out.finish()?;
    Ok(())
}

/// A parameter as modinfo shows it.
fn line(spec: &ParamSpec) -> impl fmt::Display {
    fmt::from_fn(|f| {
        write!(f, "{} {} ({}, default {})", spec.name, spec.type_name(), spec.allowed(), spec.default_text())?;
        write!(f, " {}", spec.help)
    })
}

/// Calls `each` with each operand; the status is that of the last that went wrong.
fn each_word<'a, E: Env>(job: &Job<'a, E>, mut each: impl FnMut(&'a str) -> Status) -> Outcome<'a> {
    if job.args.is_empty() {
        return Err(Failure::Usage("missing operand"));
    }
    let mut status = Status::OK;
    for name in job.args.iter() {
        let done = each(name);
        status = if done.is_ok() { status } else { done };
    }
    Ok(status)
}

/// Whether insmod knows the name.
fn is_known(name: &str) -> bool {
    let mut known = false;
    modules::each_known(&mut |other| known |= other == name);
    known
}

fn unknown<E: Env>(job: &Job<'_, E>, name: &str) -> Status {
    let names = fmt::from_fn(|f| {
        let mut written = Ok(());
        modules::each_known(&mut |name| written = written.and_then(|()| write!(f, " {name}")));
        written
    });
    refuse(job, name, format_args!("no such module; there are{names}"))
}

/// Says what is wrong with `name`.
fn refuse<E: Env>(job: &Job<'_, E>, name: &str, reason: fmt::Arguments<'_>) -> Status {
    job.say(format_args!("{}: {name}: {reason}\n", job.name));
    Status::FAILED
}
