//! `syslog`: the kernel's log, as `dmesg` of programs reads it.

use core::fmt::{self, Write};

use kapi::Errno;
use mm::VirtAddr;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::log::{self, Message, Position, Stamp};
use crate::user;

pub(super) const CALLS: &[Entry] = calls![syslog(Count, Address, Count)];

/// What is asked for.
const CLOSE: u32 = 0;
const OPEN: u32 = 1;
const READ_ALL: u32 = 3;
const READ_AND_CLEAR: u32 = 4;
const CLEAR: u32 = 5;
const CONSOLE_OFF: u32 = 6;
const CONSOLE_ON: u32 = 7;
const CONSOLE_LEVEL: u32 = 8;
const SIZE_UNREAD: u32 = 9;
const SIZE: u32 = 10;

/// Of what weight all messages are told to be: something to know.
const LEVEL: &str = "<6>";

fn syslog(call: &mut Call<'_>) -> Outcome {
    if matches!(call.word(0), READ_AND_CLEAR | CLEAR | CONSOLE_OFF | CONSOLE_ON | CONSOLE_LEVEL) {
        call.check_root()?;
    }
    match call.word(0) {
        CLOSE | OPEN | CONSOLE_OFF | CONSOLE_ON | CONSOLE_LEVEL => Ok(0),
        SIZE_UNREAD => Ok(0),
        SIZE => Ok(log::CAPACITY),
        CLEAR => {
            log::clear(log::end());
            Ok(0)
        }
        READ_ALL => tell(call).map(|(told, _)| told),
        READ_AND_CLEAR => {
            let (told, end) = tell(call)?;
            log::clear(end);
            Ok(told)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Tells the last messages, as many as fit; returns their bytes, and where the log ended.
fn tell(call: &Call<'_>) -> Result<(usize, Position), Errno> {
    let at = call.optional(1).ok_or(Errno::EINVAL)?;
    let room = usize::try_from(call.int(2)).map_err(|_| Errno::EINVAL)?;
    let mut message = Message::new();
    // How much there is, and so what is left out.
    let (mut position, mut bytes) = (log::since_cleared(), 0);
    while let Some(next) = log::read(position, &mut message) {
        bytes += length(&message);
        position = next;
    }
    let end = position;
    let mut out = Program { at, told: 0, room };
    position = log::since_cleared();
    while let Some(next) = log::read(position, &mut message) {
        if bytes <= room {
            write(&mut out, &message).map_err(|_| Errno::EFAULT)?;
        } else {
            bytes -= length(&message);
        }
        position = next;
    }
    Ok((out.told, end))
}

/// Bytes of a message as it is told.
fn length(message: &Message) -> usize {
    let mut counter = Counter(0);
    // It takes everything.
    let _: fmt::Result = write(&mut counter, message);
    counter.0
}

/// Each line with its weight and its time.
fn write(out: &mut dyn Write, message: &Message) -> fmt::Result {
    log::lines(message.text()).try_for_each(|line| {
        let text = fmt::from_fn(|f| line.utf8_chunks().try_for_each(|chunk| f.write_str(chunk.valid())));
        writeln!(out, "{LEVEL}{}{text}", Stamp::of(message.time))
    })
}

struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// The program's buffer. What has come to the log meanwhile and does not fit is left out.
struct Program {
    at: VirtAddr,
    told: usize,
    room: usize,
}

impl Write for Program {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.len().min(self.room - self.told);
        user::copy_to(self.at.add(self.told), &text.as_bytes()[..fits]).map_err(|_| fmt::Error)?;
        self.told += fits;
        Ok(())
    }
}
