//! What a call costs as there is more memory, and more that lives in it.
//!
//! Ours alone. `table` and `plot` show the figures, [`verdict()`] says which of them stay.

mod plot;
mod table;
mod verdict;

pub use plot::render as plot;
pub use table::render as table;
pub use verdict::verdict;

/// Ticks of one call at each size.
pub struct Curve {
    /// What the call is.
    pub name: &'static str,
    /// Sizes and ticks, by size.
    pub points: Vec<(usize, f64)>,
    /// What grows, for a reader who sees that it is not flat: a sentence, or nothing.
    pub why: &'static str,
}

/// Curves over one kind of size.
pub struct Panel {
    /// What grows.
    pub title: &'static str,
    /// The curves.
    pub curves: Vec<Curve>,
}

impl Panel {
    /// All sizes of the curves, from small to large.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<_> = self.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.0)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }
}

impl Curve {
    /// The largest figure as a multiple of the smallest.
    fn spread(&self) -> f64 {
        let figures = self.points.iter().map(|point| point.1);
        let least = figures.clone().fold(f64::INFINITY, f64::min);
        figures.fold(0.0, f64::max) / least
    }
}
