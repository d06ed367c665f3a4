//! Scripts: files that name the program which runs them in their first line.

/// Bytes of a file in which the first line of a script has to end, as on Linux.
pub const SCRIPT_BYTES: usize = 256;

/// The first line of a script: `#!`, a program's path, and perhaps an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Script<'a> {
    /// The program's path.
    pub interpreter: &'a [u8],
    /// All that follows, without blanks around it: one argument.
    pub argument: Option<&'a [u8]>,
}

impl<'a> Script<'a> {
    /// Whether a file with these first bytes says that it is a script.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(b"#!")
    }

    /// Reads the first bytes of a file: [`SCRIPT_BYTES`] of them, or all. `None` for what is no script, for a line
    /// without a program, and for one whose program's path does not end within them.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let line = bytes.get(..SCRIPT_BYTES).unwrap_or(bytes).strip_prefix(b"#!")?;
        let end = line.iter().position(|byte| matches!(byte, b'\n' | 0));
        let text = trim(&line[..end.unwrap_or(line.len())]);
        let blank = text.iter().position(|byte| is_blank(*byte));
        let (interpreter, rest) = text.split_at(blank.unwrap_or(text.len()));
        let is_cut = end.is_none() && bytes.len() >= SCRIPT_BYTES;
        if interpreter.is_empty() || (is_cut && blank.is_none()) {
            return None;
        }
        Some(Self { interpreter, argument: Some(trim(rest)).filter(|argument| !argument.is_empty()) })
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(text: &[u8]) -> &[u8] {
    let Some(first) = text.iter().position(|byte| !is_blank(*byte)) else { return &[] };
    let last = text.iter().rposition(|byte| !is_blank(*byte)).unwrap_or(first);
    &text[first..=last]
}
