//! Who reads a mapping in order, and how much is read ahead for them.
//!
//! As in Linux 2.4 the window doubles with each turn, up to 31 pages, and who reads here and there gets what he asked
//! for. A few readers of a mapping are told apart by where they go on; the page in the middle of a window is marked:
//! when it is read, the next window is begun.

use core::ops::Range;

/// The largest window, in pages.
pub(crate) const MAX_WINDOW: u32 = 31;
/// The first window of who reads in order.
const MIN_WINDOW: u32 = 3;
/// Readers that are told apart.
const STREAMS: usize = 4;

/// A reader.
#[derive(Clone, Copy)]
struct Stream {
    /// The first page that was not read for him.
    next: u32,
    /// Pages that were read for him last; 0: nobody.
    window: u32,
}

/// The readers of a mapping.
#[derive(Clone, Copy)]
pub(crate) struct Streams {
    streams: [Stream; STREAMS],
    /// Whose place the next newcomer gets.
    oldest: usize,
}

/// Pages to read, and which of them is marked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    pub(crate) pages: Range<u32>,
    pub(crate) mark: Option<u32>,
}

impl Streams {
    /// Nobody.
    pub(crate) const NONE: Self = Self { streams: [Stream { next: 0, window: 0 }; STREAMS], oldest: 0 };

    /// What to read where `index` is missing, of which `wanted` pages are asked for.
    pub(crate) fn miss(&mut self, index: u32, wanted: u32) -> Window {
        let wanted = wanted.clamp(1, MAX_WINDOW);
        let known = self.streams.iter().position(|stream| stream.window > 0 && stream.next == index);
        let window = match known {
            Some(at) => larger(self.streams[at].window).max(wanted),
            None if index == 0 => wanted.max(MIN_WINDOW),
            None => wanted,
        };
        let at = known.unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % STREAMS;
            self.oldest
        });
        self.advance(at, index, window)
    }

    /// What to read next where the marked page `index` is read; nothing for who is not known any more.
    pub(crate) fn go_on(&mut self, index: u32) -> Option<Window> {
        let is_his =
            |stream: &Stream| stream.window > 0 && (1..=2 * MAX_WINDOW).contains(&stream.next.wrapping_sub(index));
        let at = self.streams.iter().position(is_his)?;
        let stream = self.streams[at];
        Some(self.advance(at, stream.next, larger(stream.window)))
    }

    fn advance(&mut self, at: usize, start: u32, window: u32) -> Window {
        let next = start.saturating_add(window);
        self.streams[at] = Stream { next, window };
        Window { pages: start..next, mark: (window >= MIN_WINDOW).then_some(start + window / 2) }
    }
}

const fn larger(window: u32) -> u32 {
    let twice = window * 2 + 1;
    if twice > MAX_WINDOW { MAX_WINDOW } else { twice }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{MAX_WINDOW, Streams};

    #[test]
    fn a_window_doubles_while_pages_are_read_in_order() {
        let mut streams = Streams::NONE;
        let first = streams.miss(0, 1);
        assert_eq!((first.pages, first.mark), (0..3, Some(1)));
        let sizes: Vec<_> = [1, 6, 17, 40]
            .iter()
            .map(|&marked| streams.go_on(marked).expect("he is known").pages)
            .map(|pages| pages.end - pages.start)
            .collect();
        assert_eq!(sizes, [7, 15, 31, MAX_WINDOW]);
    }

    #[test]
    fn who_reads_here_and_there_gets_what_he_asks_for() {
        let mut streams = Streams::NONE;
        for index in [100, 7, 5000, 42, 9] {
            let window = streams.miss(index, 1);
            assert_eq!((window.pages, window.mark), (index..index + 1, None));
        }
        assert_eq!(streams.miss(300, 8).pages, 300..308);
        assert_eq!(streams.go_on(600), None);
    }

    #[test]
    fn two_readers_do_not_disturb_each_other() {
        let mut streams = Streams::NONE;
        streams.miss(1000, 1);
        streams.miss(2000, 1);
        assert_eq!(streams.miss(1001, 1).pages, 1001..1004);
        assert_eq!(streams.miss(2001, 1).pages, 2001..2004);
        assert_eq!(streams.go_on(1002).expect("he is known").pages, 1004..1011);
    }
}
