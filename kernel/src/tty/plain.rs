//! Lines from a pipe or a script, as they are.
//!
//! What is taken from the line is kept until somebody has read it: a program's buffer may have no room for it yet.

use kapi::{Errno, IoBuf};

use super::far_end;
use crate::output;
use crate::sched::Mutex;

/// ^D.
const END_OF_INPUT: u8 = 0x04;
/// Bytes that are taken at a time: a line, or as much of one.
const CHUNK: usize = 256;
/// What stands before a line that a shell reads.
const PROMPT: &[u8] = b"# ";

/// What was taken and not read.
struct Plain {
    bytes: [u8; CHUNK],
    start: usize,
    end: usize,
    at_line_start: bool,
}

static PLAIN: Mutex<Plain> = Mutex::new(Plain { bytes: [0; CHUNK], start: 0, end: 0, at_line_start: true });

/// Whether what is read shows on the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Echo {
    /// A shell reads its lines: each shows behind a prompt, as if it had been typed.
    Lines,
    /// Nothing shows.
    None,
}

/// Reads a line, or the part of it that there is room for; 0 bytes at the end. All bytes are taken as they are, but ^D
/// at the start of a line, which is the end. Sleeps; `EINTR` on ^C and signals.
pub(super) fn read(buf: &mut IoBuf<'_>, echo: Echo) -> Result<usize, Errno> {
    let mut plain = PLAIN.lock()?;
    if plain.start == plain.end {
        plain.fill(echo)?;
    }
    let rest = &plain.bytes[plain.start..plain.end];
    let read = buf.put(rest)?;
    plain.start += read;
    Ok(read)
}

/// Whether a read would not wait.
pub(super) fn is_readable() -> bool {
    far_end::is_readable() || waiting() > 0
}

/// Bytes that are sure to be there.
pub(super) fn waiting() -> usize {
    PLAIN.try_lock().map_or(0, |plain| plain.end - plain.start)
}

/// The next byte, for the built-in shell, which reads whole lines; `None` at the end. As [`read`].
pub fn read_plain_byte() -> Result<Option<u8>, Errno> {
    let mut plain = PLAIN.lock()?;
    if plain.start < plain.end {
        plain.start += 1;
        return Ok(Some(plain.bytes[plain.start - 1]));
    }
    let byte = far_end::next_byte()?;
    plain.at_line_start = byte == Some(b'\n');
    Ok(byte)
}

impl Plain {
    /// Takes a line, or as much of it as there is room for; nothing at the end.
    fn fill(&mut self, echo: Echo) -> Result<(), Errno> {
        (self.start, self.end) = (0, 0);
        let begins_line = self.at_line_start;
        while self.end < CHUNK
            && let Some(byte) = far_end::next_byte()?
        {
            if byte == END_OF_INPUT && self.at_line_start {
                far_end::end();
                break;
            }
            self.bytes[self.end] = byte;
            self.end += 1;
            self.at_line_start = byte == b'\n';
            if self.at_line_start {
                break;
            }
        }
        if echo == Echo::Lines && self.end > 0 {
            if begins_line {
                output::write(PROMPT);
            }
            output::write(&self.bytes[..self.end]);
        }
        Ok(())
    }
}
