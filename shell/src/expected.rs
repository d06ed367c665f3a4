//! What a word may be that is an argument: its command and the words before it.

use crate::lexer::{Lexer, Token};
use crate::prefix::Next;

/// What an argument can be completed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Words that the command itself knows.
    Words,
    /// Paths.
    Paths,
}

/// The place of an argument that is being typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// The command.
    pub command: &'a str,
    /// Its first argument, if that stands before the word.
    pub first: Option<&'a str>,
}

/// The place of the word that ends where `line` ends; `None` for a command, and behind an arrow.
pub fn place_at_end(line: &str) -> Option<Place<'_>> {
    let (mut place, mut next, mut is_file) = (None::<Place<'_>>, Next::Command, false);
    for (range, token) in Lexer::new(line).flatten() {
        match token {
            Token::Word(_) if range.end == line.len() => break,
            Token::Word(_) if is_file => is_file = false,
            Token::Word(word) => {
                next = next.after(word);
                place = match place {
                    None if next != Next::Argument => None,
                    None => Some(Place { command: word, first: None }),
                    Some(place) => Some(Place { first: place.first.or(Some(word)), ..place }),
                };
            }
            Token::Op(op) => {
                is_file = op.takes_file();
                if !op.redirects() {
                    (place, next) = (None, Next::Command);
                }
            }
        }
    }
    place.filter(|_| !is_file)
}

#[cfg(test)]
mod tests {
    use super::{Place, place_at_end};

    #[test]
    fn an_argument_has_a_command_and_perhaps_another_before_it() {
        for (line, command, first) in [
            ("insmod ", "insmod", None),
            ("insmod sc", "insmod", None),
            ("insmod scull ", "insmod", Some("scull")),
            ("insmod scull scull_quantum=1 sc", "insmod", Some("scull")),
            ("a | time insmod sc", "insmod", None),
            ("true; insmod > /tmp/x sc", "insmod", None),
            ("insmod 2>&1 sc", "insmod", None),
            ("repeat 2 insmod sc", "insmod", None),
            ("watch -n 1 insmod scull sc", "insmod", Some("scull")),
        ] {
            assert_eq!(place_at_end(line), Some(Place { command, first }), "{line}");
        }
        for line in [
            "",
            "ins",
            "insmod scull; ",
            "insmod scull && ls",
            "insmod scull > ",
            "insmod scull > /tmp/a",
            "time ",
            "repeat ",
            "repeat 2 ",
            "watch -n ",
        ] {
            assert_eq!(place_at_end(line), None, "{line}");
        }
    }
}
