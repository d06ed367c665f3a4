//! Reading and writing for commands: whole writes, messages, lines, a store.

use core::fmt;

use kapi::Errno;

use crate::env::{Env, File, Status, Stream};
use crate::failure::Failure;
use crate::text::Text;

/// Bytes that a command copies at a time.
pub const CHUNK: usize = 4096;

/// `EINTR` after ^C. Whatever may take long asks, so that ^C ends even a command that never has to wait.
pub fn go_on<E: Env>(env: &E) -> Result<(), Errno> {
    if env.interrupted() { Err(Errno::EINTR) } else { Ok(()) }
}

/// Reads from `file`; `EINTR` after ^C.
pub fn read<E: Env>(env: &E, file: &E::File, bytes: &mut [u8]) -> Result<usize, Errno> {
    go_on(env)?;
    file.read(bytes)
}

/// Writes all of `bytes`, however little the file takes at a time. ^C ends it.
pub fn write_all<E: Env>(env: &E, file: &E::File, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        go_on(env)?;
        match file.write(bytes)? {
            0 => return Err(Errno::EIO),
            done => bytes = &bytes[done.min(bytes.len())..],
        }
    }
    Ok(())
}

/// Writes to standard error, ^C or not: in one piece what fits into half a kilobyte, and longer messages in several. An
/// error of this write is dropped: there is no other stream to report it on.
pub fn say<E: Env>(env: &E, message: fmt::Arguments<'_>) {
    let mut pieces = Pieces { env, text: Text::new() };
    // Writing to it does not fail.
    let _ = fmt::Write::write_fmt(&mut pieces, message);
    pieces.send();
}

/// A message on its way to standard error.
struct Pieces<'a, E: Env> {
    env: &'a E,
    text: Text<512>,
}

impl<E: Env> Pieces<'_, E> {
    fn send(&mut self) {
        let mut rest = self.text.as_bytes();
        while let Ok(done @ 1..) = self.env.stream(Stream::Error).write(rest) {
            rest = rest.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
        }
        self.text.clear();
    }
}

impl<E: Env> fmt::Write for Pieces<'_, E> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if self.text.room() == 0 {
                self.send();
            }
            let (now, later) = rest.split_at(rest.len().min(self.text.room()));
            // There is room for it.
            let _ = self.text.push(now);
            rest = later;
        }
        Ok(())
    }
}

/// Says on standard error why the command `name` failed, unless that ends it silently; returns the status that follows.
pub fn complain<E: Env>(env: &E, name: &str, failure: &Failure<'_>, trouble: Status) -> Status {
    if let Some(status) = failure.silent() {
        return status;
    }
    say(env, format_args!("{name}: {failure}\n"));
    trouble
}

/// Output through a buffer of half a kilobyte. What is left at the end must be sent with [`finish`](Self::finish).
pub struct Out<'a, E: Env> {
    env: &'a E,
    file: &'a E::File,
    bytes: [u8; 512],
    len: usize,
    error: Option<Errno>,
}

impl<'a, E: Env> Out<'a, E> {
    /// A buffer in front of `file`.
    pub fn new(env: &'a E, file: &'a E::File) -> Self {
        Self { env, file, bytes: [0; 512], len: 0, error: None }
    }

    /// Writes `bytes`.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Failure<'static>> {
        for part in bytes.chunks(self.bytes.len()) {
            if self.len + part.len() > self.bytes.len() {
                self.flush()?;
            }
            self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
            self.len += part.len();
        }
        Ok(())
    }

    /// Writes `byte` `count` times.
    pub fn fill(&mut self, byte: u8, mut count: u64) -> Result<(), Failure<'static>> {
        let bytes = [byte; 64];
        while count > 0 {
            let part = count.min(bytes.len() as u64);
            self.put(&bytes[..part as usize])?;
            count -= part;
        }
        Ok(())
    }

    /// Writes `line` and a newline.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Failure<'static>> {
        self.put(line)?;
        self.put(b"\n")
    }

    /// Writes formatted text: what `write!` calls.
    pub fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> Result<(), Failure<'static>> {
        // The only error of formatting here is the one that `write_str` keeps.
        let _ = fmt::Write::write_fmt(self, arguments);
        self.error.map_or(Ok(()), |errno| Err(Failure::Output(errno)))
    }

    /// Sends what is in the buffer.
    pub fn flush(&mut self) -> Result<(), Failure<'static>> {
        let len = core::mem::take(&mut self.len);
        write_all(self.env, self.file, &self.bytes[..len]).map_err(Failure::Output)
    }

    /// Sends what is left.
    pub fn finish(mut self) -> Result<(), Failure<'static>> {
        self.flush()
    }
}

impl<E: Env> fmt::Write for Out<'_, E> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes()).map_err(|failure| {
            self.error = failure.errno();
            fmt::Error
        })
    }
}

