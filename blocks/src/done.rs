//! What a submitter says, and what it is told.

use kapi::BlockError;

/// Who is told that what it submitted has ended.
pub trait Completion: Sync {
    /// What was submitted with `token` has ended: its memory is the submitter's again. Any context, no lock of the
    /// disk's held. Never sleeps, submits nothing.
    fn completed(&self, token: usize, result: Result<(), BlockError>);
}

/// Whom to tell of an end, and as what.
#[derive(Clone, Copy)]
pub struct Done {
    /// Whom.
    pub completion: &'static dyn Completion,
    /// What the submitter knows it by.
    pub token: usize,
}

/// What a submitter does while all requests are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// It sleeps, behind those that came before. Process context; elsewhere as `None`.
    Wait,
    /// Nothing: it is told so.
    None,
}

/// Why something was not submitted: nobody will be told of its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// All requests are taken, and the submitter may not wait.
    Busy,
    /// It cannot be done.
    Failed(BlockError),
}
