//! Nodes: 64 slots, all for values or all for nodes; each call goes one down.
//!
//! A node that is reached from above is never empty; `used` and `tags` say what its slots hold and lead to.

use mm::own::{Global, KBox};
use mm::{AllocError, GfpFlags};

use super::height::{Height, SLOTS};
use super::tags::{Change, SlotSet, Tag, Tags};

/// What a tree has at its root, and what a slot holds.
pub(super) enum Entry<T, K: Global> {
    /// A value and its tags.
    Value(T, Tags),
    /// A subtree.
    Node(KBox<Node<T, K>, K>),
}

/// The top of a subtree of height 1 or more.
pub(super) struct Node<T, K: Global> {
    /// The slots that hold something.
    used: SlotSet,
    /// For each tag the slots that hold a value with it, or lead to one.
    tags: [SlotSet; Tag::ALL.len()],
    slots: Slots<T, K>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nodes are in boxes, and handles of values are as large as those of nodes"
)]
enum Slots<T, K: Global> {
    Values([Option<T>; SLOTS]),
    Nodes([Option<KBox<Node<T, K>, K>>; SLOTS]),
}

/// Which values a search finds.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// Each.
    Any,
    /// Those with this tag.
    Tagged(Tag),
}

impl<T, K: Global> Node<T, K> {
    /// A node without values. Not inlined: the node is on the stack for a moment, and callers go on downwards.
    #[inline(never)]
    pub(super) fn new(height: Height, gfp: GfpFlags) -> Result<KBox<Self, K>, AllocError> {
        let slots = if height == Height::LEAF {
            Slots::Values([const { None }; SLOTS])
        } else {
            Slots::Nodes([const { None }; SLOTS])
        };
        KBox::new(Self { used: SlotSet::default(), tags: Default::default(), slots }, gfp)
    }

    /// A path down to `value`, which is all that it holds.
    pub(super) fn path(index: u64, height: Height, value: T, gfp: GfpFlags) -> Result<KBox<Self, K>, AllocError> {
        let mut node = Self::new(height, gfp)?;
        node.insert(index, height, value, gfp)?;
        Ok(node)
    }

    /// Whether it holds nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Whether all that it holds is in its first slot.
    pub(super) fn holds_first_only(&self) -> bool {
        self.used == SlotSet::FIRST_ONLY
    }

    /// The tags of all values in it.
    pub(super) fn tags(&self) -> Tags {
        let mut tags = Tags::default();
        Tag::ALL.into_iter().filter(|&tag| !self.tags[tag as usize].is_empty()).for_each(|tag| tags.insert(tag));
        tags
    }

    /// The tags of what a slot holds.
    fn tags_of(&self, slot: usize) -> Tags {
        let mut tags = Tags::default();
        Tag::ALL.into_iter().filter(|&tag| self.tags[tag as usize].contains(slot)).for_each(|tag| tags.insert(tag));
        tags
    }

    /// Moves `entry` into the first slot of an empty node of its height.
    pub(super) fn put_first(&mut self, entry: Entry<T, K>) {
        let (slots, tags) = match entry {
            Entry::Value(value, tags) => (Slots::Values(first(value)), tags),
            Entry::Node(node) => {
                let tags = node.tags();
                (Slots::Nodes(first(node)), tags)
            }
        };
        self.slots = slots;
        self.note(0, Some(tags));
    }

    /// Takes out what the first slot holds.
    pub(super) fn take_first(&mut self) -> Option<Entry<T, K>> {
        let tags = self.tags_of(0);
        self.note(0, None);
        match &mut self.slots {
            Slots::Values(values) => values[0].take().map(|value| Entry::Value(value, tags)),
            Slots::Nodes(nodes) => nodes[0].take().map(Entry::Node),
        }
    }

    /// Notes that a slot holds what has these tags, or nothing.
    fn note(&mut self, slot: usize, held: Option<Tags>) {
        match held {
            Some(_) => self.used.insert(slot),
            None => self.used.remove(slot),
        }
        for tag in Tag::ALL {
            let tagged = &mut self.tags[tag as usize];
            if held.is_some_and(|tags| tags.contains(tag)) { tagged.insert(slot) } else { tagged.remove(slot) }
        }
    }

    pub(super) fn get(&self, index: u64, height: Height) -> Option<&T> {
        let slot = height.slot(index);
        match &self.slots {
            Slots::Values(values) => values[slot].as_ref(),
            Slots::Nodes(nodes) => nodes[slot].as_ref()?.get(index, height.below()),
        }
    }

    /// How many nodes `insert` at `index` would make.
    pub(super) fn missing_nodes(&self, index: u64, height: Height) -> usize {
        match &self.slots {
            Slots::Values(_) => 0,
            Slots::Nodes(nodes) => match &nodes[height.slot(index)] {
                Some(node) => node.missing_nodes(index, height.below()),
                None => height.below().nodes(),
            },
        }
    }

    /// How many nodes there are from here on downwards.
    pub(super) fn nodes(&self) -> usize {
        match &self.slots {
            Slots::Values(_) => 1,
            Slots::Nodes(nodes) => 1 + nodes.iter().flatten().map(|node| node.nodes()).sum::<usize>(),
        }
    }

