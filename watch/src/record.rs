//! A recording: pictures in a file, and what the console said.
//!
//! Of each picture it has what has changed.
//!
//! ```text
//!   file       magic, then entries
//!   entry      bytes of what follows (u32), then its kind and milliseconds since the start
//!     0, 1     a picture in passing, or one that the guest has marked: the mark's name; figures; cells; details
//!     2        bytes of the console
//!     3        rows and columns of the console
//!   figures    ticks, zones, events, swap, caches, areas
//!   cells      how many; then runs: how many stay as they were, how many are now alike, and what
//!   details    slabs, owners, areas, places of calls: what is as it was is left out
//! ```
//!
//! A recording that was cut, or that is anything else, gives an error, and the pictures before.

use std::io::{self, Write};

use crate::cell::Cell;
use crate::codec::{Damaged, number, number_of, put_all, put_bytes, some_bytes, text};
use crate::details::Details;
use crate::parts;
use crate::picture::Picture;

const MAGIC: &[u8; 8] = b"SCULMAP2";
/// What the magics of all versions begin with.
const MAGICS: &[u8] = b"SCULMAP";
/// Bytes of the console in one entry.
const CONSOLE_MAX: u64 = 1 << 20;
/// The least and the most rows and columns of a console that is shown.
const SIZES: std::ops::RangeInclusive<u16> = 2..=1000;

const PICTURE: u64 = 0;
const MARK: u64 = 1;
const CONSOLE: u64 = 2;
const SIZE: u64 = 3;

/// A recorded picture.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// The name by which the guest marked it.
    pub mark: Option<String>,
    /// When it was taken, in milliseconds since the recording began; 0 for a mark, which is the same in each run.
    pub millis: u64,
    /// The picture.
    pub picture: Picture,
}

/// What a recording is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A picture.
    Picture(Box<Entry>),
    /// What the console said, and when.
    Console(u64, Vec<u8>),
    /// How many rows and columns the console has from here on, and when that was.
    Size(u64, u16, u16),
}

/// Writes pictures down.
pub struct Recorder<W> {
    out: W,
    cells: Vec<Cell>,
    details: Details,
}

impl<W: Write> Recorder<W> {
    /// A recording without pictures.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out, cells: Vec::new(), details: Details::default() })
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn add(&mut self, mark: Option<&str>, millis: u64, picture: &Picture) -> io::Result<()> {
        let mut bytes = Vec::new();
        put_all(&mut bytes, [if mark.is_some() { MARK } else { PICTURE }, millis]);
        put_bytes(&mut bytes, mark.unwrap_or_default().as_bytes());
        parts::put_figures(&mut bytes, picture);
        parts::put_cells(&mut bytes, &self.cells, &picture.cells);
        parts::put_details(&mut bytes, &self.details, &picture.details);
        self.cells.clone_from(&picture.cells);
        self.details.clone_from(&picture.details);
        self.entry(&bytes)
    }

    /// Adds what the console said.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn add_console(&mut self, millis: u64, said: &[u8]) -> io::Result<()> {
        said.chunks(CONSOLE_MAX as usize).try_for_each(|said| {
            let mut bytes = Vec::new();
            put_all(&mut bytes, [CONSOLE, millis]);
            put_bytes(&mut bytes, said);
            self.entry(&bytes)
        })
    }

    /// Adds how many rows and columns the console has from here on.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn add_size(&mut self, millis: u64, rows: u16, columns: u16) -> io::Result<()> {
        let mut bytes = Vec::new();
        put_all(&mut bytes, [SIZE, millis, rows.into(), columns.into()]);
        self.entry(&bytes)
    }

    fn entry(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a picture is too large"))?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(bytes)?;
        self.out.flush()
    }
}

/// Reads a recording item by item: each picture holds a whole machine.
pub struct Reader<'a> {
    rest: &'a [u8],
    cells: Vec<Cell>,
    details: Details,
    is_begun: bool,
}

impl<'a> Reader<'a> {
    /// The recording in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, cells: Vec::new(), details: Details::default(), is_begun: false }
    }

    /// What comes next; `None` behind the last.
    ///
    /// # Errors
    /// What comes makes no sense.
    pub fn read_next(&mut self) -> Result<Option<Item>, Damaged> {
        if !self.is_begun {
            let is_other = self.rest.starts_with(MAGICS);
            let why = if is_other { Damaged::Version } else { Damaged::NotARecording };
            self.rest = self.rest.strip_prefix(MAGIC).ok_or(why)?;
            self.is_begun = true;
        }
        let Some((length, rest)) = self.rest.split_first_chunk::<4>() else {
            return if self.rest.is_empty() { Ok(None) } else { Err(Damaged::Cut) };
        };
        let (mut entry, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(Damaged::Cut)?;
        let item = self.item(&mut entry)?;
        self.rest = rest;
        Ok(Some(item))
    }

    fn item(&mut self, bytes: &mut &[u8]) -> Result<Item, Damaged> {
        let (kind, millis) = (number(bytes)?, number(bytes)?);
        match kind {
            PICTURE | MARK => {
                let name = name(bytes)?;
                let mut picture = parts::figures(bytes)?;
                parts::cells(bytes, &mut self.cells)?;
                self.details = parts::details(bytes, &self.details)?;
                picture.cells.clone_from(&self.cells);
                picture.details.clone_from(&self.details);
                Ok(Item::Picture(Box::new(Entry { mark: (kind == MARK).then_some(name), millis, picture })))
            }
            CONSOLE => Ok(Item::Console(millis, some_bytes(bytes, CONSOLE_MAX)?.to_vec())),
            SIZE => {
                let (rows, columns) = (number_of(bytes)?, number_of(bytes)?);
                let is_sane = SIZES.contains(&rows) && SIZES.contains(&columns);
                if is_sane { Ok(Item::Size(millis, rows, columns)) } else { Err(Damaged::Nonsense) }
            }
            _ => Err(Damaged::Nonsense),
        }
    }
}

