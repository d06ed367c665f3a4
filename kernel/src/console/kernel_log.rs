//! `dmesg`: shows the kernel log.

use shell::options::Options;
use shell::{Env, Job, Outcome, Status};

use crate::log::{self, Message, Stamp};

/// What `help` says.
pub const ABOUT: &str = "shows the kernel log; -t: without times, -c: and clears it, -C: only clears it";

/// What a line starts with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Stamped,
    Bare,
}

/// What becomes of the messages for the next `dmesg`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    Kept,
    Cleared,
}

/// `dmesg [-t] [-c|-C]`, as util-linux has them.
pub fn dmesg<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "tcC");
    let (mut form, mut afterwards, mut position) = (Form::Stamped, Afterwards::Kept, log::since_cleared());
    while let Some(option) = options.take()? {
        match option {
            't' => form = Form::Bare,
            'c' => afterwards = Afterwards::Cleared,
            _ => (position, afterwards) = (log::end(), Afterwards::Cleared),
        }
    }
    options.no_operands()?;
    let (mut out, mut message) = (job.out(), Message::new());
    while let Some(next) = log::read(position, &mut message) {
        for line in log::lines(message.text()) {
            if form == Form::Stamped {
                write!(out, "{}", Stamp::of(message.time))?;
            }
            out.line(line)?;
        }
        position = next;
    }
    out.finish()?;
    // Only what was shown; a message that has come since waits for the next time.
    if afterwards == Afterwards::Cleared {
        log::clear(position);
    }
    Ok(Status::OK)
}
