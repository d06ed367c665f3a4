//! A virtio disk as the device sees it.
//!
//! It reads the queue out of memory, and answers as the test wants it to.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::HashSet;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use kapi::block::{BlockDriver, BlockError, BlockOp, BlockQueue, BlockRequest, Busy, Completer, Segment};
pub use kapi::mm::GfpFlags;
use kapi::mm::own::PageBlock;
use kapi::mm::{Order, PAGE_SIZE, Pfn, PhysAddr};
pub use kapi::testing::{Host, fail_after, in_use, machine, stop_failing, take_log};
use virtio::{Bus, Unusable};
use virtio_drivers::Error;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use zerocopy::{FromBytes, Immutable, IntoBytes};

pub type Disk = virtio::Disk<Host, Slot>;

pub const SECTOR: usize = 512;
pub const READ_ONLY: u64 = 1 << 5;
pub const FLUSH: u64 = 1 << 9;
pub const TABLES: u64 = 1 << 28;
pub const VERSION_1: u64 = 1 << 32;
/// Sectors of the usual disk.
pub const SECTORS: u64 = 2048;

fn at<T>(phys: u64) -> *mut T {
    let frame = PhysAddr::new(phys).frame().expect("a frame");
    let page = Host::memory().pages().direct().page_address(frame).expect("the test's memory is low");
    page.add(phys as usize % PAGE_SIZE).as_mut_ptr()
}

pub fn peek<T: Copy>(phys: u64) -> T {
    // SAFETY: the test's memory, in which the driver keeps atomics and the test what it likes.
    unsafe { ptr::read_volatile(at(phys)) }
}

pub fn poke<T: Copy>(phys: u64, value: T) {
    // SAFETY: as above.
    unsafe { ptr::write_volatile(at(phys), value) };
}

fn move_bytes(phys: u64, content: &mut [u8], to_memory: bool) {
    let memory = at::<u8>(phys);
    if to_memory {
        // SAFETY: the test's memory, in one piece, which the driver does not look at.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), memory, content.len()) };
    } else {
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(memory, content.as_mut_ptr(), content.len()) };
    }
}

/// What a request wants, as the device finds it in memory.
#[derive(Debug, Clone)]
struct Fetched {
    entry: u16,
    kind: u32,
    sector: u64,
    segments: Vec<(u64, usize, bool)>,
    answer: u64,
}

/// The device.
pub struct Model {
    pub content: Vec<u8>,
    pub kind: DeviceType,
    pub offers: u64,
    pub capacity: u64,
    pub seg_max: u32,
    pub most_entries: u32,
    pub has_configuration: bool,
    pub refuses_features: bool,
    pub never_resets: bool,
    /// Sectors at which requests fail.
    pub bad: HashSet<u64>,
    pub told: u32,
    pub resets: u32,
    pub flushes: u32,
    pub isr: u32,
    agreed: u64,
    pub status: u32,
    queue: Option<(u16, u64, u64, u64)>,
    seen: u16,
    done: u16,
    fetched: Vec<Fetched>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            content: vec![0; SECTORS as usize * SECTOR],
            kind: DeviceType::Block,
            offers: VERSION_1 | TABLES | FLUSH,
            capacity: SECTORS,
            seg_max: 126,
            most_entries: 256,
            has_configuration: true,
            refuses_features: false,
            never_resets: false,
            bad: HashSet::new(),
            told: 0,
            resets: 0,
            flushes: 0,
            isr: 0,
            agreed: 0,
            status: 0,
            queue: None,
            seen: 0,
            done: 0,
            fetched: Vec::new(),
        }
    }
}

impl Model {
    /// Takes what is offered; says how much there is now.
    pub fn fetch(&mut self) -> usize {
        let Some((size, descriptors, available, _)) = self.queue else { return 0 };
        while self.seen != peek::<u16>(available + 2) {
            let entry: u16 = peek(available + 4 + 2 * u64::from(self.seen % size));
            let descriptor = descriptors + 16 * u64::from(entry);
            assert_eq!(peek::<u16>(descriptor + 12), 4, "a table, and no other follows");
            let request = parse(entry, peek(descriptor), peek(descriptor + 8));
            assert!(self.fetched.iter().all(|other| other.entry != entry), "offered twice");
            self.fetched.push(request);
            self.seen = self.seen.wrapping_add(1);
        }
        self.fetched.len()
    }

