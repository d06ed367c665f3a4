//! Names: directories, links, rename, current directories, attributes, sizes.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

#[path = "common/names.rs"]
mod common;

use common::{MAKE, READ, ROOT, WRITE, exists, is, mkdir, put, rename, text_of};
use kapi::{Errno, OpenFlags, Whence};
use kernel::fs::{self, Change, Follow, Kind, Listed, Place, Replace, Timestamp};
use kernel::mm::KString;
use kernel::testing::memory;

kernel::test_kernel!(test_main);

fn links(path: &str) -> u32 {
    fs::lstat(&ROOT, path).unwrap().attributes.links
}

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
fn directories_are_made_and_removed_with_the_right_errors() {
    let free = free_pages();
    mkdir("/tmp/d");
    mkdir("/tmp/d/e/");
    let stat = fs::stat(&ROOT, "/tmp/d").unwrap();
    assert_eq!((stat.kind(), stat.attributes.mode, stat.attributes.links), (Kind::Directory, 0o755, 3));
    let mkdir = |path| fs::mkdir(&ROOT, path, 0o777).err();
    for there in ["/tmp/d", "/", "/tmp", "/tmp/d/.", "/tmp/d/..", "/proc", "/dev/null"] {
        assert_eq!(mkdir(there), Some(Errno::EEXIST), "{there}");
    }
    assert_eq!((mkdir("/tmp/no/x"), mkdir("/tmp/bigfile/x")), (Some(Errno::ENOENT), Some(Errno::ENOTDIR)));
    assert_eq!((mkdir("/proc/x"), mkdir("/dev/x")), (Some(Errno::EPERM), Some(Errno::EPERM)));
    put("/tmp/d/f", "text");
    let rmdir = |path| fs::rmdir(&ROOT, path).err();
    const WRONG: [(&str, Errno); 10] = [
        ("/tmp/d", Errno::ENOTEMPTY),
        ("/tmp/d/f", Errno::ENOTDIR),
        ("/tmp/d/f/", Errno::ENOTDIR),
        ("/tmp/no", Errno::ENOENT),
        ("/tmp/d/.", Errno::EINVAL),
        ("/tmp/d/e/..", Errno::ENOTEMPTY),
        ("/", Errno::EBUSY),
        ("/tmp", Errno::EBUSY),
        ("/tmp/..", Errno::EBUSY),
        ("/proc/sys", Errno::EPERM),
    ];
    for (path, error) in WRONG {
        assert_eq!(rmdir(path), Some(error), "{path}");
    }
    for (path, error) in [("/tmp/d/e", Errno::EISDIR), ("/tmp/d/f/", Errno::ENOTDIR), ("/tmp/d/.", Errno::EISDIR)] {
        assert_eq!(fs::unlink(&ROOT, path).err(), Some(error), "{path}");
    }
    fs::unlink(&ROOT, "/tmp/d/f").unwrap();
    assert_eq!((rmdir("/tmp/d/e/"), rmdir("/tmp/d")), (None, None));
    assert_eq!(free_pages(), free);
}

#[test_case]
fn directories_can_be_made_in_the_root_and_initial_files_changed() {
    mkdir("/mnt");
    put("/mnt/f", "x");
    assert!(is("/mnt/f", "x"));
    clear("/mnt");
    let (before, old) = (fs::stat(&ROOT, "/etc/passwd").unwrap(), text_of(&ROOT, "/etc/passwd").unwrap());
    assert_eq!((before.kind(), before.size as usize, before.blocks), (Kind::File, old.len(), 0));
    let reader = fs::open(&ROOT, "/etc/passwd", READ, 0).unwrap();
    fs::open(&ROOT, "/etc/passwd", WRITE | OpenFlags::APPEND, 0).unwrap().write_all(b"me:x:1:1::/:\n").unwrap();
    let (after, new) = (fs::stat(&ROOT, "/etc/passwd").unwrap(), text_of(&ROOT, "/etc/passwd").unwrap());
    assert!(new.starts_with(old.as_str()) && new.ends_with("me:x:1:1::/:\n"));
    assert_eq!((after.id, after.blocks, reader.stat().unwrap().size), (before.id, 8, new.len() as u64));
    fs::truncate(&ROOT, "/etc/group", 3).unwrap();
    assert_eq!(fs::stat(&ROOT, "/etc/group").unwrap().size, 3);
    rename("/etc/passwd", "/etc/shadow").unwrap();
    assert!(is("/etc/shadow", &new));
    fs::unlink(&ROOT, "/etc/shadow").unwrap();
}

