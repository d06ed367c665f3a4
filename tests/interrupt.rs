//! Interrupts: tick, timers, soft interrupts, task queues, what is allowed.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use common::Log;
use kapi::{Errno, IrqReturn, LockError, OpenFlags, Sharing};
use kernel::fs;
use kernel::input::{self, Backlog, Listener, Received};
use kernel::irq::{self, Irq};
use kernel::klog;
use kernel::log::{self, Message, Stamp};
use kernel::mm::KString;
use kernel::output;
use kernel::sched::{self, Mutex};
use kernel::sync::SpinLock;
use kernel::taskqueue::{self, Work};
use kernel::time;
use kernel::timer::Timer;
use mm::Context;

kernel::test_kernel!(test_main);

/// What happened, in order: up to eight digits, the first the most significant.
static EVENTS: AtomicU32 = AtomicU32::new(0);

fn event(digit: u32) {
    EVENTS.fetch_update(SeqCst, SeqCst, |events| Some(events * 10 + digit)).unwrap();
}

fn take_events() -> u32 {
    EVENTS.swap(0, SeqCst)
}

fn nap(millis: u64) {
    sched::sleep(Duration::from_millis(millis)).unwrap();
}

/// A line that no device uses, raised by its vector.
const FREE_LINE: u8 = 3;

/// The names of a line's handlers.
fn names(line: Irq) -> KString {
    KString::try_format(format_args!("{}", irq::names(line))).unwrap()
}

fn raise_free_line() {
    // SAFETY: the vector is that of a line whose handler is ours.
    unsafe { core::arch::asm!("int {}", const 32 + FREE_LINE) };
}

#[test_case]
fn ticks_come_at_their_rate() {
    let interrupts = irq::count(Irq::TIMER);
    let ticks = time::ticks();
    nap(100);
    let passed = time::ticks().0 - ticks.0;
    assert!((10..=12).contains(&passed), "{passed}");
    assert_eq!(irq::count(Irq::TIMER) - interrupts, passed);
    assert_eq!(names(Irq::TIMER), "timer");
}

#[test_case]
fn uptime_rises_between_ticks() {
    nap(20);
    let first = time::uptime();
    let mut distinct = 0;
    let mut last = first;
    for _ in 0..100 {
        let now = time::uptime();
        assert!(now >= last);
        distinct += u32::from(now > last);
        last = now;
    }
    assert!(distinct > 10);
    assert!(last - first < Duration::from_millis(100));
}

#[test_case]
fn timer_callback_may_not_sleep() {
    // Shows: K11
    static MUTEX: Mutex<u32> = Mutex::new(0);
    static TIMER: Timer = Timer::new(|argument| {
        event(if sched::context() == Context::Interrupt { 1 } else { 9 });
        event(if matches!(MUTEX.lock(), Err(LockError::WrongContext)) { 2 } else { 9 });
        event(if sched::spawn("refused", || 0).is_err() { 3 } else { 9 });
        *MUTEX.try_lock().unwrap() = argument as u32;
    });
    TIMER.add(Duration::from_millis(10), 77);
    nap(50);
    assert_eq!(take_events(), 123);
    assert_eq!(*MUTEX.lock().unwrap(), 77);
    assert_eq!(sched::context(), Context::Process);
}

#[test_case]
fn timers_run_once_in_order_of_their_deadlines() {
    static TIMERS: [Timer; 3] = [const { Timer::new(|argument| event(argument as u32)) }; 3];
    TIMERS[0].add(Duration::from_millis(60), 3);
    TIMERS[1].add(Duration::from_millis(20), 1);
    TIMERS[2].add(Duration::from_millis(40), 2);
    nap(100);
    assert_eq!(take_events(), 123);
    TIMERS[0].add(Duration::from_millis(20), 1);
    assert!(TIMERS[0].is_pending());
    // Moved, not doubled.
    TIMERS[0].add(Duration::from_millis(30), 4);
    TIMERS[1].add(Duration::from_millis(20), 2);
    assert!(TIMERS[1].cancel());
    assert!(!TIMERS[1].cancel());
    nap(80);
    assert_eq!(take_events(), 4);
}