    /// Does the `index`-th of what it took, and says so.
    pub fn answer(&mut self, index: usize) {
        let request = self.fetched.remove(index);
        let status = self.perform(&request);
        poke::<u8>(request.answer, status);
        self.tell(request.entry.into());
    }

    /// Says that it is done with `entry`.
    pub fn tell(&mut self, entry: u32) {
        let (size, _, _, used) = self.queue.expect("a queue");
        let place = used + 4 + 8 * u64::from(self.done % size);
        poke::<u32>(place, entry);
        poke::<u32>(place + 4, 1);
        self.done = self.done.wrapping_add(1);
        poke::<u16>(used + 2, self.done);
        self.isr |= 1;
    }

    /// Does all there is.
    pub fn work(&mut self) {
        while self.fetch() > 0 {
            self.answer(0);
        }
    }

    /// Whether it wants to hear of what is offered.
    pub fn want_notice(&self, wants: bool) {
        let (_, _, _, used) = self.queue.expect("a queue");
        poke::<u16>(used, u16::from(!wants));
    }

    fn perform(&mut self, request: &Fetched) -> u8 {
        let mut position = request.sector as usize * SECTOR;
        match request.kind {
            4 => {
                assert!(request.segments.is_empty());
                self.flushes += 1;
                0
            }
            0 | 1 => {
                if self.bad.contains(&request.sector) {
                    return 1;
                }
                for &(start, bytes, device_writes) in &request.segments {
                    assert_eq!(device_writes, request.kind == 0);
                    let Some(content) = self.content.get_mut(position..position + bytes) else { return 1 };
                    move_bytes(start, content, device_writes);
                    position += bytes;
                }
                0
            }
            _ => 2,
        }
    }
}

/// Reads a request's table: head, segments, answer.
fn parse(entry: u16, table: u64, bytes: u32) -> Fetched {
    let count = u64::from(bytes) / 16;
    let descriptor = |index: u64| {
        let at = table + 16 * index;
        (peek::<u64>(at), peek::<u32>(at + 8) as usize, peek::<u16>(at + 12), peek::<u16>(at + 14))
    };
    for index in 0..count - 1 {
        let (_, _, flags, next) = descriptor(index);
        assert_eq!((flags & 1, u64::from(next)), (1, index + 1));
    }
    let (head, head_bytes, head_flags, _) = descriptor(0);
    let (answer, answer_bytes, answer_flags, _) = descriptor(count - 1);
    assert_eq!((head_bytes, head_flags, answer_bytes, answer_flags), (16, 1, 1, 2));
    let segments = (1..count - 1).map(descriptor).map(|(start, bytes, flags, _)| (start, bytes, flags & 2 != 0));
    Fetched { entry, kind: peek(head), sector: peek(head + 8), segments: segments.collect(), answer }
}

/// A handle on a device.
#[derive(Clone, Default)]
pub struct Device(Arc<Mutex<Model>>);

impl Device {
    pub fn with(change: impl FnOnce(&mut Model)) -> Self {
        let device = Self::default();
        change(&mut device.lock());
        device
    }

