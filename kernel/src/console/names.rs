//! What Tab completes to.

use shell::complete::Names;
use shell::text::{Name, Text};
use shell::{Env, Kind};

use super::process::Process;
use crate::fs;

/// The commands of the shell and the files of the kernel.
pub struct KernelNames;

impl Names for KernelNames {
    fn commands(&self, visit: &mut dyn FnMut(&str)) {
        for command in shell::commands::all::<Process>().iter().chain(Process::extra()) {
            visit(command.name);
        }
    }

    fn entries(&self, path: &str, visit: &mut dyn FnMut(&str)) {
        let mut name = Name::new();
        let mut index = 0;
        while let Ok(Some(kind)) = fs::entry(path, index, &mut name) {
            let mut shown = Text::<65>::new();
            shown.set(name.as_bytes());
            if kind == Kind::Directory {
                // One byte longer than the longest name: there is room.
                let _ = shown.push(b"/");
            }
            visit(shown.as_str());
            index += 1;
        }
    }
}
