//! Lines by which a disk in memory is told how to behave.

use kapi::services::number::number;
use kapi::services::options::Switch;

use super::faults::{Fault, What, When};

/// What a line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// `fail 3`, `short 3`, `hang 3`: what happens to the third request from now. `busy 3`: to each of the next three.
    /// `fail sectors 8 15`: to all that touch these.
    Plan(Fault),
    /// `clear`: nothing goes wrong any more.
    Clear,
    /// `latency 2`: answers take so many ticks.
    Latency(u64),
    /// `readonly 1`: writes are refused, after `readonly 0` no more.
    ReadOnly(Switch),
    /// `cut 4`: the power fails, and all writes since the last flush but the first four are lost; `cut`: all.
    Cut(usize),
    /// `gone`: the disk goes away, until `clear`.
    Gone,
}

/// Ticks of the longest latency.
const MAX_LATENCY: u64 = 100_000;

impl Order {
    /// What `line` asks for, if it makes sense.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let order = words.next()?;
        let rest = [words.next(), words.next(), words.next()];
        if words.next().is_some() {
            return None;
        }
        Some(match (order, rest) {
            ("clear", [None, ..]) => Self::Clear,
            ("gone", [None, ..]) => Self::Gone,
            ("cut", [None, ..]) => Self::Cut(0),
            ("cut", [Some(keep), None, None]) => Self::Cut(usize::try_from(number(keep).ok()?).ok()?),
            ("readonly", [Some("0"), None, None]) => Self::ReadOnly(Switch::Off),
            ("readonly", [Some("1"), None, None]) => Self::ReadOnly(Switch::On),
            ("latency", [Some(ticks), None, None]) => {
                Self::Latency(number(ticks).ok().filter(|&ticks| ticks <= MAX_LATENCY)?)
            }
            (what, rest) => Self::Plan(plan(what, rest)?),
        })
    }
}

fn plan(what: &str, rest: [Option<&str>; 3]) -> Option<Fault> {
    let what = match what {
        "fail" => What::Fail,
        "short" => What::Short,
        "hang" => What::Hang,
        "busy" => What::Busy,
        _ => return None,
    };
    let when = match rest {
        [Some("sectors"), Some(first), Some(last)] => When::Sectors(number(first).ok()?..=number(last).ok()?),
        [Some(count), None, None] => {
            let count = number(count).ok().filter(|&count| count > 0)?;
            if what == What::Busy { When::Next(count) } else { When::Nth(count) }
        }
        _ => return None,
    };
    Some(Fault { what, when })
}

#[cfg(test)]
mod tests {
    use super::{Fault, Order, Switch, What, When};

    #[test]
    fn lines_are_orders_or_nothing() {
        let plan = |what, when| Some(Order::Plan(Fault { what, when }));
        assert_eq!(Order::parse("fail 3"), plan(What::Fail, When::Nth(3)));
        assert_eq!(Order::parse(" busy  2 "), plan(What::Busy, When::Next(2)));
        assert_eq!(Order::parse("hang sectors 8 15"), plan(What::Hang, When::Sectors(8..=15)));
        assert_eq!(Order::parse("cut"), Some(Order::Cut(0)));
        assert_eq!(Order::parse("cut 4"), Some(Order::Cut(4)));
        assert_eq!(Order::parse("readonly 1"), Some(Order::ReadOnly(Switch::On)));
        assert_eq!(Order::parse("latency 0"), Some(Order::Latency(0)));
        for line in
            ["", "fail", "fail 0", "fail x", "fail 1 2", "fail sectors 1", "latency 100001", "readonly 2", "gone 1"]
        {
            assert_eq!(Order::parse(line), None, "{line}");
        }
        assert_eq!(Order::parse("fail sectors 1 2 3"), None);
    }
}
