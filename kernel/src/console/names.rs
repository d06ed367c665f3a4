//! What Tab completes to.

use core::fmt::Write;

use kapi::ParamKind;
use shell::complete::Names;
use shell::expected::{Expected, Place};
use shell::text::Text;

use super::commands;
use super::memory;
use super::process::Process;
use crate::fs;
use crate::modules::{self, Info};

/// The commands of the shell and the files of the kernel.
pub struct KernelNames;

impl Names for KernelNames {
    fn commands(&self, visit: &mut dyn FnMut(&str)) {
        for command in commands::set::<Process>().iter() {
            visit(command.name);
        }
    }

    fn entries(&self, path: &str, visit: &mut dyn FnMut(&str)) {
        let Ok(entries) = fs::readdir(&fs::Place::root(), path) else { return };
        for entry in entries.iter() {
            let mut shown = Text::<256>::new();
            let slash: &[u8] = if entry.kind == fs::Kind::Directory { b"/" } else { b"" };
            // No path is longer.
            if shown.push(entry.name.as_bytes()).and_then(|()| shown.push(slash)).is_ok() {
                visit(shown.as_str());
            }
        }
    }

    fn arguments(&self, place: Place<'_>, visit: &mut dyn FnMut(&str)) -> Expected {
        match (place.command, place.first) {
            ("help", None) => self.commands(visit),
            ("insmod", Some(module)) => parameters(module, visit),
            ("rmmod" | "irqstress", _) => modules::each_attached(visit),
            ("insmod" | "modinfo", _) => modules::each_known(visit),
            _ if memory::words(place, visit) => {}
            _ => return Expected::Paths,
        }
        Expected::Words
    }
}

/// What may stand behind `insmod MODULE`: parameters, with their values where these are words.
fn parameters(module: &str, visit: &mut dyn FnMut(&str)) {
    // A module that is not there has none.
    let _ = modules::describe(module, &mut |info| each_parameter(info, visit));
}

fn each_parameter(info: &Info<'_>, visit: &mut dyn FnMut(&str)) {
    for spec in info.params {
        let mut show = |value: &str| {
            let mut word = Text::<64>::new();
            if write!(word, "{}={value}", spec.name).is_ok() {
                visit(word.as_str());
            }
        };
        match spec.kind {
            ParamKind::Number { .. } | ParamKind::Text { .. } => show(""),
            ParamKind::Word { of, .. } => of.iter().for_each(|value| show(value)),
        }
    }
}
