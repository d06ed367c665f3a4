//! Which lines of the sources have code in a kernel, by its debug information.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result};
use gimli::{DwarfSections, EndianSlice, LineRow, LittleEndian, SectionId, UnitRef};
use object::{Object, ObjectSection};

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// What was not linked is described all the same, at address 0 and the next ones.
const LOWEST: u64 = 1 << 32;

/// The lines, by the path of their file as the compiler was given it.
#[derive(Debug, Default)]
pub struct Code {
    lines: BTreeMap<String, BTreeSet<u64>>,
}

impl Code {
    /// Reads the line tables of a kernel.
    pub fn read(kernel: &Path) -> Result<Self> {
        let data = fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
        let file = object::File::parse(&*data)?;
        let sections = DwarfSections::load(|id: SectionId| section(&file, id))?;
        let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
        let mut this = Self::default();
        let mut units = dwarf.units();
        while let Some(header) = units.next()? {
            let unit = dwarf.unit(header)?;
            this.add(unit.unit_ref(&dwarf))?;
        }
        Ok(this)
    }

    fn add(&mut self, unit: UnitRef<'_, Bytes<'_>>) -> Result<()> {
        let Some(program) = unit.line_program.clone() else { return Ok(()) };
        let mut rows = program.rows();
        while let Some((_, row)) = rows.next_row()? {
            let (row, is_code) = (*row, row.is_stmt() && !row.end_sequence() && row.address() >= LOWEST);
            if let (true, Some(line), Some(path)) = (is_code, row.line(), path(unit, &row)?) {
                self.lines.entry(path).or_default().insert(line.get());
            }
        }
        Ok(())
    }

    /// Whether one of the lines of a file has code.
    pub fn is_in(&self, file: &str, lines: RangeInclusive<usize>) -> bool {
        let known = self.lines.get(file);
        known.is_some_and(|known| known.range(*lines.start() as u64..=*lines.end() as u64).next().is_some())
    }
}

fn section<'data>(file: &object::File<'data>, id: SectionId) -> Result<Cow<'data, [u8]>> {
    file.section_by_name(id.name()).map_or(Ok(Cow::Borrowed(&[][..])), |section| Ok(section.uncompressed_data()?))
}

/// The path of a row's file: from the directory in which the compiler ran, or from the root.
fn path(unit: UnitRef<'_, Bytes<'_>>, row: &LineRow) -> Result<Option<String>> {
    let Some(program) = &unit.line_program else { return Ok(None) };
    let Some(file) = row.file(program.header()) else { return Ok(None) };
    let name = unit.attr_string(file.path_name())?.to_string_lossy().into_owned();
    let directory = match file.directory(program.header()) {
        // The first is the one in which the compiler ran.
        Some(directory) if file.directory_index() != 0 => unit.attr_string(directory)?.to_string_lossy().into_owned(),
        _ => return Ok(Some(name)),
    };
    Ok(Some(format!("{directory}/{name}")))
}