/// Bytes that a command must remember: memory that doubles as it fills.
pub struct Store<E: Env> {
    block: Option<E::Block>,
    len: usize,
}

impl<E: Env> Store<E> {
    /// Nothing yet, and no memory taken.
    pub const fn new() -> Self {
        Self { block: None, len: 0 }
    }

    /// What is stored.
    pub fn bytes(&self) -> &[u8] {
        self.block.as_ref().map_or(&[], |block| &block.as_ref()[..self.len])
    }

    /// What is stored, to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        self.block.as_mut().map_or(&mut [], |block| &mut block.as_mut()[..len])
    }

    /// Forgets what is stored and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets the first `count` bytes, or all when there are fewer.
    pub fn drop_front(&mut self, count: usize) {
        let count = count.min(self.len);
        self.bytes_mut().copy_within(count.., 0);
        self.len -= count;
    }

    /// Appends `bytes`. On `ENOMEM` the store is as it was.
    pub fn push(&mut self, env: &E, bytes: &[u8]) -> Result<(), Errno> {
        let len = self.len + bytes.len();
        let capacity = self.block.as_ref().map_or(0, |block| block.as_ref().len());
        if len > capacity {
            let mut larger = env.block(len.max(capacity * 2).max(512))?;
            larger.as_mut()[..self.len].copy_from_slice(self.bytes());
            self.block = Some(larger);
        }
        if let Some(block) = &mut self.block {
            block.as_mut()[self.len..len].copy_from_slice(bytes);
            self.len = len;
        }
        Ok(())
    }
}

impl<E: Env> Default for Store<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// The lines of a file. A line of up to 1 KiB takes no memory, a longer one as much as it is long.
pub struct Lines<'f, E: Env> {
    file: &'f E::File,
    chunk: [u8; 1024],
    /// Bytes of the chunk that the lines returned so far have used up.
    start: usize,
    end: usize,
    long: Store<E>,
}

impl<'f, E: Env> Lines<'f, E> {
    /// The lines of `file` from its position on.
    pub const fn new(file: &'f E::File) -> Self {
        Self { file, chunk: [0; 1024], start: 0, end: 0, long: Store::new() }
    }

    /// The next line without its newline; `None` after the last one. The last line need not end in a newline.
    pub fn next(&mut self, env: &E) -> Result<Option<&[u8]>, Errno> {
        self.long.clear();
        loop {
            let waiting = &self.chunk[self.start..self.end];
            if let Some(len) = waiting.iter().position(|&byte| byte == b'\n') {
                let from = self.start;
                self.start += len + 1;
                return self.assembled(env, from..from + len).map(Some);
            }
            if !self.fill(env)? {
                let rest = self.start..self.end;
                self.start = self.end;
                let nothing = rest.is_empty() && self.long.bytes().is_empty();
                return if nothing { Ok(None) } else { self.assembled(env, rest).map(Some) };
            }
        }
    }

    /// Reads on behind the bytes that wait for their newline; false at the end of the file.
    fn fill(&mut self, env: &E) -> Result<bool, Errno> {
        if self.start > 0 {
            self.chunk.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.chunk.len() {
            self.long.push(env, &self.chunk)?;
            self.end = 0;
        }
        let count = read(env, self.file, &mut self.chunk[self.end..])?;
        self.end += count;
        Ok(count > 0)
    }

    /// The line whose last part is `range` of the chunk.
    fn assembled(&mut self, env: &E, range: core::ops::Range<usize>) -> Result<&[u8], Errno> {
        if self.long.bytes().is_empty() {
            return Ok(&self.chunk[range]);
        }
        self.long.push(env, &self.chunk[range])?;
        Ok(self.long.bytes())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn lines_longer_than_the_chunk_are_put_together() {
        let world = World::new();
        let long = "x".repeat(3000);
        world.put("/long", &std::format!("a\n{long}\nb"));
        assert_eq!(world.run("grep x /long").out, std::format!("{long}\n"));
        assert_eq!(world.run("grep -c '' /long").out, "3\n");
    }

    #[test]
    fn long_messages_come_whole() {
        let name = ["/", &"n".repeat(900)].concat();
        let err = World::new().run(&std::format!("cat {name}")).err;
        assert_eq!(err, std::format!("cat: {name}: No such file or directory\n"));
    }

    #[test]
    fn a_long_line_without_memory_is_an_error_and_a_short_one_is_not() {
        let world = World::new();
        world.put("/long", &"x".repeat(3000));
        world.put("/short", "x\n");
        world.limit_memory(0);
        let failed = world.run("grep x /long");
        assert_eq!((failed.err.as_str(), failed.status), ("grep: /long: Cannot allocate memory\n", 2));
        assert_eq!(world.run("grep x /short").out, "x\n");
    }
}
