//! Wake-ups: none is lost, whenever it comes.
//!
//! By the host's time: under icount no interrupt of this clock comes between two instructions that belong together.
//!
//! Machine: ICOUNT=0
//! Machine: ICOUNT=0 APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use kapi::{IrqReturn, Sharing};
use kernel::irq::{self, Irq};
use kernel::sched::WaitQueue;
use kernel::time;

kernel::test_kernel!(test_main);

const LONG: Duration = Duration::from_secs(60);

/// A clock of the machine's whose interrupts come 8,192 times a second; the kernel leaves it alone.
mod fast_clock {
    use x86_64::instructions::port::Port;

    const RATE: u8 = 0x0a;
    const WHAT_INTERRUPTS: u8 = 0x0b;
    const CAUSE: u8 = 0x0c;
    const PERIODIC: u8 = 1 << 6;

    /// Changes a register of the clock; all of them are reached by one pair of ports.
    fn change(register: u8, to: impl FnOnce(u8) -> u8) {
        let (mut index, mut data) = (Port::<u8>::new(0x70), Port::<u8>::new(0x71));
        kernel::sync::without_interrupts(|| {
            // SAFETY: says which register the other port is; nothing else happens.
            unsafe { index.write(register) };
            // SAFETY: reading takes the interrupt's cause back, which is ours.
            let was = unsafe { data.read() };
            let value = to(was);
            if value != was {
                // SAFETY: what these registers say is when the clock interrupts; none touches memory.
                unsafe { data.write(value) };
            }
        });
    }

    pub fn start() {
        change(RATE, |was| was & 0xf0 | 3);
        change(WHAT_INTERRUPTS, |was| was | PERIODIC);
        acknowledge();
    }

    pub fn stop() {
        change(WHAT_INTERRUPTS, |was| was & !PERIODIC);
    }

    pub fn acknowledge() {
        change(CAUSE, |was| was);
    }
}

/// Whoever is woken for somebody else, on his way to sleep, is still found by the next who wakes.
#[test_case]
fn a_wake_up_for_others_does_not_hide_a_sleeper() {
    static QUEUE: WaitQueue = WaitQueue::new();
    static WAKES: AtomicU32 = AtomicU32::new(0);
    let handler = |_| {
        fast_clock::acknowledge();
        WAKES.fetch_add(1, SeqCst);
        QUEUE.wake_all();
        IrqReturn::Handled
    };
    let _action = irq::request_irq(Irq::new(8).unwrap(), Sharing::Exclusive, "fast clock", handler).unwrap();
    fast_clock::start();
    let (start, mut slept) = (WAKES.load(SeqCst), 0);
    while WAKES.load(SeqCst) - start < 10_000 {
        // Ready at the second look, so that it never sleeps, unless the clock came in between: then at its next turn.
        let (mut looks, mut seen) = (0, 0);
        let ready = || {
            let now = WAKES.load(SeqCst);
            looks += 1;
            if looks == 1 {
                seen = now;
            }
            looks > 1 && now != seen + 1
        };
        let begun = time::uptime();
        assert_eq!(QUEUE.wait_timeout(ready, LONG), Ok(true));
        assert!(time::uptime() - begun < LONG, "no wake-up has found it");
        slept += u32::from(looks > 2);
    }
    fast_clock::stop();
    assert!(slept > 0);
}
