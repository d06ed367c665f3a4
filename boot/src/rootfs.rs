//! The directory of the initial files: what of it the kernel can have.
//!
//! Files and directories travel, however their names begin, and of their modes whether they may be run; a symbolic link
//! travels as what it leads to. All that cannot travel is refused at once, each by its name, before a machine starts:
//! the kernel has names in UTF-8 of at most [`LONGEST_PATH`] bytes, no sockets, and three directories of its own.

use std::fmt::{self, Display};
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Bytes of the longest path that the kernel opens (kernel/src/fs/path.rs).
const LONGEST_PATH: usize = 255;
/// Directories that hide whatever the initial files have there (kernel/src/fs/mount.rs).
const MOUNTS: [&str; 3] = ["dev", "proc", "tmp"];
/// Entries of the largest directory that the kernel lists.
const MOST_ENTRIES: usize = 3000;
/// Bits of a file's mode that let somebody run it.
const ANYBODY_RUNS: u32 = 0o111;
/// How many refusals are shown.
const SHOWN: usize = 10;
/// Bytes that an archive takes for a file, besides its content.
const OVERHEAD: u64 = 512;

/// Whether a file is a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is read.
    Plain,
    /// It is run.
    Program,
}

/// Something that travels; the name is a path from the root, without a slash at either end.
#[derive(Debug, PartialEq, Eq)]
pub enum Initial {
    /// A file and its content.
    File {
        /// Its path.
        name: String,
        /// Its content.
        data: Vec<u8>,
        /// Whether anybody may run it.
        mode: Mode,
    },
    /// A symbolic link.
    Link {
        /// Its path.
        name: String,
        /// Where it leads.
        target: String,
    },
    /// A directory in which nothing travels.
    EmptyDirectory {
        /// Its path.
        name: String,
    },
}

impl Initial {
    /// Its path.
    pub fn name(&self) -> &str {
        match self {
            Self::File { name, .. } | Self::Link { name, .. } | Self::EmptyDirectory { name } => name,
        }
    }
}

/// Bytes that an archive takes for these.
pub fn bytes(all: &[Initial]) -> u64 {
    let content = |initial: &Initial| match initial {
        Initial::File { data, .. } => data.len() as u64,
        Initial::Link { .. } | Initial::EmptyDirectory { .. } => 0,
    };
    all.iter().map(|initial| content(initial) + OVERHEAD).sum()
}

/// Why a file cannot travel.
#[derive(Debug)]
enum Refusal {
    NotUtf8,
    TooMany(usize),
    TooLong(usize),
    Hidden,
    Loop,
    Broken(io::Error),
    Kind(&'static str),
    Unreadable(io::Error),
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => write!(f, "the name is not UTF-8"),
            Self::TooLong(bytes) => write!(f, "the path has {bytes} bytes, and the kernel's longest {LONGEST_PATH}"),
            Self::TooMany(count) => write!(f, "it has {count} entries, and the kernel lists {MOST_ENTRIES} at most"),
            Self::Hidden => write!(f, "the kernel's own /dev, /proc and /tmp would hide it"),
            Self::Loop => write!(f, "a symbolic link to a directory that it lies in"),
            Self::Broken(error) => write!(f, "a symbolic link that leads nowhere: {error}"),
            Self::Kind(kind) => write!(f, "{kind}, neither a file nor a directory"),
            Self::Unreadable(error) => write!(f, "{error}"),
        }
    }
}

/// Reads all that lies under `root`, sorted by name within each directory; refuses more than `room` bytes.
pub fn read(root: &Path, room: u64) -> Result<Vec<Initial>> {
    match fs::metadata(root) {
        Err(error) => bail!("ROOTFS={}: {error}: it has to be a directory", root.display()),
        Ok(found) if !found.is_dir() => bail!("ROOTFS={} is not a directory", root.display()),
        Ok(_) => {}
    }
    let mut walk = Walk { found: Vec::new(), refused: Vec::new(), above: Vec::new(), bytes: 0, room };
    walk.directory(root, "");
    walk.finish(root)
}

struct Walk {
    found: Vec<Initial>,
    refused: Vec<(PathBuf, Refusal)>,
    /// The directories that the walk is in, by device and number.
    above: Vec<(u64, u64)>,
    bytes: u64,
    room: u64,
}

