//! Bytes on their way to programs, in lines.
//!
//! A ring. Behind the bytes of complete lines come those of the line that is being typed, which editing may take back.
//! Two bits a byte say where a line ends, and whether the byte is only the mark of such an end, which no program sees.

/// Bytes that wait at most, as on Linux.
pub const CAPACITY: usize = 4096;
const WORDS: usize = CAPACITY / 64;

/// How many bytes were ever read: a place in the stream of input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position(usize);

/// What a read may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peek {
    /// Bytes that were copied.
    pub count: usize,
    /// Where the next read begins, if all of them are taken.
    pub next: Position,
    /// Whether a line ended with them.
    pub ends_line: bool,
}

/// One bit for each byte of the ring.
#[derive(Clone)]
struct Bits([u64; WORDS]);

/// The ring. All positions grow for ever; `read <= line <= typed`.
#[derive(Clone)]
pub struct Queue {
    bytes: [u8; CAPACITY],
    ends: Bits,
    marks: Bits,
    /// The first byte that was not read.
    read: usize,
    /// Where the line that is being typed begins.
    line: usize,
    /// Where the next byte goes.
    typed: usize,
}

impl Queue {
    /// Nothing waits.
    pub const fn new() -> Self {
        let (ends, marks) = (Bits([0; WORDS]), Bits([0; WORDS]));
        Self { bytes: [0; CAPACITY], ends, marks, read: 0, line: 0, typed: 0 }
    }

    /// Bytes in it.
    pub const fn len(&self) -> usize {
        self.typed - self.read
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.typed == self.read
    }

    /// Bytes for which there is room.
    pub const fn room(&self) -> usize {
        CAPACITY - self.len()
    }

    /// Whether a line is complete.
    pub const fn has_line(&self) -> bool {
        self.line != self.read
    }

    /// Bytes of complete lines that programs will see.
    pub fn in_lines(&self) -> usize {
        (self.read..self.line).filter(|at| !self.marks.get(*at)).count()
    }

    /// Adds a byte to the line; false without room.
    pub fn push(&mut self, byte: u8) -> bool {
        let has_room = self.room() > 0;
        if has_room {
            self.bytes[self.typed % CAPACITY] = byte;
            self.ends.set(self.typed, false);
            self.marks.set(self.typed, false);
            self.typed += 1;
        }
        has_room
    }

    /// Ends the line with `byte`; false without room.
    pub fn push_end(&mut self, byte: u8) -> bool {
        let pushed = self.push(byte);
        if pushed {
            self.ends.set(self.typed - 1, true);
            self.line = self.typed;
        }
        pushed
    }

    /// Ends the line with `byte`, which no program sees; false without room.
    pub fn push_mark(&mut self, byte: u8) -> bool {
        let pushed = self.push_end(byte);
        if pushed {
            self.marks.set(self.typed - 1, true);
        }
        pushed
    }

    /// The line that is being typed.
    pub fn line(&self) -> impl DoubleEndedIterator<Item = u8> {
        (self.line..self.typed).map(|at| self.bytes[at % CAPACITY])
    }

    /// Takes the last byte of that line back.
    pub fn pop(&mut self) -> Option<u8> {
        if self.typed == self.line {
            return None;
        }
        self.typed -= 1;
        Some(self.bytes[self.typed % CAPACITY])
    }

    /// Drops all.
    pub const fn clear(&mut self) {
        self.read = self.typed;
        self.line = self.typed;
    }

    /// From here on input has lines: what waits makes one.
    pub fn begin_lines(&mut self) {
        if !self.is_empty() {
            self.ends.set(self.typed - 1, true);
        }
        self.line = self.typed;
    }

    /// From here on input has no lines: what waits is all there to be read.
    pub const fn end_lines(&mut self) {
        self.line = self.typed;
    }

    /// Where the next read begins.
    pub const fn position(&self) -> Position {
        Position(self.read)
    }

    /// Copies of the first line what `into` has room for; nothing is taken. A line's end that no program sees is not
    /// copied, and is passed even if there is no room.
    pub fn peek_line(&self, into: &mut [u8]) -> Peek {
        let (mut at, mut count) = (self.read, 0);
        while at < self.line {
            if self.marks.get(at) {
                return Peek { count, next: Position(at + 1), ends_line: true };
            }
            let Some(place) = into.get_mut(count) else { break };
            *place = self.bytes[at % CAPACITY];
            (at, count) = (at + 1, count + 1);
            if self.ends.get(at - 1) {
                return Peek { count, next: Position(at), ends_line: true };
            }
        }
        Peek { count, next: Position(at), ends_line: false }
    }

