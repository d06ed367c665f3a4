//! What /proc says of a process, in the formats that ps, top and free read.
//!
//! Key types: [`ProcessFacts`]. Numbers that this kernel does not count are 0, as the readers expect of a field that
//! must be there. Times are in ticks of [`TICKS_PER_SECOND`].

use core::fmt::{self, Write};
use core::time::Duration;

/// Ticks of a second in times that programs are told: `USER_HZ`.
pub const TICKS_PER_SECOND: u64 = 100;

/// What is known of a process, or of a thread of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFacts<'a> {
    /// Its number.
    pub pid: u32,
    /// Its name, without the arguments.
    pub name: &'a str,
    /// What it does: R, S, D, T or Z.
    pub state: State,
    /// Its parent's number; 0 for none.
    pub parent: u32,
    /// Its group of processes.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// The terminal of its session, as a device number; 0 for none.
    pub terminal: u32,
    /// The group in that terminal's foreground; -1 for none.
    pub foreground: i32,
    /// Ticks that it ran.
    pub ticks: u64,
    /// Ticks that children ran that it has waited for.
    pub child_ticks: u64,
    /// Ticks from boot to its start.
    pub started: u64,
    /// Its user: real, effective, saved.
    pub users: [u32; 3],
    /// Its group: real, effective, saved.
    pub groups: [u32; 3],
    /// Its memory; all 0 for a thread of the kernel.
    pub memory: MemoryFacts,
}

/// Memory of a process, in pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFacts {
    /// Addresses that mean something.
    pub total: usize,
    /// Of these, in memory.
    pub resident: usize,
    /// Of these, pages of files and devices.
    pub shared: usize,
    /// Page tables.
    pub tables: usize,
    /// Pages that are in swap.
    pub swapped: usize,
}

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// It runs, or waits for its turn.
    #[default]
    Running,
    /// It sleeps, and a signal wakes it.
    Sleeping,
    /// It sleeps, and no signal wakes it.
    Waiting,
    /// A signal has stopped it.
    Stopped,
    /// It has ended, and its parent has not asked.
    Zombie,
}

impl State {
    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Running => 'R',
            Self::Sleeping => 'S',
            Self::Waiting => 'D',
            Self::Stopped => 'T',
            Self::Zombie => 'Z',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Waiting => "disk sleep",
            Self::Stopped => "stopped",
            Self::Zombie => "zombie",
        }
    }
}

/// Bytes of a page.
const PAGE: usize = 4096;
/// The nice value as a priority.
const PRIORITY: u32 = 20;
/// SIGCHLD: what a parent is sent.
const EXIT_SIGNAL: u32 = 17;

impl ProcessFacts<'_> {
    /// The line of `stat`: 41 fields, as 2.4 has them.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn write_stat(&self, out: &mut dyn Write) -> fmt::Result {
        let Self { pid, name, parent, group, session, terminal, foreground, .. } = self;
        write!(out, "{pid} ({name}) {} {parent} {group} {session} {terminal} {foreground}", self.state.letter())?;
        // Flags and four counts of faults.
        write!(out, " 0 0 0 0 0 {} 0 {} 0", self.ticks, self.child_ticks)?;
        write!(out, " {PRIORITY} 0 1 0 {} {} {}", self.started, self.memory.total * PAGE, self.memory.resident)?;
        // The limit of resident pages; code, stack, registers; signals, which `status` tells; where it waits, swap.
        writeln!(out, " {} 0 0 0 0 0 0 0 0 0 0 0 0 {EXIT_SIGNAL} 0", u64::MAX)
    }

    /// The line of `statm`, in pages: all, resident, shared; the rest is not told apart.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn write_statm(&self, out: &mut dyn Write) -> fmt::Result {
        let MemoryFacts { total, resident, shared, .. } = self.memory;
        writeln!(out, "{total} {resident} {shared} 0 0 {} 0", resident - shared)
    }

    /// `status`, for people.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn write_status(&self, out: &mut dyn Write) -> fmt::Result {
        let (letter, word) = (self.state.letter(), self.state.word());
        writeln!(out, "Name:\t{}\nState:\t{letter} ({word})", self.name)?;
        writeln!(out, "Tgid:\t{0}\nPid:\t{0}\nPPid:\t{1}", self.pid, self.parent)?;
        for (name, [real, effective, saved]) in [("Uid", self.users), ("Gid", self.groups)] {
            // The last one is that for files.
            writeln!(out, "{name}:\t{real}\t{effective}\t{saved}\t{effective}")?;
        }
        let MemoryFacts { total, resident, shared, tables, swapped } = self.memory;
        if total > 0 {
            let lines = [("VmSize", total), ("VmRSS", resident), ("RssAnon", resident - shared), ("RssFile", shared)];
            for (name, pages) in lines.into_iter().chain([("VmPTE", tables), ("VmSwap", swapped)]) {
                writeln!(out, "{name}:\t{:8} kB", pages * PAGE / 1024)?;
            }
        }
        writeln!(out, "Threads:\t1")
    }
}

/// An area of an address space, as `maps` shows it.
#[derive(Clone, Copy, Debug)]
pub struct AreaFacts {
    /// The first address, and the one behind the last.
    pub range: (usize, usize),
    /// Whether it can be read, written, executed.
    pub rights: [bool; 3],
    /// Whether others see what is written.
    pub is_shared: bool,
    /// Where it begins in what it shows, in bytes.
    pub offset: u64,
    /// Device and number of the file.
    pub id: (u64, u64),
}

/// Columns of a line in front of the name.
const NAME_COLUMN: usize = 73;

