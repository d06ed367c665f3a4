//! Which modules and programs from elsewhere are built: lists of their places.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A list of places, one a line.
#[derive(Debug)]
pub struct List {
    /// What is there, in a word.
    what: &'static str,
    file: PathBuf,
    places: Vec<PathBuf>,
}

impl List {
    /// Reads the list in `file`, of what a word says; there may be none yet.
    pub fn read(what: &'static str, file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_default();
        Self { what, file, places: text.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect() }
    }

    /// The places; those that are gone are dropped from the list, with a word.
    pub fn existing(&mut self) -> Result<&[PathBuf]> {
        let (there, gone): (Vec<_>, Vec<_>) = self.places.drain(..).partition(|place| place.exists());
        self.places = there;
        for place in &gone {
            eprintln!("{} is gone, and with it the {}: it is built no more", place.display(), self.what);
        }
        if !gone.is_empty() {
            self.write()?;
        }
        Ok(&self.places)
    }

    /// Remembers a place from now on; whether it is new.
    pub fn add(&mut self, place: &Path) -> Result<bool> {
        if place.to_str().is_none_or(|name| name.contains('\n')) {
            bail!("{} has an odd name: a list of places is a text", place.display());
        }
        if self.places.iter().any(|known| known == place) {
            return Ok(false);
        }
        self.places.push(place.to_owned());
        self.write()?;
        Ok(true)
    }

    /// Forgets a place; whether it was known.
    pub fn remove(&mut self, place: &Path) -> Result<bool> {
        let before = self.places.len();
        self.places.retain(|known| known != place);
        let was_known = self.places.len() < before;
        if was_known {
            self.write()?;
        }
        Ok(was_known)
    }

    fn write(&self) -> Result<()> {
        let lines: String = self.places.iter().map(|place| format!("{}\n", place.display())).collect();
        if let Some(parent) = self.file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&self.file, lines).with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::List;

    #[test]
    fn places_are_remembered_and_those_that_are_gone_dropped() {
        let top = std::env::temp_dir().join(format!("scullery-outside-{}", std::process::id()));
        let (here, gone) = (top.join("here"), top.join("gone"));
        fs::create_dir_all(&here).expect("a new directory");
        let file = top.join("list");
        let mut list = List::read("module", file.clone());
        for place in [&here, &gone, &here] {
            list.add(place).expect("writable");
        }
        assert_eq!(fs::read_to_string(&file).expect("written").lines().count(), 2);
        assert_eq!(List::read("module", file.clone()).existing().expect("writable"), std::slice::from_ref(&here));
        assert_eq!(fs::read_to_string(&file).expect("written"), format!("{}\n", here.display()));
        let mut list = List::read("module", file);
        assert!(list.remove(&here).expect("writable") && !list.remove(&here).expect("writable"));
        fs::remove_dir_all(&top).expect("it is there");
    }
}
