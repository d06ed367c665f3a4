//! The last requests of a disk, for whoever wants to see what it was asked for.

use core::fmt;

use kapi::{BlockError, BlockOp};

/// How many are remembered.
const REMEMBERED: usize = 16;

#[derive(Clone, Copy)]
struct Past {
    op: BlockOp,
    sector: u64,
    sectors: u64,
    result: Result<(), BlockError>,
}

/// The last requests.
#[derive(Clone)]
pub(super) struct Recent {
    past: [Option<Past>; REMEMBERED],
    next: usize,
}

impl Recent {
    pub(super) const fn new() -> Self {
        Self { past: [None; REMEMBERED], next: 0 }
    }

    /// A request has ended.
    pub(super) const fn add(&mut self, op: BlockOp, (sector, sectors): (u64, u64), result: Result<(), BlockError>) {
        self.past[self.next] = Some(Past { op, sector, sectors, result });
        self.next = (self.next + 1) % REMEMBERED;
    }
}

/// A line each, oldest first.
impl fmt::Display for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (newer, older) = self.past.split_at(self.next);
        for Past { op, sector, sectors, result } in older.iter().chain(newer).flatten() {
            let word = match op {
                BlockOp::Read => "read",
                BlockOp::Write => "write",
                BlockOp::Flush => "flush",
            };
            write!(f, "  {word} {sector}+{sectors}")?;
            match result {
                Ok(()) => writeln!(f)?,
                Err(error) => writeln!(f, ": {error}")?,
            }
        }
        Ok(())
    }
}
