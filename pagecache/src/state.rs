//! What a page is compared with what its backing has.

/// On which list of its mapping a page is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum State {
    /// As its backing has it, or on its way in.
    Clean = 0,
    /// It has to be written.
    Dirty = 1,
    /// On its way out.
    Writeback = 2,
}

impl State {
    /// How many there are.
    pub(crate) const COUNT: usize = 3;
}
