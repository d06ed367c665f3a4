//! What the drivers do when memory, or what they may have of it, ends.

mod common;

use common::{
    Host, RW, fail_after, file, in_use, insmod, insmod_within, machine, pattern, read, read_all, stop_failing, trim,
    write, write_all,
};
use drivers::{Cache, Kmalloc, Pages, QuantumStore, Quota, Scull, Vmalloc};
use kapi::mm::{Context, GfpFlags};
use kapi::{CharDriver, Errno, IoBuf, Minor, Module, OpenDevice};

/// Everything about a device that a user can see.
fn snapshot<S: QuantumStore<Host>>(driver: &Scull<Host, S>, minor: u16) -> (u64, Vec<u8>, String) {
    let mut text = String::new();
    driver.proc_text(&mut text).expect("proc");
    (driver.size(&file(minor)).expect("size"), read_all(driver, minor, 0), text)
}

/// Writes at `position` with the n-th allocation failing, for every n until there is none left to fail; returns how
/// many failed. A slab may have what one write wants.
fn fail_every_allocation<S: QuantumStore<Host>>(position: u64) -> i64 {
    let driver = insmod::<S>(&[]).expect("insmod");
    write_all(&driver, 0, 0, &pattern(10_000)).expect("write");
    let before = snapshot(&driver, 0);
    let (memory, name) = (in_use(), Scull::<Host, S>::NAME);
    let mut failures = 0;
    loop {
        fail_after(failures);
        let result = write(&driver, 0, position, b"more");
        stop_failing();
        if result.is_ok() {
            break;
        }
        assert_eq!(result, Err(Errno::ENOMEM), "{name}: allocation {failures}");
        assert_eq!(snapshot(&driver, 0), before, "{name}: allocation {failures}");
        assert_eq!(in_use(), memory, "{name}: allocation {failures}");
        failures += 1;
    }
    assert_eq!(read(&driver, 0, position, 4), Ok(b"more".to_vec()));
    failures
}

#[test]
fn a_write_without_memory_changes_nothing() {
    // Shows: D1, S43
    let _machine = machine();
    // One in the first item, and one far behind it.
    let sum = |fail: fn(u64) -> i64| fail(1_000_000) + fail(1_000_000_000);
    assert!(sum(fail_every_allocation::<Kmalloc>) >= 1);
    assert!(sum(fail_every_allocation::<Cache<Host>>) >= 1);
    assert!(sum(fail_every_allocation::<Pages>) >= 1);
    assert!(sum(fail_every_allocation::<Vmalloc>) >= 1);
}

/// insmod with the n-th allocation failing, for every n.
fn fail_every_insmod<S: QuantumStore<Host>>() {
    let quota: &'static Quota = Box::leak(Box::new(Quota::new()));
    let (memory, name) = (in_use(), Scull::<Host, S>::NAME);
    let line = format!("{name}_limit=5000");
    let mut failures = 0;
    let driver = loop {
        fail_after(failures);
        let result = insmod_within::<S>(quota, &[&line]);
        stop_failing();
        match result {
            Ok(driver) => break driver,
            Err(error) => assert_eq!(error, Errno::ENOMEM, "{name}: allocation {failures}"),
        }
        assert_eq!(in_use(), memory, "{name}: allocation {failures}");
        assert_ne!(quota.limit(), 5000, "{name}: allocation {failures}");
        failures += 1;
    };
    assert_eq!((driver.devices(), quota.limit()), (4, 5000));
    drop(driver);
    assert_eq!(in_use(), memory, "{name}");
    assert!(failures >= 1, "{name}");
}

#[test]
fn insmod_without_memory_leaves_nothing_behind() {
    // Shows: S35, S43
    let _machine = machine();
    fail_every_insmod::<Kmalloc>();
    fail_every_insmod::<Cache<Host>>();
    fail_every_insmod::<Pages>();
    fail_every_insmod::<Vmalloc>();
}

#[test]
fn all_devices_share_one_limit() {
    // Shows: K8, D12
    let _machine = machine();
    let quota: &'static Quota = Box::leak(Box::new(Quota::new()));
    let scull = insmod_within::<Kmalloc>(quota, &["scull_limit=1000000"]).expect("insmod");
    let scullp = insmod_within::<Pages>(quota, &[]).expect("insmod");
    write_all(&scull, 0, 0, &pattern(600_000)).expect("below the limit");
    write_all(&scull, 1, 0, &pattern(200_000)).expect("below the limit");
    assert_eq!(write_all(&scullp, 0, 0, &pattern(300_000)), Err(Errno::ENOSPC));
    assert!(quota.used() <= 1_000_000);
    assert!(quota.used() > 980_000);
    trim(&scull, 0).expect("trim");
    write_all(&scullp, 1, 0, &pattern(300_000)).expect("the limit counts what is held");
    drop(scull);
    drop(scullp);
    assert_eq!(quota.used(), 0);
}

