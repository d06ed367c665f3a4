//! File systems beside one another: mounts, devices, the tree of /proc.
//!
//! And pages of files, to be mapped.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks, allocator_api)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

#[path = "common/names.rs"]
mod common;

use alloc::sync::Arc;
use core::fmt;

use common::{MAKE, READ, ROOT, WRITE, exists, is, mkdir, put, rename, text_of};
use kapi::Errno;
use kernel::fs::procfs::{self, Child, Directory, Entry, FIRST_COMPUTED, LinkTo, Text};
use kernel::fs::{self, Kind, Listed, Make, Node, OpenFile, Place};
use kernel::mm::KString;
use kernel::testing::memory;

kernel::test_kernel!(test_main);

/// Pages that are free once all caches are empty.
fn free_pages() -> usize {
    memory().drop_caches();
    memory().pages().free_pages_total()
}

/// Removes what a test has left, and all in it.
fn clear(path: &str) {
    for entry in fs::readdir(&ROOT, path).unwrap().iter() {
        let path = KString::try_format(format_args!("{path}/{}", entry.name.as_str())).unwrap();
        if entry.kind == Kind::Directory {
            clear(&path);
        } else {
            fs::unlink(&ROOT, &path).unwrap();
        }
    }
    fs::rmdir(&ROOT, path).unwrap();
}

#[test_case]
fn device_nodes_work_wherever_they_are() {
    let device = |major, minor| Make::Device { major, minor };
    fs::mknod(&ROOT, "/tmp/zero", 0o600, device(1, 5)).unwrap();
    fs::mknod(&ROOT, "/tmp/none", 0o600, device(99, 5)).unwrap();
    let mut bytes = [1; 4];
    assert_eq!(fs::open(&ROOT, "/tmp/zero", READ, 0).unwrap().read_bytes(&mut bytes), Ok(4));
    assert_eq!(bytes, [0; 4]);
    let stat = fs::stat(&ROOT, "/tmp/zero").unwrap();
    assert_eq!((stat.kind(), stat.attributes.mode), (Kind::Device { major: 1, minor: 5 }, 0o600));
    assert_eq!(fs::open(&ROOT, "/tmp/none", READ, 0).err(), Some(Errno::ENXIO));
    assert_eq!(fs::mknod(&ROOT, "/tmp/zero", 0o600, Make::File), Err(Errno::EEXIST));
    fs::unlink(&ROOT, "/tmp/zero").unwrap();
    fs::unlink(&ROOT, "/tmp/none").unwrap();
    let null = fs::stat(&ROOT, "/dev/null").unwrap();
    assert!(null.id.inode != 0 && null.id != fs::stat(&ROOT, "/dev/zero").unwrap().id);
}

#[test_case]
fn dev_takes_nodes_of_devices_and_nothing_else() {
    let node = Make::Device { major: 1, minor: 5 };
    let names = || fs::readdir(&ROOT, "/dev").unwrap().len();
    let before = names();
    assert_eq!(fs::mknod(&ROOT, "/dev/null", 0o600, node), Err(Errno::EEXIST));
    assert_eq!(fs::mknod(&ROOT, "/dev/x", 0o600, Make::Pipe), Err(Errno::EPERM));
    assert_eq!(fs::mkdir(&ROOT, "/dev/x", 0o755), Err(Errno::EPERM));
    assert_eq!(fs::open(&ROOT, "/dev/x", MAKE, 0o666).err(), Some(Errno::ENOENT));
    fs::mknod(&ROOT, "/dev/x", 0o640, node).unwrap();
    fs::mknod(&ROOT, "/dev/y", 0o600, Make::Block { major: 99, minor: 0 }).unwrap();
    assert_eq!(fs::mknod(&ROOT, "/dev/x", 0o600, node), Err(Errno::EEXIST));
    assert_eq!(names(), before + 2);
    let mut bytes = [1; 4];
    assert_eq!(fs::open(&ROOT, "/dev/x", READ, 0).unwrap().read_bytes(&mut bytes), Ok(4));
    let stat = fs::stat(&ROOT, "/dev/x").unwrap();
    assert_eq!((bytes, stat.kind(), stat.attributes.mode), ([0; 4], Kind::Device { major: 1, minor: 5 }, 0o640));
    assert_eq!(fs::unlink(&ROOT, "/dev/zero"), Err(Errno::EPERM));
    assert_eq!(fs::rmdir(&ROOT, "/dev/x"), Err(Errno::ENOTDIR));
    assert_eq!((fs::unlink(&ROOT, "/dev/x"), fs::unlink(&ROOT, "/dev/y")), (Ok(()), Ok(())));
    assert_eq!((names(), fs::unlink(&ROOT, "/dev/x")), (before, Err(Errno::ENOENT)));
}