    pub(super) fn get_mut(&mut self, index: u64, height: Height) -> Option<&mut T> {
        let slot = height.slot(index);
        match &mut self.slots {
            Slots::Values(values) => values[slot].as_mut(),
            Slots::Nodes(nodes) => nodes[slot].as_mut()?.get_mut(index, height.below()),
        }
    }

    /// Puts `value` at `index` and returns the value that was there, whose tags stay. Without memory nothing changes.
    pub(super) fn insert(
        &mut self,
        index: u64,
        height: Height,
        value: T,
        gfp: GfpFlags,
    ) -> Result<Option<T>, AllocError> {
        let slot = height.slot(index);
        let replaced = match &mut self.slots {
            Slots::Values(values) => values[slot].replace(value),
            Slots::Nodes(nodes) => match &mut nodes[slot] {
                Some(node) => node.insert(index, height.below(), value, gfp)?,
                empty => {
                    *empty = Some(Self::path(index, height.below(), value, gfp)?);
                    None
                }
            },
        };
        // An empty slot has no tags.
        self.used.insert(slot);
        Ok(replaced)
    }

    /// Takes the value at `index` out, and frees the nodes below that have become empty.
    pub(super) fn remove(&mut self, index: u64, height: Height) -> Option<T> {
        let slot = height.slot(index);
        let (value, held) = match &mut self.slots {
            Slots::Values(values) => (values[slot].take()?, None),
            Slots::Nodes(nodes) => {
                let node = nodes[slot].as_mut()?;
                let value = node.remove(index, height.below())?;
                let held = (!node.is_empty()).then(|| node.tags());
                if held.is_none() {
                    nodes[slot] = None;
                }
                (value, held)
            }
        };
        self.note(slot, held);
        Some(value)
    }

    /// Changes a tag of the value at `index`; `None` when there is no value.
    pub(super) fn change_tag(&mut self, index: u64, height: Height, tag: Tag, change: Change) -> Option<()> {
        let slot = height.slot(index);
        let tags = match &mut self.slots {
            Slots::Values(values) => {
                values[slot].as_ref()?;
                self.tags_of(slot).changed(tag, change)
            }
            Slots::Nodes(nodes) => {
                let node = nodes[slot].as_mut()?;
                node.change_tag(index, height.below(), tag, change)?;
                node.tags()
            }
        };
        self.note(slot, Some(tags));
        Some(())
    }

    /// The tags of the value at `index`; none when there is no value.
    pub(super) fn tags_at(&self, index: u64, height: Height) -> Tags {
        let slot = height.slot(index);
        match &self.slots {
            Slots::Values(_) => self.tags_of(slot),
            Slots::Nodes(nodes) => {
                nodes[slot].as_ref().map_or(Tags::default(), |node| node.tags_at(index, height.below()))
            }
        }
    }

    /// The first wanted value that is not before `from`, and its index. On each level at most two slots are looked
    /// into: the one that leads to `from`, in vain, and the next one that leads to a wanted value.
    pub(super) fn find(&self, from: u64, height: Height, wanted: Wanted) -> Option<(u64, &T)> {
        let candidates = match wanted {
            Wanted::Any => self.used,
            Wanted::Tagged(tag) => self.tags[tag as usize],
        };
        let first = height.slot(from);
        let mut next = candidates.next(first);
        while let Some(slot) = next {
            let found = match &self.slots {
                Slots::Values(values) => values[slot].as_ref().map(|value| (0, value)),
                Slots::Nodes(nodes) => {
                    let rest = if slot == first { height.rest(from) } else { 0 };
                    nodes[slot].as_ref().and_then(|node| node.find(rest, height.below(), wanted))
                }
            };
            if let Some((rest, value)) = found {
                return Some((height.index(slot, rest), value));
            }
            next = candidates.next(slot + 1);
        }
        None
    }

    /// Checks the invariants and counts the values; the text names the invariant that is broken.
    pub(super) fn validate(&self, height: Height) -> Result<usize, &'static str> {
        let mut count = 0;
        for slot in 0..SLOTS {
            let held = match &self.slots {
                Slots::Values(values) if height == Height::LEAF => {
                    count += usize::from(values[slot].is_some());
                    values[slot].as_ref().map(|_| self.tags_of(slot))
                }
                Slots::Nodes(nodes) if height > Height::LEAF => {
                    count += nodes[slot].as_ref().map_or(Ok(0), |node| node.validate(height.below()))?;
                    nodes[slot].as_ref().map(|node| node.tags())
                }
                _ => return Err("a node's slots are not of its height"),
            };
            if self.used.contains(slot) != held.is_some() {
                return Err("a slot is not as its node says");
            }
            if self.tags_of(slot) != held.unwrap_or_default() {
                return Err("a tag in a node is not one of what its slot holds");
            }
        }
        match self.used.next(height.slots()) {
            Some(_) => Err("a slot beyond the last index is used"),
            None if self.is_empty() => Err("a node is empty"),
            None => Ok(count),
        }
    }
}

/// Slots of which the first holds `held`.
fn first<S>(held: S) -> [Option<S>; SLOTS] {
    let mut slots = [const { None }; SLOTS];
    slots[0] = Some(held);
    slots
}