#[test_case]
fn names_are_listed_once_whatever_happens_meanwhile() {
    mkdir("/tmp/l");
    for n in 0..50 {
        put(&KString::try_format(format_args!("/tmp/l/{n}")).unwrap(), "");
    }
    let directory = fs::open(&ROOT, "/tmp/l", READ | OpenFlags::DIRECTORY, 0).unwrap();
    let mut seen = 0_u64;
    let mut dots = 0;
    loop {
        let mut taken = None;
        // One at a time: the position stays behind what was taken.
        let all = directory.read_dir(&mut |listed| match taken {
            None => {
                assert_ne!(listed.inode, 0);
                taken = Some(*listed);
                Ok(())
            }
            Some(_) => Err(Errno::EAGAIN),
        });
        match taken {
            Some(Listed { name, .. }) if matches!(&*name, "." | "..") => dots += 1,
            Some(Listed { name, .. }) => {
                seen += 1 << name.parse::<u64>().unwrap();
                let path = KString::try_format(format_args!("/tmp/l/{}", &*name)).unwrap();
                fs::unlink(&ROOT, &path).unwrap();
            }
            None => {}
        }
        if all.is_ok() {
            break;
        }
    }
    assert_eq!((seen, dots), ((1 << 50) - 1, 2));
    assert_eq!(directory.llseek(0, Whence::Start), Ok(0));
    fs::rmdir(&ROOT, "/tmp/l").unwrap();
    let mut left = 0;
    let mut count = |_: &_| {
        left += 1;
        Ok(())
    };
    directory.read_dir(&mut count).unwrap();
    assert_eq!(left, 2, "a removed directory is empty");
}

#[test_case]
fn links_are_followed_and_looked_at() {
    mkdir("/tmp/s");
    put("/tmp/s/f", "text");
    fs::symlink(&ROOT, "f", "/tmp/s/to_f").unwrap();
    fs::symlink(&ROOT, "../s", "/tmp/s/here").unwrap();
    fs::symlink(&ROOT, "/dev/null", "/tmp/s/null").unwrap();
    fs::symlink(&ROOT, "new", "/tmp/s/to_new").unwrap();
    fs::symlink(&ROOT, "self", "/tmp/s/self").unwrap();
    assert!(is("/tmp/s/here/here/to_f", "text"));
    assert_eq!(fs::read_link(&ROOT, "/tmp/s/to_f").unwrap().as_str(), "f");
    assert_eq!(fs::read_link(&ROOT, "/tmp/s/f").err(), Some(Errno::EINVAL));
    let stat = fs::lstat(&ROOT, "/tmp/s/null").unwrap();
    assert_eq!((stat.kind(), stat.size, stat.attributes.mode), (Kind::Link, 9, 0o777));
    assert_eq!(fs::stat(&ROOT, "/tmp/s/null").unwrap().kind(), Kind::Device { major: 1, minor: 3 });
    assert_eq!(fs::stat(&ROOT, "/tmp/s/self").err(), Some(Errno::ELOOP));
    let error = |path, flags| fs::open(&ROOT, path, flags, 0o666).err();
    assert_eq!(error("/tmp/s/to_f", READ | OpenFlags::NOFOLLOW), Some(Errno::ELOOP));
    assert_eq!(error("/tmp/s/to_f", READ | OpenFlags::DIRECTORY), Some(Errno::ENOTDIR));
    assert_eq!(error("/tmp/s/to_new", READ), Some(Errno::ENOENT));
    assert_eq!(error("/tmp/s/to_new", MAKE | OpenFlags::EXCLUSIVE), Some(Errno::EEXIST), "the link is there");
    put("/tmp/s/to_new", "made");
    assert!(is("/tmp/s/new", "made"), "made where the link leads");
    // A name goes, not what it leads to.
    fs::unlink(&ROOT, "/tmp/s/to_f").unwrap();
    assert!(exists("/tmp/s/f"));
    assert_eq!(fs::symlink(&ROOT, "", "/tmp/s/x"), Err(Errno::ENOENT));
    assert_eq!(fs::symlink(&ROOT, "x", "/tmp/s/f"), Err(Errno::EEXIST));
    let path = fs::open(&ROOT, "/tmp/s/self", OpenFlags::PATH | OpenFlags::NOFOLLOW, 0).unwrap();
    assert_eq!((path.stat().unwrap().kind(), path.read_bytes(&mut [0])), (Kind::Link, Err(Errno::EBADF)));
    clear("/tmp/s");
}

