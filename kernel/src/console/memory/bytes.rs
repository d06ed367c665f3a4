//! `peek` and `poke`: the bytes of what was handed out.

use ::mm::VirtAddr;
use shell::options::{natural, of};
use shell::{Env, Failure, Job, Outcome, Status};

use super::operands::{address, bytes, locked, need, operands};
use super::show::Addr;
use crate::mm::handouts;

/// Bytes of a line.
const LINE: usize = 16;

/// Why nothing is read or written at this address.
fn out_of_reach(at: VirtAddr, word: &str) -> Result<Failure<'_>, Failure<'_>> {
    Ok(Failure::Argument(
        if handouts::is_device(at).map_err(locked)? {
            "registers of a device: to read or write one may change the device"
        } else {
            "not memory that is handed out at the prompt"
        },
        word,
    ))
}

/// `peek ADDRESS [BYTES]`: 16 of them when no number is given; fewer at the handout's end.
pub fn peek<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let [word, len] = operands(job.args)?;
    let word = need(word)?;
    let start = address(word)?;
    let len = len.map_or(Ok(LINE), bytes)?;
    let mut out = job.out();
    let mut shown = 0;
    while shown < len {
        job.go_on()?;
        let (at, mut line) = (start.add(shown), [0; LINE]);
        let wanted = LINE.min(len - shown);
        let read = handouts::read(at, &mut line[..wanted]).map_err(locked)?;
        if read == 0 {
            break;
        }
        write_line(&mut out, at, &line[..read])?;
        shown += read;
    }
    out.finish()?;
    if shown == 0 && len > 0 { Err(out_of_reach(start, word)?) } else { Ok(Status::OK) }
}

/// An address, bytes, and the characters that they stand for.
fn write_line<E: Env>(out: &mut shell::io::Out<'_, E>, at: VirtAddr, bytes: &[u8]) -> Result<(), Failure<'static>> {
    write!(out, "{} ", Addr(at))?;
    for byte in bytes {
        write!(out, " {byte:02x}")?;
    }
    write!(out, "{:1$}  |", "", 3 * (LINE - bytes.len()))?;
    for &byte in bytes {
        let shown = if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
        write!(out, "{shown}")?;
    }
    writeln!(out, "|")?;
    Ok(())
}

/// `poke ADDRESS BYTE [COUNT]`: the byte once, or as often as is said and fits.
pub fn poke<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let [word, byte, count] = operands(job.args)?;
    let word = need(word)?;
    let (start, byte) = (address(word)?, need(byte)?);
    let count = count.map_or(Ok(1), bytes)?;
    let digits = byte.strip_prefix("0x");
    let value =
        natural(digits.unwrap_or(byte), if digits.is_some() { 16 } else { 10 }).map_err(|error| of(error, byte))?;
    let value = u8::try_from(value).map_err(|_| Failure::Argument("a byte is 0 to 255", byte))?;
    let written = handouts::write(start, value, count).map_err(locked)?;
    if written == 0 && count > 0 {
        return Err(out_of_reach(start, word)?);
    }
    if written < count {
        return Err(Failure::Argument("written up to the end of what was handed out, no further", word));
    }
    Ok(Status::OK)
}
