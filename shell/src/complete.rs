//! Completion: what the word under the cursor could become.

use crate::lexer::{Lexer, Token};
use crate::text::Text;

/// What there is to complete to.
pub trait Names {
    /// Calls `visit` with the name of each command.
    fn commands(&self, visit: &mut dyn FnMut(&str));

    /// Calls `visit` with each name in the directory `path`; those of directories end in a slash.
    fn entries(&self, path: &str, visit: &mut dyn FnMut(&str));
}

/// What completion found.
pub struct Completion {
    /// What to insert at the cursor: all that the candidates have in common, and a blank behind a single one.
    pub insert: Text<64>,
    /// How many candidates there are.
    pub candidates: usize,
}

/// The word that ends where `line` ends.
struct Word<'a> {
    /// The directory in which it is looked for; `None` for a command.
    directory: Option<&'a str>,
    /// The start of the name.
    stem: &'a str,
}

impl<'a> Word<'a> {
    fn at_end(line: &'a str) -> Self {
        let mut word = "";
        let mut is_command = true;
        for (range, token) in Lexer::new(line).flatten() {
            is_command = match token {
                Token::Word(text) if range.end == line.len() => {
                    word = text;
                    break;
                }
                Token::Word("time") => is_command,
                Token::Word(_) => false,
                Token::Op(op) => !op.takes_file(),
            };
        }
        if is_command && !word.contains('/') {
            return Self { directory: None, stem: word };
        }
        match word.rsplit_once('/') {
            Some(("", stem)) => Self { directory: Some("/"), stem },
            Some((directory, stem)) => Self { directory: Some(directory), stem },
            None => Self { directory: Some("/"), stem: word },
        }
    }

    /// Calls `visit` with each name that starts with the stem.
    fn each(&self, names: &impl Names, visit: &mut dyn FnMut(&str)) {
        let mut fitting = |name: &str| {
            if name.starts_with(self.stem) {
                visit(name);
            }
        };
        match self.directory {
            None => names.commands(&mut fitting),
            Some(directory) => names.entries(directory, &mut fitting),
        }
    }
}

/// Completes the word that ends where `line` ends.
pub fn complete(line: &str, names: &impl Names) -> Completion {
    let word = Word::at_end(line);
    let mut common = Text::<64>::new();
    let mut candidates = 0;
    word.each(names, &mut |name| {
        candidates += 1;
        if candidates == 1 {
            common.set(name.as_bytes());
        } else {
            let same = common.as_bytes().iter().zip(name.as_bytes()).take_while(|(a, b)| a == b).count();
            common.truncate(same);
        }
    });
    let mut insert = Text::new();
    // What the candidates have in common starts with the stem, and fits.
    let _ = insert.push(common.as_str().as_bytes().get(word.stem.len()..).unwrap_or_default());
    if candidates == 1 && !common.as_bytes().ends_with(b"/") {
        let _ = insert.push(b" ");
    }
    Completion { insert, candidates }
}

/// Calls `visit` with each candidate for the word that ends where `line` ends.
pub fn candidates(line: &str, names: &impl Names, visit: &mut dyn FnMut(&str)) {
    Word::at_end(line).each(names, visit);
}

#[cfg(test)]
mod tests {
    use super::{Names, complete};
    use std::string::{String, ToString};

    pub struct Fixed;

    impl Names for Fixed {
        fn commands(&self, visit: &mut dyn FnMut(&str)) {
            ["cat", "cmp", "head", "hexdump"].into_iter().for_each(visit);
        }

        fn entries(&self, path: &str, visit: &mut dyn FnMut(&str)) {
            match path {
                "/" => ["dev/", "proc/"].into_iter().for_each(visit),
                "/dev" => ["scull0", "scull1", "null"].into_iter().for_each(visit),
                _ => {}
            }
        }
    }

    fn completed(line: &str) -> (String, usize) {
        let completion = complete(line, &Fixed);
        (completion.insert.as_str().to_string(), completion.candidates)
    }

    #[test]
    fn commands_stand_first_and_after_operators() {
        for line in ["ca", "true; ca", "a | ca", "a && ca", "time ca"] {
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
    }

    #[test]
    fn a_new_word_has_all_candidates() {
        assert_eq!(completed("cat ").1, 2);
        assert_eq!(completed("").1, 4);
    }
}
