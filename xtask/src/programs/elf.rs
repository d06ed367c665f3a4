//! Whether a file is a program that the guest can run.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::LittleEndian;
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};

/// Whether it begins as ELF files do.
pub fn is_elf(path: &Path) -> bool {
    fs::read(path).is_ok_and(|content| content.starts_with(b"\x7fELF"))
}

/// Refuses what is no static program for x86_64, and says what to do.
pub fn check(path: &Path) -> Result<()> {
    let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    check_content(&content).with_context(|| format!("{} cannot run in the guest", path.display()))
}

fn check_content(content: &[u8]) -> Result<()> {
    let endian = LittleEndian;
    let header = FileHeader64::<LittleEndian>::parse(content).context("it is no 64-bit ELF program")?;
    if header.e_machine(endian) != EM_X86_64 {
        bail!("it is for another processor than x86_64");
    }
    if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
        bail!("it is an object file, and no program: link it");
    }
    if header.program_headers(endian, content)?.iter().any(|segment| segment.p_type(endian) == PT_INTERP) {
        bail!(
            "it is linked dynamically, and the guest has no dynamic linker and no libraries: link it with -static \
             (in Rust: --target x86_64-unknown-linux-musl)"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_content;

    /// A header of type `kind` for processor `machine`, with one program header of type `segment`.
    fn elf(kind: u8, machine: u8, segment: u8) -> Vec<u8> {
        let mut elf = vec![0; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[6] = 1;
        (elf[16], elf[18], elf[20]) = (kind, machine, 1);
        (elf[32], elf[52], elf[54], elf[56]) = (64, 64, 56, 1);
        elf[64] = segment;
        elf
    }

    #[test]
    fn static_programs_are_taken_and_others_refused_with_advice() {
        for kind in [2, 3] {
            assert!(check_content(&elf(kind, 62, 1)).is_ok());
        }
        let refusals = [
            (elf(3, 62, 3), "-static"),
            (elf(2, 183, 1), "another processor"),
            (elf(1, 62, 1), "link it"),
            (b"#!/bin/sh\n".to_vec(), "no 64-bit ELF program"),
            (elf(2, 62, 1)[..70].to_vec(), ""),
        ];
        for (content, reason) in refusals {
            let text = format!("{:#}", check_content(&content).expect_err("refused"));
            assert!(text.contains(reason), "{text}");
        }
    }
}
