//! The way along a path: names, `.` and `..`, links.
//!
//! A link's text is walked in the place of its name. What lies ahead is a stack of texts: the path, and above it the
//! links that the way leads through, each with what is left of it.

use kapi::Errno;
use mm::GfpFlags;
use mm::own::{Global, KString, KVec};

use super::name::{Name, PATH_MAX};

/// The most links on one way: beyond that it is taken for a circle.
pub const MAX_LINKS: usize = 40;

/// What a link leads to.
pub enum Link<N, K: Global> {
    /// A path, from the link's directory on.
    Text(KString<K>),
    /// This, whatever its name is and whether it has one.
    Node(N),
}

/// The files of a kernel, as far as a way needs them. All may sleep.
pub trait Names {
    /// A file, directory or link.
    type Node: Clone;
    /// Whose memory is used.
    type Kernel: Global;

    /// Where absolute paths start.
    fn root(&self) -> Result<Self::Node, Errno>;

    /// What is called `name` in `directory`; `ENOENT`, `ENOTDIR`.
    fn child(&self, directory: &Self::Node, name: &str) -> Result<Self::Node, Errno>;

    /// The directory that `directory` is in; the root's is the root.
    fn parent(&self, directory: &Self::Node) -> Result<Self::Node, Errno>;

    /// Whether it is a directory.
    fn is_directory(&self, node: &Self::Node) -> bool;

    /// Whether who walks may go through `directory`; `EACCES`.
    fn search(&self, directory: &Self::Node) -> Result<(), Errno>;

    /// What it leads to, if it is a link.
    fn link(&self, node: &Self::Node) -> Result<LinkOf<Self>, Errno>;
}

/// What a link among these files leads to; `None` for what is no link.
pub type LinkOf<F> = Option<Link<<F as Names>::Node, <F as Names>::Kernel>>;

/// Whether a link at the end of a path is followed. Before the end all are, and before a slash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// The path stands for what the link leads to.
    Yes,
    /// The path stands for the link.
    No,
}

/// The last part of a path.
#[derive(Clone, Copy)]
#[expect(clippy::large_enum_variant, reason = "it is on the stack for the moment of a call, and needs no memory")]
pub enum Last {
    /// A name.
    Name(Name),
    /// `.`, or nothing behind the root's slash.
    Dot,
    /// `..`
    DotDot,
    /// None: a link has led to a file without a path.
    Nothing,
}

/// Where a path leads.
pub struct Found<N> {
    /// The directory in which the last part is looked up.
    pub directory: N,
    /// The last part.
    pub last: Last,
    /// What the path stands for; `None` when nothing has the last name in the directory.
    pub node: Option<N>,
    /// Whether a slash behind the last name says that a directory is meant.
    pub slash: bool,
}

impl<N> Found<N> {
    /// What the path stands for; `ENOENT`.
    pub fn node(self) -> Result<N, Errno> {
        self.node.ok_or(Errno::ENOENT)
    }
}

/// Goes along `path`, from `start` on where it is relative. `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`,
/// `ENOMEM`. May sleep.
pub fn walk<F: Names>(files: &F, start: &F::Node, path: &str, follow: Follow) -> Result<Found<F::Node>, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    if path.len() > PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut way = Way { files, path, links: KVec::new(), met: 0, at: start.clone(), slash: path.ends_with('/') };
    way.go(follow)
}

struct Way<'a, F: Names> {
    files: &'a F,
    /// What is left of the path.
    path: &'a str,
    /// Texts of links, and how far each is walked: the last comes first.
    links: KVec<(KString<F::Kernel>, usize), F::Kernel>,
    /// Links so far.
    met: usize,
    at: F::Node,
    slash: bool,
}

/// A step, and whether something comes behind it.
struct Step {
    part: Last,
    is_last: bool,
}

impl<F: Names> Way<'_, F> {
    fn go(&mut self, follow: Follow) -> Result<Found<F::Node>, Errno> {
        self.restart_if_absolute()?;
        loop {
            let Some(Step { part, is_last }) = self.step()? else {
                return Ok(self.found(self.at.clone(), Last::Dot, Some(self.at.clone())));
            };
            let directory = self.at.clone();
            if !self.files.is_directory(&directory) {
                return Err(Errno::ENOTDIR);
            }
            self.files.search(&directory)?;
            let node = match &part {
                Last::Name(name) => match self.files.child(&directory, name) {
                    Err(Errno::ENOENT) if is_last => return Ok(self.found(directory, part, None)),
                    found => found?,
                },
                Last::DotDot => self.files.parent(&directory)?,
                Last::Dot | Last::Nothing => directory.clone(),
            };
            let follows = !is_last || self.slash || follow == Follow::Yes;
            match if follows { self.files.link(&node)? } else { None } {
                Some(link) => {
                    if let Some(end) = self.enter(link, is_last)? {
                        return Ok(self.found(directory, Last::Nothing, Some(end)));
                    }
                }
                None if is_last => return Ok(self.found(directory, part, Some(node))),
                None => self.at = node,
            }
        }
    }

    fn found(&self, directory: F::Node, last: Last, node: Option<F::Node>) -> Found<F::Node> {
        Found { directory, last, node, slash: self.slash }
    }

    /// Puts a link's text ahead, or steps to where it leads; that is the end if nothing comes behind it.
    fn enter(&mut self, link: Link<F::Node, F::Kernel>, is_last: bool) -> Result<Option<F::Node>, Errno> {
        self.met += 1;
        if self.met > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        match link {
            Link::Node(node) if is_last => return Ok(Some(node)),
            Link::Node(node) => self.at = node,
            Link::Text(text) if text.is_empty() => return Err(Errno::ENOENT),
            Link::Text(text) => {
                // A link's own slash counts where the link ends the path.
                self.slash |= is_last && text.ends_with('/');
                self.links.push((text, 0), GfpFlags::KERNEL)?;
                self.restart_if_absolute()?;
            }
        }
        Ok(None)
    }

    /// Goes to the root if the text ahead starts there.
    fn restart_if_absolute(&mut self) -> Result<(), Errno> {
        let ahead = self.links.last().map_or(self.path, |(text, _)| text.as_str());
        if ahead.starts_with('/') {
            self.at = self.files.root()?;
        }
        Ok(())
    }

    /// The next part of what lies ahead.
    fn step(&mut self) -> Result<Option<Step>, Errno> {
        while let Some((text, done)) = self.links.last_mut() {
            let (part, rest) = first_part(&text[*done..]);
            *done = text.len() - rest.len();
            let part = named(part)?;
            if rest.is_empty() {
                self.links.pop();
            }
            if let Some(part) = part {
                return Ok(Some(Step { part, is_last: self.is_at_end() }));
            }
        }
        let (part, rest) = first_part(self.path);
        self.path = rest;
        Ok(named(part)?.map(|part| Step { part, is_last: self.is_at_end() }))
    }

    /// Whether nothing lies ahead but slashes.
    fn is_at_end(&self) -> bool {
        self.path.is_empty() && self.links.is_empty()
    }
}

/// The first part of `path`, and what comes behind it and its slashes.
fn first_part(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches('/');
    let (part, rest) = path.split_once('/').unwrap_or((path, ""));
    (part, rest.trim_start_matches('/'))
}

fn named(part: &str) -> Result<Option<Last>, Errno> {
    Ok(match part {
        "" => None,
        "." => Some(Last::Dot),
        ".." => Some(Last::DotDot),
        name => Some(Last::Name(Name::new(name)?)),
    })
}
