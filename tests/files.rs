//! Files: /tmp, /dev, /proc, the initial files, pipes between threads.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

use kapi::{Errno, IoBuf, OpenFlags, Whence};
use kernel::fs::{self, Kind, OpenFile, Place, bigfile};
use kernel::mm::KString;
use kernel::testing::memory;

kernel::test_kernel!(test_main);

/// Where all paths start.
const ROOT: Place = Place::root();

const CREATE: OpenFlags = OpenFlags::WRITE.union(OpenFlags::CREATE).union(OpenFlags::TRUNCATE);
const RW: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE).union(OpenFlags::CREATE);

fn open(path: &str, flags: OpenFlags) -> OpenFile {
    fs::open(&ROOT, path, flags, 0o666).unwrap()
}

fn kind_and_size(path: &str) -> (Kind, u64) {
    let stat = fs::stat(&ROOT, path).unwrap();
    (stat.kind(), stat.size)
}

/// Pages that are free once all caches are empty.
fn free_pages() -> usize {
    memory().drop_caches();
    memory().pages().free_pages_total()
}

/// Whether the text of the file at `path` contains `text`.
fn contains(path: &str, text: &str) -> bool {
    let file = open(path, OpenFlags::READ);
    let mut bytes = [0; 4096];
    let mut len = 0;
    while len < bytes.len() {
        match file.read_bytes(&mut bytes[len..]).unwrap() {
            0 => break,
            n => len += n,
        }
    }
    core::str::from_utf8(&bytes[..len]).unwrap().contains(text)
}

/// Whether the directory at `path` has `name`.
fn lists(path: &str, name: &str) -> bool {
    fs::readdir(&ROOT, path).unwrap().iter().any(|entry| entry.name.as_str() == name)
}

/// The `n`-th byte of a sequence without a short period.
fn byte(n: usize) -> u8 {
    (n.wrapping_mul(0x9e37_79b9) >> 13) as u8
}

#[test_case]
fn tmp_files_hold_what_is_written_and_rm_frees_it() {
    let free = free_pages();
    let file = open("/tmp/a", RW);
    let mut chunk = [0; 1000];
    for part in 0..100 {
        for (at, place) in chunk.iter_mut().enumerate() {
            *place = byte(part * 1000 + at);
        }
        file.write_all(&chunk).unwrap();
    }
    assert_eq!(kind_and_size("/tmp/a"), (Kind::File, 100_000));
    file.llseek(0, Whence::Start).unwrap();
    let mut at = 0;
    loop {
        let n = file.read_bytes(&mut chunk).unwrap();
        if n == 0 {
            break;
        }
        assert!(chunk[..n].iter().enumerate().all(|(offset, &found)| found == byte(at + offset)));
        at += n;
    }
    assert_eq!(at, 100_000);
    assert!(free - free_pages() >= 25, "the content lies in pages");
    fs::unlink(&ROOT, "/tmp/a").unwrap();
    assert_eq!(fs::stat(&ROOT, "/tmp/a"), Err(Errno::ENOENT));
    assert!(free - free_pages() >= 25, "an open file outlives its name");
    drop(file);
    assert_eq!(free_pages(), free);
}

#[test_case]
fn files_that_keep_what_is_written_can_be_told_apart() {
    let (file, other) = (open("/tmp/a", RW), open("/tmp/b", RW));
    let id = |file: &OpenFile| file.stat().unwrap().id;
    assert!(file.stat().unwrap().is_stored() && id(&file) != id(&other));
    assert_eq!(id(&file), id(&open("/tmp/../tmp/a", RW)));
    assert_eq!(id(&file), fs::stat(&ROOT, "/tmp/./a").unwrap().id);
    for path in ["/dev/null", "/dev/zero", "/proc/meminfo", "/tmp"] {
        let stat = fs::stat(&ROOT, path).unwrap();
        assert!(!stat.is_stored() && stat.id.inode != 0 && stat.id.device != 0, "{path}");
    }
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    assert!(!reader.stat().unwrap().is_stored() && id(&reader) == id(&writer));
    assert_ne!(id(&reader), id(&fs::pipe(OpenFlags::empty()).unwrap().0));
    fs::unlink(&ROOT, "/tmp/a").unwrap();
    fs::unlink(&ROOT, "/tmp/b").unwrap();
}

