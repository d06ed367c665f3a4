//! `echo`, `true`, `false` and `:`.

use super::escape::{self, Escape, Octal};
use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Out;
use crate::job::Job;

/// How words are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As they are.
    Plain,
    /// With what their backslash sequences stand for.
    Escaped,
}

/// `echo [-n] [-e] [-E] [WORD...]`: a word of other letters behind its dash is no option and printed.
pub fn echo<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut words = job.args;
    let (mut end, mut form) = (&b"\n"[..], Form::Plain);
    while let Some(letters) = words.get(0).and_then(options) {
        words = words.skip(1);
        for letter in letters.bytes() {
            match letter {
                b'n' => end = b"",
                b'e' => form = Form::Escaped,
                _ => form = Form::Plain,
            }
        }
    }
    let mut out = job.out();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.put(b" ")?;
        }
        match form {
            Form::Plain => out.put(word.as_bytes())?,
            Form::Escaped if put_escaped(&mut out, word)? => {}
            Form::Escaped => {
                end = b"";
                break;
            }
        }
    }
    out.put(end)?;
    out.finish()?;
    Ok(Status::OK)
}

/// The letters of `word` if it is one of options.
fn options(word: &str) -> Option<&str> {
    word.strip_prefix('-')
        .filter(|letters| !letters.is_empty() && letters.bytes().all(|letter| b"neE".contains(&letter)))
}

/// Prints a word with its backslash sequences; false when `\c` ends the output.
fn put_escaped<'a, E: Env>(out: &mut Out<'_, E>, word: &'a str) -> Result<bool, Failure<'a>> {
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        let shown = if c == '\\' { escape::take(&mut rest, Octal::AfterZero)? } else { Escape::Char(c) };
        match shown {
            Escape::Byte(byte) => out.put(&[byte])?,
            Escape::Char(c) => out.put(c.encode_utf8(&mut [0; 4]).as_bytes())?,
            Escape::End => return Ok(false),
        }
    }
    Ok(true)
}

/// `true` and `:`
pub fn succeed<'a, E: Env>(_: &Job<'a, E>) -> Outcome<'a> {
    Ok(Status::OK)
}

/// `false`
pub fn fail<'a, E: Env>(_: &Job<'a, E>) -> Outcome<'a> {
    Ok(Status::FAILED)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn words_are_joined_by_one_blank() {
        let world = World::new();
        assert_eq!(world.run("echo a   'b  c' \"\" d").out, "a b  c  d\n");
        assert_eq!(world.run("echo -n a").out, "a");
        assert_eq!(world.run("echo").out, "\n");
        assert_eq!(world.run("echo -nx -n -- -").out, "-nx -n -- -\n");
    }

    #[test]
    fn backslash_sequences_are_asked_for() {
        let world = World::new();
        assert_eq!(world.run(r"echo 'a\tb' -e").out, "a\\tb -e\n");
        assert_eq!(world.run(r"echo -e 'a\tb' '\0101'").out, "a\tb A\n");
        assert_eq!(world.run(r"echo -ne 'a\n\cb' c").out, "a\n");
        assert_eq!(world.run(r"echo -eE 'a\n'").out, "a\\n\n");
        let ran = world.run(r"echo -e 'a\q'");
        assert_eq!((ran.err.as_str(), ran.status), ("echo: invalid escape: 'q'\n", 1));
    }

    #[test]
    fn a_full_device_is_an_error() {
        let ran = World::new().run("echo a > /dev/full");
        assert_eq!((ran.err.as_str(), ran.status), ("echo: write error: No space left on device\n", 1));
    }

    #[test]
    fn true_and_false_have_their_status() {
        let world = World::new();
        assert_eq!((world.run("true").status, world.run(": a b").status, world.run("false").status), (0, 0, 1));
    }
}
