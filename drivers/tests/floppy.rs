//! The floppy driver over a simulated 82077, which does not always play along.

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use common::{Host, fail_after, in_use, machine, params, pattern, read, stop_failing, take_log};
use drivers::Floppy;
use kapi::mm::Platform;
use kapi::services::isa::Transfer;
use kapi::testing::fit_floppy;
use kapi::{CharDriver, Errno, FloppyController, FloppyRegister, Minor, Module, OpenDevice, OpenFlags, Values};

const TRACK: usize = 18 * 512;
const DISK: usize = 160 * TRACK;

/// The simulated controller with its drive.
#[derive(Default)]
struct Chip {
    disk: Option<Vec<u8>>,
    output: u8,
    command: Vec<u8>,
    results: VecDeque<u8>,
    interrupt: bool,
    /// Status 0 of the last command that moved the heads, and their cylinder.
    status: u8,
    cylinder: u8,
    /// Drives that are still to be told of after a reset.
    reset_left: u8,
    changed: bool,
    transfer: Option<Transfer>,
    /// Answers nothing.
    is_silent: bool,
    /// Interrupts that are lost from now on.
    lose_interrupts: bool,
    /// Reads that fail from now on.
    failing_reads: u32,
    reads: Vec<(u8, u8)>,
    claims: u32,
}

thread_local! {
    static CHIP: RefCell<Chip> = RefCell::default();
}

fn chip<R>(f: impl FnOnce(&mut Chip) -> R) -> R {
    CHIP.with_borrow_mut(f)
}

impl Chip {
    fn length(opcode: u8) -> usize {
        match opcode & 0x1f {
            0x03 | 0x0f => 3,
            0x07 => 2,
            0x08 => 1,
            0x06 => 9,
            other => panic!("a command that the controller does not know: {other:x}"),
        }
    }

    fn run(&mut self) {
        let command = std::mem::take(&mut self.command);
        match command[0] & 0x1f {
            0x03 => {}
            0x07 => self.move_to(0),
            0x0f => self.move_to(command[2]),
            0x08 if self.reset_left > 0 => {
                self.reset_left -= 1;
                self.results.extend([0xc0 | (3 - self.reset_left), 0]);
            }
            0x08 => self.results.extend([self.status, self.cylinder]),
            _ => self.read_track(&command),
        }
    }

    fn move_to(&mut self, cylinder: u8) {
        if self.cylinder != cylinder && self.disk.is_some() {
            self.changed = false;
        }
        (self.cylinder, self.status, self.interrupt) = (cylinder, 0x20, true);
    }

    fn read_track(&mut self, command: &[u8]) {
        let (cylinder, head) = (command[2], command[3]);
        assert_eq!((command[1], command[4], command[5], command[6]), (head << 2, 1, 2, 18));
        assert_eq!(self.cylinder, cylinder, "a read where the heads are not");
        self.reads.push((cylinder, head));
        self.interrupt = true;
        if self.failing_reads > 0 || self.disk.is_none() {
            self.failing_reads = self.failing_reads.saturating_sub(1);
            return self.results.extend([0x40, 0x20, 0, cylinder, head, 1, 2]);
        }
        let transfer = self.transfer.expect("DMA was started before");
        let at = (usize::from(cylinder) * 2 + usize::from(head)) * TRACK;
        let bytes = &self.disk.as_ref().expect("a disk")[at..at + usize::from(transfer.count()) + 1];
        let start = usize::from(transfer.page()) << 16 | usize::from(transfer.offset());
        let virt = Host::memory().platform().direct_map().add(start);
        // SAFETY: the driver handed these bytes of the machine's memory over to DMA, and waits.
        unsafe { virt.as_mut_ptr::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.results.extend([0, 0, 0, cylinder, head, 1, 2]);
    }
}

/// The way to the simulated controller.
pub struct Port;

impl FloppyController for Port {
    fn read(&mut self, register: FloppyRegister) -> u8 {
        chip(|chip| match register {
            FloppyRegister::MainStatus if chip.is_silent => 0,
            FloppyRegister::MainStatus => 0x80 | if chip.results.is_empty() { 0 } else { 0x40 },
            FloppyRegister::Data => chip.results.pop_front().expect("a result that is there"),
            FloppyRegister::DigitalInput => u8::from(chip.changed || chip.disk.is_none()) << 7,
            FloppyRegister::DigitalOutput | FloppyRegister::DataRate => panic!("{register:?} is only written"),
        })
    }

    fn write(&mut self, register: FloppyRegister, value: u8) {
        chip(|chip| match register {
            FloppyRegister::DigitalOutput => {
                if chip.output & 4 == 0 && value & 4 != 0 {
                    (chip.reset_left, chip.interrupt) = (4, !chip.is_silent);
                    chip.command.clear();
                    chip.results.clear();
                }
                chip.output = value;
            }
            FloppyRegister::Data => {
                assert!(chip.results.is_empty(), "a byte while results wait");
                chip.command.push(value);
                if chip.command.len() == Chip::length(chip.command[0]) {
                    chip.run();
                }
            }
            FloppyRegister::DataRate => {}
            other => panic!("{other:?} is only read"),
        });
    }