#[test]
fn the_default_limit_is_half_of_ram_and_zero_is_none() {
    // Shows: K8
    let _machine = machine();
    let quota: &'static Quota = Box::leak(Box::new(Quota::new()));
    let driver = insmod_within::<Kmalloc>(quota, &[]).expect("insmod");
    assert_eq!(quota.limit(), common::ram_bytes() / 2);
    drop(driver);
    let _driver = insmod_within::<Kmalloc>(quota, &["scull_limit=0"]).expect("insmod");
    assert_eq!(quota.limit(), 0);
}

#[test]
fn a_limit_goes_with_the_load_that_named_it() {
    // Shows: K8
    let _machine = machine();
    let quota: &'static Quota = Box::leak(Box::new(Quota::new()));
    let insmod_scull = || insmod_within::<Kmalloc>(quota, &[]).expect("insmod");
    let mut scull = insmod_scull();
    let default = quota.limit();
    assert_eq!(quota.to_string(), format!("limit: {default} bytes\nused:  0 bytes\n"));
    for line in ["scullp_limit=0", "scullp_limit=5000"] {
        let scullp = insmod_within::<Pages>(quota, &[line]).expect("insmod");
        assert_ne!(quota.limit(), default, "{line}");
        drop(scull);
        scull = insmod_scull();
        assert_ne!(quota.limit(), default, "{line}: the load that named it is still there");
        drop(scullp);
        assert_eq!(quota.limit(), default, "{line}");
    }
    let refused = insmod_within::<Pages>(quota, &["scullp_limit=5000", "scullp_order=99"]);
    assert_eq!(refused.err(), Some(Errno::EINVAL));
    assert_eq!(quota.limit(), default, "a load that failed");
}

/// Writes a byte every `stride` bytes of devices 0 and 1 until the limit is reached, and compares what that cost with
/// what the quota counts.
fn charged_as_it_costs<S: QuantumStore<Host>>(parameter: &str, qset: usize, stride: u64) {
    let quota: &'static Quota = Box::leak(Box::new(Quota::new()));
    let name = Scull::<Host, S>::NAME;
    let line = [parameter.to_string(), format!("{name}_qset={qset}"), format!("{name}_limit={LIMIT}")];
    let driver = insmod_within::<S>(quota, &line.each_ref().map(String::as_str)).expect("insmod");
    let ((start, _), mut positions) = (in_use(), (0..).map(|n| (n % 2, n / 2 * stride)));
    let error = positions.find_map(|(minor, position)| write(&driver, minor as u16, position, b"x").err());
    assert_eq!(error, Some(Errno::ENOSPC), "{line:?}");
    let held = (in_use().0 - start) as u64 * 4096;
    let counted = quota.used();
    // Slabs that are not full, and tables of pages.
    assert!(held <= counted + (96 << 10), "{line:?}: {counted} bytes counted, {held} held");
    assert!(counted <= held + held / 8, "{line:?}: {counted} bytes counted, {held} held");
    assert!(counted + (160 << 10) >= LIMIT || stride > 100_000, "{line:?}: {counted} bytes counted");
    drop(driver);
    assert_eq!(quota.used(), 0, "{line:?}");
    assert!(in_use().0 <= start, "{line:?}");
}

const LIMIT: u64 = 3 << 20;

#[test]
fn devices_are_charged_what_they_cost() {
    // Shows: K8
    let _machine = machine();
    // Bytes next to each other, each quantum, each set.
    for (quantum, qset) in [(1, 1), (1, 500), (1, 16_384), (8, 3), (100, 7), (4000, 1), (4097, 500), (131_072, 500)] {
        for stride in [quantum as u64, (quantum * qset) as u64] {
            charged_as_it_costs::<Kmalloc>(&format!("scull_quantum={quantum}"), qset, stride);
            charged_as_it_costs::<Cache<Host>>(&format!("scullc_quantum={quantum}"), qset, stride);
        }
    }
    for (order, qset) in [(0, 1), (0, 500), (0, 16_384), (3, 500)] {
        for stride in [4096_u64 << order, (4096_u64 << order) * qset as u64] {
            charged_as_it_costs::<Pages>(&format!("scullp_order={order}"), qset, stride);
            charged_as_it_costs::<Vmalloc>(&format!("scullv_order={order}"), qset, stride);
        }
    }
}