/// The name of a mark: it may become the name of a file.
fn name(bytes: &mut &[u8]) -> Result<String, Damaged> {
    let name = text(bytes)?;
    if name.contains('/') || name.starts_with('.') { Err(Damaged::Nonsense) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{Cell, Damaged, Details, Entry, Item, Picture, Reader, Recorder};
    use crate::details::{NamedArea, ObjectUse, Slab};
    use crate::picture::{Area, CacheInfo};

    fn picture(seed: u32) -> Picture {
        let cells = (0..4096).map(|at| Cell::from_bits(if at % 512 < seed { 0x1005 } else { at / 100 })).collect();
        let caches = vec![CacheInfo { number: 17, name: "size-64".into(), stride: 64 }];
        let areas = vec![Area { start: 0xffff_c900_0000_0000, first: seed, pages: 3 }];
        let objects = (0..seed.min(300)).map(|at| ObjectUse::ALL[at as usize / 7 % 5]).collect();
        let slabs = vec![Slab { frame: 9, pages: 1, start: 64, objects }, Slab::default()];
        let named = vec![NamedArea { start: 0xffff_c900_0000_0000, pages: 3, kind: 2, site: 0 }];
        let sites = Rc::new((0..seed.min(4)).map(|at| format!("mm/src/{at}.rs:7")).collect());
        let details = Details { slabs, owners: vec![(3, 0), (seed + 4, 0)], areas: named, sites };
        Picture { ticks: seed.into(), cells, caches, areas, details, ..Picture::default() }
    }

    /// All of a recording, as far as it can be read, and why not further.
    fn read(bytes: &[u8]) -> (Vec<Item>, Option<Damaged>) {
        let (mut reader, mut items) = (Reader::new(bytes), Vec::new());
        loop {
            match reader.read_next() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return (items, None),
                Err(damaged) => return (items, Some(damaged)),
            }
        }
    }

    fn recording() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut recorder = Recorder::new(&mut bytes).expect("memory");
        recorder.add(None, 5, &picture(1)).expect("memory");
        recorder.add(Some("half"), 0, &picture(256)).expect("memory");
        recorder.add_size(7, 24, 80).expect("memory");
        recorder.add_console(8, b"# free\r\n").expect("memory");
        recorder.add(None, 9, &picture(256)).expect("memory");
        bytes
    }

    #[test]
    fn pictures_come_back() {
        let (items, damaged) = read(&recording());
        assert_eq!(damaged, None);
        let entry = |mark: Option<&str>, millis, seed| {
            Item::Picture(Box::new(Entry { mark: mark.map(str::to_owned), millis, picture: picture(seed) }))
        };
        let console = [Item::Size(7, 24, 80), Item::Console(8, b"# free\r\n".to_vec())];
        let [size, said] = console;
        assert_eq!(items, [entry(None, 5, 1), entry(Some("half"), 0, 256), size, said, entry(None, 9, 256)]);
    }

    #[test]
    fn a_cut_recording_has_the_pictures_before() {
        let bytes = recording();
        for cut in 0..bytes.len() {
            let (entries, damaged) = read(&bytes[..cut]);
            let is_between = damaged.is_none();
            assert!(entries.len() < 5 && (is_between || damaged.is_some()), "{cut}");
        }
        assert_eq!(read(&bytes[..bytes.len() - 1]).1, Some(Damaged::Cut));
        assert_eq!(read(b"something else").1, Some(Damaged::NotARecording));
        assert_eq!(read(b"SCULMAP1").1, Some(Damaged::Version));
    }

    #[test]
    fn changed_bytes_do_no_harm() {
        let bytes = recording();
        let mut seed = 1_u32;
        for _ in 0..20_000 {
            let mut bytes = bytes.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = 8 + (seed >> 8) as usize % (bytes.len() - 8);
                bytes[at] = seed as u8;
            }
            let (entries, _) = read(&bytes);
            assert!(entries.len() <= 6);
        }
    }
}