    pub fn lock(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Device {
    fn device_type(&self) -> DeviceType {
        self.lock().kind
    }

    fn read_device_features(&mut self) -> u64 {
        self.lock().offers
    }

    fn write_driver_features(&mut self, features: u64) {
        self.lock().agreed = features;
    }

    fn max_queue_size(&mut self, _queue: u16) -> u32 {
        self.lock().most_entries
    }

    fn notify(&mut self, queue: u16) {
        assert_eq!(queue, 0);
        self.lock().told += 1;
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_truncate(self.lock().status)
    }

    fn set_status(&mut self, status: DeviceStatus) {
        let mut model = self.lock();
        if !status.is_empty() {
            model.status = status.bits();
            if model.refuses_features {
                model.status &= !DeviceStatus::FEATURES_OK.bits();
            }
        } else if !model.never_resets {
            model.status = 0;
            model.resets += 1;
            (model.queue, model.seen, model.done, model.isr) = (None, 0, 0, 0);
            model.fetched.clear();
        }
    }

    fn set_guest_page_size(&mut self, _bytes: u32) {}
    fn queue_unset(&mut self, _queue: u16) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(&mut self, _queue: u16, size: u32, descriptors: u64, available: u64, used: u64) {
        assert_eq!((descriptors % 16, available % 2, used % 4), (0, 0, 0));
        let mut model = self.lock();
        assert!(model.queue.is_none());
        model.queue = Some((size as u16, descriptors, available, used));
    }

    fn queue_used(&mut self, _queue: u16) -> bool {
        self.lock().queue.is_some()
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::from_bits_retain(std::mem::take(&mut self.lock().isr))
    }

    fn read_config_generation(&self) -> u32 {
        0
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        let model = self.lock();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&model.capacity.to_le_bytes());
        bytes[12..].copy_from_slice(&model.seg_max.to_le_bytes());
        if !model.has_configuration {
            return Err(Error::ConfigSpaceMissing);
        }
        T::read_from_prefix(&bytes[offset..]).map(|(value, _)| value).map_err(|_| Error::ConfigSpaceTooSmall)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, _offset: usize, _value: T) -> Result<(), Error> {
        Err(Error::Unsupported)
    }
}

/// The place of a device on its bus.
#[derive(Clone, Default)]
pub struct Slot(Arc<AtomicBool>);

impl Slot {
    pub fn is_cut_off(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Bus for Slot {
    type Transport = Device;

    fn cut_off(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The queue of the disk, which writes down what has ended.
#[derive(Default)]
pub struct Ends(Mutex<Vec<(u16, Result<(), BlockError>)>>);

impl Ends {
    pub fn take(&self) -> Vec<(u16, Result<(), BlockError>)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BlockQueue for Ends {
    fn complete(&self, tag: u16, result: Result<(), BlockError>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((tag, result));
    }
}

/// A disk, its device, and all around it.
pub struct Bench {
    pub disk: Disk,
    pub device: Device,
    pub slot: Slot,
    pub ends: Arc<Ends>,
}

pub fn try_attach(device: &Device) -> Result<Bench, (Unusable, Slot)> {
    let (slot, ends) = (Slot::default(), Arc::<Ends>::default());
    let queue: Weak<dyn BlockQueue> = Arc::downgrade(&(ends.clone() as Arc<dyn BlockQueue>));
    match Disk::new("vda", slot.clone(), device.clone(), Completer::new(queue)) {
        Ok(disk) => Ok(Bench { disk, device: device.clone(), slot, ends }),
        Err(reason) => Err((reason, slot)),
    }
}

pub fn attach(device: &Device) -> Bench {
    try_attach(device).map_err(|(reason, _)| reason).expect("the device is as it should be")
}

impl Bench {
    pub fn start(&self, tag: u16, op: BlockOp, sector: u64, segments: &[Segment]) -> Result<(), Busy> {
        self.disk.start(BlockRequest { tag, op, sector, segments })
    }

    /// What has ended once the device's interrupt was handled.
    pub fn interrupt(&self) -> Vec<(u16, Result<(), BlockError>)> {
        kapi::testing::in_interrupt(|| self.disk.interrupt());
        self.ends.take()
    }
}

/// A page of the test's.
pub struct Page(PageBlock<Host>);

impl Page {
    pub fn new() -> Self {
        Self(PageBlock::new(Order::ZERO, GfpFlags::KERNEL).expect("memory"))
    }

    pub fn frame(&self) -> Pfn {
        self.0.frame().expect("it has memory")
    }

    pub fn fill(&self, offset: usize, bytes: usize, value: u8) {
        (offset..offset + bytes).for_each(|offset| poke(self.frame().phys().as_u64() + offset as u64, value));
    }

    pub fn holds(&self, offset: usize, bytes: usize, value: u8) -> bool {
        (offset..offset + bytes).all(|offset| peek::<u8>(self.frame().phys().as_u64() + offset as u64) == value)
    }

    pub fn part(&self, offset: usize, bytes: usize) -> Segment {
        Segment::new(self.frame(), offset, bytes).expect("whole sectors")
    }
}
