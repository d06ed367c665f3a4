//! The parameters of an insmod line.

use kapi::{Errno, Param, Values};

use crate::geometry::Geometry;
use crate::store::{MAX_DEVICES, Spec};

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
    pub(crate) fn default_of(spec: &'static Spec) -> Result<Self, Errno> {
        Self::read(spec, &[])
    }

    /// Reads the parameters of a line. `EINVAL` for one that the driver's table does not allow.
    pub(crate) fn read(spec: &'static Spec, params: &[Param<'_>]) -> Result<Self, Errno> {
        let values = Values::read(&spec.params, params)?;
        let [unit, qset, devices, limit] = &spec.params;
        let number = |name| values.number(name).and_then(|value| usize::try_from(value).ok()).ok_or(Errno::EINVAL);
        let geometry = Geometry::new(spec.unit, number(unit.name)?, number(qset.name)?)?;
        Ok(Self { geometry, devices: number(devices.name)?.min(MAX_DEVICES), limit: values.number(limit.name) })
    }
}
