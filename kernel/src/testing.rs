//! The runtime of bootable tests: runs them, prints a line each.
//!
//! A file under `tests/` is a kernel of its own. It starts with
//!
//! ```text
//! #![no_std]
//! #![no_main]
//! #![feature(custom_test_frameworks)]
//! #![test_runner(kernel::testing::test_runner)]
//! #![reexport_test_harness_main = "test_main"]
//!
//! kernel::test_kernel!(test_main);
//! ```
//!
//! and holds `#[test_case]` functions that return nothing or a `Result<(), E: Debug>`. They run in order on the
//! booted kernel. A test that returns `Err` fails alone; one that panics ends this kernel's run, and those after
//! it count as not run. The host's test program reads the lines `running N tests`, `run NAME`,
//! `test NAME ... ok`, `test NAME ... FAILED: MESSAGE` and the last one, `N passed, N failed`.

use core::any;
use core::fmt::{self, Debug};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use ::mm::TrustedMemory;
use spin::Mutex;

use crate::board::qemu::{self, ExitCode};
use crate::mm::KernelPlatform;
use crate::println;

/// The test that runs now, and the fatal end that it may expect.
struct Current {
    name: &'static str,
    expected_panic: Option<&'static str>,
    expected_oops: Option<&'static str>,
}

static CURRENT: Mutex<Option<Current>> = Mutex::new(None);
static TOTAL: AtomicUsize = AtomicUsize::new(0);
static PASSED: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// The allocators. A bootable test frees what it has allocated, and on purpose what is refused.
pub fn memory() -> &'static TrustedMemory<KernelPlatform> {
    // SAFETY: only tests call this, and they keep to that.
    unsafe { TrustedMemory::new(crate::mm::memory()) }
}

/// What a test function may return.
pub trait Outcome {
    /// Hands the message of a failure to `report`; does nothing after a success.
    fn on_failure(self, report: &mut dyn FnMut(&dyn Debug));
}

impl Outcome for () {
    fn on_failure(self, _report: &mut dyn FnMut(&dyn Debug)) {}
}

impl<E: Debug> Outcome for Result<(), E> {
    fn on_failure(self, report: &mut dyn FnMut(&dyn Debug)) {
        if let Err(error) = self {
            report(&error);
        }
    }
}

/// A test function, as the custom test framework collects it.
pub trait Testable {
    /// Runs the test and prints its lines.
    fn run(&self);
}

impl<T: Fn() -> R, R: Outcome> Testable for T {
    fn run(&self) {
        let name = any::type_name::<T>();
        println!("run {name}");
        *CURRENT.lock() = Some(Current { name, expected_panic: None, expected_oops: None });
        let mut failed = false;
        self().on_failure(&mut |error| {
            failed = true;
            report_failure(name, format_args!("{error:?}"));
        });
        let current = CURRENT.lock().take();
        match current.and_then(|test| test.expected_panic) {
            Some(text) => report_failure(name, format_args!("returned, but a panic was expected: {text}")),
            None if !failed => report_success(name),
            None => {}
        }
    }
}

/// Runs every test, prints the sum, and ends the machine.
pub fn test_runner(tests: &[&dyn Testable]) {
    TOTAL.store(tests.len(), Ordering::Relaxed);
    println!("running {} tests", tests.len());
    for test in tests {
        test.run();
    }
    finish()
}

/// Says that the current test ends in a panic whose message contains `text` (a stack overflow, for one). It
/// must be the last test of its kernel, since a panic ends the run.
pub fn expect_panic(text: &'static str) {
    if let Some(current) = CURRENT.lock().as_mut() {
        current.expected_panic = Some(text);
    }
}

/// Says that threads of the current test die of oopses whose report contains `text`. Any other is a failure, so that
/// an assertion in a thread is not lost.
pub fn expect_oops(text: &'static str) {
    if let Some(current) = CURRENT.lock().as_mut() {
        current.expected_oops = Some(text);
    }
}

/// For the oops: one that the current test did not expect is that test's result and ends the machine. Returns, having
/// done nothing, when it was expected or no test runs.
pub fn oopsed(what: &dyn fmt::Display) {
    let Some(mut current) = CURRENT.try_lock() else { return };
    let expected = current.as_ref().is_none_or(|test| test.expected_oops.is_some_and(|text| contains(what, text)));
    if expected {
        return;
    }
    let Some(test) = current.take() else { return };
    drop(current);
    report_failure(test.name, format_args!("{what}"));
    finish()
}

/// For the panic handler: reports the panic as the current test's result and ends the machine. Returns, having
/// done nothing, when no test runs.
pub fn panicked(info: &PanicInfo<'_>) {
    // A test never holds this lock, but the panic may have come from within the code above.
    let Some(mut current) = CURRENT.try_lock() else { return };
    let Some(test) = current.take() else { return };
    drop(current);
    match test.expected_panic {
        Some(text) if contains(info.message(), text) => report_success(test.name),
        _ => report_failure(test.name, format_args!("{}", info.message())),
    }
    finish()
}

fn report_success(name: &str) {
    PASSED.fetch_add(1, Ordering::Relaxed);
    println!("test {name} ... ok");
}

fn report_failure(name: &str, message: fmt::Arguments<'_>) {
    FAILED.fetch_add(1, Ordering::Relaxed);
    println!("test {name} ... FAILED: {message}");
}

fn finish() -> ! {
    let (passed, failed) = (PASSED.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed));
    println!("{passed} passed, {failed} failed");
    let all_ran = passed + failed == TOTAL.load(Ordering::Relaxed);
    qemu::exit(if failed == 0 && all_ran { ExitCode::Success } else { ExitCode::Failure })
}

/// Whether `message`, written out, contains `text`; looks at its first 512 bytes.
fn contains(message: impl fmt::Display, text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let mut buffer = Buffer { bytes: [0; 512], len: 0 };
    // A message that does not fit is compared as far as it went.
    let _ = fmt::write(&mut buffer, format_args!("{message}"));
    buffer.bytes[..buffer.len].windows(text.len()).any(|window| window == text.as_bytes())
}

struct Buffer {
    bytes: [u8; 512],
    len: usize,
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.bytes[self.len..];
        let count = text.len().min(free.len());
        free[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        if count < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The entry point of a bootable test: boots the kernel, then runs the harness's main function. `boot_drivers = TABLE`
/// stands in for the kernel's own table of drivers that take memory at boot.
#[macro_export]
macro_rules! test_kernel {
    ($test_main:path) => {
        $crate::test_kernel!($test_main, boot_drivers = $crate::modules::BOOT_DRIVERS);
    };
    ($test_main:path, boot_drivers = $drivers:path) => {
        // What is linked for modules: a change there links this program anew.
        const _: &[u8] = include_bytes!(env!("FOR_MODULES"));

        $crate::bootloader_api::entry_point!(start_tests, config = &$crate::BOOTLOADER_CONFIG);

        fn start_tests(boot_info: &'static mut $crate::bootloader_api::BootInfo) -> ! {
            $crate::mm::bootmem::declare(&$drivers);
            $crate::start(boot_info, run_tests)
        }

        extern "C" fn run_tests() -> ! {
            $test_main();
            $crate::board::qemu::exit($crate::board::qemu::ExitCode::Failure)
        }
    };
}
