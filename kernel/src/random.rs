//! Random bytes: ChaCha20, keyed by what the machine has that nobody can guess.
//!
//! That is the CPU's random numbers, where it has them, the clock's time and the CPU's counter; without the first,
//! whoever knows when the machine was started may guess. Each caller gets a key of its own out of the pool, and the
//! pool a new one, so that what was handed out cannot be found again in memory. Under icount, on a CPU without random
//! numbers, all is the same each time.
#![forbid(unsafe_code)]

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::arch::cpu;
use crate::sync::SpinLock;
use crate::time;

/// A key of ChaCha20.
type Key = [u8; 32];

/// Nothing else is locked while this is.
static POOL: SpinLock<Key> = SpinLock::new([0; 32]);

/// Stirs in what the machine has.
pub fn init() {
    let mut found = [0; 32];
    let words = found.chunks_exact_mut(size_of::<u64>());
    words.for_each(|word| word.copy_from_slice(&cpu::random().unwrap_or_else(cpu::cycles).to_le_bytes()));
    stir(&found);
    stir(&time::realtime().as_nanos().to_le_bytes());
}

/// Has `bytes` change all that comes from here on. Any context.
pub fn stir(bytes: &[u8]) {
    POOL.with(|pool| {
        for chunk in bytes.chunks(pool.len()) {
            pool.iter_mut().zip(chunk).for_each(|(key, byte)| *key ^= byte);
            ChaCha20Rng::from_seed(*pool).fill_bytes(pool);
        }
    });
}

/// Fills `bytes` with random ones. Any context.
pub fn fill(bytes: &mut [u8]) {
    let now = cpu::cycles().to_le_bytes();
    let key = POOL.with(|pool| {
        pool.iter_mut().zip(now).for_each(|(key, byte)| *key ^= byte);
        let mut generator = ChaCha20Rng::from_seed(*pool);
        generator.fill_bytes(pool);
        let mut key = Key::default();
        generator.fill_bytes(&mut key);
        key
    });
    ChaCha20Rng::from_seed(key).fill_bytes(bytes);
}
