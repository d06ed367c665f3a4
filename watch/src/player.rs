//! Plays a recording, lists it, or draws it into files.

use std::collections::HashSet;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mm::outside::Class;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::codec::Damaged;
use crate::keys::{Arrows, Key, Keys};
use crate::palette::Colours;
use crate::record::{Entry, Item, Reader};
use crate::said::Said;
use crate::screen::{Mode, Screen};
use crate::svg;
use crate::terminal::TakenOver;
use crate::view::draw;

/// The longest wait for the next picture, however long nothing happened.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often the terminal is drawn while nothing comes.
const TICK: Duration = Duration::from_millis(100);
/// Pictures of a film strip.
const STRIP: usize = 6;
/// Pictures that are drawn of a recording without marks.
const UNMARKED: usize = 6;

fn contents(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("RECORD={}", path.display()))
}

/// Plays a recording; without a terminal, lists its pictures on `out`, a line each.
///
/// # Errors
/// It cannot be read, or is no recording.
pub fn replay(path: &Path, out: &mut dyn Write) -> Result<()> {
    let bytes = contents(path)?;
    if io::stdin().is_terminal() && io::stdout().is_terminal() { play(&bytes) } else { list(&bytes, out) }
}

/// Every picture of a recording, whose damage is told behind the last one.
fn each(bytes: &[u8], mut visit: impl FnMut(usize, Entry) -> Result<()>) -> Result<()> {
    let (mut reader, mut number) = (Reader::new(bytes), 0);
    loop {
        match reader.read_next() {
            Ok(None) => return Ok(()),
            Ok(Some(Item::Picture(entry))) => {
                number += 1;
                visit(number, *entry)?;
            }
            Ok(Some(_)) => {}
            // A machine that was killed leaves such a recording.
            Err(Damaged::Cut) => {
                eprintln!("watch: {}: the last one is left out", Damaged::Cut);
                return Ok(());
            }
            Err(damaged) => bail!("picture {}: {damaged}", number + 1),
        }
    }
}

fn list(bytes: &[u8], out: &mut dyn Write) -> Result<()> {
    each(bytes, |number, entry| {
        let picture = &entry.picture;
        let (ticks, torn) = (picture.ticks, picture.torn);
        let name = entry.mark.as_deref().unwrap_or("-");
        let classes = Class::ALL.iter().zip(picture.counts()).filter(|(_, frames)| *frames > 0);
        let counts: String = classes.map(|(class, frames)| format!(" {}={frames}", class.letter())).collect();
        Ok(writeln!(out, "{number} {name} ticks {ticks} torn {torn}{counts}")?)
    })
}

/// A recording while it is played.
struct Player<'a> {
    reader: Reader<'a>,
    /// What comes next.
    coming: Option<Item>,
    /// When that is due, and the time of what came last.
    due: Instant,
    millis: u64,
    screen: Screen,
    said: Said,
    /// How much the console had said at each picture.
    moments: Vec<usize>,
}

impl Player<'_> {
    /// Takes all that is due, unless a picture is frozen.
    fn go_on(&mut self) {
        while self.screen.place().is_none() && Instant::now() >= self.due {
            let Some(item) = self.coming.take() else { return };
            self.millis = millis_of(&item).unwrap_or(self.millis);
            match item {
                Item::Picture(entry) => {
                    if self.screen.add(*entry) {
                        self.moments.push(self.said.len());
                    }
                }
                Item::Console(_, bytes) => self.said.add(&bytes),
                Item::Size(_, rows, columns) => self.said.set_size(rows, columns),
            }
            self.coming = self.reader.read_next().unwrap_or(None);
            let next = self.coming.as_ref().and_then(millis_of).unwrap_or(self.millis);
            self.due = Instant::now() + Duration::from_millis(next.saturating_sub(self.millis)).min(LONGEST_WAIT);
        }
    }

    /// How much the console had said at the picture that is shown; `None` if it has said nothing at all.
    fn console_end(&self) -> Option<usize> {
        let frozen = self.screen.place().and_then(|_| self.screen.shown_number());
        let behind = frozen.and_then(|number| self.moments.get(number)).copied();
        (!self.said.is_empty()).then_some(behind.unwrap_or(usize::MAX))
    }
}

/// When something happened. Marks have no time: they follow at once.
fn millis_of(item: &Item) -> Option<u64> {
    match item {
        Item::Picture(entry) => entry.mark.is_none().then_some(entry.millis),
        Item::Console(millis, _) | Item::Size(millis, ..) => Some(*millis),
    }
}

