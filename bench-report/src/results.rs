//! What came out: the figures of one table, by row and allocator.

use crate::rows::{Heading, Outcome, Role, Unit};

/// A row's heading and its figures, by allocator.
pub type Line = (Heading, Vec<Option<Outcome>>);

/// The figures of one table.
pub struct Results {
    /// What the table is about.
    pub title: &'static str,
    /// Roles and names of the allocators.
    pub columns: Vec<(Role, &'static str)>,
    /// The rows.
    pub lines: Vec<Line>,
}

impl Results {
    /// The column of ours or of the limit.
    pub fn column(&self, role: Role) -> Option<usize> {
        self.columns.iter().position(|column| column.0 == role)
    }

    /// A row's figure for ours or for the limit.
    pub fn outcome(&self, line: &Line, role: Role) -> Option<Outcome> {
        line.1[self.column(role)?]
    }

    /// Our figure in a row, if there is one.
    pub fn ours(&self, line: &Line) -> Option<f64> {
        match self.outcome(line, Role::Ours) {
            Some(Outcome::Exactly(figure)) => Some(figure),
            _ => None,
        }
    }

    /// The best of the peers and its figure: the least ticks or bytes, the most percent.
    pub fn best_peer(&self, (heading, outcomes): &Line) -> Option<(&'static str, f64)> {
        let peers = self.columns.iter().zip(outcomes).filter(|((role, _), _)| *role == Role::Peer);
        let exact = peers.filter_map(|((_, name), outcome)| match outcome {
            Some(Outcome::Exactly(figure)) => Some((*name, *figure)),
            _ => None,
        });
        match heading.unit {
            Unit::Percent => exact.max_by(|a, b| a.1.total_cmp(&b.1)),
            Unit::Ticks | Unit::Bytes => exact.min_by(|a, b| a.1.total_cmp(&b.1)),
        }
    }
}
