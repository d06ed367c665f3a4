//! Every store against a naive model: random operations, each byte compared.

mod common;

use std::collections::BTreeMap;

use common::{Host, RW, Random, file, in_use, insmod, machine, pattern, read, read_all, trim, write, write_all};
use drivers::{Cache, Kmalloc, Pages, QuantumStore, Scull, Vmalloc};
use kapi::mm::{Order, PAGE_SIZE};
use kapi::{CharDriver, Errno, IoBuf, Minor, Module, OpenDevice, UserMemory, Whence};

/// What a device should hold: quanta by number, and the size.
struct Model {
    quantum: u64,
    quanta: BTreeMap<u64, Vec<u8>>,
    size: u64,
}

impl Model {
    fn new(quantum: u64) -> Self {
        Self { quantum, quanta: BTreeMap::new(), size: 0 }
    }

    fn write(&mut self, position: u64, bytes: &[u8]) -> usize {
        let offset = position % self.quantum;
        let n = bytes.len().min((self.quantum - offset) as usize);
        let quantum = self.quanta.entry(position / self.quantum).or_insert_with(|| vec![0; self.quantum as usize]);
        quantum[offset as usize..offset as usize + n].copy_from_slice(&bytes[..n]);
        self.size = self.size.max(position + n as u64);
        n
    }

    /// The page that a mapping shows, if there is one.
    fn page(&self, position: u64) -> Option<&[u8]> {
        let quantum = self.quanta.get(&(position / self.quantum)).filter(|_| position < self.size)?;
        Some(&quantum[(position % self.quantum) as usize..][..PAGE_SIZE])
    }

    fn read(&self, position: u64, len: usize) -> &[u8] {
        let Some(quantum) = self.quanta.get(&(position / self.quantum)).filter(|_| position < self.size) else {
            return &[];
        };
        let offset = (position % self.quantum) as usize;
        let left = (self.size - position).min(self.quantum - offset as u64) as usize;
        &quantum[offset..offset + len.min(left)]
    }
}

/// A process's memory of which the first bytes are there.
struct Torn<'a>(&'a [u8]);

impl UserMemory for Torn<'_> {
    fn len(&self) -> usize {
        self.0.len() + 3000
    }

    fn write(&self, _offset: usize, _bytes: &[u8]) -> usize {
        0
    }

    fn clear(&self, _offset: usize, _count: usize) -> usize {
        0
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let there = &self.0[offset.min(self.0.len())..];
        let n = there.len().min(bytes.len());
        bytes[..n].copy_from_slice(&there[..n]);
        n
    }
}

/// Fills a device and empties it: the memory that it gives back is the next to be handed out, with old bytes in it.
fn leave_old_bytes<S: QuantumStore<Host>>(driver: &Scull<Host, S>) {
    write_all(driver, 0, 0, &[0xaa; 200_000]).expect("write");
    trim(driver, 0).expect("trim");
}

/// The bytes of the page at `position` as a process would see them; `None` where it would see no page.
fn mapped(driver: &dyn CharDriver, position: u64) -> Option<Vec<u8>> {
    let frame = driver.mmap_page(&file(0), position).ok()?;
    let addr = Host::memory().page_address(frame).expect("low memory");
    // SAFETY: the frame has a reference of the test's own.
    let bytes = unsafe { core::slice::from_raw_parts(addr.as_mut_ptr::<u8>(), PAGE_SIZE) }.to_vec();
    Host::memory().free_frames(frame, Order::ZERO).expect("that reference");
    Some(bytes)
}

/// 3,000 random operations on small and far positions, and at the end, in memory with old bytes.
fn random_operations<S: QuantumStore<Host>>(quantum: u64, line: &[&str], seed: u64) {
    let _machine = machine();
    let start = in_use();
    let driver = insmod::<S>(line).expect("insmod");
    driver.open(&mut OpenDevice::new(Minor(0), RW)).expect("open");
    let mut random = Random(seed);
    let mut model = Model::new(quantum);
    let mappable = driver.mmap(&file(0)).is_ok();
    leave_old_bytes(&driver);
    // Far positions are left out every other time: what lies before them is not at the end of the device.
    let mut regions = 1;
    for step in 0..3_000 {
        let region = [0, 0, 0, 1 << 33, 1 << 60][random.below(regions) as usize];
        let position = match random.below(4) {
            0 => model.size + random.below(3) * random.below(quantum),
            _ => region + random.below(quantum * 40),
        };
        let len = 1 + random.below(quantum * 2) as usize;
        let operation = random.below(100);
        let mut bytes = || (0..len).map(|_| random.below(256) as u8).collect::<Vec<u8>>();
        match operation {
            0 => {
                trim(&driver, 0).expect("trim");
                leave_old_bytes(&driver);
                model = Model::new(quantum);
                regions = 6 - regions;
            }
            1..45 => {
                let bytes = bytes();
                let n = write(&driver, 0, position, &bytes).expect("write");
                assert_eq!(n, model.write(position, &bytes), "seed {seed} step {step}: write at {position}");
            }
            45..50 => {
                let torn = driver.write(&file(0), position, &mut IoBuf::take_user(&Torn(&[])));
                assert_eq!(torn, Err(Errno::EFAULT));
            }
            50..60 => {
                let bytes = bytes();
                let n = driver.write(&file(0), position, &mut IoBuf::take_user(&Torn(&bytes))).expect("write");
                assert_eq!(n, model.write(position, &bytes), "seed {seed} step {step}: torn write at {position}");
            }
            60..70 if mappable => {
                let page = position / PAGE_SIZE as u64 * PAGE_SIZE as u64;
                let seen = mapped(&driver, page);
                assert_eq!(seen.as_deref(), model.page(page), "seed {seed} step {step}: page at {page}");
            }
            _ => {
                let bytes = read(&driver, 0, position, len).expect("read");
                assert_eq!(bytes, model.read(position, len), "seed {seed} step {step}: read at {position}");
            }
        }
        assert_eq!(driver.size(&file(0)), Ok(model.size), "seed {seed} step {step}");
    }
    driver.release(&OpenDevice::new(Minor(0), RW));
    drop(driver);
    assert_eq!(in_use(), start, "seed {seed}: memory leaked");
}