#[test_case]
fn soft_interrupts_follow_the_handler_and_precede_the_thread() {
    static FIRST: Work = Work::new(|_| {
        assert_eq!(sched::context(), Context::Interrupt);
        assert!(x86_64::instructions::interrupts::are_enabled());
        event(3);
    });
    static SECOND: Work = Work::new(|_| event(4));
    fn handler(_irq: Irq) -> IrqReturn {
        event(1);
        assert_eq!(sched::context(), Context::Interrupt);
        assert!(!x86_64::instructions::interrupts::are_enabled());
        assert!(taskqueue::IMMEDIATE.queue(&FIRST, 0));
        assert!(taskqueue::IMMEDIATE.queue(&SECOND, 0));
        assert!(!taskqueue::IMMEDIATE.queue(&FIRST, 0));
        event(2);
        IrqReturn::Handled
    }
    let line = Irq::new(FREE_LINE).unwrap();
    let action = irq::request_irq(line, Sharing::Exclusive, "test", handler).unwrap();
    for sharing in [Sharing::Exclusive, Sharing::Shared] {
        assert_eq!(irq::request_irq(line, sharing, "second", handler).err(), Some(Errno::EBUSY));
    }
    let before = irq::count(line);
    raise_free_line();
    event(5);
    assert_eq!(take_events(), 12345);
    assert_eq!(irq::count(line), before + 1);
    drop(action);
    assert_eq!(names(line), "no handler");
    assert!(!irq::is_served(line));
}

#[test_case]
fn handlers_share_a_line_and_each_has_its_own_data() {
    let line = Irq::new(FREE_LINE).unwrap();
    let requests = [(1, IrqReturn::NotMine), (2, IrqReturn::Handled), (3, IrqReturn::NotMine)];
    let [first, second, third] = requests.map(|(digit, answer)| {
        let handler = move |_| {
            event(digit);
            answer
        };
        irq::request_irq(line, Sharing::Shared, ["a", "b", "c"][digit as usize - 1], handler).unwrap()
    });
    let alone = irq::request_irq(line, Sharing::Exclusive, "alone", |_| IrqReturn::Handled);
    assert_eq!(alone.err(), Some(Errno::EBUSY));
    assert_eq!(names(line), "a, b, c");
    assert!(proc_interrupts_shows("  3: ", "XT-PIC  a, b, c\n"));
    raise_free_line();
    assert_eq!(take_events(), 123);
    drop(second);
    raise_free_line();
    assert_eq!(take_events(), 13);
    assert_eq!(names(line), "a, c");
    drop((first, third));
    raise_free_line();
    assert_eq!(take_events(), 0);
    let request = |()| irq::request_irq(line, Sharing::Shared, "one of many", |_| IrqReturn::NotMine);
    let many = [(); 8].map(request);
    assert!(many.iter().all(Result::is_ok));
    assert_eq!(request(()).err(), Some(Errno::EBUSY), "eight share a line");
}

/// Whether a line of /proc/interrupts begins and ends so.
fn proc_interrupts_shows(start: &str, end: &str) -> bool {
    let mut bytes = [0; 1024];
    let file = fs::open(&fs::Place::root(), "/proc/interrupts", OpenFlags::READ, 0o666).unwrap();
    let len = file.read_bytes(&mut bytes).unwrap();
    let mut lines = core::str::from_utf8(&bytes[..len]).unwrap().split_inclusive('\n');
    lines.any(|line| line.starts_with(start) && line.ends_with(end))
}

/// Whether the first controller holds `line` back.
fn is_held_back(line: u8) -> bool {
    let mask: u8;
    // SAFETY: reading the mask changes nothing.
    unsafe { core::arch::asm!("in al, 0x21", out("al") mask) };
    mask & 1 << line != 0
}

#[test_case]
fn a_line_that_nobody_handles_is_held_back_and_named() {
    static ANSWERS: AtomicBool = AtomicBool::new(false);
    let line = Irq::new(FREE_LINE).unwrap();
    let handler = |_| if ANSWERS.load(SeqCst) { IrqReturn::Handled } else { IrqReturn::NotMine };
    let first = irq::request_irq(line, Sharing::Shared, "deaf", handler).unwrap();
    let second = irq::request_irq(line, Sharing::Shared, "dumb", handler).unwrap();
    let log = Log::from_here();
    (0..999).for_each(|_| raise_free_line());
    // One that is handled begins the count anew.
    ANSWERS.store(true, SeqCst);
    raise_free_line();
    ANSWERS.store(false, SeqCst);
    (0..999).for_each(|_| raise_free_line());
    assert!(!is_held_back(FREE_LINE) && !log.shows("held back"));
    raise_free_line();
    assert!(is_held_back(FREE_LINE));
    assert!(log.shows("irq 3: nobody handled 1000 interrupts in a row, held back (deaf, dumb)"));
    // With other handlers it may go better.
    drop(second);
    assert!(!is_held_back(FREE_LINE));
    drop(first);
    assert!(is_held_back(FREE_LINE), "nobody is left");
}