#[test]
fn memory_grows_with_what_is_written_not_with_the_offset() {
    // Shows: K8, D8
    let _machine = machine();
    let driver = insmod::<Kmalloc>(&[]).expect("insmod");
    let (start, _) = in_use();
    write(&driver, 0, 1 << 62, b"x").expect("write");
    let far = in_use().0 - start;
    // A slab of up to 8 pages each for the item, its array and the quantum.
    assert!(far <= 24, "{far} pages for a byte");
    assert_eq!(driver.size(&file(0)), Ok((1 << 62) + 1));
}

#[test]
fn the_last_position_is_too_far() {
    // Shows: D8
    let _machine = machine();
    let driver = insmod::<Kmalloc>(&[]).expect("insmod");
    let last = i64::MAX as u64;
    assert_eq!(write(&driver, 0, last, b"x"), Err(Errno::EFBIG));
    assert_eq!(write(&driver, 0, u64::MAX, b"x"), Err(Errno::EFBIG));
    assert_eq!(write(&driver, 0, last - 1, b"xy"), Ok(1));
}

#[test]
fn trimming_needs_no_memory() {
    // Shows: D12, S45
    let _machine = machine();
    let driver = insmod::<Kmalloc>(&[]).expect("insmod");
    let start = in_use();
    write_all(&driver, 0, 0, &pattern(100_000)).expect("write");
    write(&driver, 0, 1 << 40, b"x").expect("write");
    fail_after(0);
    let result = trim(&driver, 0);
    stop_failing();
    assert_eq!((result, in_use()), (Ok(()), start));
}

#[test]
fn a_failing_caller_leaves_the_device_as_it_was() {
    let _machine = machine();
    let driver = insmod::<Pages>(&[]).expect("insmod");
    let start = in_use();
    // A buffer that is meant to be filled has nothing to write from.
    let result = driver.write(&file(0), 0, &mut IoBuf::fill(&mut [0; 8]));
    assert_eq!((result, in_use()), (Err(Errno::EFAULT), start));
}

fn in_interrupt<R>(f: impl FnOnce() -> R) -> R {
    Host::memory().platform().in_context(Context::Interrupt, f)
}

/// Writes as a timer callback does, with the device free, busy and missing.
fn atomic_writes<S: QuantumStore<Host>>(expected: Result<usize, Errno>) {
    let driver = insmod::<S>(&[]).expect("insmod");
    assert_eq!(in_interrupt(|| driver.write_atomic(Minor(4), 0, b"irq")), expected.and(Err(Errno::ENODEV)));
    assert_eq!(in_interrupt(|| driver.write_atomic(Minor(0), 0, b"irq")), expected);
    assert_eq!(common::reports(), Vec::<String>::new(), "{}: nothing tried to sleep", Scull::<Host, S>::NAME);
    let mut out = AtomicWriter { driver: &driver, result: None };
    driver.open(&mut OpenDevice::new(Minor(0), RW)).expect("open");
    write(&driver, 0, 0, b"thread").expect("write");
    driver.proc_text(&mut out).expect("proc");
    assert_eq!(out.result, Some(Err(Errno::EAGAIN)), "the device was in use");
    driver.release(&OpenDevice::new(Minor(0), RW));
}

/// Is written to while device 0 is locked, and tries to write to the device then.
struct AtomicWriter<'a> {
    driver: &'a dyn CharDriver,
    result: Option<Result<usize, Errno>>,
}

impl std::fmt::Write for AtomicWriter<'_> {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        self.result.get_or_insert_with(|| self.driver.write_atomic(Minor(0), 0, b"irq"));
        Ok(())
    }
}

#[test]
fn interrupts_write_without_waiting_or_are_refused() {
    // Shows: S61
    let _machine = machine();
    atomic_writes::<Kmalloc>(Ok(3));
    atomic_writes::<Cache<Host>>(Ok(3));
    atomic_writes::<Pages>(Ok(3));
    atomic_writes::<Vmalloc>(Err(Errno::EAGAIN));
}

#[test]
fn objects_that_were_never_freed_are_reported() {
    // Shows: S31, K15
    let _machine = machine();
    let (store, cache) = <Cache<Host> as QuantumStore<Host>>::create(3000).expect("cache");
    let lost = store.allocate(3000, GfpFlags::KERNEL).expect("object");
    <Cache<Host> as QuantumStore<Host>>::destroy(cache);
    assert_eq!(common::take_log(), ["scullc: 1 objects leaked"]);
    assert_eq!(insmod::<Cache<Host>>(&[]).err(), Some(Errno::EBUSY), "the old cache is still there");
    drop(lost);
}
