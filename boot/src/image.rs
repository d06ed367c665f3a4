//! From the linked kernel to disk images for BIOS and UEFI.
//!
//! The ELF file that cargo leaves keeps its symbols and debug information, for gdb. Beside it this module
//! writes a stripped copy that carries the kernel's own symbol table, and the images made from that copy.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::SystemTime;
use std::{env, io};

use anyhow::{Context, Result, bail};
use bootloader::DiskImageBuilder;
use bootloader_boot_config::{BootConfig, LevelFilter};
use object::LittleEndian;
use object::elf::{FileHeader64, PT_LOAD, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::settings::{Firmware, ROOTFS};
use crate::{host, ramdisk, symbols};

const PAGE: usize = 4096;

/// The disk image of a kernel with the initial files under `rootfs`; made anew only if the kernel, the files or this
/// program changed.
pub fn up_to_date(elf: &Path, firmware: Firmware, rootfs: &Path) -> Result<PathBuf> {
    let image = beside(elf, &format!("{firmware}{}.img", mark(rootfs)));
    let mut inputs = ramdisk::inputs(rootfs)?;
    inputs.push(elf.to_owned());
    inputs.push(env::current_exe()?);
    if !is_newer(&image, &inputs)? {
        make(elf, firmware, rootfs, &image)?;
    }
    Ok(image)
}

fn make(elf: &Path, firmware: Firmware, rootfs: &Path, image: &Path) -> Result<()> {
    // Another run may be making the same files: each writes its own, and the rename is atomic.
    let own = |suffix: &str| beside(elf, &format!("{firmware}.{}.{suffix}", process::id()));
    let (kernel, initial_files, unfinished) = (own("kernel"), own("tar"), own("img"));
    strip(elf, &kernel)?;
    fs::write(&initial_files, ramdisk::archive(rootfs)?)?;
    let mut builder = DiskImageBuilder::new(kernel.clone());
    builder.set_ramdisk(initial_files.clone()).set_boot_config(&quiet());
    match firmware {
        Firmware::Bios => builder.create_bios_image(&unfinished)?,
        Firmware::Uefi => builder.create_uefi_image(&unfinished)?,
    }
    fs::rename(&unfinished, image)?;
    fs::remove_file(&initial_files)?;
    fs::rename(&kernel, beside(elf, "stripped"))?;
    Ok(())
}

/// What tells images with different initial files apart; nothing for the usual ones.
fn mark(rootfs: &Path) -> String {
    if rootfs == Path::new(ROOTFS) {
        return String::new();
    }
    let mut hasher = DefaultHasher::new();
    rootfs.hash(&mut hasher);
    format!(".{:016x}", hasher.finish())
}

/// The serial port is the kernel's console alone.
fn quiet() -> BootConfig {
    let mut config = BootConfig::default();
    config.log_level = LevelFilter::Error;
    config.frame_buffer_logging = false;
    config.serial_logging = false;
    config
}

/// Writes a copy of `elf` without symbols and debug information, its symbol table appended.
fn strip(elf: &Path, output: &Path) -> Result<()> {
    let objcopy = host::objcopy()?;
    let status = Command::new(&objcopy).arg("--strip-all").arg(elf).arg(output).status();
    let status = status.with_context(|| format!("cannot run {}", objcopy.display()))?;
    if !status.success() {
        bail!("{} could not strip {}", objcopy.display(), elf.display());
    }
    let original = fs::read(elf)?;
    let mut stripped = fs::read(output)?;
    append_symbols(&original, &mut stripped)?;
    fs::write(output, stripped)?;
    Ok(())
}

/// Puts the table at the file's end and points the empty, last load segment (kernel.ld) at it.
fn append_symbols(original: &[u8], stripped: &mut Vec<u8>) -> Result<()> {
    let segments = load_segments(stripped)?;
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        bail!("the kernel has no load segments");
    };
    if last.file_size != 0 {
        bail!("the kernel's last segment is not the empty one that kernel.ld reserves for symbols");
    }
    let table = symbols::table(original, first.address)?;
    let (needed, reserved) = (u64::try_from(table.len())?, last.memory_size);
    if needed > reserved {
        bail!("the symbol table needs {needed} bytes, kernel.ld reserves {reserved}: raise it there");
    }
    let header = last.header_at;
    stripped.resize(stripped.len().next_multiple_of(PAGE), 0);
    let place = u64::try_from(stripped.len())?;
    put_u64(stripped, header + OFFSET_FIELD, place)?;
    put_u64(stripped, header + FILE_SIZE_FIELD, needed)?;
    stripped.extend(table);
    // The bootloader refuses a segment that ends where the file ends.
    stripped.push(0);
    Ok(())
}

/// Where a program header keeps the segment's place in the file, and its length there.
const OFFSET_FIELD: usize = 8;
const FILE_SIZE_FIELD: usize = 32;

struct Segment {
    header_at: usize,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

fn load_segments(elf: &[u8]) -> Result<Vec<Segment>> {
    let endian = LittleEndian;
    let header = FileHeader64::<LittleEndian>::parse(elf)?;
    let table = usize::try_from(header.e_phoff(endian))?;
    let headers = header.program_headers(endian, elf)?.iter().enumerate();
    let loads = headers.filter(|(_, segment)| segment.p_type(endian) == PT_LOAD);
    Ok(loads
        .map(|(index, segment)| Segment {
            header_at: table + index * size_of::<ProgramHeader64<LittleEndian>>(),
            address: segment.p_vaddr(endian),
            file_size: segment.p_filesz(endian),
            memory_size: segment.p_memsz(endian),
        })
        .collect())
}

fn put_u64(bytes: &mut [u8], at: usize, value: u64) -> Result<()> {
    let field = bytes.get_mut(at..at + 8).context("a program header lies outside the file")?;
    field.copy_from_slice(&value.to_le_bytes());
    Ok(())
}

/// `elf` with a suffix added to its name.
fn beside(elf: &Path, suffix: &str) -> PathBuf {
    let mut name = elf.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn is_newer(output: &Path, inputs: &[PathBuf]) -> io::Result<bool> {
    let Ok(made) = modified(output) else { return Ok(false) };
    for input in inputs {
        if modified(input)? >= made {
            return Ok(false);
        }
    }
    Ok(true)
}

fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}
