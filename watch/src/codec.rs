//! Numbers and texts of a recording, as bytes.
//!
//! Numbers are of variable length, seven bits a byte.

/// Why a recording cannot be read to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damaged {
    /// It is no recording.
    NotARecording,
    /// It is one of another version of this program.
    Version,
    /// It ends within a picture.
    Cut,
    /// A picture makes no sense.
    Nonsense,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotARecording => "this is no recording",
            Self::Version => "the recording is of another version",
            Self::Cut => "the recording ends within a picture",
            Self::Nonsense => "a picture makes no sense",
        })
    }
}

impl std::error::Error for Damaged {}

/// Adds a number.
pub(crate) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Adds several.
pub(crate) fn put_all(bytes: &mut Vec<u8>, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| put(bytes, number));
}

/// Adds a text, or other bytes.
pub(crate) fn put_bytes(bytes: &mut Vec<u8>, text: &[u8]) {
    put(bytes, text.len() as u64);
    bytes.extend_from_slice(text);
}

/// The next number.
pub(crate) fn number(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Damaged::Cut)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Damaged::Nonsense)
}

/// The next number, which must fit.
pub(crate) fn number_of<T: TryFrom<u64>>(bytes: &mut &[u8]) -> Result<T, Damaged> {
    T::try_from(number(bytes)?).map_err(|_| Damaged::Nonsense)
}

/// The next number: the length of a list, of `most` at most.
pub(crate) fn length(bytes: &mut &[u8], most: u64) -> Result<usize, Damaged> {
    let length = number(bytes)?;
    if length > most { Err(Damaged::Nonsense) } else { Ok(length as usize) }
}

/// The next bytes, `most` at most.
pub(crate) fn some_bytes<'a>(bytes: &mut &'a [u8], most: u64) -> Result<&'a [u8], Damaged> {
    let length = length(bytes, most)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(Damaged::Cut)?;
    *bytes = rest;
    Ok(text)
}

/// The next text, of visible characters.
pub(crate) fn text(bytes: &mut &[u8]) -> Result<String, Damaged> {
    let text = some_bytes(bytes, 255)?;
    // It is shown on terminals.
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    text.map(str::to_owned).ok_or(Damaged::Nonsense)
}
