//! What the drivers' tests share: drivers set up, transfers, random numbers.
#![allow(dead_code, unused_imports, reason = "each test program uses its part")]

use drivers::{QuantumStore, Quota, Scull};
use kapi::{CharDriver, Errno, IoBuf, Minor, Module, OpenDevice, OpenFlags, Values};

pub use kapi::testing::{Host, fail_after, in_use, machine, params, ram_bytes, reports, stop_failing, take_log};

/// insmod of a driver that has a byte limit of its own.
pub fn insmod<S: QuantumStore<Host>>(line: &[&str]) -> Result<Scull<Host, S>, Errno> {
    insmod_within(Box::leak(Box::new(Quota::new())), line)
}

/// insmod of a driver that counts against `quota`.
pub fn insmod_within<S: QuantumStore<Host>>(quota: &'static Quota, line: &[&str]) -> Result<Scull<Host, S>, Errno> {
    Scull::with_quota(&Values::read(Scull::<Host, S>::PARAMS, &params(line))?, quota)
}

/// Read and write.
pub const RW: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);

/// Device `minor`, open for reading and writing.
pub fn file(minor: u16) -> OpenDevice {
    OpenDevice::new(Minor(minor), RW)
}

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
    driver.write(&file(minor), position, &mut IoBuf::take(bytes))
}

/// One read of up to `len` bytes.
pub fn read(driver: &dyn CharDriver, minor: u16, position: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0xee; len];
    let n = driver.read(&file(minor), position, &mut IoBuf::fill(&mut bytes))?;
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
    driver.open(&mut OpenDevice::new(Minor(minor), OpenFlags::WRITE))?;
    driver.release(&OpenDevice::new(Minor(minor), OpenFlags::WRITE));
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
