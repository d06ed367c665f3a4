//! Pipes between the threads of a test's pipeline.

use std::sync::{Condvar, Mutex};
use std::vec::Vec;

use kapi::Errno;

use super::lock;

/// A pipe that holds 100 bytes: less than any buffer of a command.
pub struct Pipe {
    state: Mutex<PipeState>,
    changed: Condvar,
}

struct PipeState {
    bytes: Vec<u8>,
    has_reader: bool,
    has_writer: bool,
}

impl Pipe {
    const CAPACITY: usize = 100;

    pub fn new() -> Self {
        let state = PipeState { bytes: Vec::new(), has_reader: true, has_writer: true };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub fn close_reader(&self) {
        lock(&self.state).has_reader = false;
        self.changed.notify_all();
    }

    pub fn close_writer(&self) {
        lock(&self.state).has_writer = false;
        self.changed.notify_all();
    }

    pub fn read(&self, out: &mut [u8]) -> Result<usize, Errno> {
        let mut state = lock(&self.state);
        while state.bytes.is_empty() && state.has_writer {
            state = self.changed.wait(state).unwrap();
        }
        let len = out.len().min(state.bytes.len());
        out[..len].copy_from_slice(&state.bytes[..len]);
        state.bytes.drain(..len);
        self.changed.notify_all();
        Ok(len)
    }

    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut state = lock(&self.state);
        while state.bytes.len() == Self::CAPACITY && state.has_reader {
            state = self.changed.wait(state).unwrap();
        }
        if !state.has_reader {
            return Err(Errno::EPIPE);
        }
        let len = bytes.len().min(Self::CAPACITY - state.bytes.len());
        state.bytes.extend_from_slice(&bytes[..len]);
        self.changed.notify_all();
        Ok(len)
    }
}
