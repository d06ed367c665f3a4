//! What modinfo shows.
#![forbid(unsafe_code)]

use kapi::ParamSpec;

use super::registry::State;

/// What is known of a module.
pub struct Info<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is, on one line.
    pub about: &'a str,
    /// The parameters that it knows.
    pub params: &'static [ParamSpec],
    /// Its state and how many use it, if it is there.
    pub state: Option<(State, usize)>,
}
