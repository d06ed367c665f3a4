//! `dd`: copies in blocks, and says how many.

use core::time::Duration;

use kapi::{Errno, OpenFlags, Whence};

use crate::env::{Env, File, Status};
use crate::failure::{Failure, Outcome};
use crate::io::CHUNK;
use crate::job::Job;
use crate::options::number;

/// For `help`.
pub const ABOUT: &str = "copies a file in blocks of bs bytes";

/// Largest block, in bytes.
const MAX_BLOCK: u64 = 16 << 20;

/// What messages call an input without a name.
const STANDARD_INPUT: &str = "standard input";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Report {
    None,
    Summary,
    Progress,
}

struct Plan<'a> {
    input: Option<&'a str>,
    output: Option<&'a str>,
    block: u64,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    keep: bool,
    /// The end waits until the output is where it is kept.
    sync: bool,
    /// How input and output are opened, besides what they are for.
    input_flags: OpenFlags,
    output_flags: OpenFlags,
    report: Report,
}

impl<'a> Plan<'a> {
    fn parse<E: Env>(job: &Job<'a, E>) -> Result<Self, Failure<'a>> {
        let report = if job.env.is_terminal() { Report::Progress } else { Report::Summary };
        let (input, output, count, no_flags) = (None, None, None, OpenFlags::empty());
        let (input_flags, output_flags) = (no_flags, no_flags);
        let mut plan = Self {
            input,
            output,
            block: 512,
            count,
            skip: 0,
            seek: 0,
            keep: false,
            sync: false,
            input_flags,
            output_flags,
            report,
        };
        for word in job.args.iter() {
            match word.split_once('=') {
                Some(("if", path)) => plan.input = Some(path),
                Some(("of", path)) => plan.output = Some(path),
                Some(("bs", value)) => plan.block = number(value)?,
                Some(("count", value)) => plan.count = Some(number(value)?),
                Some(("skip", value)) => plan.skip = number(value)?,
                Some(("seek", value)) => plan.seek = number(value)?,
                Some(("conv", names)) => plan.convert(names)?,
                Some(("iflag", names)) => plan.input_flags = flags(names)?,
                Some(("oflag", names)) => plan.output_flags = flags(names)?,
                Some(("status", "none")) => plan.report = Report::None,
                Some(("status", "progress")) => plan.report = Report::Progress,
                _ => return Err(Failure::Argument("unrecognized operand", word)),
            }
        }
        if plan.block == 0 || plan.block > MAX_BLOCK {
            return Err(Failure::Usage("bs is 1 byte to 16M"));
        }
        offset(plan.skip, plan.block).and(offset(plan.seek, plan.block))?;
        Ok(plan)
    }

    /// Obeys `conv=`.
    fn convert(&mut self, names: &'a str) -> Result<(), Failure<'a>> {
        for name in names.split(',') {
            match name {
                "notrunc" => self.keep = true,
                "fsync" => self.sync = true,
                _ => return Err(Failure::Argument("invalid conversion", name)),
            }
        }
        Ok(())
    }

    /// Refuses to copy a file onto itself, before that empties it, unless it is sure to end: in place, by a count or
    /// towards the start.
    fn refuse_same_file<E: Env>(&self, job: &Job<'a, E>, input: &E::File) -> Result<(), Failure<'a>> {
        let output = match self.output {
            Some(path) => job.env.stat(path).ok().and_then(|stat| stat.id),
            None => job.output().id(),
        };
        let ends = self.count.is_some() || self.seek <= self.skip;
        let in_place = self.output.is_some() && !self.output_flags().contains(OpenFlags::TRUNCATE) && ends;
        if output.is_none() || output != input.id() || in_place {
            return Ok(());
        }
        Err(Failure::SameFile(self.input.unwrap_or(STANDARD_INPUT)))
    }

    /// How the output is opened: not write-only where what it holds must stay, since some devices are emptied by that.
    fn output_flags(&self) -> OpenFlags {
        let flags = self.output_flags | OpenFlags::WRITE | OpenFlags::CREATE;
        flags | if self.keep || self.seek > 0 { OpenFlags::READ } else { OpenFlags::TRUNCATE }
    }
}

/// What `iflag=` or `oflag=` asks for.
fn flags(names: &str) -> Result<OpenFlags, Failure<'_>> {
    names.split(',').try_fold(OpenFlags::empty(), |flags, name| match name {
        "nonblock" => Ok(flags | OpenFlags::NONBLOCK),
        "dsync" => Ok(flags | OpenFlags::DATA_SYNC),
        "sync" => Ok(flags | OpenFlags::SYNC),
        _ => Err(Failure::Argument("invalid flag", name)),
    })
}

/// Whole and partial blocks.
#[derive(Default)]
struct Records {
    whole: u64,
    partial: u64,
}

impl Records {
    fn count(&mut self, len: usize, block: usize) {
        if len == block {
            self.whole += 1;
        } else if len > 0 {
            self.partial += 1;
        }
    }
}

struct Copy<'j, 'a, E: Env> {
    job: &'j Job<'a, E>,
    plan: &'j Plan<'a>,
    input: &'j E::File,
    output: &'j E::File,
    read: Records,
    written: Records,
    bytes: u64,
    started: Duration,
    shown: Duration,
}

/// `dd [if=FILE] [of=FILE] [bs=BYTES] [count=BLOCKS] [skip=BLOCKS] [seek=BLOCKS] [conv=notrunc,fsync]`
/// `[iflag=nonblock] [oflag=nonblock,sync,dsync] [status=none|progress]`
pub fn dd<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let plan = Plan::parse(job)?;
    let input = plan
        .input
        .map(|path| job.env.open(path, plan.input_flags | OpenFlags::READ).map_err(|errno| Failure::Named(path, errno)))
        .transpose()?;
    plan.refuse_same_file(job, input.as_ref().unwrap_or(job.input()))?;
    let output = plan
        .output
        .map(|path| job.env.open(path, plan.output_flags()).map_err(|errno| Failure::Named(path, errno)))
        .transpose()?;
    let started = job.env.uptime();
    let mut copy = Copy {
        job,
        plan: &plan,
        input: input.as_ref().unwrap_or(job.input()),
        output: output.as_ref().unwrap_or(job.output()),
        read: Records::default(),
        written: Records::default(),
        bytes: 0,
        started,
        shown: started,
    };
    let result = copy.run().and_then(|()| copy.settle());
    let status = result.as_ref().map_or_else(|failure| job.complain(failure, Status::FAILED), |()| Status::OK);
    copy.summary();
    Ok(status)
}

impl<'a, E: Env> Copy<'_, 'a, E> {
    /// Copies with a buffer on the stack where that is enough, so that small blocks need no memory.
    fn run(&mut self) -> Result<(), Failure<'a>> {
        let mut small = [0; CHUNK];
        let len = self.plan.block as usize;
        if len <= small.len() {
            self.blocks(&mut small[..len])
        } else {
            let mut block = self.job.env.block(len)?;
            self.blocks(&mut block.as_mut()[..len])
        }
    }

    fn blocks(&mut self, block: &mut [u8]) -> Result<(), Failure<'a>> {
        self.skip_input(block)?;
        self.skip_output()?;
        while self.plan.count.is_none_or(|count| self.read.whole + self.read.partial < count) {
            let len = self.read(block)?;
            if len == 0 {
                break;
            }
            self.read.count(len, block.len());
            self.write(&block[..len], block.len())?;
            self.progress();
        }
        Ok(())
    }

    /// Waits until what was written is where it is kept, if that is wanted.
    fn settle(&self) -> Result<(), Failure<'a>> {
        if self.plan.sync { self.output.sync().map_err(|errno| self.output_failure(errno)) } else { Ok(()) }
    }

    /// Why the output cannot be written.
    fn output_failure(&self, errno: Errno) -> Failure<'a> {
        self.plan.output.map_or(Failure::Output(errno), |name| Failure::Named(name, errno))
    }

    fn read(&self, block: &mut [u8]) -> Result<usize, Failure<'a>> {
        let name = self.plan.input.unwrap_or(STANDARD_INPUT);
        self.job.read(self.input, block).map_err(|errno| Failure::Named(name, errno))
    }

    /// Writes a block, in as many steps as it takes, and counts what went through even when the rest fails.
    fn write(&mut self, bytes: &[u8], block: usize) -> Result<(), Failure<'a>> {
        let mut done = 0;
        let mut result = Ok(());
        while done < bytes.len() && result.is_ok() {
            match self.output.write(&bytes[done..]) {
                Ok(0) => result = Err(Errno::EIO),
                Ok(written) => done += written,
                Err(errno) => result = Err(errno),
            }
            if self.job.env.interrupted() {
                result = Err(Errno::EINTR);
            }
        }
        self.written.count(done, block);
        self.bytes += done as u64;
        result.map_err(|errno| self.output_failure(errno))
    }

    /// Skips input by seeking, or by reading where that does not work.
    fn skip_input(&self, block: &mut [u8]) -> Result<(), Failure<'a>> {
        let bytes = offset(self.plan.skip, self.plan.block)?;
        if bytes > 0 && self.input.seek(bytes, Whence::Current).is_err() {
            for _ in 0..self.plan.skip {
                if self.read(block)? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn skip_output(&self) -> Result<(), Failure<'a>> {
        let bytes = offset(self.plan.seek, self.plan.block)?;
        if bytes > 0 {
            let name = self.plan.output.unwrap_or("standard output");
            self.output.seek(bytes, Whence::Current).map_err(|errno| Failure::Named(name, errno))?;
        }
        Ok(())
    }

    /// Shows once a second how far it has come.
    fn progress(&mut self) {
        let now = self.job.env.uptime();
        if self.plan.report != Report::Progress || now - self.shown < Duration::from_secs(1) {
            return;
        }
        self.shown = now;
        let end = if self.job.env.is_terminal() { '\r' } else { '\n' };
        self.job.say(format_args!("{} bytes copied, {} s{end}", self.bytes, (now - self.started).as_secs()));
    }

    fn summary(&self) {
        if self.plan.report == Report::None {
            return;
        }
        self.job.say(format_args!(
            "{}+{} records in\n{}+{} records out\n{} bytes copied\n",
            self.read.whole, self.read.partial, self.written.whole, self.written.partial, self.bytes
        ));
    }
}

/// The bytes in `blocks`, as an offset to seek by.
fn offset<'a>(blocks: u64, block: u64) -> Result<i64, Failure<'a>> {
    let bytes = blocks.checked_mul(block).and_then(|bytes| i64::try_from(bytes).ok());
    bytes.ok_or(Failure::Usage("skip or seek is beyond the largest file"))
}

#[cfg(test)]
mod tests;
