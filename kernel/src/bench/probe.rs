//! The loops that are timed.
//!
//! Key types: [`Call`], an allocation and its free; [`Batch`], many of them at once. A loop is a function of its own,
//! and what its calls are given is hidden from the optimiser, in a register.

use mm::{AllocError, GfpFlags};

use crate::arch::cpu::cycles;
use crate::arch::hide::Hide;
use crate::mm::KVec;

/// Something that can be allocated and freed.
pub trait Call: Copy {
    /// What names the allocated thing.
    type Held: Hide;

    /// Allocates one.
    fn take(&self) -> Result<Self::Held, AllocError>;

    /// Frees one.
    fn give(&self, held: Self::Held);
}

/// The ticks of one round: all of a loop of pairs; or of a batch's allocations, then of its frees.
pub type Ticks = [u64; 2];

/// Allocates and frees `count` times.
#[inline(never)]
pub fn pairs<C: Call>(call: C, count: u32) -> Result<Ticks, AllocError> {
    let start = cycles();
    for _ in 0..count {
        let held = call.take()?;
        call.give(held.hidden());
    }
    Ok([cycles() - start, 0])
}

/// In which order a batch is freed.
#[derive(Clone, Copy)]
pub enum FreeOrder {
    /// As it was allocated.
    Fifo,
    /// Last one first.
    Lifo,
    /// At random, the same at each run.
    Random,
}

impl FreeOrder {
    /// All of them, each with its name in a row's.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Fifo, "fifo"), (Self::Lifo, "lifo"), (Self::Random, "rand")];

    /// The numbers from 0 to `count` - 1 in this order. May sleep.
    fn permutation(self, count: u16) -> Result<KVec<u16>, AllocError> {
        let mut order = KVec::with_capacity(count.into(), GfpFlags::KERNEL)?;
        for index in 0..count {
            order.push(index, GfpFlags::KERNEL)?;
        }
        match self {
            Self::Fifo => {}
            Self::Lifo => order.reverse(),
            Self::Random => shuffle(&mut order),
        }
        Ok(order)
    }
}

/// Fisher and Yates, with Marsaglia's xorshift generator.
fn shuffle(order: &mut [u16]) {
    let mut random = 2_463_534_242_u32;
    for last in (1..order.len()).rev() {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        order.swap(last, random as usize % (last + 1));
    }
}

/// A number of things that are allocated one after the other, and then freed in some order.
pub struct Batch<C: Call> {
    call: C,
    order: KVec<u16>,
    held: KVec<Option<C::Held>>,
}

impl<C: Call> Batch<C> {
    /// A batch of `count`. May sleep.
    pub fn new(call: C, count: u16, order: FreeOrder) -> Result<Self, AllocError> {
        let mut held = KVec::with_capacity(count.into(), GfpFlags::KERNEL)?;
        held.resize(count.into(), None, GfpFlags::KERNEL)?;
        Ok(Self { call, order: order.permutation(count)?, held })
    }

    /// Allocates and frees the batch `count` times.
    #[inline(never)]
    pub fn run(&mut self, count: u32) -> Result<Ticks, AllocError> {
        let mut ticks = [0; 2];
        for _ in 0..count {
            let start = cycles();
            let filled = self.fill();
            let middle = cycles();
            self.empty();
            let end = cycles();
            self.held.fill(None);
            filled?;
            ticks = [ticks[0] + middle - start, ticks[1] + end - middle];
        }
        Ok(ticks)
    }

    fn fill(&mut self) -> Result<(), AllocError> {
        for held in self.held.iter_mut() {
            *held = Some(self.call.take()?);
        }
        Ok(())
    }

    /// Frees what [`fill`](Self::fill) has got.
    fn empty(&self) {
        for &index in self.order.iter() {
            if let Some(&Some(held)) = self.held.get(usize::from(index)) {
                self.call.give(held);
            }
        }
    }
}
