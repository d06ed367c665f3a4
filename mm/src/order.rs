//! The size of a block of pages: 2^order pages, order 0 to 9.

use crate::addr::PAGE_SIZE;

/// log2 of a block's size in pages, 0..=9 (4 KiB .. 2 MiB). (Chapter: "get_free_page and Friends".)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Order(u8);

impl Order {
    /// One page.
    pub const ZERO: Self = Self(0);
    /// The largest block: 512 pages, 2 MiB.
    pub const MAX: Self = Self(9);
    /// How many orders there are.
    pub const COUNT: usize = 10;

    /// The order `log2_pages`, or `None` above 9.
    pub const fn new(log2_pages: usize) -> Option<Self> {
        if log2_pages < Self::COUNT { Some(Self(log2_pages as u8)) } else { None }
    }

    /// The smallest order whose block holds `bytes`, or `None` above 2 MiB.
    pub const fn for_bytes(bytes: usize) -> Option<Self> {
        if bytes > Self::MAX.bytes() {
            return None;
        }
        let pages = bytes.div_ceil(PAGE_SIZE);
        Self::new(pages.next_power_of_two().trailing_zeros() as usize)
    }

    /// log2 of the block's pages.
    pub const fn log2(self) -> usize {
        self.0 as usize
    }

    /// Pages in a block of this order.
    pub const fn pages(self) -> u32 {
        1 << self.0
    }

    /// Bytes in a block of this order.
    pub const fn bytes(self) -> usize {
        PAGE_SIZE << self.0
    }

    /// The next larger order, or `None` at the largest.
    pub const fn larger(self) -> Option<Self> {
        Self::new(self.0 as usize + 1)
    }

    /// The next smaller order, or `None` at order 0.
    pub const fn smaller(self) -> Option<Self> {
        match self.0 {
            0 => None,
            n => Some(Self(n - 1)),
        }
    }

    /// The largest block that may start at the page with this number, aligned to its size, and is not longer than
    /// `pages`.
    pub const fn largest_at(page: u32, pages: u32) -> Self {
        let (aligned, fits) = (page.trailing_zeros(), if pages == 0 { 0 } else { pages.ilog2() });
        let order = if aligned < fits { aligned } else { fits };
        if order < Self::MAX.0 as u32 { Self(order as u8) } else { Self::MAX }
    }

    /// All orders, smallest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn orders_end_at_nine() {
        // Shows: K2, S41
        assert_eq!(Order::new(9), Some(Order::MAX));
        assert_eq!(Order::new(10), None);
        assert_eq!(Order::MAX.bytes(), 2 << 20);
    }

    #[test]
    fn order_for_bytes_rounds_up() {
        // Shows: S40
        assert_eq!(Order::for_bytes(1), Some(Order::ZERO));
        assert_eq!(Order::for_bytes(4096), Some(Order::ZERO));
        assert_eq!(Order::for_bytes(4097), Order::new(1));
        assert_eq!(Order::for_bytes(2 << 20), Some(Order::MAX));
        assert_eq!(Order::for_bytes((2 << 20) + 1), None);
        assert_eq!(Order::for_bytes(0), Some(Order::ZERO));
    }

    #[test]
    fn the_largest_block_at_a_page_is_aligned_and_fits() {
        for page in (0..2048).chain([u32::MAX - 511, 1 << 31]) {
            for pages in (0..40).chain([511, 512, 513, 1023, 1024, 4096]) {
                let fits = |order: &Order| page % order.pages() == 0 && order.pages() <= pages;
                let largest = Order::all().rev().find(fits).unwrap_or(Order::ZERO);
                assert_eq!(Order::largest_at(page, pages), largest, "{pages} pages at {page}");
            }
        }
    }
}