#[test_case]
fn a_file_may_have_several_names() {
    put("/tmp/one", "text");
    fs::link(&ROOT, "/tmp/one", Follow::No, &ROOT, "/tmp/two").unwrap();
    assert_eq!((links("/tmp/one"), links("/tmp/two")), (2, 2));
    let id = |path| fs::stat(&ROOT, path).unwrap().id;
    assert_eq!(id("/tmp/one"), id("/tmp/two"));
    let link = |from, to| fs::link(&ROOT, from, Follow::No, &ROOT, to).err();
    assert_eq!(link("/tmp/one", "/tmp/two"), Some(Errno::EEXIST));
    assert_eq!(link("/tmp/one", "/new"), Some(Errno::EXDEV));
    assert_eq!(link("/tmp", "/tmp2"), Some(Errno::EXDEV));
    assert_eq!(link("/tmp/no", "/tmp/three"), Some(Errno::ENOENT));
    let open = fs::open(&ROOT, "/tmp/one", READ, 0).unwrap();
    fs::unlink(&ROOT, "/tmp/one").unwrap();
    assert_eq!(open.stat().unwrap().attributes.links, 1);
    fs::unlink(&ROOT, "/tmp/two").unwrap();
    let mut bytes = [0; 8];
    assert_eq!((open.stat().unwrap().attributes.links, open.read_bytes(&mut bytes)), (0, Ok(4)));
    assert_eq!(fs::link_node(open.node().unwrap(), &ROOT, "/tmp/back"), Err(Errno::ENOENT));
}

#[test_case]
fn rename_does_what_posix_says() {
    mkdir("/tmp/r");
    mkdir("/tmp/r/a");
    mkdir("/tmp/r/b");
    mkdir("/tmp/r/a/in");
    put("/tmp/r/f", "f");
    put("/tmp/r/g", "g");
    assert_eq!(rename("/tmp/r/f", "/tmp/r/g"), Ok(()));
    assert!(is("/tmp/r/g", "f") && !exists("/tmp/r/f"));
    assert_eq!(rename("/tmp/r/g", "/tmp/r/g"), Ok(()));
    const WRONG: [(&str, &str, Errno); 11] = [
        ("/tmp/r/no", "/tmp/r/x", Errno::ENOENT),
        ("/tmp/r/g", "/tmp/no/x", Errno::ENOENT),
        ("/tmp/r/g", "/tmp/r/a", Errno::EISDIR),
        ("/tmp/r/a", "/tmp/r/g", Errno::ENOTDIR),
        ("/tmp/r/b", "/tmp/r/a", Errno::ENOTEMPTY),
        ("/tmp/r/a", "/tmp/r/a/in/x", Errno::EINVAL),
        ("/tmp/r/g", "/tmp/r/x/", Errno::ENOTDIR),
        ("/tmp/r/g", "/g", Errno::EXDEV),
        ("/tmp/r/a/.", "/tmp/r/x", Errno::EBUSY),
        ("/tmp", "/x", Errno::EBUSY),
        ("/proc/meminfo", "/proc/x", Errno::EPERM),
    ];
    for (from, to, error) in WRONG {
        assert_eq!(rename(from, to), Err(error), "{from} to {to}");
    }
    assert_eq!(fs::rename(&ROOT, "/tmp/r/g", &ROOT, "/tmp/r/a", Replace::No), Err(Errno::EEXIST));
    assert_eq!(rename("/tmp/r/a", "/tmp/r/b/"), Ok(()), "over an empty directory");
    assert!(exists("/tmp/r/b/in") && !exists("/tmp/r/a"));
    assert_eq!((links("/tmp/r"), links("/tmp/r/b")), (3, 3));
    clear("/tmp/r");
}

