//! What is shown: the pictures so far, which of them, and how.

use std::collections::VecDeque;

use mm::ZoneKind;

use crate::keys::{Arrows, Key};
use crate::layout::Layout;
use crate::picture::Picture;
use crate::record::Entry;

/// Bytes of the cells of all pictures that can be gone back to.
const HISTORY_BYTES: usize = 64 << 20;
/// Pictures that are kept, however large.
const HISTORY_LEAST: usize = 4;
/// Points of the line of free memory.
const LINE_POINTS: usize = 512;
/// Pictures for which a frame flashes that has changed.
const FLASHES: u8 = 8;

/// One point of the line of free memory: free pages, and what has happened since the point before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// Free pages.
    pub free: u64,
    /// The gravest event since the moment before, if any.
    pub event: Option<Event>,
}

/// What can happen between two pictures; the last is the gravest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Event {
    /// Shrinkers were asked for memory.
    Reclaim,
    /// kswapd was woken: a zone fell below `low`.
    Kswapd,
    /// Pages came back from swap.
    SwapIn,
    /// Pages went to swap.
    SwapOut,
    /// The reserve below `min` was used.
    Reserve,
    /// A request slept.
    Sleep,
    /// A request failed.
    Failure,
    /// A wrong free was refused.
    BadFree,
    /// A process was ended because memory was out.
    OomKill,
}

impl Event {
    /// All events, with a letter and a word for each.
    pub const NAMES: [(Self, char, &'static str); 9] = [
        (Self::Reclaim, 'r', "reclaim"),
        (Self::Kswapd, 'k', "kswapd was woken"),
        (Self::SwapIn, 'i', "swapped in"),
        (Self::SwapOut, 'o', "swapped out"),
        (Self::Reserve, 'a', "below min"),
        (Self::Sleep, 's', "slept"),
        (Self::Failure, 'X', "failed"),
        (Self::BadFree, '!', "bad free"),
        (Self::OomKill, 'O', "ended a process"),
    ];

    /// The event's letter.
    pub fn letter(self) -> char {
        Self::NAMES.iter().find(|(event, ..)| *event == self).map_or(' ', |(_, letter, _)| *letter)
    }
}

/// What the side panel shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Zones, blocks, caches.
    Figures,
    /// The colours and the keys.
    Help,
    /// The chosen frame.
    Frame,
}

/// What the newest picture is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Of a machine that runs.
    Live,
    /// Of a recording.
    Playing,
    /// The last one of a recording.
    Ended,
}

/// All that is shown of the memory.
pub struct Screen {
    pictures: VecDeque<Entry>,
    /// Pictures that were kept before those.
    forgotten: usize,
    /// The picture that is shown, while the newest is not.
    frozen: Option<usize>,
    line: VecDeque<Moment>,
    /// How long each frame still flashes.
    flashes: Vec<u8>,
    zoom: Option<u32>,
    chosen: usize,
    /// What the panel shows.
    pub side: Side,
    /// Points of the map, as it was drawn last.
    surface: (usize, usize),
}

impl Screen {
    /// A screen without pictures.
    pub fn new() -> Self {
        Self {
            pictures: VecDeque::new(),
            forgotten: 0,
            frozen: None,
            line: VecDeque::new(),
            flashes: Vec::new(),
            zoom: None,
            chosen: 0,
            side: Side::Figures,
            surface: (64, 32),
        }
    }

    /// Adds a picture; one that is like the last but for the time is not kept. Says whether it was.
    pub fn add(&mut self, entry: Entry) -> bool {
        self.flashes.resize(entry.picture.cells.len(), 0);
        self.flashes.iter_mut().for_each(|flash| *flash = flash.saturating_sub(1));
        let before = self.pictures.back().map(|last| &last.picture);
        if let Some(before) = before {
            for ((flash, old), new) in self.flashes.iter_mut().zip(&before.cells).zip(&entry.picture.cells) {
                if old != new {
                    *flash = FLASHES;
                }
            }
        }
        self.line.push_back(Moment { free: entry.picture.free(), event: event(before, &entry.picture) });
        if self.line.len() > LINE_POINTS {
            self.line.pop_front();
        }
        if entry.mark.is_none() && before.is_some_and(|before| before.is_like(&entry.picture)) {
            return false;
        }
        self.pictures.push_back(entry);
        self.forget();
        true
    }

    /// Forgets the oldest pictures when there are many.
    fn forget(&mut self) {
        let one = self.pictures.back().map_or(0, |entry| entry.picture.cells.len() * 4).max(1);
        while self.pictures.len() > (HISTORY_BYTES / one).max(HISTORY_LEAST) {
            self.pictures.pop_front();
            self.forgotten += 1;
            self.frozen = self.frozen.map(|at| at.saturating_sub(1));
        }
    }

