//! What modinfo shows.
#![forbid(unsafe_code)]

use kapi::ParamSpec;

use super::registry::State;
use super::variables::Variable;

/// What is known of a module.
pub struct Info<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is, on one line.
    pub about: &'a str,
    /// The parameters that it knows.
    pub params: &'static [ParamSpec],
    /// Those of one in C.
    pub variables: &'a [Variable<'a>],
    /// Its state and how many use it, if it is there.
    pub state: Option<(State, usize)>,
}
