//! The parts of a recorded picture: figures, cells, details.

use std::rc::Rc;

use crate::cell::Cell;
use crate::codec::{Damaged, length, number, number_of, put, put_all, put_bytes, text};
use crate::details::{Details, KINDS, NamedArea, ObjectUse, Slab};
use crate::picture::{Area, CacheInfo, Picture};

/// Cells of the largest machine whose recording is read: 64 GiB.
const CELLS_MAX: u64 = 1 << 24;
/// Entries of the other lists.
const LIST_MAX: u64 = 1 << 17;
/// Objects of a slab.
const OBJECTS_MAX: u64 = 1 << 12;

/// What stands where something is as it was, and where it is not.
const SAME: u64 = 0;
const NEW: u64 = 1;

pub(crate) fn put_figures(bytes: &mut Vec<u8>, picture: &Picture) {
    put(bytes, picture.ticks);
    for mut zone in picture.zones {
        put_all(bytes, zone.numbers().map(|number| *number));
    }
    put_all(bytes, { picture.events }.numbers().map(|number| *number));
    put_all(bytes, [picture.swap.slots, picture.swap.free, picture.torn as u64, picture.caches.len() as u64]);
    for cache in &picture.caches {
        put(bytes, cache.number.into());
        put_bytes(bytes, cache.name.as_bytes());
        put(bytes, cache.stride);
    }
    put(bytes, picture.areas.len() as u64);
    picture.areas.iter().for_each(|area| put_all(bytes, [area.start, area.first.into(), area.pages.into()]));
}

pub(crate) fn put_cells(bytes: &mut Vec<u8>, before: &[Cell], cells: &[Cell]) {
    put(bytes, cells.len() as u64);
    let old = |at: usize| before.get(at).copied().unwrap_or_default();
    let mut at = 0;
    while at < cells.len() {
        let same = (at..cells.len()).take_while(|&at| cells[at] == old(at)).count();
        let start = at + same;
        let alike = cells[start..].iter().take_while(|&&cell| cell == cells[start]).count();
        put(bytes, same as u64);
        put(bytes, alike as u64);
        if alike > 0 {
            put(bytes, cells[start].bits().into());
        }
        at = start + alike;
    }
}

pub(crate) fn put_details(bytes: &mut Vec<u8>, before: &Details, now: &Details) {
    put(bytes, now.slabs.len() as u64);
    for slab in &now.slabs {
        put(bytes, slab.frame.into());
        let old = before.slabs.binary_search_by_key(&slab.frame, |slab| slab.frame);
        if old.is_ok_and(|at| before.slabs[at] == *slab) {
            put(bytes, SAME);
        } else {
            put_all(bytes, [NEW, slab.pages.into(), slab.start.into(), slab.objects.len() as u64]);
            slab.objects.chunk_by(|one, next| one == next).for_each(|run| {
                put_all(bytes, [run[0] as u64, run.len() as u64]);
            });
        }
    }
    // Places of calls only ever become more.
    let kept = if now.sites.starts_with(&before.sites) { before.sites.len() } else { 0 };
    put_all(bytes, [kept as u64, (now.sites.len() - kept) as u64]);
    now.sites[kept..].iter().for_each(|site| put_bytes(bytes, site.as_bytes()));
    if now.owners == before.owners {
        put(bytes, SAME);
    } else {
        put_all(bytes, [NEW, now.owners.len() as u64]);
        now.owners.iter().for_each(|(frame, site)| put_all(bytes, [u64::from(*frame), u64::from(*site)]));
    }
    if now.areas == before.areas {
        put(bytes, SAME);
    } else {
        put_all(bytes, [NEW, now.areas.len() as u64]);
        for area in &now.areas {
            put_all(bytes, [area.start, area.pages.into(), area.kind.into(), area.site.into()]);
        }
    }
}