    /// Copies of all that waits what `into` has room for; nothing is taken.
    pub fn peek_all(&self, into: &mut [u8]) -> Peek {
        let count = self.len().min(into.len());
        for (i, place) in into[..count].iter_mut().enumerate() {
            *place = self.bytes[(self.read + i) % CAPACITY];
        }
        Peek { count, next: Position(self.read + count), ends_line: false }
    }

    /// All before `position` is taken. Nothing happens if more was dropped meanwhile.
    pub fn take_up_to(&mut self, position: Position) {
        self.read = self.read.max(position.0).min(self.typed);
        self.line = self.line.max(self.read);
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

impl Position {
    /// The place `count` bytes further.
    pub const fn after(self, count: usize) -> Self {
        Self(self.0 + count)
    }
}

impl Bits {
    const fn get(&self, at: usize) -> bool {
        self.0[at % CAPACITY / 64] & 1 << (at % 64) != 0
    }

    const fn set(&mut self, at: usize, value: bool) {
        let (word, bit) = (&mut self.0[at % CAPACITY / 64], 1 << (at % 64));
        *word = if value { *word | bit } else { *word & !bit };
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Peek, Queue};

    fn push(queue: &mut Queue, text: &[u8]) {
        for byte in text {
            assert!(if *byte == b'\n' { queue.push_end(*byte) } else { queue.push(*byte) });
        }
    }

    /// Reads a line into so many bytes.
    fn read(queue: &mut Queue, room: usize) -> (std::vec::Vec<u8>, bool) {
        let mut bytes = std::vec![0; room];
        let Peek { count, next, ends_line } = queue.peek_line(&mut bytes);
        queue.take_up_to(next);
        bytes.truncate(count);
        (bytes, ends_line)
    }

    #[test]
    fn lines_come_one_by_one_and_in_parts() {
        let mut queue = Queue::new();
        push(&mut queue, b"ab\ncde\nf");
        assert_eq!((queue.has_line(), queue.in_lines()), (true, 7));
        assert_eq!(read(&mut queue, 10), (b"ab\n".to_vec(), true));
        assert_eq!(read(&mut queue, 2), (b"cd".to_vec(), false));
        assert_eq!(read(&mut queue, 2), (b"e\n".to_vec(), true));
        assert!(!queue.has_line());
        assert_eq!(read(&mut queue, 2), (b"".to_vec(), false));
    }

    #[test]
    fn a_mark_ends_a_line_and_is_not_seen() {
        let mut queue = Queue::new();
        push(&mut queue, b"ab");
        assert!(queue.push_mark(4) && queue.push_mark(4));
        // A read that the line just fills takes the mark along: the next one is at the true end.
        assert_eq!(read(&mut queue, 2), (b"ab".to_vec(), true));
        assert_eq!((queue.has_line(), queue.in_lines()), (true, 0));
        assert_eq!(read(&mut queue, 2), (b"".to_vec(), true));
        assert!(queue.is_empty());
    }

    #[test]
    fn only_the_line_that_is_typed_can_be_taken_back() {
        let mut queue = Queue::new();
        push(&mut queue, b"a\nb");
        assert_eq!((queue.pop(), queue.pop()), (Some(b'b'), None));
    }

    #[test]
    fn what_was_dropped_between_a_look_and_a_taking_stays_dropped() {
        let mut queue = Queue::new();
        push(&mut queue, b"ab\n");
        let peek = queue.peek_line(&mut [0; 2]);
        queue.clear();
        push(&mut queue, b"c\n");
        queue.take_up_to(peek.next);
        assert_eq!(read(&mut queue, 9), (b"c\n".to_vec(), true));
    }

    #[test]
    fn a_full_ring_takes_nothing_and_goes_round_for_ever() {
        let mut queue = Queue::new();
        for turn in 0..20 {
            while queue.room() > 1 {
                assert!(queue.push(turn));
            }
            assert!(queue.push_end(b'\n') && !queue.push(0));
            let (bytes, ended) = read(&mut queue, CAPACITY);
            assert!(ended && bytes.len() == CAPACITY && bytes[..CAPACITY - 1].iter().all(|byte| *byte == turn));
            push(&mut queue, b"x\n");
            assert_eq!(read(&mut queue, 5).0, b"x\n");
        }
    }

    #[test]
    fn without_lines_all_is_there_and_with_lines_again_it_is_one() {
        let mut queue = Queue::new();
        push(&mut queue, b"ab\ncd");
        queue.end_lines();
        assert_eq!(queue.peek_all(&mut [0; 9]).count, 5);
        queue.begin_lines();
        assert_eq!(read(&mut queue, 9), (b"ab\n".to_vec(), true));
        assert_eq!(read(&mut queue, 9), (b"cd".to_vec(), true));
    }
}
