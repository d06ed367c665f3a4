//! Completion: what the word under the cursor could become.

use crate::env::Status;
use crate::expected::{Expected, Place, place_at_end};
use crate::lexer::{Lexer, Token};
use crate::prefix::Next;
use crate::text::{Full, Text};
use crate::words::expand;

/// What there is to complete to.
pub trait Names {
    /// Calls `visit` with the name of each command.
    fn commands(&self, visit: &mut dyn FnMut(&str));

    /// Calls `visit` with each name in the directory `path`; those of directories end in a slash.
    fn entries(&self, path: &str, visit: &mut dyn FnMut(&str));

    /// Calls `visit` with each word that the command knows for an argument at `place`, and says whether it takes words
    /// or paths there. What ends in `=` wants a value.
    fn arguments(&self, place: Place<'_>, visit: &mut dyn FnMut(&str)) -> Expected {
        let _ = (place, visit);
        Expected::Paths
    }
}

/// Longest name or path that is completed.
const LONGEST: usize = 256;

/// What completion found.
pub struct Completion {
    /// What to insert at the cursor: all that the candidates have in common, and a blank behind a single one.
    pub insert: Text<{ 2 * LONGEST }>,
    /// How many candidates there are.
    pub candidates: usize,
}

/// The word that ends where `line` ends.
struct Word {
    /// What it means so far, its quotes taken off.
    text: Text<LONGEST>,
    is_command: bool,
}

impl Word {
    /// `None` where there is none to complete: in open quotes, in a line that will not run, in a word that is too long.
    fn at_end(line: &str) -> Option<Self> {
        let (mut text, mut next, mut is_file) = (Text::new(), Next::Command, false);
        for item in Lexer::new(line) {
            let (range, token) = item.ok()?;
            match token {
                Token::Word(raw) if range.end == line.len() => {
                    expand(raw, Status::OK, &mut text).ok()?;
                    break;
                }
                Token::Word(_) if is_file => is_file = false,
                Token::Word(word) => next = next.after(word),
                Token::Op(op) => {
                    is_file = op.takes_file();
                    next = if op.redirects() { next } else { Next::Command };
                }
            }
        }
        let is_command = next.is_command() && !is_file && !text.as_str().contains('/');
        Some(Self { text, is_command })
    }

    /// The start of the name, behind the last slash of a path.
    fn stem(&self) -> &str {
        let text = self.text.as_str();
        text.rsplit_once('/').map_or(text, |(_, stem)| stem)
    }

    /// The directory in which it is looked for.
    fn directory(&self) -> &str {
        match self.text.as_str().rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((directory, _)) => directory,
        }
    }

    /// Calls `visit` with each name that starts with the stem, and says what they are.
    fn each(&self, line: &str, names: &impl Names, visit: &mut dyn FnMut(&str)) -> Expected {
        let mut fitting = |name: &str| {
            // A name with a control character cannot be typed.
            if name.starts_with(self.stem()) && !name.contains(char::is_control) {
                visit(name);
            }
        };
        let expected = match place_at_end(line) {
            // No name of a thing has a slash.
            Some(place) if place.first.is_some() || !self.text.as_str().contains('/') => {
                names.arguments(place, &mut fitting)
            }
            Some(_) | None => Expected::Paths,
        };
        if self.is_command {
            names.commands(&mut fitting);
        } else if expected == Expected::Paths {
            names.entries(self.directory(), &mut fitting);
        }
        expected
    }
}

/// Completes the word that ends where `line` ends.
pub fn complete(line: &str, names: &impl Names) -> Completion {
    let mut found = Completion { insert: Text::new(), candidates: 0 };
    let Some(word) = Word::at_end(line) else { return found };
    let mut common = Text::<LONGEST>::new();
    let expected = word.each(line, names, &mut |name| {
        found.candidates += 1;
        if found.candidates == 1 {
            common.set(name.as_bytes());
        } else {
            let same = common.as_bytes().iter().zip(name.as_bytes()).take_while(|(a, b)| a == b).count();
            common.truncate(same);
        }
    });
    // What the candidates have in common starts with the stem, and no name is longer than its place.
    let rest = common.as_str().get(word.stem().len()..).unwrap_or_default();
    let (_, unfinished) = match expected {
        Expected::Words => (found.insert.push(rest.as_bytes()), '='),
        Expected::Paths => (push_escaped(rest, &mut found.insert), '/'),
    };
    if found.candidates == 1 && !common.as_str().ends_with(unfinished) {
        let _ = found.insert.push(b" ");
    }
    found
}

/// Appends `name` as it has to be typed: with a backslash before each sign that means something in a line.
fn push_escaped<const N: usize>(name: &str, out: &mut Text<N>) -> Result<(), Full> {
    for c in name.chars() {
        if " \t\\'\"$`;&|<>()*?[]{}~#!=".contains(c) {
            out.push(b"\\")?;
        }
        out.push(c.encode_utf8(&mut [0; 4]).as_bytes())?;
    }
    Ok(())
}

