//! `hexdump`: bytes in hexadecimal, sixteen a line.

use kapi::{Errno, Whence};

use crate::env::{Env, File, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Out;
use crate::job::Job;
use crate::options::{Options, c_number};

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

/// `hexdump [-C] [-n BYTES] [-s OFFSET] [FILE...]`: the files are shown as one.
pub fn hexdump<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "Cn:s:");
    let mut form = Form::Words;
    let (mut left, mut start) = (u64::MAX, 0);
    while let Some(option) = options.take()? {
        match option {
            'C' => form = Form::Canonical,
            'n' => left = options.number()?,
            _ => start = c_number(options.value()?)?,
        }
    }
    let mut dump = Dump::new(job.out(), form, start);
    let status: Result<Status, Failure<'a>> = job.for_each_copied_input(options.operands(), |file, path| {
        let mut chunk = [0; 512];
        start = skip(job, file, start, &mut chunk).map_err(|errno| Failure::Named(path, errno))?;
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

/// Passes over up to `bytes` of what is left of `file`: by seeking where it knows its end, else by reading into
/// `chunk`. How many are then to be passed over in the next file.
fn skip<E: Env>(job: &Job<'_, E>, file: &E::File, mut bytes: u64, chunk: &mut [u8]) -> Result<u64, Errno> {
    if let (Ok(here), Ok(end)) = (file.seek(0, Whence::Current), file.seek(0, Whence::End)) {
        let passed = bytes.min(end.saturating_sub(here));
        file.seek((here + passed) as i64, Whence::Start)?;
        bytes -= passed;
    }
    // Text of /proc and devices without an end have more than they know of; other files have no more.
    while bytes > 0 {
        let want = bytes.min(chunk.len() as u64) as usize;
        match job.read(file, &mut chunk[..want])? {
            0 => break,
            read => bytes -= read as u64,
        }
    }
    Ok(bytes)
}

struct Dump<'a, E: Env> {
    out: Out<'a, E>,
    form: Form,
    line: [u8; LINE],
    len: usize,
    /// Where the first line starts in the input.
    start: u64,
    /// Where the line starts in the input.
    offset: u64,
    /// The full line before this one.
    before: Option<[u8; LINE]>,
    /// Whether a `*` stands for repeated lines already.
    starred: bool,
}

impl<'a, E: Env> Dump<'a, E> {
    const fn new(out: Out<'a, E>, form: Form, start: u64) -> Self {
        Self { out, form, line: [0; LINE], len: 0, start, offset: start, before: None, starred: false }
    }

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
        if self.offset > self.start {
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
    fn a_start_is_skipped_by_seeking_or_by_reading() {
        let world = World::new();
        world.put("/f", "0123456789abcdef");
        world.put("/g", "GHI");
        let tail = "0000000d  64 65 66                                          |def|\n00000010\n";
        assert_eq!(world.run("hexdump -C -s 13 /f").out, tail);
        assert_eq!(world.bytes_read.swap(0, std::sync::atomic::Ordering::Relaxed), 3, "what is skipped is not read");
        assert_eq!(world.run("cat /f | hexdump -C -s 0xd").out, tail);
        assert_eq!(world.run("hexdump -C -s 015 < /f").out, tail);
        assert_eq!(world.run("hexdump -s 14 -n 3 /f /g").out, "000000e 6665 0047\n0000011\n");
        assert_eq!(world.run("hexdump -s 17 /f /g").out, "0000011 4948\n0000013\n");
        assert_eq!(world.run("hexdump -s 1k -n 2 /dev/zero").out, "0000400 0000\n0000402\n");
        for line in ["hexdump -s 16 /f", "hexdump -s 20 /f /g", "cat /f | hexdump -s 100"] {
            let ran = world.run(line);
            assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status), ("", "", 0), "{line}");
        }
        assert_eq!(world.run("hexdump -s 08 /f").err, "hexdump: invalid number: '08'\n");
    }

    #[test]
    fn nothing_is_shown_of_nothing() {
        assert_eq!(World::new().run("hexdump -C /dev/null").out, "");
    }
}
