//! A machine whose memory another program looks at while it runs.

use std::fs::OpenOptions;

use anyhow::{Context, Result};

/// The port of QEMU's debug console, behind which the watcher's pipe is; `mm::outside::Mark` has the same.
const PORT: &str = "0xe9";

/// What the watcher has opened and this program inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The file that is the machine's memory.
    memory: String,
    /// The pipe by which the machine waits for the watcher.
    pipe: String,
}

impl Watched {
    /// The numbers of two open files, `memory,pipe`.
    pub fn new(text: &str) -> Result<Self> {
        let wrong = || format!("WATCHED={text} are not the numbers of two open files");
        let (memory, pipe) = text.split_once(',').with_context(wrong)?;
        let path = |number: &str| number.parse::<u32>().map(|number| format!("/proc/self/fd/{number}"));
        Ok(Self { memory: path(memory).with_context(wrong)?, pipe: path(pipe).with_context(wrong)? })
    }

    /// QEMU's arguments for a machine with so much memory. What a machine before this one left there is forgotten.
    pub fn arguments(&self, memory: &str) -> Result<[String; 6]> {
        let file = OpenOptions::new().write(true).open(&self.memory);
        file.and_then(|file| file.set_len(0)).context("WATCHED: the memory's file cannot be emptied")?;
        Ok([
            "-object".into(),
            format!("memory-backend-file,id=ram,size={memory},share=on,reserve=off,mem-path={}", self.memory),
            "-chardev".into(),
            format!("file,id=watcher,path={}", self.pipe),
            "-device".into(),
            format!("isa-debugcon,iobase={PORT},chardev=watcher"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::Watched;

    #[test]
    fn two_numbers_are_two_open_files() {
        let watched = Watched { memory: "/proc/self/fd/5".into(), pipe: "/proc/self/fd/6".into() };
        assert_eq!(Watched::new("5,6").ok(), Some(watched));
        for text in ["", "5", "5,", "5,6,7", "a,b", "../x,5"] {
            assert!(Watched::new(text).is_err(), "{text}");
        }
    }
}