#[test_case]
fn file_systems_are_mounted_and_taken_away() {
    let free = free_pages();
    mkdir("/tmp/m");
    put("/tmp/m/hidden", "");
    fs::mount(&ROOT, "none", "/tmp/m", "tmpfs").unwrap();
    assert!(!exists("/tmp/m/hidden"));
    mkdir("/tmp/m/sub");
    let mut place = Place::root();
    place.chdir("/tmp/m/sub").unwrap();
    assert_eq!(place.getcwd().unwrap().as_str(), "/tmp/m/sub");
    assert!(is(
        "/proc/mounts",
        "rootfs / rootfs rw,noatime 0 0\ntmpfs /tmp tmpfs rw,noatime 0 0\n\
        devtmpfs /dev devtmpfs rw,noatime 0 0\nproc /proc proc rw,noatime 0 0\nnone /tmp/m tmpfs rw,noatime 0 0\n"
    ));
    assert_eq!(rename("/tmp/m/sub", "/tmp/x"), Err(Errno::EXDEV));
    assert_eq!((rename("/tmp/m", "/tmp/x"), fs::rmdir(&ROOT, "/tmp/m")), (Err(Errno::EBUSY), Err(Errno::EBUSY)));
    assert_eq!(fs::mount(&ROOT, "none", "/tmp/m", "ext2"), Err(Errno::ENODEV));
    assert_eq!(fs::mount(&ROOT, "none", "/tmp/bigfile", "tmpfs"), Err(Errno::ENOTDIR));
    assert_eq!((fs::unmount(&ROOT, "/tmp"), fs::unmount(&ROOT, "/")), (Err(Errno::EBUSY), Err(Errno::EBUSY)));
    // None hides another: nobody could get at it any more.
    for taken in ["/tmp/m", "/tmp", "/"] {
        assert_eq!(fs::mount(&ROOT, "more", taken, "tmpfs"), Err(Errno::EBUSY), "{taken}");
    }
    assert_eq!(fs::unmount(&ROOT, "/tmp/m/sub"), Err(Errno::EINVAL));
    for used in ["/tmp/m/sub", "/tmp/m"] {
        place.chdir(used).unwrap();
        assert_eq!(fs::unmount(&ROOT, "/tmp/m"), Err(Errno::EBUSY), "{used} is somebody's place");
    }
    place.chdir("/").unwrap();
    put("/tmp/m/f", "");
    let open = fs::open(&ROOT, "/tmp/m/f", READ, 0).unwrap();
    assert_eq!(fs::unmount(&ROOT, "/tmp/m"), Err(Errno::EBUSY));
    drop(open);
    fs::unmount(&ROOT, "/tmp/m").unwrap();
    assert!(exists("/tmp/m/hidden"));
    clear("/tmp/m");
    assert_eq!(free_pages(), free);
}

/// /proc/7 and /proc/8: a text, a link, a directory.
struct Numbers;

/// What is in each of them.
struct Number(u64);

struct Hello(u64);

struct ToFile(Option<Arc<dyn Node>>);

impl Text for Hello {
    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "hello {}", self.0)
    }
}

impl LinkTo for ToFile {
    fn text(&self) -> Result<KString, Errno> {
        Ok(KString::from_str("nowhere", mm::GfpFlags::KERNEL)?)
    }

    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        Ok(self.0.clone())
    }
}

fn listed(name: &str, inode: u64, kind: Kind, next: u64) -> Listed {
    Listed { name: vfs::Name::new(name).unwrap(), inode, kind, next }
}

impl Directory for Numbers {
    fn child(&self, name: &str) -> Result<Option<Child>, Errno> {
        let Some(number) = name.parse().ok().filter(|number| [7, 8].contains(number)) else { return Ok(None) };
        let entry = Entry::Directory(Arc::try_new(Number(number)).unwrap());
        Ok(Some(Child { inode: FIRST_COMPUTED + number * 16, mode: 0o555, owner: (0, 0), entry }))
    }

    fn next(&self, place: u64) -> Result<Option<Listed>, Errno> {
        Ok(match place {
            0..=7 => Some(listed("7", FIRST_COMPUTED + 7 * 16, Kind::Directory, 8)),
            8 => Some(listed("8", FIRST_COMPUTED + 8 * 16, Kind::Directory, 9)),
            _ => None,
        })
    }
}

