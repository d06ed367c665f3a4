//! All that a picture tells of one frame, as lines of text.

use mm::outside::Class;

use crate::cell::Cell;
use crate::details::{KINDS, ObjectUse, Slab};
use crate::picture::Picture;

const PAGE: u64 = 4096;

/// All that a picture says of a frame.
pub fn about(picture: &Picture, frame: usize) -> Vec<String> {
    let Some(&cell) = picture.cells.get(frame) else { return vec![format!("frame {frame}: none")] };
    let mut lines = vec![
        format!("frame {frame} ({:09x})", frame as u64 * PAGE),
        format!("{} ({})", cell.class().name(), cell.class().letter()),
    ];
    if cell.class() != Class::Hole {
        lines.push(format!("zone {:?}", cell.zone()));
    }
    match cell.class() {
        Class::Slab => slab(&mut lines, picture, cell, frame),
        Class::Hole | Class::Hidden | Class::Image | Class::Boot | Class::SetAside | Class::Retired => {}
        class => {
            let start = picture.block_start(frame);
            lines.push(format!("block of order {} from {start}", cell.order()));
            if !class.is_free() {
                lines.push(format!("references {}", cell.detail()));
                lines.extend(owner(picture, start));
            }
        }
    }
    addresses(&mut lines, picture, frame as u64);
    lines
}

/// Who allocated the block that starts at a frame.
fn owner(picture: &Picture, start: usize) -> Option<String> {
    let owner = u32::try_from(start).ok().and_then(|start| picture.details.owner_of(start));
    match owner {
        Some(site) => Some(format!("by {site}")),
        None if picture.details.owners.is_empty() => Some("(page_owner=1 tells by whom)".into()),
        None => None,
    }
}

fn slab(lines: &mut Vec<String>, picture: &Picture, cell: Cell, frame: usize) {
    let cache = picture.cache_of(cell);
    match cache {
        Some(cache) => lines.push(format!("cache {}, objects of {}", cache.name, cache.stride)),
        None => lines.push(format!("a cache of the allocators, {}", cell.detail())),
    }
    let slab = u32::try_from(frame).ok().and_then(|frame| Some((frame, picture.details.slab_of(frame)?)));
    let Some((frame, slab)) = slab else { return };
    let count = |object: ObjectUse| slab.objects.iter().filter(|&&other| other == object).count();
    lines.push(match slab.pages {
        1 => "slab of this page".into(),
        pages => format!("slab of {pages} pages from {}", slab.frame),
    });
    let (live, cached) = (count(ObjectUse::Live), count(ObjectUse::Cached));
    lines.push(format!("{live} of {} objects live, {cached} in magazines", slab.objects.len()));
    if let Some(cache) = cache {
        objects(lines, slab, frame, cache.stride);
    }
}

/// The objects that lie in a frame, a letter each.
fn objects(lines: &mut Vec<String>, slab: &Slab, frame: u32, stride: u64) {
    let (first, here) = slab.objects_in(frame, stride);
    if let Some(last) = here.len().checked_sub(1) {
        lines.push(format!("here {first} to {}: L live, ',' magazine, '.' free", first + last));
        lines.push(here.iter().map(|object| object.letter()).collect());
    }
}

/// The synthetic addresses at which a frame shows, and their areas.
fn addresses(lines: &mut Vec<String>, picture: &Picture, frame: u64) {
    for area in &picture.areas {
        let first = u64::from(area.first);
        if !(first..first + u64::from(area.pages)).contains(&frame) {
            continue;
        }
        let address = area.start.saturating_add((frame - first) * PAGE);
        lines.push(format!("at {address:016x}"));
        let Some(area) = picture.details.area_of(address) else { continue };
        let kind = KINDS.get(usize::from(area.kind)).unwrap_or(&"area");
        lines.push(match area.pages {
            1 => format!("{kind}, page at {:x}", area.start),
            pages => format!("{kind}, {pages} pages from {:x}", area.start),
        });
        lines.extend(picture.details.site(area.site).map(|site| format!("by {site}")));
    }
}
