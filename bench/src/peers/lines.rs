//! A bare stack that touches the lines that ours must.
//!
//! An object's page entry, its slab's descriptor and the byte of its state: what memory itself takes of a call when
//! many objects are live.

use core::cell::UnsafeCell;

use super::peer::{Block, Bytes, Peer};

/// Objects of 64 bytes in a slab of one page.
const OBJECTS: usize = 64;
const FREE: u8 = 0;
const LIVE: u8 = 1;

/// An entry of 16 bytes, which says where the slab's states are.
struct Entry {
    slab: usize,
    _more: usize,
}

/// A line of states, and the descriptor's.
#[repr(align(128))]
struct Slab {
    states: [u8; OBJECTS],
    first: usize,
}

struct State {
    entries: Vec<Entry>,
    slabs: Vec<Slab>,
    free: Vec<u32>,
}

impl State {
    /// The entry, then the descriptor, then the byte that they lead to.
    fn set(&mut self, object: usize, from: u8, to: u8) {
        let slab = &mut self.slabs[self.entries[object / OBJECTS].slab];
        let state = &mut slab.states[object - slab.first];
        assert_eq!(*state, from, "a good call was refused");
        *state = to;
    }
}

struct Lines(UnsafeCell<State>);

// SAFETY: it says that it is not shared, so only one thread ever calls it.
unsafe impl Sync for Lines {}

/// Objects of 64 bytes, so many and some more.
pub fn objects(count: usize) -> Box<dyn Peer<Bytes>> {
    let slabs = count / OBJECTS + 32;
    Box::new(Lines(UnsafeCell::new(State {
        entries: (0..slabs).map(|slab| Entry { slab, _more: 0 }).collect(),
        slabs: (0..slabs).map(|slab| Slab { states: [FREE; OBJECTS], first: slab * OBJECTS }).collect(),
        free: (1..(slabs * OBJECTS) as u32).rev().collect(),
    })))
}

impl Peer<Bytes> for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn alloc(&self, _request: Bytes) -> Option<Block> {
        // SAFETY: only one thread is here, and nothing is called while the reference lives.
        let state = unsafe { &mut *self.0.get() };
        let object = state.free.pop()? as usize;
        state.set(object, FREE, LIVE);
        Block::new(object)
    }

    fn free(&self, block: Block, _request: Bytes) {
        // SAFETY: as in `alloc`.
        let state = unsafe { &mut *self.0.get() };
        state.set(block.number(), LIVE, FREE);
        state.free.push(block.number() as u32);
    }

    fn is_shared(&self) -> bool {
        false
    }
}
