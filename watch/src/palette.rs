//! Colours: of what a frame is used for.

use mm::outside::Class;
use ratatui::style::Color;

use crate::cell::Cell;
use crate::picture::Picture;

/// Red, green, blue.
pub type Rgb = (u8, u8, u8);

/// Behind everything, and where there is no RAM.
pub const NOTHING: Rgb = (16, 16, 20);
/// A frame that has just changed.
pub const FLASH: Rgb = (255, 255, 255);

/// Colours that the terminal has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colours {
    /// All.
    True,
    /// 256.
    Indexed,
}

impl Colours {
    /// What a terminal calls itself by `COLORTERM`.
    pub fn from_name(name: &str) -> Self {
        if matches!(name, "truecolor" | "24bit") { Self::True } else { Self::Indexed }
    }

    /// The colour as the terminal takes it.
    pub fn get(self, (red, green, blue): Rgb) -> Color {
        match self {
            Self::True => Color::Rgb(red, green, blue),
            Self::Indexed => Color::Indexed(indexed((red, green, blue))),
        }
    }
}

/// The colour of a class; of free blocks that of order 0, of slabs that of kmalloc's.
pub const fn of_class(class: Class) -> Rgb {
    match class {
        Class::Hole => NOTHING,
        Class::Hidden => (70, 60, 90),
        Class::Image => (150, 150, 160),
        Class::Boot => (85, 85, 95),
        Class::SetAside => (140, 100, 60),
        Class::Free => (52, 114, 68),
        Class::Cached => (150, 190, 60),
        Class::Cleared => (200, 220, 140),
        Class::Slab => (70, 130, 220),
        Class::Retired => (255, 0, 0),
        Class::Block => (225, 140, 40),
        Class::Vmalloc => (190, 90, 210),
        Class::PageTable => (230, 220, 80),
        Class::KernelStack => (200, 80, 110),
        Class::PageCache => (60, 170, 170),
        Class::Dirty => (30, 220, 220),
        Class::Writeback => (190, 250, 250),
        Class::Anonymous => (235, 120, 160),
        Class::Swapping => (180, 90, 150),
        Class::Module => (160, 120, 230),
        Class::Driver => (210, 170, 120),
        Class::Value => (240, 170, 80),
        Class::Prompt => (255, 110, 60),
    }
}

/// The colour of a frame: free blocks by order, the smaller the lighter; slabs by the name of their cache.
pub fn of_cell(picture: &Picture, cell: Cell) -> Rgb {
    match cell.class() {
        Class::Free => {
            let step = 9 - cell.order().min(9) as u8;
            (20 + step * 8, 58 + step * 14, 36 + step * 8)
        }
        Class::Slab => picture.cache_of(cell).map_or(of_class(Class::Slab), |cache| of_cache(&cache.name)),
        class => of_class(class),
    }
}

/// The colour of the frames of a point: of the class that most of them have.
pub fn of_frames(picture: &Picture, (first, count): (usize, usize)) -> Rgb {
    let cells = picture.cells.get(first..first + count).unwrap_or_default();
    let Some((&one, rest)) = cells.split_first() else { return NOTHING };
    if rest.is_empty() {
        return of_cell(picture, one);
    }
    let mut counts = [0_u32; Class::ALL.len()];
    cells.iter().for_each(|cell| counts[cell.class() as usize] += 1);
    let most = Class::ALL.into_iter().max_by_key(|class| (counts[*class as usize], !class.is_free()));
    let shown = cells.iter().find(|cell| Some(cell.class()) == most);
    shown.map_or(NOTHING, |&cell| of_cell(picture, cell))
}

/// The colour of a cache: kmalloc's have one, others by their names.
fn of_cache(name: &str) -> Rgb {
    if name.starts_with("size-") {
        return of_class(Class::Slab);
    }
    let hash = name.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    ((40 + hash % 60) as u8, (110 + (hash >> 8) % 70) as u8, (170 + (hash >> 16) % 80) as u8)
}

/// The nearest of the 256 colours that terminals have.
pub const fn indexed((red, green, blue): Rgb) -> u8 {
    const fn level(part: u8) -> u8 {
        match part {
            0..48 => 0,
            48..115 => 1,
            _ => (part - 35) / 40,
        }
    }
    if red.abs_diff(green) < 12 && green.abs_diff(blue) < 12 && red > 7 && red < 239 {
        return 232 + (red - 8) / 10;
    }
    16 + 36 * level(red) + 6 * level(green) + level(blue)
}

#[cfg(test)]
mod tests {
    use super::{Class, indexed, of_class};

    #[test]
    fn classes_have_colours_of_their_own() {
        let mut colours: Vec<_> = Class::ALL.map(of_class).to_vec();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), Class::ALL.len());
    }

    #[test]
    fn every_colour_has_a_place_among_256() {
        for part in 0..=255 {
            for colour in [(part, 0, 0), (0, part, 255), (part, part, part), (255, 255, part)] {
                assert!(indexed(colour) >= 16, "{colour:?}");
            }
        }
        assert_eq!((indexed((255, 255, 255)), indexed((0, 0, 0))), (231, 16));
    }
}
