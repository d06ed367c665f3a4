//! `irqstress`: writes to a driver from a thread and from interrupt context.
//!
//! A timer fires at each tick. Its callback runs in interrupt context and writes records with GFP_ATOMIC, never waiting
//! for the device; meanwhile a thread writes records of its own. Both write to the driver's first device, to separate
//! areas of it, so that what each wrote can be read back and checked. (Chapter: "The Flags Argument".)

use alloc::sync::Arc;
use core::fmt::{self, Write};
use core::time::Duration;

use kapi::{Errno, IoBuf, Minor, OpenDevice, OpenFlags};
use shell::options::number;
use shell::text::Text;
use shell::{Env, Failure, Job, Outcome, Status};

use super::workers::Alone;
use crate::mm::memory;
use crate::modules::{self, Pinned};
use crate::sched;
use crate::sched::Mutex;
use crate::sync::SpinLock;
use crate::time::TICK;
use crate::timer::Timer;

/// The device that is written to; what it held is lost.
const DEVICE: Minor = Minor(0);
/// Bytes of a record.
const RECORD: usize = 16;
/// Records that the thread writes over and over, one behind the other from the device's start.
const THREAD_RECORDS: u64 = 1024;
/// Records that the thread writes before it looks at the time.
const BATCH: u64 = 64;
/// Where the callback's records start, in bytes.
const IRQ_START: u64 = 1 << 20;
/// Bytes from one of the callback's records to the next: many of them need memory of their own.
const IRQ_STRIDE: u64 = 1008;
/// Records that the callback tries to write at each tick.
const PER_TICK: u64 = 8;
/// Ticks, when none are asked for.
const ROUNDS: u64 = 20;
/// Most ticks: the callback's records then fill 16 MB.
const MAX_ROUNDS: u64 = 2000;
/// What is said of any other number of them.
const BAD_ROUNDS: &str = "rounds go from 1 to 2000";
const _: () = assert!(MAX_ROUNDS == 2000, "as BAD_ROUNDS says");

/// What the callback is to do, and what it did.
struct IrqSide {
    module: Option<Arc<Pinned>>,
    ticks_left: u64,
    writes: u64,
    refused: u64,
}

static IRQ_SIDE: SpinLock<IrqSide> = SpinLock::new(IrqSide { module: None, ticks_left: 0, writes: 0, refused: 0 });
static TIMER: Timer = Timer::new(on_tick);
/// One run at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// `irqstress [MODULE...] [rounds=N]`: N is the number of ticks; without names, all modules that are attached.
pub fn run<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let _alone = ALONE.lock().map_err(|error| Failure::Plain(error.into()))?;
    let mut rounds = ROUNDS;
    for value in job.args.iter().filter_map(|word| word.strip_prefix("rounds=")) {
        rounds = number(value)?;
        if !(1..=MAX_ROUNDS).contains(&rounds) {
            return Err(Failure::Argument(BAD_ROUNDS, value));
        }
    }
    let mut status = Status::OK;
    let mut named = job.args.iter().filter(|word| !word.starts_with("rounds=")).peekable();
    if named.peek().is_none() {
        for name in modules::FAMILY.iter().map(|entry| entry.name) {
            if let Ok(module) = modules::pin(name) {
                status = worse(status, stress(job, name, module, rounds)?);
            }
        }
    }
    for name in named {
        status = match modules::pin(name) {
            Ok(module) => worse(status, stress(job, name, module, rounds)?),
            Err(errno) => job.complain(&Failure::Named(name, errno), Status::FAILED),
        };
    }
    Ok(status)
}

fn worse(before: Status, now: Status) -> Status {
    if now.is_ok() { before } else { now }
}

/// Stresses one driver and prints its line.
fn stress<'a, E: Env>(job: &Job<'a, E>, name: &'a str, module: Pinned, rounds: u64) -> Outcome<'a> {
    let named = |errno| Failure::Named(name, errno);
    let module = &Arc::try_new(module).map_err(|_| named(Errno::ENOMEM))?;
    let alone = Alone::since_now();
    let before = settled(module).map_err(named)?;
    let opened = open(job, module).map_err(named)?;
    let thread_writes = write_both(job, module, rounds).map_err(named)?;
    let (irq_writes, irq_refused) = IRQ_SIDE.with(|side| (side.writes, side.refused));
    let verified = verify(module, thread_writes, irq_writes).map_err(named)?;
    drop(opened);
    let grown = settled(module).map_err(named)?.0 - before.0;
    let leaked = if alone.holds() { Leaked::Pages(grown) } else { Leaked::Unknown };
    let mut out = job.out();
    writeln!(
        out,
        "irqstress {}: thread_writes={thread_writes} irq_writes={irq_writes} irq_refused={irq_refused} \
         verify={verified} leaked={leaked}",
        name
    )?;
    out.finish()?;
    Ok(if verified == Verified::Ok && matches!(leaked, Leaked::Pages(0) | Leaked::Unknown) {
        Status::OK
    } else {
        Status::FAILED
    })
}

/// Opens the device as a file of the command's, so that it cannot be detached meanwhile.
fn open<E: Env>(job: &Job<'_, E>, module: &Pinned) -> Result<E::File, Errno> {
    let mut path = Text::<32>::new();
    write!(path, "/dev/{}{}", module.name(), DEVICE.0).map_err(|_| Errno::ENAMETOOLONG)?;
    job.env.open(path.as_str(), OpenFlags::READ | OpenFlags::WRITE)
}

/// Page frames that are in use although all caches are empty.
struct FramesInUse(i64);