impl Directory for Number {
    fn child(&self, name: &str) -> Result<Option<Child>, Errno> {
        let entry = match name {
            "hello" => Entry::Text(Arc::try_new(Hello(self.0)).unwrap()),
            "exe" => {
                let file = fs::open(&ROOT, "/tmp/bigfile", READ, 0)?;
                Entry::Link(Arc::try_new(ToFile(file.node().cloned())).unwrap())
            }
            _ => return Ok(None),
        };
        Ok(Some(Child { inode: FIRST_COMPUTED + self.0 * 16 + name.len() as u64, mode: 0o444, owner: (0, 0), entry }))
    }

    fn next(&self, place: u64) -> Result<Option<Listed>, Errno> {
        Ok((place == 0).then(|| listed("hello", FIRST_COMPUTED + self.0 * 16 + 5, Kind::File, 1)))
    }
}

struct ToSeven;

impl LinkTo for ToSeven {
    fn text(&self) -> Result<KString, Errno> {
        Ok(KString::from_str("7", mm::GfpFlags::KERNEL)?)
    }
}

#[test_case]
fn proc_has_computed_directories_links_and_magic_links() {
    procfs::add_root(Arc::try_new(Numbers).unwrap()).unwrap();
    procfs::register_link("seven", Arc::try_new(ToSeven).unwrap()).unwrap();
    assert!(is("/proc/7/hello", "hello 7") && is("/proc/8/hello", "hello 8") && is("/proc/seven/hello", "hello 7"));
    assert!(!exists("/proc/9") && !exists("/proc/7/no"));
    let has = |path, name| fs::readdir(&ROOT, path).unwrap().iter().any(|entry| entry.name.as_str() == name);
    assert!(has("/proc", "8") && has("/proc", "meminfo") && has("/proc/7", "hello") && !has("/proc/sys", "8"));
    assert_eq!(fs::read_link(&ROOT, "/proc/seven").unwrap().as_str(), "7");
    assert_eq!(fs::read_link(&ROOT, "/proc/7/exe").unwrap().as_str(), "nowhere");
    assert_eq!(fs::stat(&ROOT, "/proc/7/exe").unwrap().id, fs::stat(&ROOT, "/tmp/bigfile").unwrap().id);
    assert_eq!(fs::open(&ROOT, "/proc/7/exe", READ, 0).unwrap().stat().unwrap().size, 1 << 20);
    let mut place = Place::root();
    place.chdir("/proc/seven").unwrap();
    assert_eq!(place.getcwd().unwrap().as_str(), "/proc/7");
    assert_eq!(text_of(&place, "../8/hello").unwrap().as_str(), "hello 8");
    assert_eq!(fs::stat(&ROOT, "/proc/7/hello").unwrap().attributes.mode, 0o444);
    assert_eq!(fs::open(&ROOT, "/proc/7/hello", WRITE, 0).err(), Some(Errno::EACCES));
    assert!(is("/proc/filesystems", "nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\n"));
}

#[test_case]
fn pages_of_files_are_shared_with_who_maps_them() {
    let free = free_pages();
    put("/tmp/shared", "before");
    let file: OpenFile = fs::open(&ROOT, "/tmp/shared", READ | WRITE, 0).unwrap();
    let source = file.page_source().unwrap();
    let read = kernel::mm::space::FaultAccess::Read;
    let frame = source.page(0, read).unwrap();
    assert_eq!(source.page(0, read), Ok(frame), "one page");
    let window = memory().kmap(frame).unwrap();
    // SAFETY: the page is the file's, and shows there until `kunmap`.
    unsafe { window.as_mut_ptr::<u8>().write(b'B') };
    memory().kunmap(frame).unwrap();
    assert!(is("/tmp/shared", "Before"));
    assert_eq!(source.page(1, read), Err(kernel::mm::space::ObjectError::Beyond));
    let mut name = KString::new();
    source.write_name(&mut name).unwrap();
    assert_eq!(name.as_str(), "/tmp/shared");
    file.truncate(0).unwrap();
    assert_eq!(source.page(0, read), Err(kernel::mm::space::ObjectError::Beyond));
    for _ in 0..2 {
        memory().free_frames(frame, mm::Order::ZERO).unwrap();
    }
    drop((source, file));
    fs::unlink(&ROOT, "/tmp/shared").unwrap();
    assert_eq!(free_pages(), free);
}
