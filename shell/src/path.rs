//! Paths that a command puts together.

use core::fmt::Write;

use kapi::Errno;

use crate::text::{MAX_PATH, Text};

/// A path that a command looks up.
pub type Path = Text<MAX_PATH>;

/// The path of what is called `name` in `directory`; `ENAMETOOLONG` when it is too long to be looked up.
pub fn join(directory: &str, name: &str) -> Result<Path, Errno> {
    let mut path = Path::new();
    let slash = if directory.ends_with('/') { "" } else { "/" };
    write!(path, "{directory}{slash}{name}").map_err(|_| Errno::ENAMETOOLONG)?;
    Ok(path)
}

/// The last name in `path`; nothing for the root.
pub fn file_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{file_name, join};

    #[test]
    fn a_path_comes_apart_and_together() {
        for (path, name) in [("/a/b", "b"), ("/a/b//", "b"), ("a", "a"), ("/a", "a"), ("/", ""), ("", "")] {
            assert_eq!(file_name(path), name, "{path}");
        }
        assert_eq!(join("/", "a").unwrap().as_str(), "/a");
        assert_eq!(join("/tmp", "a").unwrap().as_str(), "/tmp/a");
        assert!(join("/tmp", &"n".repeat(300)).is_err());
    }
}