/// Empties the device and all caches, and counts what is in use then. Page tables stay once they are made.
fn settled(module: &Pinned) -> Result<FramesInUse, Errno> {
    let mut file = OpenDevice::new(DEVICE, OpenFlags::WRITE);
    module.open(&mut file)?;
    module.release(&file);
    let memory = memory();
    memory.drop_caches();
    let in_use = memory.pages().managed_pages() as i64 - memory.pages().free_pages_total() as i64;
    Ok(FramesInUse(in_use - memory.tables().count() as i64))
}

/// Lets the callback write for `rounds` ticks, and writes from this thread as long; the thread's count.
fn write_both(job: &Job<'_, impl Env>, module: &Arc<Pinned>, rounds: u64) -> Result<u64, Errno> {
    IRQ_SIDE.with(|side| *side = IrqSide { module: Some(module.clone()), ticks_left: rounds, writes: 0, refused: 0 });
    TIMER.add(TICK, 0);
    let result = write_from_thread(job, module, rounds);
    TIMER.cancel();
    IRQ_SIDE.with(|side| side.module = None);
    result
}

/// Writes until the callback is done. Every other tick it sleeps, so that the callback finds the device busy at one
/// tick and free at the next.
fn write_from_thread(job: &Job<'_, impl Env>, module: &Pinned, rounds: u64) -> Result<u64, Errno> {
    let file = OpenDevice::new(DEVICE, OpenFlags::WRITE);
    let mut writes = 0;
    let mut shown = job.env.uptime();
    loop {
        let left = IRQ_SIDE.with(|side| side.ticks_left);
        if left == 0 {
            return Ok(writes);
        }
        if job.env.interrupted() {
            return Err(Errno::EINTR);
        }
        for _ in 0..BATCH {
            let record = record(Writer::Thread, writes % THREAD_RECORDS);
            write_record(thread_position(writes), &record, |position, bytes| {
                module.write(&file, position, &mut IoBuf::take(bytes))
            })?;
            writes += 1;
        }
        if left.is_multiple_of(2) {
            sched::sleep(TICK)?;
        }
        if job.env.is_terminal() && job.env.uptime() - shown > Duration::from_secs(1) {
            shown = job.env.uptime();
            job.say(format_args!("{}: {} of {rounds} ticks\r", module.name(), rounds - left));
        }
    }
}

/// Writes records from interrupt context, and comes back at the next tick.
fn on_tick(_: usize) {
    let goes_on = IRQ_SIDE.with(|side| {
        let Some(module) = side.module.clone() else { return false };
        for _ in 0..PER_TICK {
            let record = record(Writer::Irq, side.writes);
            let result = write_record(irq_position(side.writes), &record, |position, bytes| {
                module.write_atomic(DEVICE, position, bytes)
            });
            match result {
                Ok(()) => side.writes += 1,
                Err(_) => side.refused += 1,
            }
        }
        side.ticks_left = side.ticks_left.saturating_sub(1);
        side.ticks_left > 0
    });
    if goes_on {
        TIMER.add(TICK, 0);
    }
}

/// Writes a whole record, however little `write` takes at a time.
fn write_record(
    position: u64,
    record: &[u8; RECORD],
    mut write: impl FnMut(u64, &[u8]) -> Result<usize, Errno>,
) -> Result<(), Errno> {
    let mut done = 0;
    while done < RECORD {
        match write(position + done as u64, &record[done..])? {
            0 => return Err(Errno::EIO),
            written => done += written,
        }
    }
    Ok(())
}

/// Who wrote a record.
#[derive(Clone, Copy)]
enum Writer {
    Thread,
    Irq,
}

/// The bytes of a record: no two are alike.
fn record(writer: Writer, number: u64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let tag = match writer {
        Writer::Thread => *b"thread--",
        Writer::Irq => *b"irq-----",
    };
    record[..8].copy_from_slice(&tag);
    record[8..].copy_from_slice(&number.to_le_bytes());
    record
}

const fn thread_position(number: u64) -> u64 {
    number % THREAD_RECORDS * RECORD as u64
}

const fn irq_position(number: u64) -> u64 {
    IRQ_START + number * IRQ_STRIDE
}

/// Page frames that stayed in use although the device is empty again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaked {
    /// So many.
    Pages(i64),
    /// Other commands ran meanwhile, and the frames may be theirs.
    Unknown,
}

impl fmt::Display for Leaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pages(pages) => pages.fmt(f),
            Self::Unknown => f.write_str("unknown (other commands ran)"),
        }
    }
}

/// Whether all records were as they were written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verified {
    Ok,
    Bad,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Bad => "bad",
        })
    }
}

/// Reads all records back.
fn verify(module: &Pinned, thread_writes: u64, irq_writes: u64) -> Result<Verified, Errno> {
    for number in 0..thread_writes.min(THREAD_RECORDS) {
        if !holds(module, thread_position(number), &record(Writer::Thread, number))? {
            return Ok(Verified::Bad);
        }
    }
    for number in 0..irq_writes {
        if !holds(module, irq_position(number), &record(Writer::Irq, number))? {
            return Ok(Verified::Bad);
        }
    }
    Ok(Verified::Ok)
}

/// Whether the device holds `record` at `position`.
fn holds(module: &Pinned, position: u64, record: &[u8; RECORD]) -> Result<bool, Errno> {
    let file = OpenDevice::new(DEVICE, OpenFlags::READ);
    let mut found = [0; RECORD];
    let mut done = 0;
    while done < RECORD {
        match module.read(&file, position + done as u64, &mut IoBuf::fill(&mut found[done..]))? {
            0 => return Ok(false),
            read => done += read,
        }
    }
    Ok(found == *record)
}
