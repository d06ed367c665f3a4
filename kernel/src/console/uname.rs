//! `uname`: what system this is.

use shell::options::Options;
use shell::{Env, Job, Outcome, Status};

use crate::{hostname, version};

/// The options, in the order in which their texts are shown.
const ORDER: &str = "snrvm";

/// `uname [-a] [-s] [-n] [-r] [-v] [-m]`, as POSIX has it.
pub fn uname<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "asnrvm");
    let mut wanted = [false; ORDER.len()];
    while let Some(option) = options.take()? {
        for (wanted, letter) in wanted.iter_mut().zip(ORDER.chars()) {
            *wanted |= option == 'a' || option == letter;
        }
    }
    options.no_operands()?;
    if !wanted.contains(&true) {
        wanted[0] = true;
    }
    let node = hostname::get();
    let texts = [version::NAME, node.as_str(), version::RELEASE, version::KIND, version::MACHINE];
    let (mut out, mut separator) = (job.out(), "");
    for (text, _) in texts.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        write!(out, "{separator}{text}")?;
        separator = " ";
    }
    out.put(b"\n")?;
    out.finish()?;
    Ok(Status::OK)
}