impl AreaFacts {
    /// The line's part in front of a name, padded for one that is not empty.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn write(&self, has_name: bool, out: &mut dyn Write) -> fmt::Result {
        let right = |index: usize, letter| if self.rights[index] { letter } else { '-' };
        let (r, w, x) = (right(0, 'r'), right(1, 'w'), right(2, 'x'));
        let shared = if self.is_shared { 's' } else { 'p' };
        let ((start, end), (device, inode)) = (self.range, self.id);
        let (major, minor) = (device >> 8, device & 0xff);
        let mut counted = Counted { out, columns: 0 };
        write!(
            counted,
            "{start:08x}-{end:08x} {r}{w}{x}{shared} {:08x} {major:02x}:{minor:02x} {inode} ",
            self.offset
        )?;
        let gap = NAME_COLUMN.saturating_sub(counted.columns);
        if has_name { write!(counted, "{:gap$}", "") } else { Ok(()) }
    }
}

/// Counts what goes through.
struct Counted<'a> {
    out: &'a mut dyn Write,
    columns: usize,
}

impl Write for Counted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.columns += text.len();
        self.out.write_str(text)
    }
}

/// Ticks by what the processor did in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTicks {
    /// Threads of processes ran.
    pub user: u64,
    /// Threads of the kernel ran.
    pub system: u64,
    /// None was ready.
    pub idle: u64,
}

/// What `/proc/stat` tells beside the ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Interrupts so far.
    pub interrupts: u64,
    /// When the machine booted, since 1970.
    pub boot_time: Duration,
    /// Threads that were started so far.
    pub started: u64,
    /// Threads that want to run.
    pub running: usize,
    /// Threads of programs that sleep and are woken by no signal: for a disk, or for memory.
    pub blocked: usize,
    /// KiB read from and written to disks.
    pub disk_kib: [u64; 2],
    /// Pages read from and written to swap areas.
    pub swapped: [u64; 2],
}

/// `/proc/stat`. The lines `page` and `swap` are those of 2.4.
///
/// # Errors
/// `out` has failed.
pub fn write_kernel_stat(ticks: CpuTicks, counts: Counts, out: &mut dyn Write) -> fmt::Result {
    let CpuTicks { user, system, idle } = ticks;
    for name in ["cpu ", "cpu0"] {
        writeln!(out, "{name} {user} 0 {system} {idle} 0 0 0 0")?;
    }
    let Counts { interrupts, boot_time, started, running, blocked, disk_kib, swapped } = counts;
    writeln!(out, "page {} {}\nswap {} {}", disk_kib[0], disk_kib[1], swapped[0], swapped[1])?;
    writeln!(out, "intr {interrupts}\nbtime {}", boot_time.as_secs())?;
    writeln!(out, "processes {started}\nprocs_running {running}\nprocs_blocked {blocked}")
}

#[cfg(test)]
mod tests {
    use super::{AreaFacts, MemoryFacts, ProcessFacts, State};
    use std::string::String;
    use std::vec::Vec;

    fn facts() -> ProcessFacts<'static> {
        ProcessFacts {
            pid: 7,
            name: "a) b",
            state: State::Stopped,
            parent: 1,
            group: 7,
            session: 1,
            terminal: 1088,
            foreground: 7,
            ticks: 12,
            child_ticks: 3,
            started: 100,
            users: [1000, 1001, 1002],
            groups: [100, 101, 102],
            memory: MemoryFacts { total: 1000, resident: 120, shared: 20, tables: 6, swapped: 5 },
        }
    }

    /// As procps and busybox read it: the name ends at the last parenthesis.
    #[test]
    fn stat_has_each_field_in_its_place() {
        let mut line = String::new();
        facts().write_stat(&mut line).expect("a string takes all");
        let (head, rest) = line.rsplit_once(')').expect("the name's end");
        assert_eq!(head, "7 (a) b");
        let fields: Vec<&str> = rest.split_whitespace().collect();
        assert_eq!(fields[..6], ["T", "1", "7", "1", "1088", "7"]);
        assert_eq!((fields[11], fields[13], fields[19]), ("12", "3", "100"));
        assert_eq!((fields[20], fields[21]), ("4096000", "120"));
        assert_eq!((fields.len(), fields[35]), (37, "17"));
    }

    #[test]
    fn status_tells_what_is_in_swap() {
        let mut text = String::new();
        facts().write_status(&mut text).expect("a string takes all");
        assert!(text.contains("\nVmPTE:\t      24 kB\nVmSwap:\t      20 kB\n"), "{text}");
    }

    #[test]
    fn status_tells_users_and_groups() {
        let mut text = String::new();
        facts().write_status(&mut text).expect("a string takes all");
        assert!(text.contains("\nUid:\t1000\t1001\t1002\t1001\nGid:\t100\t101\t102\t101\n"), "{text}");
    }

    #[test]
    fn threads_of_the_kernel_have_no_memory_to_tell_of() {
        let mut text = String::new();
        ProcessFacts { pid: 7, ..ProcessFacts::default() }.write_status(&mut text).expect("a string takes all");
        assert!(!text.contains("Vm") && text.contains("\nUid:\t0\t0\t0\t0\n"), "{text}");
    }

    #[test]
    fn names_of_areas_begin_in_one_column() {
        let area = AreaFacts {
            range: (0x40_0000, 0x40_1000),
            rights: [true, false, true],
            is_shared: false,
            offset: 0x1000,
            id: (0x103, 42),
        };
        let mut line = String::new();
        area.write(true, &mut line).expect("a string takes all");
        assert_eq!(line.trim_end(), "00400000-00401000 r-xp 00001000 01:03 42");
        assert_eq!(line.len(), 73);
        let mut bare = String::new();
        area.write(false, &mut bare).expect("a string takes all");
        assert_eq!(bare, "00400000-00401000 r-xp 00001000 01:03 42 ");
    }
}
