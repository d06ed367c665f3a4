//! What came out: the figures of one table, by row and allocator.

use crate::peers::{Entrant, Role};
use crate::rows::{Heading, Outcome, Row, Unit};

/// A row's heading and its figures, by allocator.
pub type Line = (Heading, Vec<Option<Outcome>>);

/// The figures of one table.
pub struct Results {
    /// Roles and names of the allocators.
    pub columns: Vec<(Role, &'static str)>,
    /// The rows.
    pub lines: Vec<Line>,
}

impl Results {
    /// Measures the rows whose names contain `words`.
    pub fn measure<R>(rows: &[Row<R>], entrants: &[Entrant<R>], words: &str) -> Self {
        let columns = entrants.iter().map(|&(role, make)| (role, make().name())).collect();
        let rows = rows.iter().filter(|row| row.heading.name.contains(words));
        let measured = |row: &Row<R>| {
            eprintln!("measuring: {}", row.heading.name);
            (row.heading, row.run(entrants))
        };
        Self { columns, lines: rows.map(measured).collect() }
    }

    /// The column of ours or of the limit.
    pub fn column(&self, role: Role) -> Option<usize> {
        self.columns.iter().position(|column| column.0 == role)
    }

    /// A row's figure for ours or for the limit.
    pub fn outcome(&self, line: &Line, role: Role) -> Option<Outcome> {
        line.1[self.column(role)?]
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
