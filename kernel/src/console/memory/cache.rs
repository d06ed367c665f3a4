//! `cache`: lookaside caches made by hand.

use ::mm::objects::{CacheFlags, CacheName};
use shell::options::of;
use shell::words::Args;
use shell::{Env, Failure, Job, Outcome, Status};

use super::operands::{address, bytes, gfp, locked, need, operands};
use super::show;
use crate::mm::handouts::{self, Callees, NewCache, Request};

/// The words that may follow `cache`.
pub(super) const CALLS: [&str; 5] = ["alloc", "create", "destroy", "free", "shrink"];

/// Before a number: the offset, as kmem_cache_create calls it.
const OFFSET: &str = "offset=";

/// Flags by the names that `create` takes.
const FLAGS: [(&str, CacheFlags); 5] = [
    ("SLAB_CACHE_DMA", CacheFlags::CACHE_DMA),
    ("SLAB_HWCACHE_ALIGN", CacheFlags::HWCACHE_ALIGN),
    ("SLAB_NO_REAP", CacheFlags::NO_REAP),
    ("SLAB_POISON", CacheFlags::POISON),
    ("SLAB_RED_ZONE", CacheFlags::RED_ZONE),
];

/// `cache create NAME SIZE [ctor|ctor+dtor|dtor] [offset=BYTES] [FLAG...]`, `cache alloc NAME [FLAGS]`,
/// `cache free NAME ADDRESS`, `cache shrink NAME`, `cache destroy NAME`
pub(super) fn request(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let call = need(args.get(0))?;
    let rest = args.skip(1);
    match call {
        "create" => create(rest),
        "alloc" => {
            let [name, flags] = operands(rest)?;
            Ok(Request::CacheAlloc(named(name)?, gfp(flags)?))
        }
        "free" => {
            let [name, object] = operands(rest)?;
            Ok(Request::CacheFree(named(name)?, address(need(object)?)?))
        }
        "shrink" => {
            let [name] = operands(rest)?;
            Ok(Request::CacheShrink(named(name)?))
        }
        "destroy" => {
            let [name] = operands(rest)?;
            Ok(Request::CacheDestroy(named(name)?))
        }
        _ => Err(Failure::Argument("the calls are create, alloc, free, shrink, destroy", call)),
    }
}

/// The words that may follow the size of a new cache.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    ["ctor", "ctor+dtor", "dtor", OFFSET].into_iter().chain(FLAGS.map(|(name, _)| name))
}

fn create(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let name = named(args.get(0))?;
    let size = bytes(need(args.get(1))?)?;
    let (mut offset, mut flags, mut callees) = (0, CacheFlags::empty(), Callees::None);
    for word in args.skip(2).iter() {
        match word {
            "ctor" => callees = Callees::Ctor,
            "ctor+dtor" => callees = Callees::CtorAndDtor,
            "dtor" => callees = Callees::Dtor,
            _ if word.starts_with(OFFSET) => {
                offset = bytes(&word[OFFSET.len()..]).map_err(|failure| of(failure, word))?;
            }
            _ => {
                let flag = FLAGS.iter().find(|(name, _)| *name == word);
                flags |= flag.ok_or(Failure::Argument("no flag of a cache; help cache lists them", word))?.1;
            }
        }
    }
    Ok(Request::CacheCreate(NewCache { name, size, offset, flags, callees }))
}

/// A cache's name.
fn named(word: Option<&str>) -> Result<CacheName, Failure<'_>> {
    let word = need(word)?;
    CacheName::new(word).map_err(|error| Failure::Argument(error.reason(), word))
}

/// `cache`: those that were created at the prompt.
pub(super) fn list<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut out = job.out();
    for cache in handouts::all_caches().map_err(locked)? {
        writeln!(out, "{}", show::cache(&cache))?;
    }
    out.finish()?;
    Ok(Status::OK)
}
