//! Reads and writes, of whoever is at the other end.

use core::time::Duration;

use kapi::{Errno, Events, IoBuf};
use signals::Signal;
use terminal::{LocalModes, Patience};

use super::far_end;
use super::job_control::{self, Role};
use super::line::{self, READABLE, WRITABLE};
use super::plain::{self, Echo};
use crate::input::INPUT_ARRIVED;
use crate::output;
use crate::sched::PollTable;

/// Bytes that go through at a time.
const CHUNK: usize = 256;
/// Bytes that a terminal shows at a time: interrupts are off for so long.
const BURST: usize = 16;

/// Whether a call that would wait does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// It waits.
    Allowed,
    /// It fails with `EAGAIN`.
    Refused,
}

/// Reads what is typed: a line or a part of one, 0 bytes at ^D; without lines, what the modes say. Process context; may
/// sleep. `EINTR` on ^C and signals, `EIO` for a process in the background that nothing stops.
pub fn read(buf: &mut IoBuf<'_>, waiting: Waiting) -> Result<usize, Errno> {
    job_control::wait_for_foreground(Signal::TTIN)?;
    if buf.remaining() == 0 {
        return Ok(0);
    }
    if !is_readable() && waiting == Waiting::Refused {
        return Err(Errno::EAGAIN);
    }
    if !far_end::is_terminal() {
        let leads = job_control::owning_caller().is_ok_and(|caller| caller.role == Role::Leader);
        return plain::read(buf, if leads { Echo::Lines } else { Echo::None });
    }
    let ready = waiting == Waiting::Refused || wait_to_read(buf.remaining())?;
    if ready { take(buf) } else { Ok(0) }
}

/// Waits as long as the modes say; whether there may be something then.
fn wait_to_read(room: usize) -> Result<bool, Errno> {
    match line::patience(room) {
        Patience::Line => READABLE.wait_until_interruptible(line::may_read)?,
        Patience::Bytes(least) => READABLE.wait_until_interruptible(|| line::has(least))?,
        Patience::Limited(0) => {}
        Patience::Limited(tenths) => return Ok(READABLE.wait_timeout_interruptible(|| line::has(1), time(tenths))?),
        Patience::Between(least, tenths) => {
            READABLE.wait_until_interruptible(|| line::has(1))?;
            let mut there = line::waiting();
            while there < least && READABLE.wait_timeout_interruptible(|| line::has(there + 1), time(tenths))? {
                there = line::waiting();
            }
        }
    }
    Ok(true)
}

const fn time(tenths: u8) -> Duration {
    Duration::from_millis(tenths as u64 * 100)
}

/// Takes what is there, of lines one. Only what the caller's buffer has received is taken.
fn take(buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
    let before = buf.done();
    let mut chunk = [0; CHUNK];
    while buf.remaining() > 0 {
        let wanted = buf.remaining().min(CHUNK);
        let (start, peek) = line::peek(&mut chunk[..wanted]);
        let put = if peek.count == 0 { 0 } else { buf.put(&chunk[..peek.count])? };
        line::take_up_to(if put == peek.count { peek.next } else { start.after(put) });
        if peek.ends_line || peek.count < wanted {
            break;
        }
    }
    Ok(buf.done() - before)
}

/// Shows what a program writes: all of it. Process context; sleeps while a key has stopped the output. `EINTR` on ^C
/// and signals before the first byte.
pub fn write(buf: &mut IoBuf<'_>, waiting: Waiting) -> Result<usize, Errno> {
    if !far_end::is_terminal() {
        return write_plain(buf);
    }
    if line::modes().local.contains(LocalModes::TOSTOP) {
        job_control::wait_for_foreground(Signal::TTOU)?;
    }
    let before = buf.done();
    while buf.remaining() > 0 {
        if let Err(error) = wait_to_write(waiting) {
            if buf.done() == before {
                return Err(error);
            }
            break;
        }
        let mut chunk = [0; BURST];
        let taken = buf.get(&mut chunk)?;
        line::show(&chunk[..taken]);
    }
    Ok(buf.done() - before)
}

fn write_plain(buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
    let before = buf.done();
    let mut chunk = [0; CHUNK];
    while buf.remaining() > 0 {
        let taken = buf.get(&mut chunk)?;
        output::write(&chunk[..taken]);
    }
    Ok(buf.done() - before)
}

fn wait_to_write(waiting: Waiting) -> Result<(), Errno> {
    if line::is_stopped() && waiting == Waiting::Refused {
        return Err(Errno::EAGAIN);
    }
    Ok(WRITABLE.wait_until_interruptible(|| !line::is_stopped())?)
}

/// Shows bytes, in the modes of the terminal, whether output is stopped or not. Any context.
pub fn show(bytes: &[u8]) {
    if far_end::is_terminal() {
        bytes.chunks(BURST).for_each(line::show);
    } else {
        output::write(bytes);
    }
}

fn is_readable() -> bool {
    if far_end::is_terminal() { line::is_readable() } else { plain::is_readable() }
}

/// Bytes that a read is sure to find.
pub(super) fn waiting() -> usize {
    if far_end::is_terminal() { line::waiting() } else { plain::waiting() }
}

/// Enters the queues whose wake-up may change what [`events`] says.
pub(super) fn watch(table: &mut PollTable<'_>) {
    if far_end::is_terminal() {
        table.watch(&READABLE);
        table.watch(&WRITABLE);
    } else {
        table.watch(&INPUT_ARRIVED);
    }
}

/// What can be done at once.
pub(super) fn events() -> Events {
    let mut events = Events::empty();
    events.set(Events::READABLE, is_readable());
    events.set(Events::WRITABLE, !line::is_stopped());
    events
}
