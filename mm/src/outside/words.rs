//! Groups of words in the header: where the numbers of one part lie.
//!
//! Each has what it needs to be written down: every field in a fixed order.

/// A group of words: its fields, and the group that knows nothing.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct $name {
            $($(#[$field_about])* pub $field: u64,)*
        }

        impl $name {
            /// Nothing is known.
            pub(super) const EMPTY: Self = Self { $($field: 0,)* };
            /// How many words it is.
            pub(super) const WORDS: usize = size_of::<Self>() / size_of::<u64>();

            /// Every field, in order.
            pub(super) fn each(&mut self, visit: &mut dyn FnMut(&mut u64)) {
                $(visit(&mut self.$field);)*
            }
        }
    };
}

words! {
    /// The addresses of a zone's numbers, each of 64 bits.
    ZoneWords {
        /// Of the pages that it was handed at boot.
        managed,
        /// Of the pages in the lists of free blocks.
        listed,
        /// Of the pages in the depots.
        depot,
        /// Of the watermark `min`, in pages.
        min,
        /// Of the watermark `low`.
        low,
        /// Of the watermark `high`.
        high,
        /// Of the blocks handed out from below `min`.
        reserve_allocs,
        /// Of the requests that the zone could not serve.
        refusals,
        /// Of the requests for this zone first that slept.
        sleeps,
        /// Of the requests for this zone first that failed.
        failures,
    }
}

words! {
    /// Where the counts of events lie: one set of words for each CPU, and one for callers without any.
    EventWords {
        /// The address of the first set.
        first,
        /// How many sets there are.
        sets,
        /// Bytes from one set to the next.
        stride,
        /// Which word of a set counts the calls of shrinkers.
        reclaims,
        /// Which word counts the frees that were refused.
        bad_frees,
        /// Which word counts the rounds of kswapd.
        rounds,
        /// Which word counts the pages read from disks, without those of swap.
        pages_in,
        /// Which word counts the pages written to disks, without those of swap.
        pages_out,
        /// Which word counts the pages read from swap.
        swapped_in,
        /// Which word counts the pages written to swap.
        swapped_out,
        /// Which word counts the processes ended because memory was out.
        oom_kills,
    }
}

words! {
    /// The addresses of the numbers of swap, each of 64 bits; 0 where there can be none.
    SwapWords {
        /// Of the slots that there are.
        slots,
        /// Of those that nobody has.
        free,
    }
}

words! {
    /// Where the list of caches begins, and where in a cache to find what.
    CacheFields {
        /// The address of the first word of the list: the address of the newest cache, or 0.
        head,
        /// The offset of the address of the next older cache.
        next,
        /// The offset of the word of its pages.
        word,
        /// The offset of the characters of its name.
        name,
        /// Characters that a name has room for; behind the last one are zeros.
        name_max,
        /// The offset of the bytes from one object to the next.
        stride,
    }
}

words! {
    /// Where in the descriptor of a slab to find what. The link of each of the slab's pages is its address. The state
    /// of each object is a byte; that of the first stands right before the descriptor, the next before that.
    SlabFields {
        /// The offset of the address of the first object.
        first,
        /// The offset of how many objects there are, in 16 bits.
        objects,
        /// The state of a free object.
        free,
        /// The state of one in a magazine.
        cached,
        /// The state of one in quarantine.
        quarantined,
        /// The state of one that somebody has.
        live,
    }
}

words! {
    /// Who allocated what: where the table of pages' owners is, and where in the place of a call to find what.
    SiteFields {
        /// The address of the word with the table's address, or 0: there is none. The table has a word for each frame:
        /// the address of a place, or 0.
        owners,
        /// The offset of the address of the file's name.
        file,
        /// The offset of how many bytes that has.
        file_bytes,
        /// The offset of the line's number, in 32 bits.
        line,
    }
}

words! {
    /// Where in the descriptor of an area to find what. The descriptors are the objects of a cache.
    AreaFields {
        /// The number of that cache.
        cache,
        /// The offset of the first address.
        start,
        /// The offset of how many pages are mapped.
        pages,
        /// The offset of the word of what it is for: `areas::AreaKind::of_word`.
        word,
        /// The offset of the address of the place of the call that allocated it.
        caller,
        /// Bytes of a descriptor.
        bytes,
    }
}

words! {
    /// A run of frames that the page map says nothing about.
    Region {
        /// The first frame's number.
        start,
        /// The number behind the last frame's.
        end,
        /// The number of its [`Class`](super::Class).
        class,
    }
}
