//! A kernel on the host for the drivers' tests.
//!
//! Real allocators over a test arena, locks of the standard library.
#![allow(dead_code, reason = "each test program uses its part")]

use std::cell::RefCell;
use std::fmt::Arguments;
use std::sync::Mutex;

use kapi::mm::testing::{Booted, HostPlatform, Machine, TestKernel};
use kapi::mm::{self, Global};

use drivers::{QuantumStore, Quota, Scull};
use kapi::{CharDriver, Errno, IoBuf, Kernel, LockError, Minor, Module, OpenFlags, SleepLock, Values};

/// The kernel that the tests run the drivers in.
pub struct Host;

/// A sleeping lock.
pub struct HostMutex<T>(Mutex<T>);

impl<T: Send> SleepLock<T> for HostMutex<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        self.0.lock().map(|mut value| f(&mut value)).map_err(|_| LockError::Broken)
    }

    fn with_uninterruptible<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        self.with(f)
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().ok().map(|mut value| f(&mut value))
    }
}

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl Kernel for Host {
    type Mutex<T: Send> = HostMutex<T>;

    fn log(line: Arguments<'_>) {
        LOG.with_borrow_mut(|log| log.push(line.to_string()));
    }
}

/// Takes what the drivers have logged so far on this thread.
pub fn take_log() -> Vec<String> {
    LOG.take()
}

/// A machine with 64 MiB, this thread's until it is dropped.
pub fn machine() -> Booted {
    TestKernel::boot(&Machine::with_mib(64))
}

/// insmod of a driver that has a byte limit of its own.
pub fn insmod<S: QuantumStore<Host>>(line: &[&str]) -> Result<Scull<Host, S>, Errno> {
    insmod_within(Box::leak(Box::new(Quota::new())), line)
}

/// insmod of a driver that counts against `quota`.
pub fn insmod_within<S: QuantumStore<Host>>(quota: &'static Quota, line: &[&str]) -> Result<Scull<Host, S>, Errno> {
    Scull::with_quota(&Values::read(Scull::<Host, S>::PARAMS, &params(line))?, quota)
}

/// Parameters of an insmod line, `name=value`.
pub fn params<'a>(line: &[&'a str]) -> Vec<kapi::Param<'a>> {
    line.iter()
        .map(|word| word.split_once('=').expect("name=value"))
        .map(|(name, value)| kapi::Param { name, value })
        .collect()
}

/// Read and write.
pub const RW: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);

/// Writes all of `bytes` as `cat` does: again and again until all is written.
pub fn write_all(driver: &dyn CharDriver, minor: u16, position: u64, bytes: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < bytes.len() {
        done += write(driver, minor, position + done as u64, &bytes[done..])?;
    }
    Ok(())
}

/// One write.
pub fn write(driver: &dyn CharDriver, minor: u16, position: u64, bytes: &[u8]) -> Result<usize, Errno> {
    driver.write(Minor(minor), position, &mut IoBuf::take(bytes))
}

/// One read of up to `len` bytes.
pub fn read(driver: &dyn CharDriver, minor: u16, position: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0xee; len];
    let n = driver.read(Minor(minor), position, &mut IoBuf::fill(&mut bytes))?;
    bytes.truncate(n);
    Ok(bytes)
}

/// Reads until the end of the file or the first hole.
pub fn read_all(driver: &dyn CharDriver, minor: u16, mut position: u64) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let some = read(driver, minor, position, 1 << 20).expect("read");
        if some.is_empty() {
            return all;
        }
        position += some.len() as u64;
        all.extend(some);
    }
}

/// Empties a device as `: > /dev/NAME` does.
pub fn trim(driver: &dyn CharDriver, minor: u16) -> Result<(), Errno> {
    driver.open(Minor(minor), OpenFlags::WRITE)?;
    driver.release(Minor(minor), OpenFlags::WRITE);
    Ok(())
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound
    }
}

/// `len` bytes that do not repeat with any short period.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut random = Random(0x5c);
    (0..len).map(|_| random.below(256) as u8).collect()
}

// SAFETY: as that of the test machine.
unsafe impl mm::Global for Host {
    type Platform = HostPlatform;

    fn memory() -> &'static mm::Memory<HostPlatform> {
        TestKernel::memory()
    }
}

/// Makes all allocations of pages after the next `n` fail, until [`stop_failing`]. Partly used slabs still serve.
pub fn fail_after(n: i64) {
    Host::memory().drop_caches();
    Host::memory().platform().fail_after(n);
}

/// Ends [`fail_after`].
pub fn stop_failing() {
    Host::memory().platform().fail_never();
}

/// Pages and cache objects in use: the same again when all that was allocated in between has been freed.
pub fn in_use() -> (usize, usize) {
    let memory = Host::memory();
    memory.drop_caches();
    let objects = memory.objects().caches().map(|cache| cache.active_objects).sum();
    // What describes caches never goes back.
    let caches: usize = memory.objects().caches().take(1).map(|cache| cache.pages).sum();
    (memory.pages().managed_pages() - memory.pages().free_pages_total() - caches, objects)
}

/// Refused calls and failures that the allocators have reported.
pub fn reports() -> Vec<String> {
    Host::memory().platform().take_reports()
}

/// The size of the kernel's memory.
pub fn ram_bytes() -> u64 {
    Host::memory().pages().managed_pages() as u64 * mm::PAGE_SIZE as u64
}
