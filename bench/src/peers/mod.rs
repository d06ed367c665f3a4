//! The allocators that are compared, behind one trait.
//!
//! Every call goes through a `dyn Peer`: a real call that no compiler looks into, with a request that it does not know.

mod areas;
mod bitmaps;
mod buddies;
mod buddy_slab;
mod heaps;
mod limit;
mod lines;
mod ours;
mod peer;
mod scullery;
mod user_space;

pub use lines::objects as lines_alone;
pub use ours::{areas as our_areas, kmalloc, pages_of};
pub use peer::{Block, Bytes, Metadata, Pages, Peer};
pub use scullery::{Bench, Machine, boot};

use bench_report::Role;
use mm::Order;

/// An allocator that takes part: its role, and how one is made whose memory is all free.
pub type Entrant<R> = (Role, fn() -> Box<dyn Peer<R>>);

/// Those that hand out pages.
pub const PAGES: &[Entrant<Order>] = &[
    (Role::Ours, ours::pages),
    (Role::Limit, limit::pages),
    (Role::Peer, bitmaps::tutorial),
    (Role::Peer, buddies::frame_alloc),
    (Role::Peer, buddies::buddy_system),
    (Role::Peer, bitmaps::ax),
    (Role::Peer, buddies::buddy_slab),
    (Role::Peer, bitmaps::rcore),
    (Role::Peer, heaps::talc),
    (Role::Peer, heaps::linked_list),
    (Role::Peer, heaps::rlsf),
];

/// Those that hand out objects.
pub const OBJECTS: &[Entrant<Bytes>] = &[
    (Role::Ours, ours::kmalloc),
    (Role::Limit, limit::objects),
    (Role::Aside, ours::kmem_cache),
    (Role::Peer, heaps::ax_slab),
    (Role::Peer, heaps::linked_list),
    (Role::Peer, heaps::talc),
    (Role::Peer, heaps::rlsf),
    (Role::Peer, buddy_slab::objects),
    (Role::Aside, user_space::mimalloc),
    (Role::Aside, user_space::snmalloc),
];

/// Those that hand out ranges of addresses.
pub const AREAS: &[Entrant<Pages>] = &[
    (Role::Ours, ours::areas),
    (Role::Limit, limit::areas),
    (Role::Peer, areas::range_alloc),
    (Role::Peer, areas::offset_allocator),
    (Role::Peer, areas::first_fit),
];