    fn forget_interrupt(&mut self) {
        chip(|chip| chip.interrupt = false);
    }

    fn wait_interrupt(&mut self, _limit: Duration) -> Result<bool, Errno> {
        Ok(chip(|chip| std::mem::take(&mut chip.interrupt) && !chip.lose_interrupts))
    }

    fn pause(&mut self, _time: Duration) -> Result<(), Errno> {
        Ok(())
    }

    fn start_dma(&mut self, transfer: Transfer) {
        chip(|chip| chip.transfer = Some(transfer));
    }

    fn stop_dma(&mut self) {
        chip(|chip| chip.transfer = None);
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        chip(|chip| chip.claims -= 1);
    }
}

/// Hands out the controller, once at a time.
fn claim() -> Result<Box<dyn FloppyController>, Errno> {
    if chip(|chip| chip.claims) > 0 {
        return Err(Errno::EBUSY);
    }
    chip(|chip| chip.claims += 1);
    Ok(Box::new(Port))
}

/// An attached driver over a drive with this disk, freshly put in.
fn attached(disk: Option<Vec<u8>>) -> Floppy<Host> {
    chip(|chip| *chip = Chip { disk, changed: true, ..Chip::default() });
    let driver = insmod(&[]).expect("insmod");
    assert_eq!(driver.devices(), 1);
    driver
}

fn insmod(line: &[&str]) -> Result<Floppy<Host>, Errno> {
    fit_floppy(claim);
    Floppy::load(&Values::read(Floppy::<Host>::PARAMS, &params(line))?)
}

fn open(driver: &Floppy<Host>) -> Result<(), Errno> {
    driver.open(&mut OpenDevice::new(Minor(0), OpenFlags::READ))
}

fn close(driver: &Floppy<Host>) {
    driver.release(&OpenDevice::new(Minor(0), OpenFlags::READ));
}

fn motor_runs() -> bool {
    chip(|chip| chip.output & 0x10 != 0)
}

#[test]
fn the_whole_disk_is_read_track_by_track() {
    // Shows: S10, S39
    let _machine = machine();
    let disk = pattern(DISK);
    let driver = attached(Some(disk.clone()));
    assert_eq!(open(&driver), Ok(()));
    assert_eq!(common::read_all(&driver, 0, 0), disk);
    assert_eq!(chip(|chip| chip.reads.len()), 160, "each track once");
    for position in [0, 511, 512, TRACK - 1, TRACK, 7 * TRACK + 5, DISK - 1] {
        let some = read(&driver, 0, position as u64, 600).expect("read");
        let track_end = (position / TRACK + 1) * TRACK;
        assert_eq!(some, disk[position..track_end.min(position + 600)]);
    }
    assert_eq!(read(&driver, 0, DISK as u64, 1), Ok(vec![]));
    assert_eq!(read(&driver, 0, u64::MAX, 1), Ok(vec![]));
    assert!(motor_runs());
    close(&driver);
    assert!(!motor_runs());
    assert_eq!(chip(|chip| chip.claims), 1);
    drop(driver);
    assert_eq!(chip(|chip| chip.claims), 0);
}

#[test]
fn another_disk_is_noticed_at_the_next_open() {
    let _machine = machine();
    let driver = attached(Some(vec![1; DISK]));
    assert_eq!(open(&driver), Ok(()));
    assert_eq!(read(&driver, 0, 0, 1), Ok(vec![1]));
    close(&driver);
    chip(|chip| (chip.disk, chip.changed) = (Some(vec![2; DISK]), true));
    assert_eq!(open(&driver), Ok(()));
    assert_eq!(read(&driver, 0, 0, 1), Ok(vec![2]));
    close(&driver);
}

#[test]
fn without_a_disk_there_is_no_device() {
    let _machine = machine();
    let driver = attached(None);
    for _ in 0..3 {
        assert_eq!(open(&driver), Err(Errno::ENXIO));
        assert!(!motor_runs());
    }
    chip(|chip| (chip.disk, chip.changed) = (Some(vec![3; DISK]), true));
    assert_eq!(open(&driver), Ok(()), "the first file, for all that");
    assert!(motor_runs());
    close(&driver);
    assert!(!motor_runs());
    drop(driver);
    assert_eq!(chip(|chip| chip.claims), 0);
}

#[test]
fn a_controller_that_does_not_answer_is_no_device_and_no_hang() {
    let _machine = machine();
    let driver = attached(Some(vec![0; DISK]));
    chip(|chip| chip.is_silent = true);
    assert_eq!(
        (open(&driver), driver.open(&mut OpenDevice::new(Minor(0), OpenFlags::WRITE))),
        (Err(Errno::ENXIO), Err(Errno::ENXIO))
    );
    assert!(!motor_runs());
    chip(|chip| (chip.is_silent, chip.lose_interrupts) = (false, true));
    assert_eq!(open(&driver), Err(Errno::ENXIO));
    chip(|chip| chip.lose_interrupts = false);
    assert_eq!(open(&driver), Ok(()), "it is asked anew");
    assert!(motor_runs());
    chip(|chip| chip.lose_interrupts = true);
    assert_eq!(read(&driver, 0, 0, 1), Err(Errno::EIO));
    assert_eq!(chip(|chip| chip.transfer), None, "nothing is moved any more");
    chip(|chip| chip.lose_interrupts = false);
    assert_eq!(read(&driver, 0, 0, 1), Ok(vec![0]));
    close(&driver);
    assert!(!motor_runs(), "that was the only file");
}

#[test]
fn a_track_is_tried_three_times() {
    let _machine = machine();
    let driver = attached(Some(pattern(DISK)));
    assert_eq!(open(&driver), Ok(()));
    chip(|chip| chip.failing_reads = 2);
    assert_eq!(read(&driver, 0, 5 * TRACK as u64, 9).map(|bytes| bytes.len()), Ok(9));
    chip(|chip| chip.failing_reads = 3);
    assert_eq!(read(&driver, 0, 6 * TRACK as u64, 9), Err(Errno::EIO));
    assert_eq!(chip(|chip| chip.reads.len()), 6);
    assert_eq!(read(&driver, 0, 5 * TRACK as u64, 9).map(|bytes| bytes.len()), Ok(9), "the other side's buffer stands");
    assert_eq!(chip(|chip| chip.reads.len()), 6);
    assert_eq!(read(&driver, 0, 6 * TRACK as u64, 9).map(|bytes| bytes.len()), Ok(9));
}

#[test]
fn memory_that_dma_does_not_reach_is_refused() {
    // Shows: S54, S75
    let _machine = machine();
    chip(|chip| *chip = Chip { disk: Some(vec![7; DISK]), changed: true, ..Chip::default() });
    let before = in_use();
    for (source, reason) in [("kmalloc", "it lies above 16 MiB"), ("vmalloc", "it has no physical address of its own")]
    {
        take_log();
        assert_eq!(insmod(&[&format!("fd_memory={source}")]).err(), Some(Errno::EINVAL));
        let log = take_log();
        assert!(log.iter().any(|line| line.contains(reason) && line.contains(source)), "{log:?}");
        assert_eq!((in_use(), chip(|chip| chip.claims)), (before, 0));
    }
    for source in ["kmalloc_dma", "dma_pages"] {
        let driver = insmod(&[&format!("fd_memory={source}")]).expect("insmod");
        assert_eq!(open(&driver), Ok(()));
        assert_eq!(read(&driver, 0, 0, 1), Ok(vec![7]));
        close(&driver);
        drop(driver);
        assert_eq!((in_use(), chip(|chip| chip.claims)), (before, 0));
    }
    for line in ["fd_memory=tape", "fd_memory=", "memory=kmalloc"] {
        assert_eq!(insmod(&[line]).err(), Some(Errno::EINVAL));
    }
}

#[test]
fn without_dma_memory_the_device_cannot_be_opened() {
    let _machine = machine();
    let driver = attached(Some(vec![0; DISK]));
    let before = in_use();
    fail_after(0);
    assert_eq!(open(&driver), Err(Errno::ENOMEM));
    stop_failing();
    assert_eq!(in_use(), before);
    assert_eq!(open(&driver), Ok(()));
    close(&driver);
}

#[test]
fn the_device_is_for_reading_and_the_last_file_stops_the_motor() {
    let _machine = machine();
    let before = in_use();
    let driver = attached(Some(vec![0; DISK]));
    assert_eq!(driver.open(&mut OpenDevice::new(Minor(0), OpenFlags::WRITE)), Err(Errno::EROFS));
    assert!(!motor_runs(), "no file came of it");
    assert_eq!(driver.open(&mut OpenDevice::new(Minor(1), OpenFlags::READ)), Err(Errno::ENODEV));
    assert_eq!(insmod(&[]).err(), Some(Errno::EBUSY), "the controller is this one's");
    assert_eq!((open(&driver), open(&driver)), (Ok(()), Ok(())));
    close(&driver);
    assert!(motor_runs(), "a file is open");
    assert_eq!(read(&driver, 0, 0, 1), Ok(vec![0]));
    close(&driver);
    assert!(!motor_runs());
    drop(driver);
    assert_eq!((in_use(), chip(|chip| chip.claims)), (before, 0));
}
