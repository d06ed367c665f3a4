//! Memory for an object's parts, with bytes around each that nobody may change.

use loader::{Object, Part, Refusal};

const CANARY: u8 = 0xa5;
const AROUND: usize = 64;

/// Where tests put the parts: within two gigabytes of each other and of the kernel.
pub const BASES: [u64; Part::COUNT] =
    [0xffff_ffff_a000_0000, 0xffff_ffff_a200_0000, 0xffff_ffff_a400_0000, 0xffff_ffff_a600_0000, 0xffff_ffff_a800_0000];

/// An object's parts.
pub struct Memory {
    parts: [Vec<u8>; Part::COUNT],
}

impl Memory {
    pub fn for_object(object: &Object<'_>) -> Self {
        Self { parts: Part::ALL.map(|part| vec![CANARY; object.bytes(part) + 2 * AROUND]) }
    }

    /// Links the object into this memory.
    pub fn link<'a>(
        &mut self,
        object: &Object<'a>,
        bases: &[u64; Part::COUNT],
        resolve: &mut dyn FnMut(&str) -> Option<u64>,
    ) -> Result<(), Refusal<'a>> {
        let parts = self.parts.each_mut().map(|part| {
            let end = part.len() - AROUND;
            &mut part[AROUND..end]
        });
        object.link(bases, parts, resolve)
    }

    /// A part's bytes.
    pub fn part(&self, part: Part) -> &[u8] {
        let bytes = &self.parts[part.index()];
        &bytes[AROUND..bytes.len() - AROUND]
    }

    /// Whether what lies around the parts is as it was.
    pub fn is_sound(&self) -> bool {
        self.parts.iter().all(|part| {
            let (before, rest) = part.split_at(AROUND);
            let (_, behind) = rest.split_at(rest.len() - AROUND);
            before.iter().chain(behind).all(|byte| *byte == CANARY)
        })
    }
}
