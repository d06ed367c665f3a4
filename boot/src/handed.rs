//! What a machine is handed besides its disk: initial files and a command line.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;

use crate::rootfs::Initial;
use crate::settings::Settings;
use crate::{archive, modules, programs};

/// Bytes of the longest file of the configuration device.
pub const LONGEST_FILE: u64 = u32::MAX as u64;

/// The initial file that has the command line where `APPEND` gives none.
const COMMAND_LINE_FILE: &str = "cmdline";

/// What the configuration device has for the kernel.
#[derive(Debug)]
pub struct Handed<'a> {
    /// The archive of the initial files, unless they come another way.
    pub initial_files: Option<&'a [u8]>,
    /// The command line; an empty one is not handed over.
    pub command_line: Vec<u8>,
}

impl<'a> Handed<'a> {
    /// The initial files, and the command line that the settings or else these files say.
    pub fn files(archive: &'a [u8], settings: &Settings) -> Self {
        let given = settings.append.as_bytes();
        let own = if given.is_empty() { fs::read(settings.rootfs.join(COMMAND_LINE_FILE)).ok() } else { None };
        let line = own.as_deref().unwrap_or(given);
        Self { initial_files: Some(archive), command_line: with_words(line, settings) }
    }

    /// No files, and what the settings say.
    pub fn none(settings: &Settings) -> Self {
        Self { initial_files: None, command_line: with_words(settings.append.as_bytes(), settings) }
    }
}

/// The archive of what lies under rootfs, of programs and modules; refuses more than `room` bytes.
pub fn initial_files(elf: &Path, settings: &Settings, room: u64) -> Result<Vec<u8>> {
    let mut more: Vec<Initial> = programs::read(elf, settings.programs)?;
    more.extend(modules::read(elf, settings.modules_dir.as_deref(), settings.modules)?);
    archive::archive(&settings.rootfs, more, room)
}

/// A command line with the disk to swap to, and the program to start, at its end.
fn with_words(line: &[u8], settings: &Settings) -> Vec<u8> {
    let swap = settings.swap.map(|name| format!("/dev/{name}"));
    let is_said = line.split(u8::is_ascii_whitespace).any(|word| word.starts_with(b"swap="));
    let line = with_word(line, "swap=", swap.as_deref().filter(|_| !is_said));
    with_word(&line, "init=", settings.init.as_deref())
}

fn with_word(line: &[u8], name: &str, value: Option<&str>) -> Vec<u8> {
    let line = line.trim_ascii_end();
    let Some(value) = value else { return line.to_vec() };
    let blank: &[u8] = if line.is_empty() { b"" } else { b" " };
    [line, blank, name.as_bytes(), value.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::with_word;

    #[test]
    fn the_program_to_start_is_the_last_word_of_the_command_line() {
        assert_eq!(with_word(b"", "init=", None), b"");
        assert_eq!(with_word(b"mem=64M\n", "init=", None), b"mem=64M");
        assert_eq!(with_word(b"", "init=", Some("/bin/sh")), b"init=/bin/sh");
        assert_eq!(with_word(b"mem=64M \n", "init=", Some("/bin/sh")), b"mem=64M init=/bin/sh");
    }
}
