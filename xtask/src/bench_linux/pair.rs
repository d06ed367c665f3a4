//! A row of both kernels.

/// A row that both kernels have.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair<'a> {
    pub name: &'a str,
    pub ours: f64,
    pub linux: f64,
}

impl Pair<'_> {
    /// Less than 1 where ours costs less.
    pub fn ratio(&self) -> f64 {
        self.ours / self.linux
    }
}