    /// The picture that is shown, if there is any.
    pub fn shown(&self) -> Option<&Entry> {
        self.frozen.map_or(self.pictures.back(), |at| self.pictures.get(at))
    }

    /// Which picture that is, from 1 on, of how many; `None` while it is the newest, whichever that is.
    pub fn place(&self) -> Option<(usize, usize)> {
        self.frozen.map(|at| (at + 1, self.pictures.len()))
    }

    /// The number of the picture that is shown, from 0 on, among all that were kept ever.
    pub fn shown_number(&self) -> Option<usize> {
        Some(self.forgotten + self.frozen.or_else(|| self.pictures.len().checked_sub(1))?)
    }

    /// Whether a frame has just changed. In a frozen picture: since the one before.
    pub fn is_fresh(&self, frame: usize) -> bool {
        match self.frozen {
            None => self.flashes.get(frame).is_some_and(|&flash| flash > 0),
            Some(at) => {
                let before = at.checked_sub(1).and_then(|at| self.pictures.get(at));
                let now = self.pictures.get(at);
                before.zip(now).is_some_and(|(old, new)| old.picture.cells.get(frame) != new.picture.cells.get(frame))
            }
        }
    }

    /// The line of free memory.
    pub fn line(&self) -> &VecDeque<Moment> {
        &self.line
    }

    /// The chosen frame, while one is being chosen.
    pub fn chosen(&self) -> Option<usize> {
        (self.side == Side::Frame).then_some(self.chosen)
    }

    /// Whose the arrows are.
    pub fn arrows(&self) -> Arrows {
        if self.side == Side::Frame { Arrows::Map } else { Arrows::Console }
    }

    /// Says how many points the map has on the terminal.
    pub fn set_surface(&mut self, width: usize, height: usize) {
        self.surface = (width, height);
    }

    /// Where the frames of a picture lie.
    pub fn layout(&self, picture: &Picture) -> Layout {
        let (width, height) = self.surface;
        let whole = Layout::fitting(picture.cells.len(), width, height);
        let Some(log) = self.zoom.filter(|&log| log < whole.point_log) else { return whole };
        // What is chosen, or the first frames, with a row above it.
        let from_top = Layout::new(picture.cells.len(), 0, log, width);
        let row = from_top.point_of(self.chosen).map_or(0, |(_, y)| y);
        let first = (0..width).find_map(|x| from_top.frames_at(x, row.saturating_sub(height / 2)));
        Layout::new(picture.cells.len(), first.map_or(0, |(frame, _)| frame), log, width)
    }

    /// Does what a key of the map's asks for.
    pub fn press(&mut self, key: &Key) {
        let last = self.pictures.len().saturating_sub(1);
        match key {
            Key::Freeze if self.pictures.is_empty() => {}
            Key::Freeze => self.frozen = if self.frozen.is_some() { None } else { Some(last) },
            Key::Back => self.frozen = Some(self.frozen.unwrap_or(last).saturating_sub(1)),
            Key::Forward => self.frozen = self.frozen.map(|at| (at + 1).min(last)),
            Key::ZoomIn | Key::ZoomOut => self.change_zoom(key),
            Key::Choose => self.side = if self.side == Side::Frame { Side::Figures } else { Side::Frame },
            Key::Help => self.side = if self.side == Side::Help { Side::Figures } else { Side::Help },
            Key::Move(right, down) => self.move_chosen(*right, *down),
            Key::ScrollUp | Key::ScrollDown | Key::Quit | Key::Console(_) => {}
        }
        if self.pictures.is_empty() {
            self.frozen = None;
        }
    }

    fn change_zoom(&mut self, key: &Key) {
        let Some(entry) = self.shown() else { return };
        let whole = Layout::fitting(entry.picture.cells.len(), self.surface.0, self.surface.1).point_log;
        let now = self.zoom.unwrap_or(whole).min(whole);
        let next = if *key == Key::ZoomIn { now.saturating_sub(1) } else { now + 1 };
        self.zoom = (next < whole).then_some(next);
    }

