//! `picture`: has whoever watches from outside take a picture of the memory.

use shell::{Env, Failure, Job, Outcome, Status};

use crate::mm::outside::{self, NotMarked};

/// What `help picture` tells.
pub const MANUAL: &str = "\
Marks this moment: whoever watches (make watch) takes a picture of every page
frame, which make picture finds in the recording by this name. The machine stands
still meanwhile. Names are letters, digits, '.', '-' and '_', 64 at most.";

/// `picture NAME`.
pub fn picture<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(1)?;
    let name = job.args.get(0).ok_or(Failure::Usage("missing name"))?;
    match outside::mark(name) {
        Ok(()) => Ok(Status::OK),
        Err(NotMarked::BadName) => Err(Failure::Argument("no name for a picture", name)),
        Err(NotMarked::NoWatcher) => {
            job.say(format_args!("picture: nobody watches: make watch does\n"));
            Ok(Status::FAILED)
        }
    }
}