#[test_case]
fn a_place_stays_what_it_is() {
    mkdir("/tmp/p");
    mkdir("/tmp/p/q");
    let mut place = Place::root();
    assert_eq!(place.getcwd().unwrap().as_str(), "/");
    place.chdir("/tmp/p/q").unwrap();
    assert_eq!(place.getcwd().unwrap().as_str(), "/tmp/p/q");
    rename("/tmp/p", "/tmp/moved").unwrap();
    assert_eq!(place.getcwd().unwrap().as_str(), "/tmp/moved/q");
    fs::open(&place, "f", MAKE, 0o666).unwrap().write_all(b"here").unwrap();
    assert!(is("/tmp/moved/q/f", "here"));
    assert_eq!(text_of(&place, "../../moved/q/f").unwrap().as_str(), "here");
    let directory = fs::open(&ROOT, "/tmp/moved", READ, 0).unwrap();
    assert_eq!(text_of(&ROOT.at(&directory).unwrap(), "q/f").unwrap().as_str(), "here");
    let file = fs::open(&ROOT, "/tmp/moved/q/f", READ, 0).unwrap();
    assert!(matches!(ROOT.at(&file), Err(Errno::ENOTDIR)));
    assert_eq!(fs::path_of(file.node().unwrap()).unwrap().as_str(), "/tmp/moved/q/f");
    place.chdir("/proc/sys").unwrap();
    assert_eq!(place.getcwd().unwrap().as_str(), "/proc/sys");
    place.chdir("..").unwrap();
    place.chdir("../tmp/moved/q").unwrap();
    clear("/tmp/moved");
    assert_eq!(place.getcwd().err(), Some(Errno::ENOENT));
    assert_eq!(fs::open(&place, "f", MAKE, 0o666).err(), Some(Errno::ENOENT));
    assert_eq!((place.chdir("/tmp/bigfile"), place.chdir("/no")), (Err(Errno::ENOTDIR), Err(Errno::ENOENT)));
    assert_eq!((place.set_umask(0o1077), place.umask()), (0o022, 0o077));
    fs::open(&place, "/tmp/f", MAKE, 0o666).unwrap();
    assert_eq!(fs::stat(&ROOT, "/tmp/f").unwrap().attributes.mode, 0o600);
    fs::unlink(&ROOT, "/tmp/f").unwrap();
}

#[test_case]
fn attributes_are_kept() {
    let before = fs::stat(&ROOT, "/tmp").unwrap().attributes.modified;
    put("/tmp/a", "x");
    let stat = || fs::stat(&ROOT, "/tmp/a").unwrap().attributes;
    let made = stat().modified;
    let directory = fs::stat(&ROOT, "/tmp").unwrap().attributes.modified;
    assert!(before <= directory && directory <= made && before.seconds > 1_600_000_000);
    let change = |change| fs::change(&ROOT, "/tmp/a", Follow::Yes, change).unwrap();
    change(Change::Mode(0o4711));
    change(Change::Owner { user: Some(7), group: None });
    let long_ago = Timestamp { seconds: 86_400, nanos: 5 };
    change(Change::Times { accessed: None, modified: Some(long_ago) });
    assert_eq!((stat().mode, stat().user, stat().group, stat().modified), (0o4711, 7, 0, long_ago));
    assert!(stat().changed >= made);
    fs::open(&ROOT, "/tmp/a", WRITE | OpenFlags::APPEND, 0).unwrap().write_all(b"y").unwrap();
    assert!(stat().modified >= made, "a write is a change");
    assert_eq!(fs::change(&ROOT, "/proc/meminfo", Follow::Yes, Change::Mode(0)), Err(Errno::EPERM));
    fs::unlink(&ROOT, "/tmp/a").unwrap();
}

#[test_case]
fn truncate_cuts_and_extends() {
    let free = free_pages();
    put("/tmp/t", "some text");
    let file = fs::open(&ROOT, "/tmp/t", WRITE | READ, 0).unwrap();
    fs::truncate(&ROOT, "/tmp/t", 4).unwrap();
    assert!(is("/tmp/t", "some"));
    file.truncate(8).unwrap();
    assert!(is("/tmp/t", "some\0\0\0\0"), "what was cut off does not come back");
    let used = fs::tmpfs::usage().0;
    for n in 0..200 {
        file.llseek((n % 7) << 30, Whence::Start).unwrap();
        file.write_all(b"x").unwrap();
        file.truncate(4096).unwrap();
    }
    assert_eq!((fs::stat(&ROOT, "/tmp/t").unwrap().size, fs::tmpfs::usage().0), (4096, used));
    assert_eq!(fs::truncate(&ROOT, "/tmp", 0), Err(Errno::EISDIR));
    assert_eq!(fs::truncate(&ROOT, "/tmp/t", 1 << 40), Err(Errno::EFBIG));
    assert_eq!(fs::open(&ROOT, "/tmp/t", READ, 0).unwrap().truncate(0), Err(Errno::EINVAL));
    assert_eq!(fs::stat(&ROOT, "/tmp/t").unwrap().blocks, 8);
    let mut bytes = [0; 4];
    assert_eq!(file.read_at(1, &mut kapi::IoBuf::fill(&mut bytes)), Ok(4));
    assert_eq!((bytes, file.write_at(2, &mut kapi::IoBuf::take(b"ng"))), (*b"ome\0", Ok(2)));
    drop(file);
    fs::unlink(&ROOT, "/tmp/t").unwrap();
    assert_eq!(free_pages(), free);
}
