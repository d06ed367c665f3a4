//! `bench`: what the allocators' calls cost, here and now.
//!
//! A line a row, `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS`: ticks of the time-stamp counter for one operation, over
//! ROUNDS rounds of OPS operations (fewer rounds where they take long). A pair of one allocation and its free counts as
//! one operation; of a batch, the allocating and the freeing half are told apart. Under icount a tick is an instruction.
//! The names are those of the Linux module in bench/linux, so that the two can be laid side by side.
//!
//! [`probe`] has the loops that are timed, [`calls`] the calls in them, [`suites`] the list of rows, [`interrupt`] runs
//! probes in interrupt context, [`report`] does the statistics.
#![forbid(unsafe_code)]

mod calls;
mod interrupt;
mod probe;
mod report;
mod suites;

use shell::{Failure, Job, Outcome, Status};

use crate::console::process::Process;
use crate::sync::Mutex;
use report::Reporter;

/// One run at a time: the numbers would be of no use otherwise.
static ALONE: Mutex<()> = Mutex::new(());

/// `bench [SUITE...]`: without names, all suites.
pub fn run<'a>(job: &Job<'a, Process>) -> Outcome<'a> {
    let suites = |name| if name == "all" { Some(suites::ALL) } else { suites::named(name) };
    for name in job.args.iter() {
        if suites(name).is_none() {
            return Err(Failure::Argument("no such benchmark", name));
        }
    }
    let _alone = ALONE.lock().map_err(|error| Failure::Plain(error.into()))?;
    let mut reporter = Reporter::new(job);
    if job.args.is_empty() {
        reporter.run(suites::ALL)?;
    }
    for name in job.args.iter() {
        reporter.run(suites(name).unwrap_or_default())?;
    }
    Ok(if reporter.all_done() { Status::OK } else { Status::FAILED })
}
