//! Disks of the machine: files of the host, which the guest reads and writes.
//!
//! `DISK=file` is /dev/vda, `SWAP=file` the next one; words behind the name, with commas, say what is special.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The smallest part of a disk that is read or written.
const SECTOR: u64 = 512;
/// Bytes of a page of the guest's.
const PAGE: usize = 4096;
/// What the first page of a swap area ends with.
const SWAP_SIGNATURE: &[u8] = b"SWAPSPACE2";

/// Whether the guest may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It may; the file changes.
    ReadWrite,
    /// It may not.
    ReadOnly,
}

/// What the guest may take the disk for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// A device that knows the time before version 1, too.
    Transitional,
    /// One that knows version 1 only.
    Modern,
}

/// Whether the disk answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// As a disk does.
    Always,
    /// When it is reset, and not before: for tests.
    OnReset,
}

/// A disk that a variable asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The variable's name and value, for messages.
    named: String,
    path: PathBuf,
    access: Access,
    age: Age,
    answers: Answers,
}

impl Disk {
    /// What `VARIABLE=value` asks for: a file's name, and `,ro`, `,modern`, `,silent` behind it.
    pub fn new(variable: &str, value: &OsString) -> Self {
        let named = format!("{variable}={}", value.display());
        let (mut access, mut age, mut answers) = (Access::ReadWrite, Age::Transitional, Answers::Always);
        let mut rest = value.as_bytes();
        while let Some(comma) = rest.iter().rposition(|&byte| byte == b',') {
            match &rest[comma + 1..] {
                b"ro" => access = Access::ReadOnly,
                b"modern" => age = Age::Modern,
                b"silent" => answers = Answers::OnReset,
                _ => break,
            }
            rest = &rest[..comma];
        }
        Self { named, path: OsString::from_vec(rest.into()).into(), access, age, answers }
    }

    /// Opens the file: for reading only where `,ro` or the file's mode says so.
    pub fn open(&self) -> Result<(File, Access)> {
        let named = || self.named.clone();
        let found = fs::metadata(&self.path).with_context(|| self.missing())?;
        if !found.is_file() {
            bail!("{} is not a file", named());
        }
        if found.len() < SECTOR {
            bail!("{}, which has {} bytes: a disk has {SECTOR} at least", self.missing(), found.len());
        }
        let access = if found.permissions().readonly() { Access::ReadOnly } else { self.access };
        let file = File::options().read(true).write(access == Access::ReadWrite).open(&self.path);
        Ok((file.with_context(named)?, access))
    }

    /// Whether the guest can swap to it: it may be written to, and is an area that mkswap has made, or begins with a
    /// page of zeros, of which the kernel makes one.
    pub fn is_swap(&self) -> bool {
        let Ok((mut file, Access::ReadWrite)) = self.open() else { return false };
        let mut page = [0; PAGE];
        let is_long = file.read_exact(&mut page).is_ok();
        let is_made = page.ends_with(SWAP_SIGNATURE) || page.iter().all(|byte| *byte == 0);
        is_long && self.answers == Answers::Always && is_made
    }

    fn missing(&self) -> String {
        format!("{}: make a disk by truncate -s 64M {}", self.named, self.path.display())
    }

    /// What QEMU is told of the disk `name`, whose file it opens by `path`.
    pub fn arguments(&self, name: &str, path: &str, access: Access) -> [String; 4] {
        let mut drive = format!("if=none,format=raw,id={name},file={path}");
        if access == Access::ReadOnly {
            drive += ",readonly=on";
        }
        if self.answers == Answers::OnReset {
            // A byte a second.
            drive += ",throttling.bps-total=1";
        }
        let mut device = format!("virtio-blk-pci,drive={name}");
        if self.age == Age::Modern {
            device += ",disable-legacy=on";
        }
        ["-drive".into(), drive, "-device".into(), device]
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::{Access, Age, Answers, Disk};
    use crate::scratch::Scratch;

    fn disk(value: &str) -> Disk {
        Disk::new("DISK", &value.into())
    }

    #[test]
    fn words_behind_the_name_say_what_is_special() {
        let plain = disk("a/b,c.img");
        assert_eq!(
            (plain.path.to_str(), plain.access, plain.age),
            (Some("a/b,c.img"), Access::ReadWrite, Age::Transitional)
        );
        let special = disk("x,modern,ro");
        assert_eq!((special.path.to_str(), special.access, special.age), (Some("x"), Access::ReadOnly, Age::Modern));
        assert_eq!(disk("x,silent").answers, Answers::OnReset);
        assert_eq!(disk("x,row").path.to_str(), Some("x,row"));
    }

    #[test]
    fn qemu_is_told_of_them() {
        let told = disk("x,ro,modern,silent").arguments("vda", "/p", Access::ReadOnly).join(" ");
        assert!(told.contains("file=/p,readonly=on,throttling.bps-total=1"), "{told}");
        assert!(told.ends_with("-device virtio-blk-pci,drive=vda,disable-legacy=on"), "{told}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_what_to_type() {
        let scratch = Scratch::new();
        let path = scratch.path().join("none.img").display().to_string();
        let error = format!("{:#}", disk(&path).open().expect_err("nothing is there"));
        assert!(error.starts_with(&format!("DISK={path}: make a disk by truncate -s 64M {path}: ")), "{error}");
        let error = format!("{:#}", disk(&scratch.path().display().to_string()).open().expect_err("a directory"));
        assert!(error.ends_with(" is not a file"), "{error}");
        scratch.file("empty.img", "");
        let path = scratch.path().join("empty.img").display().to_string();
        let error = format!("{:#}", disk(&path).open().expect_err("an empty file"));
        assert!(error.contains(&format!("truncate -s 64M {path}, which has 0 bytes")), "{error}");
    }

    #[test]
    fn a_file_that_nobody_may_write_is_read_only() {
        let scratch = Scratch::new();
        scratch.file("a.img", &"x".repeat(512));
        let path = scratch.path().join("a.img");
        let opened = || disk(path.to_str().expect("text")).open().expect("it is there").1;
        assert_eq!(opened(), Access::ReadWrite);
        fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("ours");
        assert_eq!(opened(), Access::ReadOnly);
    }

    #[test]
    fn swap_is_a_new_file_or_one_that_mkswap_has_made() {
        let scratch = Scratch::new();
        let path = scratch.path().join("swap.img");
        let is_swap = |bytes: &[u8], words: &str| {
            fs::write(&path, bytes).expect("the scratch directory can be written to");
            disk(&format!("{}{words}", path.display())).is_swap()
        };
        let mut page = [0; 8192];
        assert!(
            is_swap(&page, "") && !is_swap(&page, ",ro") && !is_swap(&page, ",silent") && !is_swap(&page[..99], "")
        );
        page[1024] = 1;
        assert!(!is_swap(&page, ""));
        page[4086..4096].copy_from_slice(b"SWAPSPACE2");
        assert!(is_swap(&page, ""));
        assert!(!disk("/nosuch").is_swap());
    }
}
