//! What Tab completes to behind the chapter's calls.

use core::fmt::Write;

use shell::expected::Place;
use shell::text::Text;

use super::{CALLS, cache};
use crate::mm::handouts::{self, Request, What};

/// Words for GFP flags, the ones that are used most.
const FLAGS: [&str; 6] = ["GFP_ATOMIC", "GFP_BUFFER", "GFP_DMA", "GFP_HIGHUSER", "GFP_KERNEL", "GFP_USER"];

/// Calls `visit` with each word that may stand at `place`, if the command there is one of the chapter's, and says
/// whether it is. Process context.
pub fn words(place: Place<'_>, visit: &mut dyn FnMut(&str)) -> bool {
    // Behind `@irq kmalloc` nobody knows how many operands stand there already.
    let (command, first) = match place {
        Place { command: "@irq", first: Some(call) } => (call, None),
        Place { command, first } => (command, first),
    };
    match (command, first) {
        ("@irq", None) => CALLS.iter().for_each(|call| visit(call.name)),
        ("cache", None) => cache::CALLS.into_iter().for_each(visit),
        ("cache", Some("create")) => cache::words().for_each(visit),
        ("cache", Some(_)) => each_cache(visit),
        ("getzeroed", None) | ("kmalloc" | "getpages", Some(_)) => FLAGS.into_iter().for_each(visit),
        ("kmalloc" | "getpages", None) if place.command == "@irq" => FLAGS.into_iter().for_each(visit),
        ("kfree", None) => each_handout(|what| matches!(what.free(), Request::Kfree(_)), visit),
        ("freepages", None) => each_handout(|what| matches!(what, What::Block(..)), visit),
        ("vfree", None) => each_handout(|what| matches!(what, What::Area(..)), visit),
        ("iounmap", None) => each_handout(|what| matches!(what, What::Device(..)), visit),
        ("page" | "peek" | "poke", None) => each_handout(|_| true, visit),
        ("page" | "peek" | "poke", Some(_)) => {}
        _ => return CALLS.iter().any(|call| call.name == command),
    }
    true
}

/// The caches that were created at the prompt.
fn each_cache(visit: &mut dyn FnMut(&str)) {
    if let Ok(caches) = handouts::all_caches() {
        caches.for_each(|cache| visit(cache.name.as_str()));
    }
}

/// The numbers of the live handouts that are `wanted`.
fn each_handout(wanted: impl Fn(What) -> bool, visit: &mut dyn FnMut(&str)) {
    let next = |before: u32| handouts::live_after(before).ok().flatten();
    let all = core::iter::successors(next(0), |handout| next(handout.number));
    for handout in all.filter(|handout| wanted(handout.what)) {
        let mut word = Text::<16>::new();
        if write!(word, "m{}", handout.number).is_ok() {
            visit(word.as_str());
        }
    }
}
