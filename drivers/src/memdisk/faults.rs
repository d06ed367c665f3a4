//! What goes wrong, and when.

use core::fmt;
use core::ops::RangeInclusive;

/// Faults that are planned at once.
const MAX_FAULTS: usize = 8;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The request fails, and nothing was moved.
    Fail,
    /// It fails after the first half of its sectors was moved.
    Short,
    /// It gets no answer.
    Hang,
    /// It is not taken now.
    Busy,
}

/// Which requests it happens to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum When {
    /// The n-th one from now, 1 the next.
    Nth(u64),
    /// Each of the next n.
    Next(u64),
    /// Each one that touches these sectors.
    Sectors(RangeInclusive<u64>),
}

/// A fault that is planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What.
    pub what: What,
    /// When.
    pub when: When,
}

impl Fault {
    /// Whether it happens to a request for these sectors, which is the next one.
    fn happens(&mut self, sectors: Option<RangeInclusive<u64>>) -> bool {
        match &mut self.when {
            When::Nth(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            When::Next(left) => {
                let happens = *left > 0;
                *left = left.saturating_sub(1);
                happens
            }
            When::Sectors(bad) => {
                sectors.is_some_and(|sectors| sectors.start() <= bad.end() && bad.start() <= sectors.end())
            }
        }
    }

    const fn is_over(&self) -> bool {
        matches!(self.when, When::Nth(0) | When::Next(0))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Fail => "fail",
            What::Short => "short",
            What::Hang => "hang",
            What::Busy => "busy",
        };
        match &self.when {
            When::Nth(nth) => write!(f, "{what} {nth}"),
            When::Next(count) => write!(f, "{what} next {count}"),
            When::Sectors(bad) => write!(f, "{what} sectors {} {}", bad.start(), bad.end()),
        }
    }
}

/// All that are planned.
#[derive(Clone)]
pub(super) struct Faults([Option<Fault>; MAX_FAULTS]);

impl Faults {
    pub(super) const fn none() -> Self {
        Self([const { None }; MAX_FAULTS])
    }

    /// Plans one more; says no when there are too many.
    pub(super) fn add(&mut self, fault: Fault) -> bool {
        let place = self.0.iter_mut().find(|place| place.is_none());
        place.map(|place| *place = Some(fault)).is_some()
    }

    /// What happens to the next request, which is for these sectors; a flush has none.
    pub(super) fn next(&mut self, sectors: Option<RangeInclusive<u64>>) -> Option<What> {
        let mut what = None;
        for place in &mut self.0 {
            let Some(fault) = place else { continue };
            if fault.happens(sectors.clone()) {
                what = what.or(Some(fault.what));
            }
            if fault.is_over() {
                *place = None;
            }
        }
        what
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().flatten()
    }
}