/// Calls `visit` with each candidate for the word that ends where `line` ends.
pub fn candidates(line: &str, names: &impl Names, visit: &mut dyn FnMut(&str)) {
    if let Some(word) = Word::at_end(line) {
        word.each(line, names, visit);
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, Names, Place, complete};
    use std::string::{String, ToString};

    pub struct Fixed;

    const LONG: &str = "long-name-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789";

    impl Names for Fixed {
        fn commands(&self, visit: &mut dyn FnMut(&str)) {
            ["cat", "cmp", "head", "hexdump"].into_iter().for_each(visit);
        }

        fn entries(&self, path: &str, visit: &mut dyn FnMut(&str)) {
            match path {
                "/" => ["dev/", "proc/"].into_iter().for_each(visit),
                "/dev" => ["scull0", "scull1", "null"].into_iter().for_each(visit),
                "/tmp" => ["a b", "*", LONG, "a\u{1b}[2J"].into_iter().for_each(visit),
                _ => {}
            }
        }

        fn arguments(&self, place: Place<'_>, visit: &mut dyn FnMut(&str)) -> Expected {
            match (place.command, place.first) {
                ("insmod", None) => ["scull", "scullc"].into_iter().for_each(visit),
                ("insmod", Some("scull")) => ["scull_quantum=", "scull_qset="].into_iter().for_each(visit),
                ("insmod", Some(_)) => {}
                _ => return Expected::Paths,
            }
            Expected::Words
        }
    }

    fn completed(line: &str) -> (String, usize) {
        let completion = complete(line, &Fixed);
        (completion.insert.as_str().to_string(), completion.candidates)
    }

    #[test]
    fn commands_stand_first_and_after_operators() {
        for line in [
            "ca",
            "true; ca",
            "a | ca",
            "a && ca",
            "a 2>&1 | ca",
            "> /f ca",
            "time ca",
            "repeat 3 ca",
            "watch ca",
            "watch -n 1 -t time ca",
        ] {
            assert_eq!(completed(line), ("t ".to_string(), 1), "{line}");
        }
        assert_eq!(completed("he"), (String::new(), 2));
        assert_eq!(completed("hex"), ("dump ".to_string(), 1));
        assert_eq!(completed("x"), (String::new(), 0));
    }

    #[test]
    fn paths_stand_behind_commands_and_arrows() {
        assert_eq!(completed("cat /d"), ("ev/".to_string(), 1));
        assert_eq!(completed("cat /dev/s"), ("cull".to_string(), 2));
        assert_eq!(completed("cat > /dev/nu"), ("ll ".to_string(), 1));
        assert_eq!(completed("cat d"), ("ev/".to_string(), 1));
        assert_eq!(completed("cat /nosuch/x"), (String::new(), 0));
        assert_eq!(completed("cat 2>&1 d"), ("ev/".to_string(), 1));
        assert_eq!(completed("repeat 2 cat d"), ("ev/".to_string(), 1));
    }

    #[test]
    fn names_come_whole_and_as_they_have_to_be_typed() {
        assert_eq!(completed("cat /tmp/l"), ([&LONG[1..], " "].concat(), 1));
        assert_eq!(completed("cat /tmp/a"), ("\\ b ".to_string(), 1));
        assert_eq!(completed(r"cat /tmp/a\ "), ("b ".to_string(), 1));
        assert_eq!(completed("cat '/tmp/a '"), ("b ".to_string(), 1));
        assert_eq!(completed(r"cat /tmp/\*"), (" ".to_string(), 1));
    }

    #[test]
    fn nothing_is_completed_in_open_quotes_or_behind_what_cannot_run() {
        for line in ["cat '/d", "cat \"/d", "cat * /d", "(ca", "cat /d\\"] {
            assert_eq!(completed(line), (String::new(), 0), "{line}");
        }
    }

    #[test]
    fn arguments_that_a_command_knows_are_completed() {
        assert_eq!(completed("insmod s"), ("cull".to_string(), 2));
        assert_eq!(completed("time insmod scullc"), (" ".to_string(), 1));
        assert_eq!(completed("watch -n 5 insmod scullc"), (" ".to_string(), 1));
        assert_eq!(completed("insmod scull scull_qu"), ("antum=".to_string(), 1));
        assert_eq!(completed("insmod scull scull_qset=1 scull_"), ("q".to_string(), 2));
        assert_eq!(completed("insmod nosuch sc"), (String::new(), 0));
        assert_eq!(completed("insmod scull > /d"), ("ev/".to_string(), 1));
        assert_eq!(completed("insmod /dev/nu"), ("ll ".to_string(), 1), "what may be a file too");
        assert_eq!(completed("insmod scull /dev/nu"), (String::new(), 0));
    }

    #[test]
    fn a_new_word_has_all_candidates() {
        assert_eq!(completed("cat ").1, 2);
        assert_eq!(completed("").1, 4);
    }
}