pub(crate) fn figures(bytes: &mut &[u8]) -> Result<Picture, Damaged> {
    let mut picture = Picture { ticks: number(bytes)?, ..Picture::default() };
    for zone in &mut picture.zones {
        for figure in zone.numbers() {
            *figure = number(bytes)?;
        }
    }
    for figure in picture.events.numbers() {
        *figure = number(bytes)?;
    }
    (picture.swap.slots, picture.swap.free, picture.torn) = (number(bytes)?, number(bytes)?, number_of(bytes)?);
    for _ in 0..length(bytes, LIST_MAX)? {
        let (number_, name) = (number_of(bytes)?, text(bytes)?);
        picture.caches.push(CacheInfo { number: number_, name, stride: number(bytes)? });
    }
    for _ in 0..length(bytes, LIST_MAX)? {
        let (start, first, pages) = (number(bytes)?, number_of(bytes)?, number_of(bytes)?);
        picture.areas.push(Area { start, first, pages });
    }
    Ok(picture)
}

/// Brings the cells of the picture before up to date.
pub(crate) fn cells(bytes: &mut &[u8], cells: &mut Vec<Cell>) -> Result<(), Damaged> {
    let frames = length(bytes, CELLS_MAX)?;
    cells.resize(frames, Cell::default());
    let mut at = 0;
    while at < frames {
        let (same, alike) = (length(bytes, CELLS_MAX)?, length(bytes, CELLS_MAX)?);
        let start = at + same;
        if alike > 0 {
            let cell = Cell::from_bits(number_of(bytes)?);
            cells.get_mut(start..start + alike).ok_or(Damaged::Nonsense)?.fill(cell);
        }
        if same + alike == 0 || start > frames {
            return Err(Damaged::Nonsense);
        }
        at = start + alike;
    }
    Ok(())
}

/// The details, by those of the picture before.
pub(crate) fn details(bytes: &mut &[u8], before: &Details) -> Result<Details, Damaged> {
    let mut details = Details::default();
    for _ in 0..length(bytes, LIST_MAX)? {
        let frame = number_of(bytes)?;
        if is_new(bytes)? {
            details.slabs.push(slab(bytes, frame)?);
        } else {
            let at = before.slabs.binary_search_by_key(&frame, |slab| slab.frame).map_err(|_| Damaged::Nonsense)?;
            details.slabs.push(before.slabs[at].clone());
        }
    }
    let kept = length(bytes, LIST_MAX)?;
    details.sites = match length(bytes, LIST_MAX)? {
        0 if kept == before.sites.len() => before.sites.clone(),
        more => {
            let mut sites = before.sites.get(..kept).ok_or(Damaged::Nonsense)?.to_vec();
            for _ in 0..more {
                sites.push(text(bytes)?);
            }
            Rc::new(sites)
        }
    };
    details.owners = if is_new(bytes)? {
        (0..length(bytes, CELLS_MAX)?).map(|_| Ok((number_of(bytes)?, number_of(bytes)?))).collect::<Result<_, _>>()?
    } else {
        before.owners.clone()
    };
    details.areas = if is_new(bytes)? {
        (0..length(bytes, LIST_MAX)?).map(|_| area(bytes)).collect::<Result<_, _>>()?
    } else {
        before.areas.clone()
    };
    Ok(details)
}

fn is_new(bytes: &mut &[u8]) -> Result<bool, Damaged> {
    match number(bytes)? {
        SAME => Ok(false),
        NEW => Ok(true),
        _ => Err(Damaged::Nonsense),
    }
}

fn slab(bytes: &mut &[u8], frame: u32) -> Result<Slab, Damaged> {
    let (pages, start) = (number_of(bytes)?, number_of(bytes)?);
    let count = length(bytes, OBJECTS_MAX)?;
    let mut objects = Vec::new();
    while objects.len() < count {
        let kind = ObjectUse::ALL.get(length(bytes, OBJECTS_MAX)?).ok_or(Damaged::Nonsense)?;
        let run = length(bytes, (count - objects.len()) as u64)?;
        if run == 0 {
            return Err(Damaged::Nonsense);
        }
        objects.resize(objects.len() + run, *kind);
    }
    Ok(Slab { frame, pages, start, objects })
}

fn area(bytes: &mut &[u8]) -> Result<NamedArea, Damaged> {
    let area =
        NamedArea { start: number(bytes)?, pages: number_of(bytes)?, kind: number_of(bytes)?, site: number_of(bytes)? };
    if usize::from(area.kind) < KINDS.len() { Ok(area) } else { Err(Damaged::Nonsense) }
}
