//! From the linked kernel to disk images for BIOS and UEFI.
//!
//! The ELF file that cargo leaves keeps its symbols and debug information, for gdb. An image has a stripped copy that
//! carries the kernel's own symbol table; that of another kernel is stripped, no more. Images lie beside the ELF file,
//! the last few of each kernel.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result, bail};
use bootloader::DiskImageBuilder;
use bootloader_boot_config::{BootConfig, LevelFilter};
use object::LittleEndian;
use object::elf::{FileHeader64, PT_LOAD, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::firmware::Firmware;
use hosttools::exports::Exports;
use hosttools::{functions, toolchain};

use crate::prune;

const PAGE: usize = 4096;

/// Images of one kernel and firmware that are kept for later runs, the newest.
const KEPT: usize = 2;

/// Whose kernel it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Make {
    /// Scullery's: kernel.ld reserves room for its symbols.
    Own,
    /// Somebody else's.
    Other,
}

/// A kernel as it was linked.
pub struct Kernel<'a> {
    elf: &'a Path,
    content: Vec<u8>,
    make: Make,
}

/// What an image is made of. Equal contents make equal images, whatever the dates of the files.
pub struct Recipe<'a> {
    /// The kernel in it.
    pub kernel: &'a Kernel<'a>,
    /// What the bootloader loads besides: the archive of the initial files; empty for none.
    pub ramdisk: &'a [u8],
    /// What it boots from.
    pub firmware: Firmware,
}

impl Recipe<'_> {
    /// The disk image, open; one made before if the contents are the same.
    pub fn for_run(&self) -> Result<File> {
        let cached = self.cached()?;
        if let Ok(image) = File::open(&cached) {
            return Ok(image);
        }
        let image = self.make(&cached)?;
        prune::images(self.kernel.elf, self.firmware, KEPT)?;
        Ok(image)
    }

    /// Makes the disk image to copy to a disk, and says where it is.
    pub fn to_keep(&self) -> Result<PathBuf> {
        let path = beside(self.kernel.elf, &format!("{}.img", self.firmware));
        self.make(&path)?;
        Ok(path)
    }

    /// Where the image is kept: its name says what it was made of, and by which program.
    fn cached(&self) -> Result<PathBuf> {
        let maker = fs::metadata(env::current_exe()?)?;
        let mut hasher = DefaultHasher::new();
        (&self.kernel.content, self.kernel.make, self.ramdisk, maker.len(), maker.modified()?).hash(&mut hasher);
        Ok(beside(self.kernel.elf, &format!("{}.{:016x}.img", self.firmware, hasher.finish())))
    }

    fn make(&self, image: &Path) -> Result<File> {
        // Another run may be making the same image: each has files of its own, and the rename is atomic.
        let own = Unfinished::new(self.kernel.elf, self.firmware);
        fs::write(&own.ramdisk, self.ramdisk)?;
        self.kernel.strip(&own.kernel)?;
        let mut builder = DiskImageBuilder::new(own.kernel.clone());
        builder.set_boot_config(&quiet());
        // The BIOS stages never end loading a file of no bytes.
        if !self.ramdisk.is_empty() {
            builder.set_ramdisk(own.ramdisk.clone());
        }
        match self.firmware {
            Firmware::Bios => builder.create_bios_image(&own.image)?,
            Firmware::Uefi => builder.create_uefi_image(&own.image)?,
        }
        let made = File::open(&own.image)?;
        fs::rename(&own.image, image)?;
        Ok(made)
    }
}

/// Files that are there while an image is made, and gone afterwards.
struct Unfinished {
    kernel: PathBuf,
    ramdisk: PathBuf,
    image: PathBuf,
}

impl Unfinished {
    fn new(elf: &Path, firmware: Firmware) -> Self {
        let own = |suffix: &str| beside(elf, &format!("{firmware}.{}.{suffix}", process::id()));
        Self { kernel: own("unfinished-kernel"), ramdisk: own("unfinished-tar"), image: own("unfinished-img") }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in [&self.kernel, &self.ramdisk, &self.image] {
            // The image is not there any more when all went well.
            let _ = fs::remove_file(path);
        }
    }
}

/// The serial port is the kernel's console alone.
fn quiet() -> BootConfig {
    let mut config = BootConfig::default();
    config.log_level = LevelFilter::Error;
    config.frame_buffer_logging = false;
    config.serial_logging = false;
    config
}

impl<'a> Kernel<'a> {
    /// Reads the file.
    pub fn read(elf: &'a Path, make: Make) -> Result<Self> {
        let content = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
        Ok(Self { elf, content, make })
    }

    /// Bytes of memory that it takes once it is loaded.
    pub fn memory(&self) -> Result<u64> {
        Ok(load_segments(&self.content)?.iter().map(|segment| segment.memory_size).sum())
    }

    /// Writes a copy without symbols and debug information, with the symbol table appended if it has room for one.
    fn strip(&self, output: &Path) -> Result<()> {
        let objcopy = toolchain::objcopy()?;
        let status = Command::new(&objcopy).arg("--strip-all").arg(self.elf).arg(output).status();
        let status = status.with_context(|| format!("cannot run {}", objcopy.display()))?;
        if !status.success() {
            bail!("{} could not strip {}", objcopy.display(), self.elf.display());
        }
        if self.make == Make::Own {
            let mut stripped = fs::read(output)?;
            append_symbols(&self.content, &mut stripped)?;
            fs::write(output, stripped)?;
        }
        Ok(())
    }
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
    let table = tables(original, first.address)?;
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

/// The table of functions, and behind it that of what modules may use, if the kernel takes any.
fn tables(original: &[u8], base: u64) -> Result<Vec<u8>> {
    let mut tables = functions::table(original, base)?;
    if let Some(exports) = Exports::of(original)? {
        tables.extend(exports.table()?);
    }
    Ok(tables)
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::{Kernel, Make, Recipe};
    use crate::archive::archive;
    use crate::firmware::Firmware;
    use crate::scratch::Scratch;

    #[test]
    fn contents_decide_whether_an_image_serves_and_dates_do_not() {
        let scratch = Scratch::new();
        let image = |kernel: &str, file: &str, date: SystemTime| {
            scratch.file("kernel", kernel);
            scratch.file("files/file", file);
            for name in ["kernel", "files/file"] {
                let file = File::options().append(true).open(scratch.path().join(name)).expect("there");
                file.set_modified(date).expect("dated");
            }
            let elf = scratch.path().join("kernel");
            let kernel = Kernel::read(&elf, Make::Own).expect("readable");
            let ramdisk = &archive(&scratch.path().join("files"), Vec::new(), u64::MAX).expect("it packs");
            Recipe { kernel: &kernel, ramdisk, firmware: Firmware::Bios }.cached().expect("a name")
        };
        let (now, long_ago) = (SystemTime::now(), SystemTime::UNIX_EPOCH);
        let first = image("kernel", "new", now);
        assert_eq!(first, image("kernel", "new", long_ago));
        assert_ne!(first, image("kernel", "old", long_ago));
        assert_ne!(first, image("Kernel", "new", now));
    }
}
