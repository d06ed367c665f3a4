//! Which keys are the map's: all others go to the console as they are.

/// What a key asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Key {
    /// Stop at this picture, or go on.
    Freeze,
    /// The picture before.
    Back,
    /// The one after.
    Forward,
    /// Fewer frames a point.
    ZoomIn,
    /// More.
    ZoomOut,
    /// Choose a frame, or end that.
    Choose,
    /// What the colours and the keys mean, or no more of that.
    Help,
    /// The console's lines that have gone by: so many screens up.
    ScrollUp,
    /// And down.
    ScrollDown,
    /// The chosen frame moves so many points to the right and down.
    Move(i32, i32),
    /// The end.
    Quit,
    /// Bytes for the console; none after the first of two keys.
    Console(Vec<u8>),
}

/// The key that a letter of the map's follows, Ctrl-].
const PREFIX: u8 = 0x1d;

/// Sequences that terminals send for the map's keys.
static SEQUENCES: [(&[u8], Key); 25] = [
    (b"\x1bOQ", Key::Freeze),
    (b"\x1b[12~", Key::Freeze),
    (b"\x1b[[B", Key::Freeze),
    (b"\x1bOR", Key::Back),
    (b"\x1b[13~", Key::Back),
    (b"\x1b[[C", Key::Back),
    (b"\x1bOS", Key::Forward),
    (b"\x1b[14~", Key::Forward),
    (b"\x1b[[D", Key::Forward),
    (b"\x1b[15~", Key::ZoomIn),
    (b"\x1b[[E", Key::ZoomIn),
    (b"\x1b[17~", Key::ZoomOut),
    (b"\x1b[18~", Key::Choose),
    (b"\x1b[19~", Key::Help),
    (b"\x1b[20~", Key::Quit),
    (b"\x1b[5~", Key::ScrollUp),
    (b"\x1b[6~", Key::ScrollDown),
    (b"\x1b[A", Key::Move(0, -1)),
    (b"\x1b[B", Key::Move(0, 1)),
    (b"\x1b[C", Key::Move(1, 0)),
    (b"\x1b[D", Key::Move(-1, 0)),
    (b"\x1bOA", Key::Move(0, -1)),
    (b"\x1bOB", Key::Move(0, 1)),
    (b"\x1bOC", Key::Move(1, 0)),
    (b"\x1bOD", Key::Move(-1, 0)),
];

/// Letters behind the prefix.
static LETTERS: [(u8, Key); 10] = [
    (b'f', Key::Freeze),
    (b'b', Key::Back),
    (b'n', Key::Forward),
    (b'i', Key::ZoomIn),
    (b'o', Key::ZoomOut),
    (b'c', Key::Choose),
    (b'h', Key::Help),
    (b'u', Key::ScrollUp),
    (b'd', Key::ScrollDown),
    (b'q', Key::Quit),
];

/// Whose the arrows are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrows {
    /// The console's.
    Console,
    /// The map's: a frame is being chosen.
    Map,
}

/// Tells keys apart as they come in.
#[derive(Default)]
pub struct Keys {
    is_prefixed: bool,
}

impl Keys {
    /// The first key of these bytes of the terminal, and how many they are that it takes; `None` at the end. A sequence
    /// comes whole, as terminals send it.
    pub fn next(&mut self, bytes: &[u8], arrows: Arrows) -> Option<(usize, Key)> {
        let &byte = bytes.first()?;
        if std::mem::take(&mut self.is_prefixed) {
            if byte == PREFIX {
                return Some((1, Key::Console(vec![PREFIX])));
            }
            let key = LETTERS.iter().find(|(letter, _)| *letter == byte.to_ascii_lowercase());
            return Some((1, key.map_or(Key::Console(Vec::new()), |(_, key)| key.clone())));
        }
        if byte == PREFIX {
            self.is_prefixed = true;
            return Some((1, Key::Console(Vec::new())));
        }
        if let Some(found) = sequence(bytes, arrows) {
            return Some(found);
        }
        // All up to the next key of the map's.
        let others = (1..bytes.len()).find(|&at| bytes[at] == PREFIX || sequence(&bytes[at..], arrows).is_some());
        let length = others.unwrap_or(bytes.len());
        Some((length, Key::Console(bytes[..length].to_vec())))
    }
}

fn sequence(bytes: &[u8], arrows: Arrows) -> Option<(usize, Key)> {
    let (sequence, key) = SEQUENCES.iter().find(|(sequence, _)| bytes.starts_with(sequence))?;
    let is_arrow = matches!(key, Key::Move(..));
    (!is_arrow || arrows == Arrows::Map).then(|| (sequence.len(), key.clone()))
}

#[cfg(test)]
mod tests {
    use super::{Arrows, Key, Keys};

    fn read(bytes: &[u8], arrows: Arrows) -> Vec<Key> {
        all(&mut Keys::default(), bytes, arrows)
    }

    fn all(keys: &mut Keys, mut bytes: &[u8], arrows: Arrows) -> Vec<Key> {
        let mut all = Vec::new();
        while let Some((used, key)) = keys.next(bytes, arrows) {
            bytes = &bytes[used..];
            all.extend(Some(key).filter(|key| *key != Key::Console(Vec::new())));
        }
        all
    }

    #[test]
    fn what_is_not_the_maps_goes_through_as_it_is() {
        let bytes = b"ls /\x03\x04\x16\x1b[A\x1b[H\x1bOP\xc3\xa4\r";
        assert_eq!(read(bytes, Arrows::Console), [Key::Console(bytes.to_vec())]);
    }

    #[test]
    fn function_keys_and_letters_are_the_maps() {
        let keys = read(b"a\x1bOQb\x1b[20~\x1dF\x1d\x1d\x1d?c", Arrows::Console);
        let console = |bytes: &[u8]| Key::Console(bytes.to_vec());
        let expected =
            [console(b"a"), Key::Freeze, console(b"b"), Key::Quit, Key::Freeze, console(b"\x1d"), console(b"c")];
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_prefix_waits_for_its_letter() {
        let mut keys = Keys::default();
        assert!(all(&mut keys, b"\x1d", Arrows::Console).is_empty());
        assert_eq!(all(&mut keys, b"q", Arrows::Console), [Key::Quit]);
    }

    #[test]
    fn arrows_are_the_maps_while_a_frame_is_chosen() {
        assert_eq!(read(b"\x1b[C\x1b[A", Arrows::Map), [Key::Move(1, 0), Key::Move(0, -1)]);
    }
}