    fn move_chosen(&mut self, right: i32, down: i32) {
        let Some(entry) = self.shown() else { return };
        let layout = self.layout(&entry.picture);
        let Some((x, y)) = layout.point_of(self.chosen) else {
            self.chosen = 0;
            return;
        };
        let step = |at: usize, by: i32, times: i32| at.checked_add_signed((by * times) as isize);
        // Over a gap, if there is one.
        let next = (1..=3).find_map(|times| layout.frames_at(step(x, right, times)?, step(y, down, times)?));
        if let Some((frame, _)) = next {
            self.chosen = frame;
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

/// The gravest event between two pictures.
fn event(before: Option<&Picture>, now: &Picture) -> Option<Event> {
    let before = before?;
    let grown =
        |count: fn(&Picture, usize) -> u64| (0..ZoneKind::COUNT).any(|zone| count(now, zone) > count(before, zone));
    let (old, new) = (&before.events, &now.events);
    let events = [
        (Event::OomKill, new.oom_kills > old.oom_kills),
        (Event::BadFree, new.bad_frees > old.bad_frees),
        (Event::Failure, grown(|picture, zone| picture.zones[zone].failures)),
        (Event::Sleep, grown(|picture, zone| picture.zones[zone].sleeps)),
        (Event::Reserve, grown(|picture, zone| picture.zones[zone].reserve_allocs)),
        (Event::SwapOut, new.swapped_out > old.swapped_out),
        (Event::SwapIn, new.swapped_in > old.swapped_in),
        (Event::Kswapd, new.rounds > old.rounds),
        (Event::Reclaim, new.reclaims > old.reclaims),
    ];
    events.into_iter().find(|(_, happened)| *happened).map(|(event, _)| event)
}

#[cfg(test)]
mod tests {
    use super::{Entry, Event, Key, Picture, Screen, Side};
    use crate::cell::Cell;

    fn entry(seed: u32) -> Entry {
        let cells = (0..2048).map(|at| Cell::from_bits(if at == seed { 10 } else { 0x4005 })).collect();
        Entry { picture: Picture { cells, ..Picture::default() }, ..Entry::default() }
    }

    #[test]
    fn equal_pictures_are_kept_once_and_changes_flash() {
        let mut screen = Screen::new();
        assert!(screen.add(entry(1)) && !screen.add(entry(1)) && screen.add(entry(2)));
        assert!(screen.is_fresh(1) && screen.is_fresh(2) && !screen.is_fresh(3));
        for _ in 0..super::FLASHES {
            screen.add(entry(2));
        }
        assert!(!screen.is_fresh(2));
    }

    #[test]
    fn back_and_forward_stay_within_what_there_is() {
        let mut screen = Screen::new();
        [Key::Back, Key::Forward, Key::Freeze, Key::ZoomIn, Key::Move(1, 0)].iter().for_each(|key| screen.press(key));
        assert!(screen.shown().is_none() && screen.place().is_none());
        (0..3).for_each(|seed| {
            screen.add(entry(seed));
        });
        (0..5).for_each(|_| screen.press(&Key::Back));
        assert_eq!(screen.place(), Some((1, 3)));
        (0..5).for_each(|_| screen.press(&Key::Forward));
        assert_eq!(screen.place(), Some((3, 3)));
        screen.press(&Key::Freeze);
        assert_eq!(screen.place(), None);
    }

    #[test]
    fn the_gravest_event_counts() {
        let mut screen = Screen::new();
        screen.add(entry(0));
        let mut next = entry(0);
        (next.picture.events.reclaims, next.picture.zones[1].sleeps) = (5, 1);
        screen.add(next);
        assert_eq!(screen.line().back().and_then(|moment| moment.event), Some(Event::Sleep));
        // kswapd asks shrinkers too.
        let mut next = entry(0);
        (next.picture.events.reclaims, next.picture.events.rounds, next.picture.zones[1].sleeps) = (9, 1, 1);
        screen.add(next);
        assert_eq!(screen.line().back().and_then(|moment| moment.event), Some(Event::Kswapd));
        let mut letters = Event::NAMES.map(|(event, letter, _)| (letter, event));
        letters.sort_unstable_by_key(|(letter, _)| *letter);
        assert!(letters.windows(2).all(|pair| pair[0].0 != pair[1].0));
    }

    #[test]
    fn the_chosen_frame_moves_by_points() {
        let mut screen = Screen::new();
        screen.set_surface(200, 200);
        screen.add(entry(0));
        screen.press(&Key::Choose);
        assert_eq!((screen.side, screen.chosen()), (Side::Frame, Some(0)));
        screen.press(&Key::Move(1, 0));
        assert_eq!(screen.chosen(), Some(1));
        screen.press(&Key::Move(0, 1));
        assert_eq!(screen.chosen(), Some(3));
        screen.press(&Key::Move(-1, 0));
        screen.press(&Key::Move(-1, 0));
        assert_eq!(screen.chosen(), Some(2));
    }
}
