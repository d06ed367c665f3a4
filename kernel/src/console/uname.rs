//! `uname`: what system this is.

use shell::io::Lines;
use shell::options::Options;
use shell::text::Text;
use shell::{Env, Failure, Job, Outcome, Status};

use crate::version;

/// Where the machine's name is, on a line.
const HOSTNAME: &str = "/etc/hostname";
/// What is shown where it is not.
const NAMELESS: &str = "(none)";
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
    let mut node = Text::<64>::new();
    if wanted[1] {
        read_hostname(job, &mut node)?;
    }
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

/// The first line of the file, as far as it fits and is text.
fn read_hostname<'a, E: Env>(job: &Job<'a, E>, name: &mut Text<64>) -> Result<(), Failure<'a>> {
    if let Ok(file) = job.open(HOSTNAME) {
        let mut lines = Lines::<E>::new(&file);
        let line = lines.next(job.env).map_err(|errno| Failure::Named(HOSTNAME, errno))?;
        name.set(line.unwrap_or_default().trim_ascii());
    }
    if name.as_str().is_empty() || name.as_str().contains(char::is_control) {
        name.set(NAMELESS.as_bytes());
    }
    Ok(())
}