#[test_case]
fn truncating_frees_and_holes_cost_nothing() {
    let free = free_pages();
    let file = open("/tmp/b", RW);
    file.llseek(1 << 30, Whence::Start).unwrap();
    file.write_all(b"end").unwrap();
    assert!(free - free_pages() < 32, "a gigabyte of hole");
    file.llseek(-5, Whence::End).unwrap();
    let mut bytes = [1; 8];
    assert_eq!(file.read_bytes(&mut bytes), Ok(5));
    assert_eq!(bytes, *b"\0\0end\x01\x01\x01");
    file.llseek(30 << 30, Whence::Start).unwrap();
    assert_eq!(file.write_all(b"x"), Err(Errno::EFBIG));
    drop(open("/tmp/b", CREATE));
    assert_eq!(kind_and_size("/tmp/b"), (Kind::File, 0));
    drop(file);
    fs::unlink(&ROOT, "/tmp/b").unwrap();
    assert_eq!(free_pages(), free);
}

#[test_case]
fn appending_goes_to_the_end() {
    open("/tmp/c", CREATE).write_all(b"one").unwrap();
    open("/tmp/c", OpenFlags::WRITE | OpenFlags::APPEND).write_all(b"two").unwrap();
    assert!(contains("/tmp/c", "onetwo"));
    fs::unlink(&ROOT, "/tmp/c").unwrap();
}

#[test_case]
fn far_apart_pages_of_a_file_are_charged_what_they_cost() {
    let free = free_pages();
    let file = open("/tmp/sparse", CREATE);
    // Each page has a node of the tree for itself.
    let error = (0..).find_map(|n| {
        file.llseek(n << 18, Whence::Start).unwrap();
        file.write_all(b"x").err()
    });
    assert_eq!(error, Some(Errno::ENOSPC));
    let (held, most) = (free - free_pages(), memory().pages().managed_pages() / 3);
    assert!(held <= most + 16 && held > most - most / 8, "{held} pages of {most}");
    drop(file);
    fs::unlink(&ROOT, "/tmp/sparse").unwrap();
    assert_eq!(free_pages(), free);
}

#[test_case]
fn empty_files_come_to_an_end() {
    let free = free_pages();
    // Most of what there may be goes to one file: the rest is for names.
    let hog = open("/tmp/hog", CREATE);
    let (used, most) = fs::tmpfs::usage();
    for _ in 0..(most - used) / 4096 - 100 {
        hog.write_all(&[1; 4096]).unwrap();
    }
    let path = |n: usize| KString::try_format(format_args!("/tmp/e{n:05}")).unwrap();
    let error = (0..).find_map(|n| fs::open(&ROOT, &path(n), CREATE, 0o666).err().map(|error| (n, error)));
    let (count, error) = error.unwrap();
    assert!(error == Errno::ENOSPC && (100..4000).contains(&count), "{error} after {count}");
    assert_eq!(fs::readdir(&ROOT, "/tmp").map(|entries| entries.len()), Ok(count + 2));
    for n in 0..count {
        fs::unlink(&ROOT, &path(n)).unwrap();
    }
    drop(hog);
    fs::unlink(&ROOT, "/tmp/hog").unwrap();
    // The directory keeps its room.
    assert!(free - free_pages() <= 64);
}

#[test_case]
fn tmp_ends_before_memory_does() {
    let free = free_pages();
    let file = open("/tmp/hog", CREATE);
    let error = loop {
        if let Err(error) = file.write_all(&[0x5a; 4096]) {
            break error;
        }
    };
    assert_eq!(error, Errno::ENOSPC);
    assert!(free_pages() > memory().pages().managed_pages() / 4);
    drop(file);
    fs::unlink(&ROOT, "/tmp/hog").unwrap();
    assert_eq!(free_pages(), free);
}

#[test_case]
fn bigfile_is_a_megabyte_that_does_not_repeat() {
    assert_eq!(kind_and_size("/tmp/bigfile"), (Kind::File, 1_048_576));
    let file = open("/tmp/bigfile", OpenFlags::READ);
    let (mut first, mut other) = ([0; 256], [0; 256]);
    assert_eq!(file.read_bytes(&mut first), Ok(256));
    for start in (256..bigfile::SIZE).step_by(4096) {
        file.llseek(start as i64, Whence::Start).unwrap();
        assert_eq!(file.read_bytes(&mut other), Ok(256));
        assert_ne!(first, other, "at {start}");
    }
}

