//! `sort`: all lines, in order.

use core::cmp::Ordering;

use kapi::Errno;

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::{CHUNK, Store};
use crate::job::Job;
use crate::options::Options;
use crate::order::Order;

/// How lines are compared.
#[derive(Clone, Copy, Default)]
struct Rule {
    by_number: bool,
    reverse: bool,
    unique: bool,
}

impl Rule {
    /// The order that decides which lines count as equal.
    fn key(self, a: &[u8], b: &[u8]) -> Ordering {
        if self.by_number { Number::of(a).compare(&Number::of(b)) } else { a.cmp(b) }
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let order = self.key(a, b);
        let order = if self.unique { order } else { order.then_with(|| a.cmp(b)) };
        if self.reverse { order.reverse() } else { order }
    }
}

/// The number that a line starts with, however many digits it has; 0 when it starts with none.
struct Number<'l> {
    is_negative: bool,
    /// Its digits before the point, without zeros at the start.
    whole: &'l [u8],
    /// Its digits behind the point, without zeros at the end.
    fraction: &'l [u8],
}

impl<'l> Number<'l> {
    fn of(line: &'l [u8]) -> Self {
        let line = line.trim_ascii_start();
        let (minus, text) = line.strip_prefix(b"-").map_or((false, line), |text| (true, text));
        let (whole, rest) = text.split_at(digits(text));
        let fraction = rest.strip_prefix(b".").map_or(&[][..], |rest| &rest[..digits(rest)]);
        let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
        let used = fraction.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        let (whole, fraction) = (&whole[zeros..], &fraction[..used]);
        Self { is_negative: minus && !(whole.is_empty() && fraction.is_empty()), whole, fraction }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let magnitudes = self.whole.len().cmp(&other.whole.len());
        let magnitudes =
            magnitudes.then_with(|| self.whole.cmp(other.whole)).then_with(|| self.fraction.cmp(other.fraction));
        match (self.is_negative, other.is_negative) {
            (false, false) => magnitudes,
            (true, true) => magnitudes.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

/// How many digits `text` starts with.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// `sort [-n] [-r] [-u] [FILE...]`
pub fn sort<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "nru");
    let mut rule = Rule::default();
    while let Some(option) = options.take()? {
        match option {
            'n' => rule.by_number = true,
            'r' => rule.reverse = true,
            _ => rule.unique = true,
        }
    }
    let mut text = Store::<E>::new();
    let status = job.for_each_input(options.operands(), |file, path| {
        read_all(job, file, &mut text).map_err(|errno| match errno {
            Errno::ENOMEM => Failure::Plain(errno),
            _ => Failure::Named(path, errno),
        })
    })?;
    let text = text.bytes();
    let mut order = Order::of(job.env, text, b'\n')?;
    order.sort(job.env, |a, b| rule.compare(line(text, a), line(text, b)))?;
    print(job, text, &order, rule)?;
    Ok(if status.is_ok() { status } else { Status::SYNTAX })
}

/// Appends what is left of `file` to `text`; a last line without a newline gets one.
fn read_all<E: Env>(job: &Job<'_, E>, file: &E::File, text: &mut Store<E>) -> Result<(), Errno> {
    let mut chunk = [0; CHUNK];
    loop {
        match job.read(file, &mut chunk)? {
            0 => break,
            len => text.push(job.env, &chunk[..len])?,
        }
    }
    match text.bytes().last() {
        None | Some(b'\n') => Ok(()),
        Some(_) => text.push(job.env, b"\n"),
    }
}

/// The line that starts at `start`, without its newline.
fn line(text: &[u8], start: usize) -> &[u8] {
    text[start..].split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn print<'a, E: Env>(job: &Job<'a, E>, text: &[u8], order: &Order<E>, rule: Rule) -> Result<(), Failure<'a>> {
    let mut out = job.out();
    let mut before: Option<&[u8]> = None;
    for start in order.starts() {
        job.go_on()?;
        let line = line(text, start);
        let repeated = before.is_some_and(|before| rule.key(before, line).is_eq());
        if !(rule.unique && repeated) {
            out.line(line)?;
        }
        before = Some(line);
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn lines_are_sorted_by_bytes_and_by_number() {
        let world = World::new();
        world.put("/f", "10\n9\nb\n-1\n9");
        assert_eq!(world.run("sort /f").out, "-1\n10\n9\n9\nb\n");
        assert_eq!(world.run("sort -n /f").out, "-1\nb\n9\n9\n10\n");
        assert_eq!(world.run("sort -nr /f").out, "10\n9\n9\nb\n-1\n");
        assert_eq!(world.run("sort -u < /f").out, "-1\n10\n9\nb\n");
    }

    #[test]
    fn numbers_have_as_many_digits_as_they_have() {
        let world = World::new();
        assert_eq!(world.run_with("sort -n", b"1.5\n1.25\n1\n").out, "1\n1.25\n1.5\n");
        assert_eq!(world.run_with("sort -nu", b"0.0002\n0.0001\n-0\n0.0\n.00010\n").out, "-0\n0.0001\n0.0002\n");
        let (less, more) = (std::format!("1{}1", "0".repeat(40)), std::format!("1{}2", "0".repeat(40)));
        let mixed = std::format!("{more}\n-{less}\n00{less}\n-{more}\n7\n");
        let sorted = std::format!("-{more}\n-{less}\n7\n00{less}\n{more}\n");
        assert_eq!(world.run_with("sort -n", mixed.as_bytes()).out, sorted);
    }

    #[test]
    fn random_lines_are_sorted_as_by_the_library() {
        let mut state = 1_u32;
        let mut lines: std::vec::Vec<std::string::String> = (0..700)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                std::format!("{}\n", (state >> 16) % 300)
            })
            .collect();
        let sorted = World::new().run_with("sort", lines.concat().as_bytes()).out;
        lines.sort();
        assert_eq!(sorted, lines.concat());
    }

    #[test]
    fn large_inputs_are_sorted() {
        assert_eq!(World::new().run("seq 5000 -1 1 | sort -n | head -3").out, "1\n2\n3\n");
    }

    #[test]
    fn no_memory_is_an_error_at_any_point() {
        let world = World::new();
        world.put("/f", &"line\n".repeat(1000));
        for limit in [0, 1000, 5000, 9000, 12000] {
            world.limit_memory(limit);
            let ran = world.run("sort /f");
            assert_eq!((ran.err.as_str(), ran.status), ("sort: Cannot allocate memory\n", 2), "{limit}");
        }
    }
}
