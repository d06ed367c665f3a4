//! Archives that are made by hand, whole and damaged.

extern crate std;

use core::ops::ControlFlow;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{BLOCK, BadArchive, Kind, for_each};

/// Appends a member, and its content in whole blocks.
fn append(archive: &mut Vec<u8>, name: &[u8], prefix: &str, flag: u8, target: &str, content: &[u8]) {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    block[345..345 + prefix.len()].copy_from_slice(prefix.as_bytes());
    block[100..107].copy_from_slice(b"0000755");
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[136..147].copy_from_slice(format!("{:011o}", 86400).as_bytes());
    block[156] = flag;
    block[157..157 + target.len()].copy_from_slice(target.as_bytes());
    block[257..263].copy_from_slice(b"ustar\0");
    archive.extend(block);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

/// Name, kind and content of each member, up to the first called `last`.
fn members(archive: &[u8], last: &str) -> Result<Vec<(String, String, String)>, BadArchive> {
    let mut found = Vec::new();
    for_each(
        archive.len() as u64,
        &mut |at, into| {
            into.copy_from_slice(&archive[at as usize..at as usize + into.len()]);
            Ok(())
        },
        &mut |member| {
            let content = &archive[member.start as usize..(member.start + member.size) as usize];
            let name = member.name.unwrap_or("?").to_string();
            assert_eq!((member.mode, member.modified), (0o755, 86400));
            let (kind, content) = (format!("{:?}", member.kind), String::from_utf8_lossy(content).into_owned());
            let is_last = name == last;
            found.push((name, kind, content));
            if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    )?;
    Ok(found)
}

fn names(archive: &[u8]) -> Vec<String> {
    members(archive, "").expect("an archive").into_iter().map(|(name, _, _)| name).collect()
}

#[test]
fn members_come_with_name_kind_and_content() {
    let mut archive = Vec::new();
    append(&mut archive, b"./a", "", b'0', "", b"text");
    append(&mut archive, b"dir/", "", b'5', "", b"");
    append(&mut archive, b"dir/b", "", b'2', "../a", b"");
    append(&mut archive, b"c", "", b'1', "a", b"");
    append(&mut archive, b"pipe", "", b'6', "", b"");
    append(&mut archive, b"d", "", 0, "", &[b'x'; BLOCK]);
    archive.resize(archive.len() + 2 * BLOCK, 0);
    append(&mut archive, b"behind the end", "", b'0', "", b"");
    let found = members(&archive, "").expect("an archive");
    let kinds = [Kind::File, Kind::Directory, Kind::Link("../a"), Kind::HardLink("a"), Kind::File];
    let expected = ["a", "dir", "dir/b", "c", "d"].iter().zip(kinds);
    for ((name, kind, _), expected) in found.iter().zip(expected) {
        assert_eq!((name.as_str(), kind.as_str()), (*expected.0, &*format!("{:?}", expected.1)));
    }
    assert_eq!((found.len(), &*found[0].2, found[4].2.len()), (5, "text", BLOCK));
    assert_eq!(members(&archive, "dir").expect("an archive").len(), 2);
}

#[test]
fn long_names_come_from_records_and_prefixes() {
    let mut archive = Vec::new();
    let long = "l".repeat(200);
    let record = format!("{} path={long}\n", long.len() + "210 path=\n".len());
    append(&mut archive, b"record", "", b'x', "", record.as_bytes());
    append(&mut archive, b"short", "", b'0', "", b"");
    append(&mut archive, b"next", "", b'0', "", b"");
    append(&mut archive, b"name", &"p".repeat(100), b'0', "", b"");
    append(&mut archive, &[b'n'; 100], &"p".repeat(155), b'0', "", b"");
    append(&mut archive, b"caf\xe9", "", b'0', "", b"");
    append(&mut archive, b"record", "", b'x', "", &[b'1'; 2000]);
    append(&mut archive, b"last", "", b'0', "", b"");
    assert_eq!(names(&archive), [&long, "next", &format!("{}/name", "p".repeat(100)), "?", "?", "last"]);
}

#[test]
fn nothing_and_zeros_are_an_archive_without_members() {
    assert!(names(&[]).is_empty() && names(&[0; 3 * BLOCK]).is_empty() && names(&[0; 100]).is_empty());
}

#[test]
fn damaged_archives_are_refused_where_the_damage_is() {
    let mut good = Vec::new();
    append(&mut good, b"a", "", b'0', "", b"text");
    append(&mut good, b"b", "", b'0', "", b"text");
    let damages: [(usize, &[u8]); 5] =
        [(257, b"star!"), (124, b"00000000009"), (124, b"77777777777"), (124, b"\xff0000000000"), (136, b"12345x")];
    for (at, bytes) in damages {
        for member in [0, 2 * BLOCK] {
            let mut bad = good.clone();
            bad[member + at..member + at + bytes.len()].copy_from_slice(bytes);
            assert_eq!(members(&bad, ""), Err(BadArchive), "{at} {bytes:?}");
            // What comes first is told before the damage is seen.
            assert_eq!(members(&bad, "a").is_ok(), member > 0);
        }
    }
    assert_eq!(members(&good[..3 * BLOCK], ""), Err(BadArchive), "the last content is cut off");
}

#[test]
fn no_bytes_make_it_read_outside_of_the_archive() {
    let mut state = 1_u64;
    for _ in 0..2000 {
        let mut archive = Vec::new();
        append(&mut archive, b"a", "", b'x', "", b"12 path=xyz\n");
        append(&mut archive, b"a", "p", b'0', "", &[b'x'; 700]);
        append(&mut archive, b"b", "", b'2', "a", b"");
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % archive.len();
            archive[at] = (state >> 20) as u8;
        }
        // An index out of range is a panic.
        let _ = for_each::<BadArchive>(
            archive.len() as u64,
            &mut |at, into| {
                into.copy_from_slice(&archive[at as usize..at as usize + into.len()]);
                Ok(())
            },
            &mut |member| {
                let _ = &archive[member.start as usize..(member.start + member.size) as usize];
                ControlFlow::Continue(())
            },
        );
    }
}