fn play(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    // Whatever is wrong with the beginning is told on the terminal as it was.
    let coming = reader.read_next()?;
    let mut taken = TakenOver::new()?;
    let colours = Colours::from_name(&std::env::var("COLORTERM").unwrap_or_default());
    let (screen, said) = (Screen::new(), Said::new());
    let mut player = Player { reader, coming, due: Instant::now(), millis: 0, screen, said, moments: Vec::new() };
    let mut keys = Keys::default();
    loop {
        player.go_on();
        let behind = player.console_end();
        let mode = if player.coming.is_some() { Mode::Playing } else { Mode::Ended };
        let Player { screen, said, .. } = &mut player;
        let console = behind.map(|behind| said.at(behind));
        taken.terminal.draw(|frame| draw(frame, screen, console, mode, colours))?;
        if !wait_for_keys()? {
            continue;
        }
        let mut chunk = [0; 256];
        let count = io::stdin().read(&mut chunk)?;
        if count == 0 || press(&mut keys, &chunk[..count], &mut player.screen) {
            return Ok(());
        }
    }
}

/// Does what keys ask for; says whether that is the end.
fn press(keys: &mut Keys, mut bytes: &[u8], screen: &mut Screen) -> bool {
    while let Some((used, key)) = keys.next(bytes, Arrows::Map) {
        bytes = &bytes[used..];
        match key {
            Key::Quit => return true,
            // There is no console that could want them.
            Key::Console(bytes) if bytes.iter().any(|byte| b"qQ\x03".contains(byte)) => return true,
            Key::Move(1, 0) if screen.chosen().is_none() => screen.press(&Key::Forward),
            Key::Move(-1, 0) if screen.chosen().is_none() => screen.press(&Key::Back),
            key => screen.press(&key),
        }
    }
    false
}

fn wait_for_keys() -> Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO)) {
        Ok(count) => Ok(count > 0),
        // The terminal's size has changed.
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Draws each marked picture of a recording into `NAME.svg`, and all of them, up to six, into `strip.svg`; of a
/// recording without marks some, by their numbers. Returns the files' names.
///
/// # Errors
/// The recording cannot be read, or a file not written.
pub fn pictures(path: &Path, directory: &Path) -> Result<Vec<String>> {
    let bytes = contents(path)?;
    let (mut marked, mut all) = (Vec::new(), 0);
    each(&bytes, |number, entry| {
        all = number;
        if entry.mark.is_some() {
            marked.push((number, entry));
        }
        Ok(())
    })?;
    if marked.is_empty() {
        let wanted: HashSet<usize> = spread(all, UNMARKED).map(|nth| nth + 1).collect();
        each(&bytes, |number, entry| {
            if wanted.contains(&number) {
                marked.push((number, entry));
            }
            Ok(())
        })?;
    }
    if marked.is_empty() {
        bail!("{} has no pictures", path.display());
    }
    fs::create_dir_all(directory).with_context(|| format!("OUT={}", directory.display()))?;
    let mut names: Vec<String> = Vec::new();
    for (number, entry) in &marked {
        let plain = entry.mark.clone().unwrap_or_else(|| format!("picture-{number:05}"));
        // A name that was given again is told apart by the picture's number.
        let name = if names.contains(&format!("{plain}.svg")) || plain == "strip" {
            format!("{plain}-{number}")
        } else {
            plain
        };
        write(directory, &format!("{name}.svg"), &svg::single(entry, *number), &mut names)?;
    }
    let strip: Vec<_> = spread(marked.len(), STRIP).map(|nth| (marked[nth].0, &marked[nth].1)).collect();
    write(directory, "strip.svg", &svg::strip(&strip), &mut names)?;
    Ok(names)
}

fn write(directory: &Path, name: &str, text: &str, names: &mut Vec<String>) -> Result<()> {
    let path = directory.join(name);
    fs::write(&path, text).with_context(|| path.display().to_string())?;
    names.push(name.to_owned());
    Ok(())
}

/// At most `most` of the numbers below `all`, the first and the last among them, evenly apart.
fn spread(all: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = all.min(most);
    (0..count).map(move |nth| if count == 1 { 0 } else { nth * (all - 1) / (count - 1) })
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_strip_has_the_first_and_the_last() {
        assert_eq!(spread(100, 4).collect::<Vec<_>>(), [0, 33, 66, 99]);
        assert_eq!(spread(3, 6).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spread(1, 6).chain(spread(0, 6)).collect::<Vec<_>>(), [0]);
    }
}
