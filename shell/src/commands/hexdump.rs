//! `hexdump`: bytes in hexadecimal, sixteen a line.

use kapi::Errno;

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Out;
use crate::job::Job;
use crate::options::Options;

/// Bytes in a line.
const LINE: usize = 16;

/// How a line looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Two-byte numbers, low byte first.
    Words,
    /// Bytes, and the characters that they stand for.
    Canonical,
}

/// `hexdump [-C] [-n BYTES] [FILE...]`: the files are shown as one.
pub fn hexdump<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "Cn:");
    let mut form = Form::Words;
    let mut left = u64::MAX;
    while let Some(option) = options.take()? {
        match option {
            'C' => form = Form::Canonical,
            _ => left = options.number()?,
        }
    }
    let mut dump = Dump { out: job.out(), form, line: [0; LINE], len: 0, offset: 0, before: None, starred: false };
    let status: Result<Status, Failure<'a>> = job.for_each_copied_input(options.operands(), |file, path| {
        let mut chunk = [0; 512];
        while left > 0 {
            let want = left.min(chunk.len() as u64) as usize;
            let read = job.read(file, &mut chunk[..want]).map_err(|errno: Errno| Failure::Named(path, errno))?;
            if read == 0 {
                break;
            }
            left -= read as u64;
            dump.feed(&chunk[..read])?;
        }
        Ok(())
    });
    let status = status?;
    dump.end()?;
    Ok(status)
}

struct Dump<'a, E: Env> {
    out: Out<'a, E>,
    form: Form,
    line: [u8; LINE],
    len: usize,
    /// Where the line starts in the input.
    offset: u64,
    /// The full line before this one.
    before: Option<[u8; LINE]>,
    /// Whether a `*` stands for repeated lines already.
    starred: bool,
}

impl<E: Env> Dump<'_, E> {
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Failure<'static>> {
        while !bytes.is_empty() {
            let take = bytes.len().min(LINE - self.len);
            self.line[self.len..self.len + take].copy_from_slice(&bytes[..take]);
            self.len += take;
            bytes = &bytes[take..];
            if self.len == LINE {
                self.full_line()?;
            }
        }
        Ok(())
    }

    /// Prints a full line, or one `*` for all lines that repeat the one before.
    fn full_line(&mut self) -> Result<(), Failure<'static>> {
        if self.before == Some(self.line) {
            if !self.starred {
                self.out.put(b"*\n")?;
            }
            self.starred = true;
        } else {
            self.print_line()?;
            self.starred = false;
        }
        self.before = Some(self.line);
        self.offset += LINE as u64;
        self.len = 0;
        Ok(())
    }

    fn print_line(&mut self) -> Result<(), Failure<'static>> {
        self.print_offset()?;
        match self.form {
            Form::Words => self.print_words()?,
            Form::Canonical => self.print_bytes()?,
        }
        self.out.put(b"\n")
    }

    fn print_offset(&mut self) -> Result<(), Failure<'static>> {
        match self.form {
            Form::Words => write!(self.out, "{:07x}", self.offset),
            Form::Canonical => write!(self.out, "{:08x}", self.offset),
        }
    }

    fn print_words(&mut self) -> Result<(), Failure<'static>> {
        for pair in self.line[..self.len].chunks(2) {
            let word = u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
            write!(self.out, " {word:04x}")?;
        }
        Ok(())
    }

    fn print_bytes(&mut self) -> Result<(), Failure<'static>> {
        for index in 0..LINE {
            let gap = if index % 8 == 0 { "  " } else { " " };
            match self.line[..self.len].get(index) {
                Some(byte) => write!(self.out, "{gap}{byte:02x}")?,
                None => write!(self.out, "{gap}  ")?,
            }
        }
        self.out.put(b"  |")?;
        for &byte in &self.line[..self.len] {
            let shown = if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'.' };
            self.out.put(&[shown])?;
        }
        self.out.put(b"|")
    }

    /// Prints the last, partial line and the length.
    fn end(mut self) -> Result<(), Failure<'static>> {
        if self.len > 0 {
            self.print_line()?;
            self.offset += self.len as u64;
        }
        if self.offset > 0 {
            self.print_offset()?;
            self.out.put(b"\n")?;
        }
        self.out.finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn bytes_and_characters_are_shown() {
        let world = World::new();
        assert_eq!(
            world.run_with("hexdump -C", b"0123456789abcdef\x00\xffA").out,
            "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n\
             00000010  00 ff 41                                          |..A|\n\
             00000013\n"
        );
    }

    #[test]
    fn words_are_shown_low_byte_first() {
        assert_eq!(World::new().run_with("hexdump", b"abc").out, "0000000 6261 0063\n0000003\n");
    }

    #[test]
    fn repeated_lines_become_a_star() {
        let out = World::new().run("hexdump -C -n 64 /dev/zero").out;
        assert_eq!(out.lines().nth(1), Some("*"));
        assert_eq!(out.lines().nth(2), Some("00000040"));
        assert_eq!(out.lines().count(), 3);
    }

    #[test]
    fn nothing_is_shown_of_nothing() {
        assert_eq!(World::new().run("hexdump -C /dev/null").out, "");
    }
}
