//! Words before a command that run it: `time`, `repeat 3`, `watch -n 1`.
//!
//! Completion follows a command word by word with [`Next`], to know where the name of the one stands that is run.

/// What the next word of a command is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// A command's name.
    Command,
    /// A number, and then a command's name.
    Count,
    /// An option of `watch`, or a command's name.
    OptionOrCommand,
    /// The value of an option of `watch`.
    Value,
    /// An argument of the command.
    Argument,
}

impl Next {
    /// Whether the next word may name a command.
    pub const fn is_command(self) -> bool {
        matches!(self, Self::Command | Self::OptionOrCommand)
    }

    /// What comes behind the word `word`.
    pub fn after(self, word: &str) -> Self {
        match (self, word) {
            (Self::Count, _) => Self::Command,
            (Self::Value, _) => Self::OptionOrCommand,
            (Self::OptionOrCommand, "--") => Self::Command,
            (Self::OptionOrCommand, option) if option.starts_with('-') => {
                if option.ends_with(['n', 'c']) {
                    Self::Value
                } else {
                    Self::OptionOrCommand
                }
            }
            (Self::Command | Self::OptionOrCommand, "time") => Self::Command,
            (Self::Command | Self::OptionOrCommand, "repeat") => Self::Count,
            (Self::Command | Self::OptionOrCommand, "watch") => Self::OptionOrCommand,
            _ => Self::Argument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Next;

    #[test]
    fn the_word_behind_a_prefix_is_a_command() {
        for (words, next) in [
            ("", Next::Command),
            ("time", Next::Command),
            ("time ls", Next::Argument),
            ("ls time", Next::Argument),
            ("repeat", Next::Count),
            ("repeat 3", Next::Command),
            ("repeat 3 time", Next::Command),
            ("repeat 3 ls", Next::Argument),
            ("watch", Next::OptionOrCommand),
            ("watch -n", Next::Value),
            ("watch -tn 1", Next::OptionOrCommand),
            ("watch -n1 -t", Next::OptionOrCommand),
            ("watch -c 3 repeat 2", Next::Command),
            ("watch --", Next::Command),
            ("watch -t ls -n", Next::Argument),
        ] {
            assert_eq!(words.split_whitespace().fold(Next::Command, Next::after), next, "{words}");
        }
    }
}
