//! The parameters of an insmod line.

use kapi::{Errno, Values};

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
        Self::of(spec, &Values::read(&spec.params, &[])?)
    }

    /// What a line with these values asks for. `EINVAL` for a geometry that cannot be.
    pub(crate) fn of(spec: &'static Spec, values: &Values<'_>) -> Result<Self, Errno> {
        let [unit, qset, devices, limit] = &spec.params;
        let number = |name| values.number(name).and_then(|value| usize::try_from(value).ok()).ok_or(Errno::EINVAL);
        let geometry = Geometry::new(spec.unit, number(unit.name)?, number(qset.name)?)?;
        Ok(Self { geometry, devices: number(devices.name)?.min(MAX_DEVICES), limit: values.number(limit.name) })
    }
}