#[test_case]
fn soft_interrupts_wait_for_the_end_of_a_spinlock() {
    static LOCK: SpinLock<()> = SpinLock::new(());
    static WORK: Work = Work::new(|_| event(2));
    LOCK.with(|()| {
        taskqueue::IMMEDIATE.queue(&WORK, 0);
        event(1);
    });
    nap(20);
    assert_eq!(take_events(), 12);
}

#[test_case]
fn log_takes_lines_in_every_context_and_in_order() {
    static LOCK: SpinLock<()> = SpinLock::new(());
    static WORK: Work = Work::new(|_| klog!("from a soft interrupt"));
    nap(30);
    let mut position = log::end();
    klog!("from a thread");
    LOCK.with(|()| klog!("with a spinlock held"));
    taskqueue::IMMEDIATE.queue(&WORK, 0);
    let (mut message, mut before) = (Message::new(), Stamp::of(0));
    for text in ["from a thread", "with a spinlock held", "from a soft interrupt"] {
        position = log::read(position, &mut message).unwrap();
        assert_eq!(message.text(), text.as_bytes());
        assert!(Stamp::of(message.time) >= before);
        before = Stamp::of(message.time);
    }
    assert!(before > Stamp::of(0), "interrupts are on, so there is a clock");
    assert_eq!(log::read(position, &mut message), None);
    // A message that is too long is cut.
    klog!("{:600}", "long");
    assert_eq!(log::read(position, &mut message), Some(log::end()));
    assert_eq!(message.text().len(), 511);
}

/// What the tests' listener has seen of ^C, and whether it waits for one.
struct Ear {
    waits: AtomicBool,
    heard: AtomicU32,
    lost: AtomicU32,
}

static EAR: Ear = Ear { waits: AtomicBool::new(false), heard: AtomicU32::new(0), lost: AtomicU32::new(0) };

impl Listener for Ear {
    fn on_byte(&self, byte: u8, _backlog: Backlog) -> Received {
        if byte == 3 {
            self.heard.fetch_add(1, SeqCst);
            return Received::Consumed;
        }
        Received::Queue
    }

    fn is_waiting(&self) -> bool {
        self.waits.load(SeqCst)
    }

    fn on_loss(&self) {
        self.lost.fetch_add(1, SeqCst);
    }
}

/// Has the serial port receive what it sends, or no longer.
fn set_loopback(control: u8) {
    // SAFETY: the port's modem control; nothing is sent meanwhile but what a test wants back.
    unsafe { core::arch::asm!("out dx, al", in("dx") 0x3fc_u16, in("al") control) };
}

#[test_case]
fn an_interrupt_is_seen_behind_more_than_there_is_room_for() {
    const LOOPBACK: u8 = 1 << 4;
    const AS_BEFORE: u8 = 0b1011;
    input::set_listener(&EAR);
    input::ready_for_input().unwrap();
    set_loopback(LOOPBACK);
    // Two at a time: the port interrupts at 14 of 16, and nothing else lets interrupts in. The other end may have sent
    // a byte as well.
    let send = |count: usize| (0..count / 2).for_each(|_| output::write(b"12"));
    send(input::RING_LEN);
    // The ring is full: the port holds these back, and has room for what follows.
    send(6);
    let held = (EAR.heard.load(SeqCst), EAR.lost.load(SeqCst), input::overruns());
    // Now somebody waits: they make way for ^C, which takes all that was typed before it.
    EAR.waits.store(true, SeqCst);
    input::look_again();
    output::write(b"\x03after");
    set_loopback(AS_BEFORE);
    // So few bytes wait a little for more before they interrupt.
    nap(20);
    assert_eq!(held, (0, 0, 0));
    assert_eq!(EAR.heard.load(SeqCst), 1);
    assert_eq!(EAR.lost.load(SeqCst), 1, "told of once for all");
    assert_eq!(input::overruns(), 0);
    for byte in b"after" {
        assert_eq!(input::read_byte(|| false), Some(*byte));
    }
    assert_eq!(input::read_byte(|| false), None);
}

#[test_case]
fn timer_queue_runs_at_the_next_tick_and_not_before() {
    static WORK: Work = Work::new(|argument| {
        event(argument as u32);
        if argument < 3 {
            taskqueue::TIMER.queue(&WORK, argument + 1);
        }
    });
    taskqueue::TIMER.queue(&WORK, 1);
    nap(60);
    // Work that queues itself again runs a tick later.
    assert_eq!(take_events(), 123);
}
