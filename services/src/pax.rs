//! Records that a tar archive has ahead of a file.
//!
//! They say what the file's own header has no room for.
//!
//! A record is `LENGTH KEY=VALUE` and a line end; the length, in decimal, counts all of it. (POSIX, `pax`, "Extended
//! Header".)

/// The file's path, if the records have one in UTF-8. Of several the last counts. What comes after a malformed record
/// is not read.
pub fn path(mut records: &[u8]) -> Option<&str> {
    let mut path = None;
    while let Some((text, rest)) = first(records) {
        path = text.strip_prefix(b"path=").map_or(path, |value| core::str::from_utf8(value).ok());
        records = rest;
    }
    path
}

/// The first record's `KEY=VALUE`, and what follows it.
fn first(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = records.iter().position(|&byte| byte == b' ')?;
    let length: usize = core::str::from_utf8(&records[..digits]).ok()?.parse().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let text = record.get(digits + 1..)?.strip_suffix(b"\n")?;
    Some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn the_last_path_among_records_counts() {
        assert_eq!(path(b"9 path=a\n"), Some("a"));
        assert_eq!(path(b"12 mtime=12\n12 path=a/b\n"), Some("a/b"));
        assert_eq!(path(b"9 path=a\n9 path=b\n"), Some("b"));
        assert_eq!(path("11 path=\u{e4}\n".as_bytes()), Some("\u{e4}"));
        assert_eq!(path(b"12 path=a\nb\n"), Some("a\nb"), "a line end within a value");
        assert_eq!(path(b""), None);
        assert_eq!(path(b"12 mtime=12\n"), None);
    }

    #[test]
    fn malformed_records_end_the_reading() {
        let malformed: [&[u8]; 8] =
            [b"path=a\n", b"x path=a\n", b"99 path=a\n", b"9 path=ab\n", b"0 ", b"2 ", b"-9 path=a\n", b"9"];
        for bad in malformed {
            assert_eq!(path(bad), None, "{bad:?}");
        }
        assert_eq!(path(b"9 path=a\nrubbish"), Some("a"));
        assert_eq!(path(b"9 path=\xff\n"), None);
        assert_eq!(path(b"18446744073709551615 path=a\n"), None);
    }
}
