//! What was handed out at the prompt: the chapter's calls, made by a person.
//!
//! Key types: [`Request`], a call to make; [`Handout`], what one returned. [`perform`] makes a call from a thread or
//! from a timer, and remembers what it handed out, freed memory too, by a number.
//!
//! Any address may be asked to be freed: one of a handout, live or not, and any other. The real call gets it, unless
//! it would free what has another owner, so that no address that is typed ends the kernel. `calls.rs` decides that in
//! one piece with the call. Process context; one call at a time.

mod bytes;
mod caches;
mod calls;
mod from_timer;
mod handout;
mod outcome;
mod table;

use ::mm::VirtAddr;

use crate::sched::Mutex;

pub use caches::{CacheState, Callees};
pub use calls::{Block, NewCache, Request};
pub use handout::{Handout, State, What};
pub use outcome::{Answer, Refusal};

use table::Table;

static TABLE: Mutex<Table> = Mutex::new(Table::new());

/// Where a call is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// In the command's thread.
    Thread,
    /// In a timer's callback: interrupt context.
    Timer,
}

/// Makes a call. Process context; waits for calls of other commands, and for the timer's tick.
///
/// # Errors
/// [`Refusal`]: nothing was handed out or freed.
pub fn perform(request: Request, from: From) -> Result<Answer, Refusal> {
    let mut table = TABLE.lock()?;
    let errand = table.admit(request)?;
    let outcome = match from {
        From::Thread => errand.carry_out(),
        From::Timer => from_timer::carry_out(errand)?,
    };
    outcome.map(|outcome| table.note(&errand, outcome))
}

/// The handout with this number, freed or not, if it is remembered still.
///
/// # Errors
/// As [`perform`]: the table could not be locked.
pub fn find(number: u32) -> Result<Option<Handout>, Refusal> {
    Ok(TABLE.lock()?.find(number))
}

/// The oldest handout that was not freed and is younger than the one with this number; 0 comes before all.
///
/// # Errors
/// As [`perform`]: the table could not be locked.
pub fn live_after(number: u32) -> Result<Option<Handout>, Refusal> {
    Ok(TABLE.lock()?.live_after(number))
}

/// The caches that were created here and not destroyed.
///
/// # Errors
/// As [`perform`]: the table could not be locked.
pub fn all_caches() -> Result<impl Iterator<Item = CacheState>, Refusal> {
    let table = TABLE.lock()?;
    let state = |place: usize| table.caches[place].as_ref().map(|cache| cache.state(place));
    let states: [_; caches::CACHES] = core::array::from_fn(state);
    Ok(states.into_iter().flatten())
}

/// Copies bytes from `addr` on out of a live handout; returns how many: fewer than asked for at the handout's end, 0
/// where there is none.
///
/// # Errors
/// As [`perform`]: the table could not be locked.
pub fn read(addr: VirtAddr, bytes: &mut [u8]) -> Result<usize, Refusal> {
    Ok(bytes::read(&*TABLE.lock()?, addr, bytes))
}

/// Whether `addr` lies in device memory that is handed out: nothing is read or written there.
///
/// # Errors
/// As [`perform`]: the table could not be locked.
pub fn is_device(addr: VirtAddr) -> Result<bool, Refusal> {
    Ok(bytes::is_device(&*TABLE.lock()?, addr))
}

/// Fills `len` bytes from `addr` on of a live handout with `byte`; returns how many that were, as [`read`] does.
///
/// # Errors
/// As [`perform`]: the table could not be locked.
pub fn write(addr: VirtAddr, byte: u8, len: usize) -> Result<usize, Refusal> {
    Ok(bytes::write(&*TABLE.lock()?, addr, byte, len))
}
