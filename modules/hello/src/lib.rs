//! A module to start from: it says hello when it comes, and goodbye when it goes.
#![no_std]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use kapi::{CharDriver, Errno, Kernel, Values};

/// What the kernel makes of this crate.
pub type Module<K> = Hello<K>;

/// The module: made by insmod, dropped by rmmod.
#[derive(Debug)]
pub struct Hello<K: Kernel> {
    kernel: PhantomData<fn() -> K>,
}

impl<K: Kernel> kapi::Module<K> for Hello<K> {
    const NAME: &'static str = "hello";
    const ABOUT: &'static str = "says hello, and goodbye";

    fn load(_values: &Values<'_>) -> Result<Self, Errno> {
        K::log(format_args!("hello: hello"));
        Ok(Self { kernel: PhantomData })
    }
}

/// It has no devices.
impl<K: Kernel> CharDriver for Hello<K> {}

impl<K: Kernel> Drop for Hello<K> {
    fn drop(&mut self) {
        K::log(format_args!("hello: goodbye"));
    }
}
