//! Parts of a text, lines say, in order: sorting that ^C ends.

use core::cmp::Ordering;

use kapi::Errno;

use crate::env::Env;
use crate::io::{Store, go_on};

/// Where each part of a text starts, four bytes each.
pub struct Order<E: Env> {
    starts: Store<E>,
}

/// A part: where it starts.
type Entry = [u8; 4];

fn start(entry: Entry) -> usize {
    u32::from_le_bytes(entry) as usize
}

impl<E: Env> Order<E> {
    /// The parts of `text`, each with `end` behind it, as they stand there. `ENOMEM`, `EINTR`, and `EFBIG` for a text
    /// of 4 GiB.
    pub fn of(env: &E, text: &[u8], end: u8) -> Result<Self, Errno> {
        let mut starts = Store::new();
        let mut at = 0;
        for part in text.split_inclusive(|byte| *byte == end) {
            go_on(env)?;
            let start = u32::try_from(at).map_err(|_| Errno::EFBIG)?;
            starts.push(env, &start.to_le_bytes())?;
            at += part.len();
        }
        Ok(Self { starts })
    }

    /// Where the parts start, in order.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        self.starts.bytes().as_chunks().0.iter().map(|entry| start(*entry))
    }

    /// Sorts the parts by what `compare` says of where two of them start; equal ones keep their order. `EINTR`.
    ///
    /// A heap sort (Williams 1964): it needs no memory, it never takes long without looking for ^C, and an interrupted
    /// one leaves all parts there.
    pub fn sort(&mut self, env: &E, compare: impl Fn(usize, usize) -> Ordering) -> Result<(), Errno> {
        let (entries, _) = self.starts.bytes_mut().as_chunks_mut::<4>();
        let is_after = |a: Entry, b: Entry| {
            let (a, b) = (start(a), start(b));
            compare(a, b).then(a.cmp(&b)).is_gt()
        };
        for root in (0..entries.len() / 2).rev() {
            go_on(env)?;
            sift(entries, root, is_after);
        }
        for end in (1..entries.len()).rev() {
            go_on(env)?;
            entries.swap(0, end);
            sift(&mut entries[..end], 0, is_after);
        }
        Ok(())
    }
}

/// Moves the entry at `root` down until none below it comes after it.
fn sift(heap: &mut [Entry], mut root: usize, is_after: impl Fn(Entry, Entry) -> bool) {
    loop {
        let mut child = 2 * root + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && is_after(heap[child + 1], heap[child]) {
            child += 1;
        }
        if !is_after(heap[child], heap[root]) {
            return;
        }
        heap.swap(root, child);
        root = child;
    }
}