#[test]
fn scull_behaves_like_the_model() {
    // Shows: K7, D15
    random_operations::<Kmalloc>(300, &["scull_quantum=300", "scull_qset=3", "scull_limit=0"], 11);
}

#[test]
fn scullc_behaves_like_the_model() {
    // Shows: K7, D15
    random_operations::<Cache<Host>>(300, &["scullc_quantum=300", "scullc_qset=3", "scullc_limit=0"], 12);
}

#[test]
fn scullp_behaves_like_the_model() {
    // Shows: K7, D15
    random_operations::<Pages>(4096, &["scullp_order=0", "scullp_qset=3", "scullp_limit=0"], 13);
}

#[test]
fn scullv_behaves_like_the_model() {
    // Shows: K7, D15
    random_operations::<Vmalloc>(8192, &["scullv_order=1", "scullv_qset=3", "scullv_limit=0"], 14);
}

/// A megabyte goes through a device of default sizes and comes back.
fn megabyte_round_trip<S: QuantumStore<Host>>() {
    let _machine = machine();
    let driver = insmod::<S>(&[]).expect("insmod");
    assert_eq!(driver.devices(), 4);
    let bytes = pattern(1 << 20);
    write_all(&driver, 3, 0, &bytes).expect("write");
    assert_eq!(read_all(&driver, 3, 0), bytes);
}

#[test]
fn a_megabyte_comes_back_from_every_driver() {
    megabyte_round_trip::<Kmalloc>();
    megabyte_round_trip::<Cache<Host>>();
    megabyte_round_trip::<Pages>();
    megabyte_round_trip::<Vmalloc>();
}

/// Writes into quanta that held something else before, and reads what was not written.
fn unwritten_bytes_are_zero<S: QuantumStore<Host>>() {
    let _machine = machine();
    let driver = insmod::<S>(&[]).expect("insmod");
    let zero = |bytes: &[u8]| {
        assert!(bytes.iter().all(|&byte| byte == 0), "{}: old data shows", Scull::<Host, S>::NAME);
    };
    leave_old_bytes(&driver);
    write(&driver, 0, 1000, b"x").expect("write");
    write(&driver, 0, 3000, b"y").expect("write");
    let bytes = read(&driver, 0, 0, 4096).expect("read");
    zero(&bytes[..1000]);
    assert_eq!(bytes[1000], b'x');
    zero(&bytes[1001..3000]);
    assert_eq!(bytes[3000..], *b"y");
    // A write that comes less far than it should.
    leave_old_bytes(&driver);
    assert_eq!(driver.write(&file(0), 0, &mut IoBuf::take_user(&Torn(b"uuuuuuuuuu"))), Ok(10));
    write(&driver, 0, 3500, b"z").expect("write");
    let bytes = read(&driver, 0, 0, 4096).expect("read");
    assert_eq!(bytes[..10], *b"uuuuuuuuuu");
    zero(&bytes[10..3500]);
}

#[test]
fn fresh_quanta_are_zero_in_all_drivers() {
    // Shows: K6, D7, S34, S47, S63
    unwritten_bytes_are_zero::<Kmalloc>();
    unwritten_bytes_are_zero::<Cache<Host>>();
    unwritten_bytes_are_zero::<Pages>();
    unwritten_bytes_are_zero::<Vmalloc>();
}

#[test]
fn scullv_works_beyond_its_first_item() {
    // Shows: D2, K7
    let _machine = machine();
    let driver = insmod::<Vmalloc>(&[]).expect("insmod");
    let (position, bytes) = (32_768_000 + 60_000, pattern(10_000));
    write_all(&driver, 0, position, &bytes).expect("write");
    assert_eq!(read_all(&driver, 0, position), bytes);
    assert_eq!(driver.size(&file(0)), Ok(position + 10_000));
}

#[test]
fn reads_end_at_the_size_and_in_holes() {
    // Shows: D9
    let _machine = machine();
    let driver = insmod::<Pages>(&[]).expect("insmod");
    write(&driver, 0, 0, b"abc").expect("write");
    assert_eq!(read(&driver, 0, 3, 10), Ok(vec![]), "at the size");
    assert_eq!(read(&driver, 0, 4, 10), Ok(vec![]), "beyond the size");
    write(&driver, 0, 3 * 4096, b"def").expect("write");
    assert_eq!(read(&driver, 0, 4096, 10), Ok(vec![]), "in a hole");
    assert_eq!(read(&driver, 0, 4090, 10), Ok(vec![0; 6]), "up to the end of the quantum");
}

#[test]
fn seeks_count_in_64_bits() {
    // Shows: D15
    let _machine = machine();
    let driver = insmod::<Kmalloc>(&[]).expect("insmod");
    let far = 5 << 30;
    write(&driver, 0, far, b"end").expect("write");
    assert_eq!(driver.llseek(&file(0), 0, -3, Whence::End), Ok(far));
    assert_eq!(read(&driver, 0, far, 10), Ok(b"end".to_vec()));
}
