//! Bytes in single pages: the content of a file in /tmp, the text of an open file in /proc.
//!
//! Two levels: tables of 1024 pages, and an array of tables. Pages exist where something was written; what lies between
//! them reads as zeros. The pages may be of high memory: each is shown for the moment of a copy.

use kapi::{Errno, IoBuf};
use mm::{GfpFlags, PAGE_SIZE};

use crate::mm::{KVec, UserPage};

/// Pages of a table: one page of handles.
const TABLE: usize = PAGE_SIZE / size_of::<Option<UserPage>>();
/// Tables that an array of 131072 bytes holds.
const TABLES: usize = 131_072 / size_of::<Table>();
/// Bytes that the largest file has, some 20 GiB.
const MAX_SIZE: u64 = (TABLES * TABLE * PAGE_SIZE) as u64;

type Table = KVec<Option<UserPage>>;

/// A sparse array of bytes.
pub(super) struct Pages {
    gfp: GfpFlags,
    tables: KVec<Table>,
    size: u64,
    pages: usize,
}

impl Pages {
    /// No bytes, no memory. Pages will be allocated with `gfp`.
    pub(super) const fn new(gfp: GfpFlags) -> Self {
        Self { gfp, tables: KVec::new(), size: 0, pages: 0 }
    }

    /// Bytes up to the end of what was written.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Pages that exist.
    pub(super) const fn pages(&self) -> usize {
        self.pages
    }

    /// Reads at `position`; 0 at the end.
    pub(super) fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut at = position;
        while at < self.size && buf.remaining() > 0 {
            let (index, offset) = split(at);
            let len = (PAGE_SIZE - offset).min(usize::try_from(self.size - at).unwrap_or(PAGE_SIZE));
            let copied = match self.page(index) {
                Some(page) => page.show(|bytes| buf.put(&bytes[offset..offset + len]))??,
                None => buf.put_zeros(len)?,
            };
            at += copied as u64;
        }
        Ok((at - position) as usize)
    }

    /// Writes at `position`, at most to the end of a page, making that page if `admit` agrees. On failure nothing has
    /// changed that could be seen. `EFBIG` beyond the largest size, `ENOMEM`.
    pub(super) fn write_page(
        &mut self,
        position: u64,
        buf: &mut IoBuf<'_>,
        admit: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<usize, Errno> {
        if position >= MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let (index, offset) = split(position);
        let gfp = self.gfp;
        let place = self.place(index)?;
        let mut made = 0;
        let page = match place {
            Some(page) => page,
            empty => {
                admit()?;
                made = 1;
                empty.insert(UserPage::zeroed(gfp)?)
            }
        };
        let copied = page.show_mut(|bytes| buf.get(&mut bytes[offset..]));
        self.pages += made;
        let n = copied??;
        self.size = self.size.max(position + n as u64);
        Ok(n)
    }

    /// Appends `bytes`; on failure a part of them may have been appended.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let mut buf = IoBuf::take(bytes);
        while buf.remaining() > 0 {
            self.write_page(self.size, &mut buf, || Ok(()))?;
        }
        Ok(())
    }

    fn page(&self, index: usize) -> Option<&UserPage> {
        self.tables.get(index / TABLE)?.get(index % TABLE)?.as_ref()
    }

    /// The place of page `index`, with the tables that lead to it.
    fn place(&mut self, index: usize) -> Result<&mut Option<UserPage>, Errno> {
        while self.tables.len() <= index / TABLE {
            self.tables.push(Table::new(), GfpFlags::KERNEL)?;
        }
        let table = &mut self.tables[index / TABLE];
        if table.is_empty() {
            let mut fresh = Table::with_capacity(TABLE, GfpFlags::KERNEL)?;
            for _ in 0..TABLE {
                fresh.push(None, GfpFlags::KERNEL)?;
            }
            *table = fresh;
        }
        Ok(&mut table[index % TABLE])
    }
}

/// The page that holds the byte at `position`, and its offset there.
const fn split(position: u64) -> (usize, usize) {
    ((position / PAGE_SIZE as u64) as usize, (position % PAGE_SIZE as u64) as usize)
}
