//! Bytes from one file into another, not by way of the program.

use kapi::{Errno, IoBuf, OpenFlags, Whence};
use mm::{Buffer, GfpFlags, Order, VirtAddr};

use super::call::{Call, Outcome, result};
use super::entry::{Entry, calls};
use super::io::check;
use crate::fs::{Kind, OpenFile};
use crate::mm::PageBlock;
use crate::user;

pub(super) const CALLS: &[Entry] =
    calls![sendfile(Fd, Fd, Address, Count), copy_file_range(Fd, Address, Fd, Address, Count, Flags)];

/// Most bytes of a call, as on Linux.
const MAX_BYTES: usize = 0x7fff_f000;
/// Pages that are copied at a time, if they are to be had, as an order.
const PIECE: Order = Order::new(4).unwrap();

fn sendfile(call: &mut Call<'_>) -> Outcome {
    let (to, from) = (call.file(0)?, call.file(1)?);
    check(&from, OpenFlags::READ)?;
    check(&to, OpenFlags::WRITE)?;
    let source = Side::new(&from, call.optional(2))?;
    if to.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL);
    }
    let outcome = copy(source, Side { file: &to, offset: None }, call.arg(3));
    call.broken_pipe(outcome)
}

fn copy_file_range(call: &mut Call<'_>) -> Outcome {
    let (from, to) = (call.file(0)?, call.file(2)?);
    if call.word(5) != 0 {
        return Err(Errno::EINVAL);
    }
    for file in [&from, &to] {
        match file.stat()?.kind() {
            Kind::File => {}
            Kind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
    }
    check(&from, OpenFlags::READ)?;
    check(&to, OpenFlags::WRITE)?;
    if to.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EBADF);
    }
    copy(Side::new(&from, call.optional(1))?, Side::new(&to, call.optional(3))?, call.arg(4))
}

/// A file, and where in it the copy goes on.
struct Side<'a> {
    file: &'a OpenFile,
    /// At this position, which the program keeps at this address; `None` is the file's own.
    offset: Option<(VirtAddr, u64)>,
}

impl<'a> Side<'a> {
    /// `at` is where the program keeps a position, if it does. `EINVAL` for a negative one or a stream's own, `ESPIPE`
    /// for one of a stream, `EFAULT`.
    fn new(file: &'a OpenFile, at: Option<VirtAddr>) -> Result<Self, Errno> {
        let offset = match at {
            None if file.file().is_stream() => return Err(Errno::EINVAL),
            None => None,
            Some(_) if file.file().is_stream() => return Err(Errno::ESPIPE),
            Some(at) => {
                let position: i64 = user::read_value(at)?;
                Some((at, u64::try_from(position).map_err(|_| Errno::EINVAL)?))
            }
        };
        Ok(Self { file, offset })
    }

    /// Where the next bytes come from.
    fn position(&self) -> Result<u64, Errno> {
        match self.offset {
            Some((_, position)) => Ok(position),
            None => self.file.llseek(0, Whence::Current),
        }
    }

    /// Bytes were read from here: the file's own position goes behind them.
    fn advance(&mut self, bytes: usize) -> Result<(), Errno> {
        match &mut self.offset {
            Some((_, position)) => *position += bytes as u64,
            None => {
                self.file.llseek(bytes as i64, Whence::Current)?;
            }
        }
        Ok(())
    }

    /// Writes here.
    fn write(&mut self, buf: &mut IoBuf<'_>) -> Outcome {
        match &mut self.offset {
            None => self.file.write(buf),
            Some((_, position)) => {
                let written = self.file.write_at(*position, buf)?;
                *position += written as u64;
                Ok(written)
            }
        }
    }

    /// Tells the program the position that it keeps.
    fn store(&self) -> Result<(), Errno> {
        self.offset.map_or(Ok(()), |(at, position)| user::write_value(at, position as i64))
    }
}

/// Copies up to `count` bytes; an error counts only if nothing went through before it.
fn copy(mut from: Side<'_>, mut to: Side<'_>, count: usize) -> Outcome {
    let count = count.min(MAX_BYTES);
    let mut block =
        PageBlock::new(PIECE, GfpFlags::KERNEL).or_else(|_| PageBlock::new(Order::ZERO, GfpFlags::KERNEL))?;
    let mut done = 0;
    while done < count {
        match copy_piece(&mut from, &mut to, block.bytes_mut(), count - done) {
            Ok(0) => break,
            Ok(copied) => done += copied,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    from.store()?;
    to.store()?;
    result(done)
}

/// Copies as much as fits into `bytes`. What was read and is not taken is read again the next time.
fn copy_piece(from: &mut Side<'_>, to: &mut Side<'_>, bytes: &mut [u8], count: usize) -> Outcome {
    let room = bytes.len().min(count);
    let read = from.file.read_at(from.position()?, &mut IoBuf::fill(&mut bytes[..room]))?;
    let mut buf = IoBuf::take(&bytes[..read]);
    let outcome = write_all(to, &mut buf);
    from.advance(buf.done())?;
    if buf.done() > 0 { Ok(buf.done()) } else { outcome }
}

/// Writes until all is taken: a device may take less at a time, such as a quantum.
fn write_all(to: &mut Side<'_>, buf: &mut IoBuf<'_>) -> Outcome {
    while buf.remaining() > 0 {
        if to.write(buf)? == 0 {
            break;
        }
    }
    Ok(buf.done())
}
