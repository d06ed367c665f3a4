//! The parameters of an insmod line.

use kapi::{Errno, Param};

use crate::geometry::{Geometry, checked_qset};
use crate::store::Spec;

/// The most devices that a driver can have.
pub const MAX_DEVICES: usize = 32;
/// Devices of a driver if no parameter says otherwise.
const DEFAULT_DEVICES: usize = 4;

/// What an insmod line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// How new devices are cut.
    pub(crate) geometry: Geometry,
    /// Number of devices, 1..=[`MAX_DEVICES`].
    pub(crate) devices: usize,
    /// The byte limit of all devices, if the line names one.
    pub(crate) limit: Option<u64>,
}

impl Settings {
    /// The settings of a line without parameters.
    pub(crate) fn default_of(spec: &Spec) -> Result<Self, Errno> {
        let geometry = Geometry::new(spec.unit, spec.default_unit, spec.default_qset)?;
        Ok(Self { geometry, devices: DEFAULT_DEVICES, limit: None })
    }

    /// Reads the parameters of a line. `EINVAL` for an unknown one and for a value out of range.
    pub(crate) fn parse(spec: &Spec, params: &[Param<'_>]) -> Result<Self, Errno> {
        let mut settings = Self::default_of(spec)?;
        for param in params {
            settings.apply(spec, param)?;
        }
        Ok(settings)
    }

    fn apply(&mut self, spec: &Spec, param: &Param<'_>) -> Result<(), Errno> {
        if !spec.params.iter().any(|known| known.name == param.name) {
            return Err(Errno::EINVAL);
        }
        let value: u64 = param.value.parse().map_err(|_| Errno::EINVAL)?;
        let count = usize::try_from(value).map_err(|_| Errno::EINVAL)?;
        match param.name.rsplit('_').next() {
            Some("quantum" | "order") => self.geometry = self.geometry.with_quantum(spec.unit.quantum(count)?),
            Some("qset") => self.geometry = self.geometry.with_qset(checked_qset(count)?),
            Some("devs") if (1..=MAX_DEVICES).contains(&count) => self.devices = count,
            Some("limit") => self.limit = Some(value),
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }
}
