//! The map of all frames as text: a letter for each few of them.

use core::fmt;

use super::class::Class;
use super::header::Header;
use super::walk::Walk;
use crate::addr::{PAGE_SIZE, Pfn};
use crate::page::Seen;

/// Letters of a line.
const COLUMNS: u32 = 64;
/// Frames of a line: 2 MiB, the largest block, of memory up to 512 MiB.
const LINE: u32 = 512;
/// Lines that a map has at most, about: with more memory a letter stands for more frames.
const LINES: u32 = 256;

/// Writes the map: a line for each 2 MiB, or more if there is much memory, with a letter for an eighth of an order-9
/// block, then what the letters mean and how many frames each stands for. A letter is that of the class most of its
/// frames have. A line like the one before it is left out; `*` stands for all of those.
///
/// # Errors
/// `out` has failed.
pub fn write_map(header: &Header, entry: impl Fn(Pfn) -> Option<Seen>, out: &mut dyn fmt::Write) -> fmt::Result {
    let frames = u32::try_from(header.frames).unwrap_or(u32::MAX);
    let line = frames.div_ceil(LINES).next_power_of_two().max(LINE);
    let per_letter = line / COLUMNS;
    writeln!(out, "{frames} frames, {per_letter} to a letter, {} KiB to a line", line as usize * PAGE_SIZE / 1024)?;
    let mut walk = Walk::new(header);
    let (mut totals, mut letters) = ([0_u32; Class::ALL.len()], [Class::Hole; COLUMNS as usize]);
    let (mut before, mut is_repeated) = (None, false);
    let mut frame = 0;
    while frame < frames {
        let start = frame;
        for letter in &mut letters {
            let mut counts = [0_u32; Class::ALL.len()];
            for _ in 0..per_letter.min(frames - frame) {
                counts[walk.next(Pfn::new(frame), entry(Pfn::new(frame))).class as usize] += 1;
                frame += 1;
            }
            totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
            *letter = most(&counts);
        }
        if before == Some(letters) && frame < frames {
            if !is_repeated {
                writeln!(out, "*")?;
            }
            is_repeated = true;
            continue;
        }
        (before, is_repeated) = (Some(letters), false);
        write!(out, "{:09x} ", u64::from(start) * PAGE_SIZE as u64)?;
        letters.iter().try_for_each(|class| out.write_char(class.letter()))?;
        writeln!(out)?;
    }
    write_totals(&totals, out)
}

/// What the letters mean, and how many frames there are of each.
fn write_totals(totals: &[u32; Class::ALL.len()], out: &mut dyn fmt::Write) -> fmt::Result {
    for (class, &frames) in Class::ALL.iter().zip(totals).filter(|(_, frames)| **frames > 0) {
        writeln!(out, "{} {frames:8} {}", class.letter(), class.name())?;
    }
    Ok(())
}

/// The class with the most frames; of equals the one that is in use.
fn most(counts: &[u32; Class::ALL.len()]) -> Class {
    let there = Class::ALL.into_iter().filter(|class| counts[*class as usize] > 0);
    there.max_by_key(|class| (counts[*class as usize], !class.is_free())).unwrap_or(Class::Hole)
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::{Class, Header, Pfn, Seen, Walk, write_map};

    const FREE: u64 = 1;
    const ALLOCATED: u64 = 2;
    const CACHED: u64 = 5;
    const SLAB: u64 = 8;

    fn entry(word: u64) -> Option<Seen> {
        let mut bytes = [0; Seen::BYTES];
        bytes[8..].copy_from_slice(&word.to_le_bytes());
        Some(Seen::from_bytes(bytes))
    }

    /// A free block of order 9 at 512, one of order 3 at 8, an image from 256 on, a hole behind 2048.
    fn frame(frame: Pfn) -> Option<Seen> {
        match frame.as_u32() {
            0 => entry(ALLOCATED | 4 << 10 | 1 << 19 | 1 << 32),
            1 => entry(SLAB | 17 << 32),
            2 => entry(CACHED | 1 << 24),
            8 => entry(FREE | 3 << 4),
            512 | 1024 | 1536 => entry(FREE | 9 << 4),
            2048.. => None,
            _ => entry(0),
        }
    }

    fn header() -> Header {
        let mut header = Header { frames: 2560, ..Header::EMPTY };
        assert!(header.add_region(256, 512, Class::Image));
        header
    }

    #[test]
    fn frames_are_told_from_entries_and_regions() {
        let header = header();
        let mut walk = Walk::new(&header);
        let classes: std::vec::Vec<_> =
            (0..2560).map(|number| walk.next(Pfn::new(number), frame(Pfn::new(number))).class).collect();
        assert_eq!(classes[..4], [Class::Dirty, Class::Slab, Class::Cleared, Class::Boot]);
        assert!(classes[8..16].iter().chain(&classes[512..2048]).all(|&class| class == Class::Free));
        assert_eq!([classes[16], classes[256], classes[511], classes[2048]].map(Class::letter), ['#', 'K', 'K', '_']);
        assert_eq!(walk.torn(), 0);
    }

    #[test]
    fn what_cannot_be_is_counted_as_torn() {
        let header = header();
        let mut walk = Walk::new(&header);
        // An order that does not fit there; a block inside a block; one that ends where there is no RAM.
        walk.next(Pfn::new(1), entry(FREE | 3 << 4));
        walk.next(Pfn::new(2), entry(FREE | 1 << 4));
        walk.next(Pfn::new(3), entry(FREE));
        walk.next(Pfn::new(4), entry(FREE | 2 << 4));
        walk.next(Pfn::new(5), None);
        assert_eq!(walk.torn(), 3);
        for word in 0..1 << 16 {
            walk.next(Pfn::new(u32::MAX), entry(word | word << 48));
        }
    }

    #[test]
    fn equal_lines_are_written_once() {
        let mut text = String::new();
        write_map(&header(), frame, &mut text).expect("strings grow");
        let lines: std::vec::Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2560 frames, 8 to a letter, 2048 KiB to a line");
        assert_eq!(lines[1], std::format!("000000000 #.{}{}", "#".repeat(30), "K".repeat(32)));
        assert_eq!(lines[2], std::format!("000200000 {}", ".".repeat(64)));
        assert_eq!((lines[3], lines[4]), ("*", &*std::format!("000800000 {}", "_".repeat(64))));
        let counted: u32 =
            lines[5..].iter().filter_map(|line| line[2..].trim_start().split(' ').next()?.parse::<u32>().ok()).sum();
        assert_eq!(counted, 2560);
    }

    #[test]
    fn letters_are_each_of_one_class() {
        let mut letters = Class::ALL.map(Class::letter);
        letters.sort_unstable();
        assert!(letters.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(Class::ALL.iter().enumerate().all(|(number, &class)| class as usize == number));
    }
}
