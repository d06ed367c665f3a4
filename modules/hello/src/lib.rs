//! A module to start from: it says hello when it comes, goodbye when it goes.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt::Debug;

use kapi::mm::own::KString;
use kapi::{CharDriver, Errno, Kernel, ParamKind, ParamSpec, Values};

/// What the kernel makes of this crate.
pub type Module<K> = Hello<K>;

/// The module. insmod makes it, rmmod drops it, and what it owns goes with it.
#[derive(Debug)]
pub struct Hello<K: Kernel> {
    who: KString<K>,
}

impl<K: Kernel> kapi::Module<K> for Hello<K> {
    const NAME: &'static str = "hello";
    const ABOUT: &'static str = "says hello, and goodbye";
    const PARAMS: &'static [ParamSpec] =
        &[ParamSpec { name: "who", kind: ParamKind::Text { most: 64, default: "world" }, help: "whom it greets" }];

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let who = KString::try_format(format_args!("{}", values.text("who")))?;
        K::log(format_args!("hello, {who}"));
        Ok(Self { who })
    }
}

/// It has no devices.
impl<K: Kernel> CharDriver for Hello<K> {}

impl<K: Kernel> Drop for Hello<K> {
    fn drop(&mut self) {
        K::log(format_args!("goodbye, {}", self.who));
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use kapi::testing::{self, Host};

    use super::Hello;

    #[test]
    fn it_greets_whom_it_is_told_to_and_keeps_no_memory() {
        let _machine = testing::machine();
        let before = testing::in_use();
        let hello = testing::insmod::<Hello<Host>>(&["who=moon"]).expect("a good line");
        drop(hello);
        assert_eq!(testing::take_log(), ["hello, moon", "goodbye, moon"]);
        assert_eq!(testing::in_use(), before);
    }
}