impl Walk {
    /// Takes in the directory at `path`, which the kernel will know as `name`; "" is the root.
    fn directory(&mut self, path: &Path, name: &str) {
        let entries = fs::metadata(path).and_then(|found| Ok((found, sorted_entries(path)?)));
        let (identity, entries) = match entries {
            Ok((found, entries)) => ((found.dev(), found.ino()), entries),
            Err(error) => return self.refuse(path, Refusal::Unreadable(error)),
        };
        if self.above.contains(&identity) {
            return self.refuse(path, Refusal::Loop);
        }
        if entries.len() > MOST_ENTRIES {
            return self.refuse(path, Refusal::TooMany(entries.len()));
        }
        self.above.push(identity);
        if entries.is_empty() && !name.is_empty() && !MOUNTS.contains(&name) {
            self.found.push(Initial::EmptyDirectory { name: name.to_owned() });
            self.bytes += OVERHEAD;
        }
        for entry in entries {
            // What is too much already need not be read.
            if self.bytes <= self.room {
                self.entry(&entry, name);
            }
        }
        self.above.pop();
    }

    fn entry(&mut self, path: &Path, directory: &str) {
        let Some(own) = path.file_name().and_then(|name| name.to_str()) else {
            return self.refuse(path, Refusal::NotUtf8);
        };
        let name = if directory.is_empty() { own.to_owned() } else { format!("{directory}/{own}") };
        let kind = match fs::metadata(path) {
            Ok(found) => found.file_type(),
            Err(error) if path.is_symlink() => return self.refuse(path, Refusal::Broken(error)),
            Err(error) => return self.refuse(path, Refusal::Unreadable(error)),
        };
        if name.len() > LONGEST_PATH {
            self.refuse(path, Refusal::TooLong(name.len()));
        } else if MOUNTS.contains(&directory) || (MOUNTS.contains(&&*name) && !kind.is_dir()) {
            self.refuse(path, Refusal::Hidden);
        } else if kind.is_dir() {
            self.directory(path, &name);
        } else if kind.is_file() {
            self.file(path, name);
        } else {
            self.refuse(path, Refusal::Kind(special(kind)));
        }
    }

    fn file(&mut self, path: &Path, name: String) {
        let (size, bits) = fs::metadata(path).map_or((0, 0), |found| (found.len(), found.mode()));
        let mode = if bits & ANYBODY_RUNS == 0 { Mode::Plain } else { Mode::Program };
        self.bytes = self.bytes.saturating_add(size).saturating_add(OVERHEAD);
        if self.bytes > self.room {
            return;
        }
        match fs::read(path) {
            Ok(data) => self.found.push(Initial::File { name, data, mode }),
            Err(error) => self.refuse(path, Refusal::Unreadable(error)),
        }
    }

    fn refuse(&mut self, path: &Path, why: Refusal) {
        self.refused.push((path.to_owned(), why));
    }

    fn finish(self, root: &Path) -> Result<Vec<Initial>> {
        if self.bytes > self.room {
            let (bytes, room) = (self.bytes >> 10, self.room >> 10);
            bail!(
                "the initial files in {} need more than {bytes} KiB, and there is room for {room} KiB: a larger \
                 MEM= may help",
                root.display()
            );
        }
        if self.refused.is_empty() {
            return Ok(self.found);
        }
        let mut text = format!("of the initial files in {} these cannot travel:", root.display());
        for (path, why) in self.refused.iter().take(SHOWN) {
            text += &format!("\n    {path:?}: {why}");
        }
        if self.refused.len() > SHOWN {
            text += &format!("\n    and {} more", self.refused.len() - SHOWN);
        }
        bail!(text)
    }
}

