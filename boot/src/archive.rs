//! The initial files: rootfs/, programs and modules, as a small tar archive.
//!
//! The archive has the same bytes every time. A name longer than a header's field goes ahead of its file in a pax
//! record. What the kernel cannot have is refused, each file by its name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

use crate::rootfs::{self, Initial, Mode};

/// Bytes of a header's field for the name, and of that for where a link leads.
const NAME_FIELD: usize = 100;

/// Packs what lies under `root`, sorted, without owners and dates, and behind it `more`; of equal names the first
/// travels. Refuses more than `room` bytes of content.
pub fn archive(root: &Path, more: Vec<Initial>, room: u64) -> Result<Vec<u8>> {
    let mut all = rootfs::read(root, room.saturating_sub(rootfs::bytes(&more)))?;
    let mut names: HashSet<String> = all.iter().map(|initial| initial.name().to_owned()).collect();
    all.extend(more.into_iter().filter(|initial| names.insert(initial.name().to_owned())));
    let mut builder = Builder::new(Vec::new());
    for initial in &all {
        append(&mut builder, initial)?;
    }
    Ok(builder.into_inner()?)
}

fn append(builder: &mut Builder<Vec<u8>>, initial: &Initial) -> Result<()> {
    let mut header = Header::new_ustar();
    let (name, data) = match initial {
        Initial::File { name, data, mode } => {
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if *mode == Mode::Program { 0o755 } else { 0o644 });
            (Cow::from(name), data.as_slice())
        }
        Initial::Link { name, target } => {
            let field = &mut header.as_old_mut().linkname;
            field.get_mut(..target.len()).context("a link leads too far")?.copy_from_slice(target.as_bytes());
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            (Cow::from(name), [].as_slice())
        }
        Initial::EmptyDirectory { name } => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            (Cow::from(format!("{name}/")), [].as_slice())
        }
    };
    if name.len() > NAME_FIELD {
        builder.append_pax_extensions([("path", name.as_bytes())])?;
    }
    let short = &name.as_bytes()[..name.floor_char_boundary(NAME_FIELD)];
    header.as_old_mut().name[..short.len()].copy_from_slice(short);
    header.set_size(u64::try_from(data.len())?);
    header.set_cksum();
    builder.append(&header, data)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::path::Path;

    use tar::EntryType;

    use super::archive;
    use crate::rootfs::{Initial, Mode};
    use crate::scratch::Scratch;

    /// Names and contents, as another reader of archives sees them.
    fn unpacked(bytes: &[u8]) -> Vec<(String, String)> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().expect("an archive");
        let read = entries.map(|entry| {
            let mut entry = entry.expect("an entry");
            let name = String::from_utf8(entry.path_bytes().into_owned()).expect("a name");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("a text");
            (name, text)
        });
        read.collect()
    }

    #[test]
    fn the_archive_is_the_same_twice() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs");
        let first = archive(&root, Vec::new(), u64::MAX).expect("rootfs packs");
        assert_eq!(first, archive(&root, Vec::new(), u64::MAX).expect("rootfs packs"));
        assert!(first.len() > 1024, "rootfs holds a file");
    }

    #[test]
    fn names_of_any_length_come_out_as_they_went_in() {
        let scratch = Scratch::new();
        let mut names: Vec<String> = [99, 100, 101, 155, 200, 255].iter().map(|&length| "n".repeat(length)).collect();
        names.push(format!("{}/{}", "d".repeat(120), "f".repeat(130)));
        names.push("\u{e4}".repeat(60));
        names.sort();
        for name in &names {
            scratch.file(name, &name[..8]);
        }
        let expected: Vec<(String, String)> = names.iter().map(|name| (name.clone(), name[..8].to_owned())).collect();
        let mut found = unpacked(&archive(scratch.path(), Vec::new(), u64::MAX).expect("it packs"));
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_directory_without_files_travels_by_itself() {
        let scratch = Scratch::new();
        let long = "e".repeat(150);
        fs::create_dir_all(scratch.path().join("a/empty")).expect("made");
        fs::create_dir_all(scratch.path().join(&long)).expect("made");
        scratch.file("b/file", "");
        let names: Vec<String> = unpacked(&archive(scratch.path(), Vec::new(), u64::MAX).expect("it packs"))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a/empty/".to_owned(), "b/file".to_owned(), format!("{long}/")]);
    }

    #[test]
    fn of_two_files_of_one_name_the_roots_own_travels() {
        let scratch = Scratch::new();
        scratch.file("lib/modules/a.ko", "own");
        let more = ["a", "b"].map(|name| Initial::File {
            name: format!("lib/modules/{name}.ko"),
            data: b"more".into(),
            mode: Mode::Plain,
        });
        let found = unpacked(&archive(scratch.path(), more.into(), u64::MAX).expect("it packs"));
        let expected = [("lib/modules/a.ko", "own"), ("lib/modules/b.ko", "more")];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn programs_and_links_are_told_as_such() {
        let scratch = Scratch::new();
        let more = vec![
            Initial::File { name: "bin/a".into(), data: b"a".into(), mode: Mode::Program },
            Initial::Link { name: "bin/b".into(), target: "a".into() },
        ];
        let bytes = archive(scratch.path(), more, u64::MAX).expect("it packs");
        let mut unpacked = tar::Archive::new(bytes.as_slice());
        let told = unpacked.entries().expect("an archive").map(|entry| {
            let entry = entry.expect("an entry");
            let target = entry.link_name_bytes().map(|name| name.into_owned());
            (entry.header().mode().expect("a mode"), entry.header().entry_type(), target)
        });
        let expected = [(0o755, EntryType::Regular, None), (0o777, EntryType::Symlink, Some(b"a".to_vec()))];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_file_at_all_is_an_archive_too() {
        let scratch = Scratch::new();
        assert!(archive(scratch.path(), Vec::new(), u64::MAX).expect("it packs").iter().all(|&byte| byte == 0));
    }
}
