//! The commands about modules: insmod, rmmod, modinfo.
//!
//! What is refused is said with what would be allowed: both come from the module's own table of parameters.

use core::fmt;

use kapi::{Errno, Param, ParamSpec, Values};
use shell::{Env, Failure, Job, Outcome, Status};

use crate::modules::{self, Entry};

/// Most parameters of one insmod line: more than any module has.
const MAX_PARAMS: usize = 8;

/// `insmod MODULE [PARAMETER=VALUE...]`
pub fn insmod<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let name = job.args.get(0).ok_or(Failure::Usage("missing operand"))?;
    let Ok(module) = modules::find(name) else { return Ok(unknown(job, name)) };
    let mut params = [Param { name: "", value: "" }; MAX_PARAMS];
    let mut count = 0;
    for word in job.args.skip(1).iter() {
        // A word without a value is told from an unknown parameter by its name.
        let (param, value) = word.split_once('=').unwrap_or((word, ""));
        *params.get_mut(count).ok_or(Failure::Usage("too many parameters"))? = Param { name: param, value };
        count += 1;
    }
    let params = &params[..count];
    if let Err(error) = Values::read(module.params, params) {
        return Ok(refuse(job, name, format_args!("{error}")));
    }
    match modules::insmod(name, params) {
        Ok(()) => Ok(Status::OK),
        Err(Errno::EEXIST) => Ok(refuse(job, name, format_args!("attached already"))),
        Err(errno) => Err(Failure::Named(name, errno)),
    }
}

/// `rmmod MODULE...`
pub fn rmmod<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    each_module(job, |module| match modules::rmmod(module.name) {
        Ok(()) => Ok(Status::OK),
        Err(Errno::ENOENT) => Ok(refuse(job, module.name, format_args!("not attached"))),
        Err(errno) => Ok(job.complain(&Failure::Named(module.name, errno), Status::FAILED)),
    })
}

/// `modinfo MODULE...`
pub fn modinfo<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    each_module(job, |module| {
        let mut out = job.out();
        writeln!(out, "module:      {}", module.name)?;
        writeln!(out, "description: {}", module.about)?;
        match modules::users(module.name) {
            None => writeln!(out, "state:       not attached")?,
            Some(users) => writeln!(out, "state:       attached, {users} open")?,
        }
        for spec in module.params {
            writeln!(out, "parm:        {}", line(spec))?;
        }
        out.finish()?;
        Ok(Status::OK)
    })
}

/// A parameter as modinfo shows it.
fn line(spec: &ParamSpec) -> impl fmt::Display {
    fmt::from_fn(|f| {
        write!(f, "{} {} ({}, default {})", spec.name, spec.type_name(), spec.allowed(), spec.default_text())?;
        write!(f, " {}", spec.help)
    })
}

/// Calls `each` with the modules that are named; those that there are not are complained about.
fn each_module<'a, E: Env>(
    job: &Job<'a, E>,
    mut each: impl FnMut(&'static Entry) -> Result<Status, Failure<'a>>,
) -> Outcome<'a> {
    if job.args.is_empty() {
        return Err(Failure::Usage("missing operand"));
    }
    let mut status = Status::OK;
    for name in job.args.iter() {
        let done = match modules::find(name) {
            Ok(module) => each(module)?,
            Err(_) => unknown(job, name),
        };
        status = if done.is_ok() { status } else { done };
    }
    Ok(status)
}

fn unknown<E: Env>(job: &Job<'_, E>, name: &str) -> Status {
    let names = fmt::from_fn(|f| modules::all().try_for_each(|module| write!(f, " {}", module.name)));
    refuse(job, name, format_args!("no such module; there are{names}"))
}

/// Says what is wrong with `name`.
fn refuse<E: Env>(job: &Job<'_, E>, name: &str, reason: fmt::Arguments<'_>) -> Status {
    job.say(format_args!("{}: {name}: {reason}\n", job.name));
    Status::FAILED
}
