//! `bench`: what the allocators' calls cost, here and now.
//!
//! A line a row, `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS`: ticks of the time-stamp counter for one operation, over
//! ROUNDS rounds of OPS operations (fewer rounds where they take long). A pair of one allocation and its free counts as
//! one operation; of a batch, the allocating and the freeing half are told apart. Under icount a tick is an
//! instruction. The names are those of the Linux module in bench/linux, so that the two can be laid side by side.
//!
//! [`probe`] has the loops that are timed, [`calls`] the calls in them, [`suites`] the list of rows, [`interrupt`] runs
//! probes in interrupt context, [`modules`] those in modules, [`space`] times address spaces, [`copies`] the drivers,
//! [`report`] does the statistics.
#![deny(unsafe_code)]

mod calls;
mod copies;
mod disks;
mod interrupt;
mod modules;
mod page_cache;
mod probe;
mod report;
mod space;
mod suites;

use core::fmt;

use shell::{Env, Failure, Job, Outcome, Status};

use crate::sched::Mutex;
use report::Reporter;

/// One run at a time: the numbers would be of no use otherwise.
static ALONE: Mutex<()> = Mutex::new(());

/// `bench [SUITE...]`: without names, all suites.
pub fn run<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let suites = |name| if name == "all" { Some(suites::ALL) } else { suites::named(name) };
    for name in job.args.iter() {
        if suites(name).is_none() {
            return Err(Failure::Argument("no such benchmark", name));
        }
    }
    let _alone = ALONE.lock().map_err(|error| Failure::Plain(error.into()))?;
    // Each line is sent when it is ready: the next one may take seconds.
    let print = |line: fmt::Arguments<'_>| {
        let mut out = job.out();
        out.write_fmt(line)?;
        out.finish()
    };
    let mut reporter = Reporter::new(&print);
    if job.args.is_empty() {
        suites::run(suites::ALL, &mut reporter)?;
    }
    for name in job.args.iter() {
        suites::run(suites(name).unwrap_or_default(), &mut reporter)?;
    }
    Ok(if reporter.all_done() { Status::OK } else { Status::FAILED })
}
