//! What benchmarks came to: tables, plots, the page, and who is ahead.
//!
//! `rows` has the words, `results` the figures of one table, `scale` those by size; `table`, `plot` and `page` show
//! them, [`summary()`] says in which rows a peer is ahead. No allocator is in here: they are in `bench`, which takes
//! minutes to build. [`commit()`] and [`wrapped`] are also for whoever else writes a page of figures.
#![forbid(unsafe_code)]

mod commit;
mod notes;
mod page;
mod plot;
mod results;
mod rows;
pub mod scale;
mod summary;
mod table;
mod words;

pub use commit::commit;
pub use page::{SECTIONS, Section, render as page};
pub use plot::render as plot;
pub use results::{Line, Results};
pub use rows::{Heading, Outcome, Role, Unit};
pub use summary::line as summary;
pub use table::render as table;
pub use words::wrapped;