#[test_case]
fn wrong_names_and_modes_have_their_errors() {
    let error = |path, flags| fs::open(&ROOT, path, flags, 0o666).err();
    assert_eq!(error("/nosuch", OpenFlags::READ), Some(Errno::ENOENT));
    assert_eq!(error("", OpenFlags::READ), Some(Errno::ENOENT));
    assert_eq!(error("/tmp", OpenFlags::WRITE), Some(Errno::EISDIR));
    assert_eq!(open("/tmp", OpenFlags::READ).read_bytes(&mut [0]), Err(Errno::EISDIR));
    assert_eq!(error("/tmp/bigfile/x", OpenFlags::READ), Some(Errno::ENOTDIR));
    assert_eq!(error("/tmp/bigfile/", OpenFlags::READ), Some(Errno::ENOTDIR));
    assert_eq!(error("/tmp/no/x", CREATE), Some(Errno::ENOENT));
    assert_eq!(error("/no/x", CREATE), Some(Errno::ENOENT));
    assert_eq!(error("/dev/nosuch", OpenFlags::READ), Some(Errno::ENOENT));
    assert_eq!(error("/dev/scull99", OpenFlags::READ), Some(Errno::ENOENT));
    const MISSING: [&str; 7] =
        ["/dev/new", "/dev/scull4", "/dev/scull00", "/dev/scull+1", "/dev/scull", "/dev/no/x", "/dev/allocator0"];
    for missing in MISSING {
        for flags in [CREATE, RW, OpenFlags::READ, OpenFlags::WRITE] {
            assert_eq!(error(missing, flags), Some(Errno::ENOENT), "{missing}");
        }
        assert_eq!(
            (fs::unlink(&ROOT, missing), fs::stat(&ROOT, missing)),
            (Err(Errno::ENOENT), Err(Errno::ENOENT)),
            "{missing}"
        );
    }
    assert_eq!(error("/dev/scull0/x", CREATE), Some(Errno::ENOTDIR));
    assert_eq!(error("/dev/null/", CREATE), Some(Errno::ENOTDIR));
    assert_eq!(error("/proc/meminfo", CREATE), Some(Errno::EACCES));
    assert_eq!(error(core::str::from_utf8(&[b'x'; 300]).unwrap(), OpenFlags::READ), Some(Errno::ENAMETOOLONG));
    assert_eq!(open("/tmp/bigfile", OpenFlags::READ).write_all(b"x"), Err(Errno::EBADF));
    assert_eq!(fs::unlink(&ROOT, "/proc/meminfo"), Err(Errno::EPERM));
    assert_eq!(fs::unlink(&ROOT, "/tmp"), Err(Errno::EISDIR));
    assert_eq!(fs::stat(&ROOT, "/dev/../tmp/./bigfile").map(|stat| stat.kind()), Ok(Kind::File));
}

#[test_case]
fn directories_list_what_they_hold() {
    for name in ["dev", "proc", "tmp"] {
        assert!(lists("/", name), "{name}");
    }
    assert!(lists("/tmp", "bigfile") && lists("/dev", "null") && lists("/dev", "scullv3"));
    assert!(lists("/proc", "scullpmem") && lists("/proc/sys", "vm") && lists("/proc/sys/vm", "drop_caches"));
    assert_eq!(fs::readdir(&ROOT, "/tmp/bigfile").err(), Some(Errno::ENOTDIR));
    assert_eq!(fs::readdir(&ROOT, "/nosuch").err(), Some(Errno::ENOENT));
}

#[test_case]
fn null_zero_and_full_behave() {
    let mut bytes = [7; 100];
    let null = open("/dev/null", RW);
    assert_eq!(null.write_all(&bytes), Ok(()));
    assert_eq!(null.read_bytes(&mut bytes), Ok(0));
    assert_eq!(open("/dev/zero", OpenFlags::READ).read_bytes(&mut bytes), Ok(100));
    assert_eq!(bytes, [0; 100]);
    assert_eq!(open("/dev/full", OpenFlags::WRITE).write(&mut IoBuf::take(b"x")), Err(Errno::ENOSPC));
    assert_eq!(fs::stat(&ROOT, "/dev/null").map(|stat| stat.kind()), Ok(Kind::Device { major: 1, minor: 3 }));
}

#[test_case]
fn proc_files_are_texts_of_one_moment() {
    assert!(contains("/proc/meminfo", "MemTotal:"));
    assert!(contains("/proc/slabinfo", "slabinfo - version: 1.1 (SMP)\n"));
    assert!(contains("/proc/devices", "  1 mem\n"));
    assert!(contains("/proc/modules", " 0 - Live 0x0000000000000000"));
    assert!(contains("/proc/buddyinfo", "Node 0, zone      DMA "));
    assert!(contains("/proc/interrupts", "  0: "));
    assert!(contains("/proc/iomem", " : System RAM\n"));
    let text = open("/proc/devices", OpenFlags::READ);
    kernel::modules::rmmod("scull").unwrap();
    let mut bytes = [0; 512];
    let n = text.read_bytes(&mut bytes).unwrap();
    assert!(core::str::from_utf8(&bytes[..n]).unwrap().contains(" scull\n"), "it was written when it was opened");
    kernel::modules::insmod("scull", &[]).unwrap();
    let control = open("/proc/sys/vm/drop_caches", OpenFlags::WRITE);
    assert_eq!(control.write_all(b"3\n"), Ok(()));
    assert_eq!(control.write_all(b"many\n"), Err(Errno::EINVAL));
}
