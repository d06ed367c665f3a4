//! Tar archives: what their headers say, one member after the other.
//!
//! An archive is a row of members: a header of one block, then the content, padded to whole blocks. Names that are
//! longer than a header's field stand in a pax record ahead of it. The archive is read through a function, header by
//! header, so it may lie wherever that function finds it; contents are not read. (POSIX, `pax`, "ustar Interchange
//! Format".)

use core::ops::ControlFlow;

use crate::pax;

/// Bytes of a header, and what contents are padded to.
pub const BLOCK: usize = 512;

/// Bytes of the longest name.
const LONGEST_NAME: usize = 255;
/// Bytes of the longest pax records that are read: more than the longest name takes.
const LONGEST_RECORDS: usize = 1024;

/// What a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind<'a> {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, and where it leads; nowhere if that is not UTF-8.
    Link(&'a str),
    /// Another name of a member that came before.
    HardLink(&'a str),
}

/// A member of an archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member<'a> {
    /// Its path, without slashes or a dot in front or at the end; `None` if it is not UTF-8, or too long.
    pub name: Option<&'a str>,
    /// What it is.
    pub kind: Kind<'a>,
    /// Who may read, write and run it: the lower twelve bits.
    pub mode: u16,
    /// When it was changed last, in seconds since 1970.
    pub modified: u64,
    /// Where its content begins, in bytes.
    pub start: u64,
    /// Bytes of its content.
    pub size: u64,
}

/// What is no archive, or a damaged one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadArchive;

/// Fills a buffer from a place in an archive.
pub type Read<'a, E> = dyn FnMut(u64, &mut [u8]) -> Result<(), E> + 'a;

/// Calls `visit` with each member of an archive of `length` bytes until it breaks. `read` fills a buffer from a place
/// in the archive, which lies within it. An archive of zeros, or of nothing, has no members.
///
/// # Errors
/// What `read` returns, and [`BadArchive`], as soon as that is seen.
pub fn for_each<E: From<BadArchive>>(
    length: u64,
    read: &mut Read<'_, E>,
    visit: &mut dyn FnMut(&Member<'_>) -> ControlFlow<()>,
) -> Result<(), E> {
    let (mut block, mut records, mut whole) = ([0; BLOCK], [0; LONGEST_RECORDS], Joined::EMPTY);
    let mut known = 0;
    let mut at = 0;
    while at + BLOCK as u64 <= length {
        read(at, &mut block)?;
        let Some(header) = Header::parse(&block)? else { return Ok(()) };
        let start = at + BLOCK as u64;
        let end = start.checked_add(header.size).filter(|&end| end <= length).ok_or(BadArchive)?;
        match header.flag {
            // Records of which no name can come are passed over.
            b'x' if header.size <= LONGEST_RECORDS as u64 => {
                known = header.size as usize;
                read(start, &mut records[..known])?;
            }
            b'x' => known = 0,
            _ => {
                let member = header.member(pax::path(&records[..known]), start);
                known = 0;
                if member.is_some_and(|member| visit(&member.named(&header, &mut whole)).is_break()) {
                    return Ok(());
                }
            }
        }
        at = end.next_multiple_of(BLOCK as u64);
    }
    Ok(())
}

/// The fields of a header that count.
struct Header<'a> {
    name: &'a [u8],
    prefix: &'a [u8],
    target: &'a [u8],
    mode: u64,
    size: u64,
    modified: u64,
    flag: u8,
}

impl<'a> Header<'a> {
    /// Reads a block; `None` at the archive's end, which is a block of zeros.
    fn parse(block: &'a [u8; BLOCK]) -> Result<Option<Self>, BadArchive> {
        if block[0] == 0 && block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if &block[257..262] != b"ustar" {
            return Err(BadArchive);
        }
        Ok(Some(Self {
            name: text(&block[..100]),
            prefix: text(&block[345..500]),
            target: text(&block[157..257]),
            mode: number(&block[100..108])?,
            size: number(&block[124..136])?,
            modified: number(&block[136..148])?,
            flag: block[156],
        }))
    }

    /// What it tells of; `None` for what is neither file, directory nor link.
    fn member(&self, long_name: Option<&'a str>, start: u64) -> Option<Member<'a>> {
        let target = core::str::from_utf8(self.target).unwrap_or_default();
        let kind = match self.flag {
            b'0' | 0 => Kind::File,
            b'1' => Kind::HardLink(target),
            b'2' => Kind::Link(target),
            b'5' => Kind::Directory,
            _ => return None,
        };
        let mode = (self.mode & 0o7777) as u16;
        Some(Member { name: long_name, kind, mode, modified: self.modified, start, size: self.size })
    }
}

impl<'a> Member<'a> {
    /// With the header's own name, unless a record had a longer one, as paths are written here.
    fn named<'b>(self, header: &Header<'a>, whole: &'b mut Joined) -> Member<'b>
    where
        'a: 'b,
    {
        let own = |whole: &'b mut Joined| if header.prefix.is_empty() { Some(header.name) } else { whole.join(header) };
        let name = match self.name {
            Some(name) => Some(name),
            None => own(whole).and_then(|bytes| core::str::from_utf8(bytes).ok()),
        };
        Member { name: name.map(plain), ..self }
    }
}

/// A name that a header has in two parts.
struct Joined([u8; LONGEST_NAME]);

impl Joined {
    const EMPTY: Self = Self([0; LONGEST_NAME]);

    fn join(&mut self, header: &Header<'_>) -> Option<&[u8]> {
        let (prefix, slash) = (header.prefix.len(), header.prefix.len() + 1);
        let end = slash + header.name.len();
        let whole = self.0.get_mut(..end)?;
        whole[..prefix].copy_from_slice(header.prefix);
        whole[prefix] = b'/';
        whole[slash..].copy_from_slice(header.name);
        Some(whole)
    }
}

/// A name without what says nothing: `./` and slashes in front, slashes at the end.
fn plain(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix("./").or_else(|| name.strip_prefix('/')) {
        name = rest;
    }
    while let Some(rest) = name.strip_suffix('/') {
        name = rest;
    }
    name
}

/// A field up to its first zero.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// An octal number, which blanks or zero bytes may surround; none is 0.
fn number(field: &[u8]) -> Result<u64, BadArchive> {
    let mut value = 0_u64;
    let mut has_ended = false;
    for &byte in field {
        match byte {
            // A field has twelve digits at most.
            b'0'..=b'7' if !has_ended => value = value << 3 | u64::from(byte - b'0'),
            0 => has_ended = true,
            b' ' => has_ended |= value != 0,
            _ => return Err(BadArchive),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
