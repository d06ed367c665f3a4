//! The rows in which a peer is ahead.

use crate::results::{Line, Results};
use crate::rows::{Outcome, Unit};
use crate::table;

/// A row in which the best peer is better than ours.
#[derive(Clone, PartialEq, Debug)]
pub struct Ahead {
    /// The table's title.
    pub table: &'static str,
    /// The row.
    pub row: &'static str,
    /// Our figure.
    pub ours: f64,
    /// The peer that is ahead, and its figure.
    pub peer: (&'static str, f64),
}

impl Ahead {
    /// The row, ours, the peer, its figure, ours / theirs: as the table shows them.
    pub fn cells(&self) -> [String; 5] {
        let figure = |figure| table::figure(Some(Outcome::Exactly(figure)));
        let ratio = table::ratio(Some(self.ours), Some(self.peer.1));
        let row = format!("{}: {}", self.table, self.row);
        [row, figure(self.ours), self.peer.0.to_owned(), figure(self.peer.1), ratio]
    }
}

/// The rows of a table in which a peer is ahead. Whose ratio the table shows as 1.00 is level.
pub fn ahead(results: &Results) -> Vec<Ahead> {
    results.lines.iter().filter_map(|line| behind(results, line)).collect()
}

fn behind(results: &Results, line: &Line) -> Option<Ahead> {
    let (ours, peer) = (results.ours(line)?, results.best_peer(line)?);
    let is_behind = match line.0.unit {
        Unit::Ticks | Unit::Bytes => ours > peer.1,
        Unit::Percent => ours < peer.1,
    };
    let is_level = table::ratio(Some(ours), Some(peer.1)) == "1.00";
    (is_behind && !is_level).then_some(Ahead { table: results.title, row: line.0.name, ours, peer })
}

/// One line for the terminal, with no newline: how many rows there are, and in which a peer is ahead.
pub fn line(tables: &[Results]) -> String {
    let rows: usize = tables.iter().map(|results| results.lines.len()).sum();
    let named = |it: Ahead| {
        let [row, ours, peer, theirs, ratio] = it.cells();
        format!("{row} {ours}, {peer} {theirs}, {ratio}")
    };
    let named: Vec<_> = tables.iter().flat_map(ahead).map(named).collect();
    let colon = if named.is_empty() { "" } else { ": " };
    format!("bench: rows {rows}, a peer is ahead in {}{colon}{}", named.len(), named.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{ahead, line};
    use crate::results::Results;
    use crate::rows::{Heading, Outcome, Role, Unit};

    fn results(rows: &[(&'static str, Unit, f64, Option<f64>)]) -> Results {
        let row = |&(name, unit, ours, peer): &(&'static str, Unit, f64, Option<f64>)| {
            let heading = Heading { name, unit, targets: &[] };
            // The limit and who stands aside are always better, and no peers.
            (heading, [Some(ours), Some(0.5), Some(0.5), peer].iter().map(|it| it.map(Outcome::Exactly)).collect())
        };
        let roles = [Role::Ours, Role::Limit, Role::Aside, Role::Peer];
        let columns = roles.into_iter().zip(["Scullery", "bare stack", "mimalloc", "bitmap"]).collect();
        Results { title: "Pages", columns, lines: rows.iter().map(row).collect() }
    }

    #[test]
    fn a_peer_with_the_better_figure_is_ahead() {
        let found = ahead(&results(&[
            ("pair", Unit::Ticks, 20.0, Some(16.0)),
            ("batch", Unit::Ticks, 16.0, Some(20.0)),
            ("large pages", Unit::Percent, 90.0, Some(100.0)),
            ("more large pages", Unit::Percent, 100.0, Some(90.0)),
            ("metadata", Unit::Bytes, 16.0, Some(0.0)),
        ]));
        assert_eq!(found.iter().map(|it| it.row).collect::<Vec<_>>(), ["pair", "large pages", "metadata"]);
        assert_eq!(found[0].cells(), ["Pages: pair", "20.0", "bitmap", "16.0", "1.25"]);
        assert_eq!(found[2].cells()[4], "-", "nothing is a multiple of 0");
    }

    #[test]
    fn a_level_row_and_one_without_a_peer_have_nobody_ahead() {
        let rows = [
            ("exactly level", Unit::Ticks, 17.7, Some(17.7)),
            ("level as shown", Unit::Ticks, 17.74, Some(17.7)),
            ("no peer", Unit::Ticks, 17.7, None),
        ];
        assert_eq!(ahead(&results(&rows)), []);
        let mut given_up = results(&[("drain", Unit::Ticks, 17.7, None)]);
        given_up.lines[0].1[3] = Some(Outcome::MoreThan(5.0));
        assert_eq!(ahead(&given_up), []);
        let unable = Results { lines: vec![(given_up.lines[0].0, vec![None; 4])], ..given_up };
        assert_eq!(ahead(&unable), []);
    }

    #[test]
    fn the_terminal_gets_one_line() {
        let rows = [("pair", Unit::Ticks, 20.0, Some(16.0)), ("batch", Unit::Ticks, 1.0, Some(1.0))];
        let text = "bench: rows 3, a peer is ahead in 1: Pages: pair 20.0, bitmap 16.0, 1.25";
        assert_eq!(line(&[results(&rows), results(&rows[1..])]), text);
        assert_eq!(line(&[results(&rows[1..])]), "bench: rows 1, a peer is ahead in 0");
    }
}
