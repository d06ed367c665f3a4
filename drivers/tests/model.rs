//! Every store against a naive model: random operations, each byte compared.

mod common;

use std::collections::BTreeMap;

use common::{Host, RW, Random, file, in_use, insmod, machine, pattern, read, read_all, trim, write, write_all};
use drivers::{Cache, Kmalloc, Pages, QuantumStore, Scull, Vmalloc};
use kapi::{CharDriver, Minor, Module, OpenDevice, Whence};

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

    fn read(&self, position: u64, len: usize) -> &[u8] {
        let Some(quantum) = self.quanta.get(&(position / self.quantum)).filter(|_| position < self.size) else {
            return &[];
        };
        let offset = (position % self.quantum) as usize;
        let left = (self.size - position).min(self.quantum - offset as u64) as usize;
        &quantum[offset..offset + len.min(left)]
    }
}

/// 3,000 random operations on small and far positions.
fn random_operations<S: QuantumStore<Host>>(quantum: u64, line: &[&str], seed: u64) {
    let _machine = machine();
    let start = in_use();
    let driver = insmod::<S>(line).expect("insmod");
    driver.open(&mut OpenDevice::new(Minor(0), RW)).expect("open");
    let mut random = Random(seed);
    let mut model = Model::new(quantum);
    for step in 0..3_000 {
        let region = [0, 0, 0, 1 << 33, 1 << 60][random.below(5) as usize];
        let position = region + random.below(quantum * 40);
        let len = 1 + random.below(quantum * 2) as usize;
        match random.below(100) {
            0 => {
                trim(&driver, 0).expect("trim");
                model = Model::new(quantum);
            }
            1..50 => {
                let bytes: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
                let n = write(&driver, 0, position, &bytes).expect("write");
                assert_eq!(n, model.write(position, &bytes), "seed {seed} step {step}: write at {position}");
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
    write_all(&driver, 0, 0, &[0xaa; 200_000]).expect("write");
    trim(&driver, 0).expect("trim");
    write(&driver, 0, 1000, b"x").expect("write");
    let bytes = read(&driver, 0, 0, 4096).expect("read");
    assert!(bytes[..1000].iter().all(|&byte| byte == 0), "{}: old data shows", Scull::<Host, S>::NAME);
    assert_eq!(bytes[1000..], *b"x");
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
