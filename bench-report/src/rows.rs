//! The words of a table: rows and their units, allocators and their roles.

/// What a row's figures are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Ticks for each block: an allocation and its free, unless the row says otherwise.
    Ticks,
    /// Bytes for each page frame.
    Bytes,
    /// Percent; more is better.
    Percent,
}

/// What a table says of a row.
#[derive(Clone, Copy, Debug)]
pub struct Heading {
    /// What is measured.
    pub name: &'static str,
    /// Of what kind the figures are.
    pub unit: Unit,
    /// What to stay below: passed, and passed with distinction, as far as either was set.
    pub targets: &'static [u32],
}

/// One measurement of a peer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    /// The figure.
    Exactly(f64),
    /// Given up: the figure would have been larger.
    MoreThan(f64),
}

/// What an allocator is in its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Ours: the first column.
    Ours,
    /// The limit.
    Limit,
    /// A peer to be compared with.
    Peer,
    /// Shown beside the others, not one of those that "best peer" means.
    Aside,
}
