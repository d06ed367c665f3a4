//! What is behind a number.

use kapi::Errno;
use mm::GfpFlags;
use mm::own::{Global, KBox, KString};
use services::budget::Charge;

use crate::attributes::{Attributes, Kind};
use crate::directory::Directory;

/// A file's number in its tree.
pub type Number = u64;

/// The root's number.
pub(super) const ROOT: Number = 1;

/// What a name leads to: a number, and what the name costs.
pub struct Named {
    /// The file's number.
    pub number: Number,
    pub(super) _charge: Charge<'static>,
}

/// What there is of a file beside its attributes.
pub enum Body<C, K: Global> {
    /// The names in a directory.
    Directory(Directory<Named, K>),
    /// What a link says.
    Link(KString<K>),
    /// What the caller keeps for all others.
    Other(C),
}

/// A file that is to be made.
pub struct New<C, K: Global> {
    pub(super) kind: Kind,
    pub(super) mode: u16,
    /// User and group.
    pub(super) owner: (u32, u32),
    pub(super) body: Body<C, K>,
}

impl<C, K: Global> New<C, K> {
    /// An empty directory.
    pub const fn directory(mode: u16) -> Self {
        Self { kind: Kind::Directory, mode, owner: (0, 0), body: Body::Directory(Directory::new()) }
    }

    /// A link that says `text`. `ENOMEM`; may sleep.
    pub fn link(text: &str) -> Result<Self, Errno> {
        let text = KString::from_str(text, GfpFlags::KERNEL)?;
        Ok(Self { kind: Kind::Link, mode: 0o777, owner: (0, 0), body: Body::Link(text) })
    }

    /// Anything else.
    pub const fn other(kind: Kind, mode: u16, content: C) -> Self {
        Self { kind, mode, owner: (0, 0), body: Body::Other(content) }
    }

    /// The same, of this user and group; root's without that.
    pub fn owned_by(self, user: u32, group: u32) -> Self {
        Self { owner: (user, group), ..self }
    }
}

/// What is gone, if something is: to be dropped without the tree's lock.
pub type Gone<C, K> = Option<KBox<Node<C, K>, K>>;

/// A file, directory or link.
pub struct Node<C, K: Global> {
    pub(super) attributes: Attributes,
    pub(super) body: Body<C, K>,
    pub(super) parent: Number,
    /// Those who keep it beside its names.
    pub(super) holds: u32,
    /// For all but names and content.
    pub(super) _charge: Charge<'static>,
}

impl<C, K: Global> Node<C, K> {
    /// Bytes that a file with such a body costs, its share in the tree of numbers included.
    pub(super) fn cost(body: &Body<C, K>) -> usize {
        let text = match body {
            Body::Link(text) => text.footprint(),
            Body::Directory(_) | Body::Other(_) => 0,
        };
        let shared = 2 * size_of::<KBox<Self, K>>();
        K::memory().objects().kmalloc_footprint(size_of::<Self>()) + shared + text
    }

    pub(super) const fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    /// Whether nothing leads to it any more.
    pub(super) const fn is_unused(&self) -> bool {
        self.attributes.links == 0 && self.holds == 0
    }
}
