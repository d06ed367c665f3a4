//! What Tab completes to.

use shell::complete::Names;
use shell::text::Text;

use super::commands;
use super::process::Process;
use crate::fs;

/// The commands of the shell and the files of the kernel.
pub struct KernelNames;

impl Names for KernelNames {
    fn commands(&self, visit: &mut dyn FnMut(&str)) {
        for command in commands::set::<Process>().iter() {
            visit(command.name);
        }
    }

    fn entries(&self, path: &str, visit: &mut dyn FnMut(&str)) {
        let Ok(entries) = fs::readdir(path) else { return };
        for entry in entries.iter() {
            let mut shown = Text::<256>::new();
            let slash: &[u8] = if entry.stat.kind == fs::Kind::Directory { b"/" } else { b"" };
            // No path is longer.
            if shown.push(entry.name.as_bytes()).and_then(|()| shown.push(slash)).is_ok() {
                visit(shown.as_str());
            }
        }
    }
}
