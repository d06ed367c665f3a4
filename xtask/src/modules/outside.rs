//! Which modules from elsewhere are built: a list of directories.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A list of directories, one a line.
#[derive(Debug)]
pub struct List {
    file: PathBuf,
    directories: Vec<PathBuf>,
}

impl List {
    /// Reads the list in `file`; there may be none yet.
    pub fn read(file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_default();
        Self { file, directories: text.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect() }
    }

    /// The directories; those that are gone are dropped from the list, with a word.
    pub fn existing(&mut self) -> Result<&[PathBuf]> {
        let (there, gone): (Vec<_>, Vec<_>) = self.directories.drain(..).partition(|directory| directory.is_dir());
        self.directories = there;
        for directory in &gone {
            eprintln!("{} is gone, and with it the module: it is built no more", directory.display());
        }
        if !gone.is_empty() {
            self.write()?;
        }
        Ok(&self.directories)
    }

    /// Remembers a directory from now on; whether it is new.
    pub fn add(&mut self, directory: &Path) -> Result<bool> {
        if directory.to_str().is_none_or(|name| name.contains('\n')) {
            bail!("{} has an odd name: a list of directories is a text", directory.display());
        }
        if self.directories.iter().any(|known| known == directory) {
            return Ok(false);
        }
        self.directories.push(directory.to_owned());
        self.write()?;
        Ok(true)
    }

    /// Forgets a directory; whether it was known.
    pub fn remove(&mut self, directory: &Path) -> Result<bool> {
        let before = self.directories.len();
        self.directories.retain(|known| known != directory);
        let was_known = self.directories.len() < before;
        if was_known {
            self.write()?;
        }
        Ok(was_known)
    }

    fn write(&self) -> Result<()> {
        let lines: String = self.directories.iter().map(|directory| format!("{}\n", directory.display())).collect();
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
    fn directories_are_remembered_and_those_that_are_gone_dropped() {
        let top = std::env::temp_dir().join(format!("scullery-outside-{}", std::process::id()));
        let (here, gone) = (top.join("here"), top.join("gone"));
        fs::create_dir_all(&here).expect("a new directory");
        let file = top.join("list");
        let mut list = List::read(file.clone());
        for directory in [&here, &gone, &here] {
            list.add(directory).expect("writable");
        }
        assert_eq!(fs::read_to_string(&file).expect("written").lines().count(), 2);
        assert_eq!(List::read(file.clone()).existing().expect("writable"), std::slice::from_ref(&here));
        assert_eq!(fs::read_to_string(&file).expect("written"), format!("{}\n", here.display()));
        let mut list = List::read(file);
        assert!(list.remove(&here).expect("writable") && !list.remove(&here).expect("writable"));
        fs::remove_dir_all(&top).expect("it is there");
    }
}
