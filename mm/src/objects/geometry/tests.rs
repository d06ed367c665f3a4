//! How objects of every size lie in their slabs.

use super::{CacheFlags, DebugFlags, GAP, Geometry, OBJECT_SIZES, OFF_SLAB_PLACES};
use crate::error::CreateError;
use crate::objects::descriptor::{PLACES_MAX, Slab};

fn stride(size: usize) -> usize {
    Geometry::for_cache(size, 0, CacheFlags::HWCACHE_ALIGN).expect("a legal size").stride
}

#[test]
fn line_aligned_sizes_follow_2_4() {
    // Shows: S23
    for (size, expected) in [(8, 16), (9, 32), (31, 64), (100, 128), (200, 256), (700, 704), (1500, 1536)] {
        assert_eq!(stride(size), expected, "{size}");
    }
    for (size, expected) in [(2000, 2048), (3000, 3008), (4000, 4032), (5000, 5056)] {
        assert_eq!(stride(size), expected, "{size}");
    }
}

#[test]
fn objects_and_descriptor_never_overlap() {
    for size in OBJECT_SIZES {
        for flags in [CacheFlags::empty(), CacheFlags::HWCACHE_ALIGN] {
            let g = Geometry::for_cache(size, 0, flags).expect("a legal size");
            let end = g.colours * g.colour_step + g.objects * g.stride;
            assert!(g.objects > 0 && g.stride >= size);
            assert!(end <= g.descriptor_offset.unwrap_or(g.bytes()), "{size}: {g:?}");
            match g.descriptor_offset {
                Some(offset) => {
                    assert!(end + g.states_room() <= offset, "{size}: {g:?}");
                    assert!(offset + Slab::BYTES + GAP <= g.bytes() && g.places() <= PLACES_MAX, "{size}: {g:?}");
                }
                None => assert!(g.places() <= OFF_SLAB_PLACES, "{size}: {g:?}"),
            }
        }
    }
}

#[test]
fn no_slab_wastes_more_than_an_eighth() {
    for size in OBJECT_SIZES {
        for flags in [CacheFlags::empty(), CacheFlags::HWCACHE_ALIGN] {
            let g = Geometry::for_cache(size, 0, flags).expect("a legal size");
            assert!(g.leftover() * 8 <= g.bytes(), "{size}: {g:?}");
            assert!(g.pages <= g.order.pages() && g.pages * 2 > g.order.pages(), "{size}: {g:?}");
        }
    }
}

#[test]
fn debugging_doubles_the_stride_of_a_class_or_more() {
    // Shows: K3
    for debug in [DebugFlags::RED_ZONE, DebugFlags::RED_ZONE | DebugFlags::USERS | DebugFlags::POISON] {
        for shift in 5..=17 {
            let g = Geometry::for_class(1 << shift, debug);
            let stride = [192, 256, 384].get(shift - 5).copied().unwrap_or(2 << shift);
            assert_eq!((g.stride, g.usable, g.lead), (stride, 1 << shift, (1 << shift).max(64)), "{g:?}");
            assert!(g.stride - g.usable >= 128 && g.lead + g.reach() <= g.bytes(), "{g:?}");
        }
    }
}

#[test]
fn small_objects_are_packed_densely() {
    for (size, percent) in [(64, 3), (100, 4), (192, 3)] {
        let g = Geometry::for_cache(size, 0, CacheFlags::empty()).expect("a legal size");
        let spent = g.bytes() - g.objects * size;
        assert!(spent * 100 <= percent * g.bytes(), "{size}: {g:?}");
    }
}

#[test]
fn classes_waste_at_most_an_eighth() {
    for shift in 5..=17 {
        let g = Geometry::for_class(1 << shift, DebugFlags::empty());
        assert_eq!(g.colours, 0);
        assert!(g.leftover() * 8 <= g.bytes(), "{g:?}");
        // What is no object, in thousandths of the slab: leftover and descriptor.
        let wasted = (g.bytes() - g.objects * g.stride) * 1000 / g.bytes();
        assert_eq!(wasted, [78, 62, 62, 62].get(shift - 5).copied().unwrap_or(0), "{g:?}");
    }
}

#[test]
fn a_fallback_has_as_few_pages_as_hold_an_object() {
    for size in OBJECT_SIZES {
        let g = Geometry::for_cache(size, 0, CacheFlags::empty()).expect("a legal size");
        let Some(smaller) = g.fallback() else { continue };
        assert_eq!(smaller.pages as usize, g.stride.div_ceil(4096), "{size}");
        assert!(smaller.order < g.order && smaller.objects < g.objects && smaller.fallback().is_none(), "{size}");
        assert!(smaller.leftover() * 2 < smaller.bytes(), "{size}: less than half of it is left over");
        let end = smaller.colours * smaller.colour_step + smaller.objects * smaller.stride;
        assert!(smaller.objects > 0 && end <= smaller.descriptor_offset.unwrap_or(smaller.bytes()), "{size}");
    }
    let fallback = |g: Geometry| g.fallback().map(|smaller| (g.pages, smaller.pages));
    assert_eq!(fallback(Geometry::for_class(4096, DebugFlags::empty())), Some((8, 1)));
    assert_eq!(fallback(Geometry::for_class(4096, DebugFlags::RED_ZONE)), None);
    assert_eq!(fallback(Geometry::for_class(32_768, DebugFlags::empty())), None);
}

#[test]
fn bad_sizes_and_offsets_are_refused() {
    let create = |size, offset| Geometry::for_cache(size, offset, CacheFlags::empty());
    assert_eq!(create(0, 0), Err(CreateError::BadSize));
    assert_eq!(create(7, 0), Err(CreateError::BadSize));
    assert_eq!(create(131_073, 0), Err(CreateError::BadSize));
    assert_eq!(create(100, 101), Err(CreateError::BadOffset));
    assert!(create(100, 100).is_ok());
}
