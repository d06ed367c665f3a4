//! What a process may have at most.

/// What a limit is of. The numbers are those of the system calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Resource {
    /// CPU time, in seconds.
    Cpu = 0,
    /// Size of a file, in bytes.
    FileSize = 1,
    /// The heap, in bytes: what `brk` gives.
    Data = 2,
    /// The stack, in bytes.
    Stack = 3,
    /// A core file, in bytes: there are none.
    Core = 4,
    /// Resident memory, in bytes: not enforced, as in Linux.
    Resident = 5,
    /// Processes of the user.
    Processes = 6,
    /// The highest number of an open file, plus one.
    OpenFiles = 7,
    /// Locked memory, in bytes: all of it is.
    LockedMemory = 8,
    /// The address space, in bytes.
    AddressSpace = 9,
    /// File locks.
    Locks = 10,
    /// Signals that wait.
    PendingSignals = 11,
    /// Bytes of message queues.
    MessageQueues = 12,
    /// Nice values.
    Nice = 13,
    /// Real-time priorities.
    RealTimePriority = 14,
    /// Real-time CPU time, in microseconds.
    RealTime = 15,
}

impl Resource {
    const ALL: [Self; Self::COUNT] = [
        Self::Cpu,
        Self::FileSize,
        Self::Data,
        Self::Stack,
        Self::Core,
        Self::Resident,
        Self::Processes,
        Self::OpenFiles,
        Self::LockedMemory,
        Self::AddressSpace,
        Self::Locks,
        Self::PendingSignals,
        Self::MessageQueues,
        Self::Nice,
        Self::RealTimePriority,
        Self::RealTime,
    ];
    /// How many there are.
    pub const COUNT: usize = 16;

    /// The one that a program means by `number`.
    pub fn from_user(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// One limit: what is obeyed, and up to what a program may raise that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What is obeyed.
    pub soft: u64,
    /// How far the other may be raised.
    pub hard: u64,
}

impl Limit {
    /// As much as there is.
    pub const UNLIMITED: u64 = u64::MAX;
    const NONE: Self = Self::fixed(Self::UNLIMITED);

    const fn fixed(value: u64) -> Self {
        Self { soft: value, hard: value }
    }
}

/// All limits of a process. Children inherit them, and a new program keeps them.
#[derive(Clone, Copy, Debug)]
pub struct Limits([Limit; Resource::COUNT]);

/// Bytes of the largest stack, unless a process says otherwise.
const STACK_BYTES: u64 = 8 << 20;
/// Files that a process may have open.
const OPEN_FILES: u64 = 1024;
/// As many as that limit can be raised to: the table of them stays one that kmalloc has, however it grew.
pub const MOST_OPEN_FILES: u64 = 2048;

impl Limits {
    /// What a process starts with that the kernel starts; `processes` is how many processes there may be.
    pub const fn new(processes: u64) -> Self {
        let mut all = [Limit::NONE; Resource::COUNT];
        all[Resource::Stack as usize].soft = STACK_BYTES;
        all[Resource::Core as usize].soft = 0;
        all[Resource::Processes as usize] = Limit::fixed(processes);
        all[Resource::OpenFiles as usize] = Limit::fixed(OPEN_FILES);
        all[Resource::Nice as usize] = Limit::fixed(0);
        all[Resource::RealTimePriority as usize] = Limit::fixed(0);
        Self(all)
    }

    /// The limit of `resource`.
    pub const fn get(&self, resource: Resource) -> Limit {
        self.0[resource as usize]
    }

    /// Sets the limit of `resource`.
    pub const fn set(&mut self, resource: Resource, limit: Limit) {
        self.0[resource as usize] = limit;
    }

    /// What is obeyed of `resource`.
    pub const fn soft(&self, resource: Resource) -> u64 {
        self.get(resource).soft
    }
}
