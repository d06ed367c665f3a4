//! `sort`: all lines, in order.

use core::cmp::Ordering;

use kapi::Errno;

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::{CHUNK, Store};
use crate::job::Job;
use crate::options::Options;

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
        if self.by_number { number(a).cmp(&number(b)) } else { a.cmp(b) }
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let order = self.key(a, b);
        let order = if self.unique { order } else { order.then_with(|| a.cmp(b)) };
        if self.reverse { order.reverse() } else { order }
    }
}

/// The number that a line starts with, in thousandths; 0 when it starts with none.
fn number(line: &[u8]) -> i128 {
    let line = line.trim_ascii_start();
    let (sign, digits) = match line {
        [b'-', digits @ ..] => (-1, digits),
        _ => (1, line),
    };
    let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value =
        |digits: &[u8]| digits.iter().take(30).fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    let mut thousandths = 0;
    if digits.get(whole) == Some(&b'.') {
        let mut digits = digits[whole + 1..].iter().take_while(|byte| byte.is_ascii_digit());
        for _ in 0..3 {
            thousandths = thousandths * 10 + digits.next().map_or(0, |digit| i128::from(digit - b'0'));
        }
    }
    sign * (value(&digits[..whole]) * 1000 + thousandths)
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
    let mut starts = index(job, text.bytes())?;
    let (starts, _) = starts.bytes_mut().as_chunks_mut::<4>();
    let text = text.bytes();
    starts.sort_unstable_by(|a, b| rule.compare(line(text, a), line(text, b)).then_with(|| start(a).cmp(&start(b))));
    print(job, text, starts, rule)?;
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

/// Where each line starts, four bytes each.
fn index<E: Env>(job: &Job<'_, E>, text: &[u8]) -> Result<Store<E>, Errno> {
    let mut starts = Store::new();
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let start = u32::try_from(at).map_err(|_| Errno::EFBIG)?;
        starts.push(job.env, &start.to_le_bytes())?;
        at += line.len();
    }
    Ok(starts)
}

fn start(entry: &[u8; 4]) -> usize {
    u32::from_le_bytes(*entry) as usize
}

/// The line that starts at `entry`, without its newline.
fn line<'t>(text: &'t [u8], entry: &[u8; 4]) -> &'t [u8] {
    text[start(entry)..].split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn print<E: Env>(job: &Job<'_, E>, text: &[u8], starts: &[[u8; 4]], rule: Rule) -> Result<(), Failure<'static>> {
    let mut out = job.out();
    let mut before: Option<&[u8]> = None;
    for entry in starts {
        let line = line(text, entry);
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
    fn numbers_have_decimals() {
        assert_eq!(World::new().run_with("sort -n", b"1.5\n1.25\n1\n").out, "1\n1.25\n1.5\n");
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