fn sorted_entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn special(kind: FileType) -> &'static str {
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs::{self, Permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::{Initial, Mode, read};
    use crate::scratch::Scratch;

    fn names(scratch: &Scratch) -> Vec<String> {
        let found = read(scratch.path(), u64::MAX).expect("all of it travels");
        found.iter().map(|initial| initial.name().to_owned()).collect()
    }

    fn refusal(scratch: &Scratch) -> String {
        read(scratch.path(), u64::MAX).expect_err("something is refused").to_string()
    }

    #[test]
    fn odd_names_and_hidden_and_empty_files_travel() {
        let scratch = Scratch::new();
        let odd = [" ", "\"quoted\"", "'", "-n", ".hidden", "a\nb", "a,b=c", "back\\slash", "\u{e4}\u{1f980}"];
        for name in odd {
            scratch.file(name, "");
        }
        assert_eq!(names(&scratch), odd);
    }

    #[test]
    fn a_link_travels_as_what_it_leads_to() {
        let scratch = Scratch::new();
        scratch.file("real/file", "text");
        symlink("real", scratch.path().join("directory")).expect("linked");
        symlink("real/file", scratch.path().join("file")).expect("linked");
        assert_eq!(names(&scratch), ["directory/file", "file", "real/file"]);
    }

    #[test]
    fn a_file_that_may_be_run_may_be_run_there() {
        let scratch = Scratch::new();
        for (name, bits) in [("a", 0o644), ("b", 0o700), ("c", 0o001)] {
            scratch.file(name, "");
            fs::set_permissions(scratch.path().join(name), Permissions::from_mode(bits)).expect("changed");
        }
        let modes =
            read(scratch.path(), u64::MAX).expect("all of it travels").into_iter().map(|initial| match initial {
                Initial::File { mode, .. } => mode,
                other => panic!("{other:?}"),
            });
        assert_eq!(modes.collect::<Vec<_>>(), [Mode::Plain, Mode::Program, Mode::Program]);
    }

    #[test]
    fn what_cannot_travel_is_refused_by_name_all_at_once() {
        let scratch = Scratch::new();
        let long = "l".repeat(200);
        scratch.file(&format!("{long}/{long}"), "");
        scratch.file("proc/version", "");
        scratch.file("tmp", "");
        fs::write(scratch.path().join(OsStr::from_bytes(b"caf\xe9")), "").expect("written");
        symlink("nowhere", scratch.path().join("dangling")).expect("linked");
        symlink(".", scratch.path().join("loop")).expect("linked");
        symlink("/dev/zero", scratch.path().join("zero")).expect("linked");
        let _socket = UnixListener::bind(scratch.path().join("socket")).expect("bound");
        let text = refusal(&scratch);
        let reasons = [
            ("caf\\xE9\"", "the name is not UTF-8"),
            ("dangling\"", "a symbolic link that leads nowhere: No such file or directory"),
            ("llll\"", "the path has 401 bytes, and the kernel's longest 255"),
            ("loop\"", "a symbolic link to a directory that it lies in"),
            ("proc/version\"", "the kernel's own /dev, /proc and /tmp would hide it"),
            ("tmp\"", "the kernel's own /dev, /proc and /tmp would hide it"),
            ("socket\"", "a socket, neither a file nor a directory"),
            ("zero\"", "a device, neither a file nor a directory"),
        ];
        assert_eq!(text.lines().count(), 1 + reasons.len(), "{text}");
        for (name, reason) in reasons {
            assert!(text.lines().any(|line| line.contains(name) && line.contains(reason)), "{name}: {text}");
        }
    }

    #[test]
    fn directories_where_the_kernel_has_its_own_may_be_there_if_empty() {
        let scratch = Scratch::new();
        for name in ["dev", "proc", "tmp", "other"] {
            fs::create_dir(scratch.path().join(name)).expect("made");
        }
        assert_eq!(names(&scratch), ["other"]);
    }

    #[test]
    fn no_directory_is_an_error_that_names_the_variable() {
        let scratch = Scratch::new();
        scratch.file("file", "");
        for (name, reason) in [("file", "is not a directory"), ("missing", "No such file")] {
            let root = scratch.path().join(name);
            let text = read(&root, u64::MAX).expect_err("refused").to_string();
            assert!(text.starts_with("ROOTFS=") && text.contains(name) && text.contains(reason), "{text}");
        }
    }

    #[test]
    fn a_directory_that_the_kernel_could_not_list_is_refused() {
        let scratch = Scratch::new();
        for number in 0..=super::MOST_ENTRIES {
            scratch.file(&format!("many/{number}"), "");
        }
        let text = refusal(&scratch);
        assert!(text.contains("many\": it has 3001 entries, and the kernel lists 3000 at most"), "{text}");
    }

    #[test]
    fn more_than_there_is_room_for_is_refused_unread() {
        let scratch = Scratch::new();
        scratch.file("small", "text");
        let large = fs::File::create(scratch.path().join("large")).expect("made");
        large.set_len(1 << 40).expect("a file of holes");
        let text = read(scratch.path(), 8 << 20).expect_err("refused").to_string();
        assert!(text.contains("there is room for 8192 KiB"), "{text}");
    }
}
