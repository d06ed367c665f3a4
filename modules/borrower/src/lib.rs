//! A module that calls another one's functions: it borrows a spoon.
#![no_std]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use kapi::{CharDriver, Errno, Kernel, Values};

/// What the kernel makes of this crate.
pub type Module<K> = Borrower<K>;

/// The module.
#[derive(Debug)]
pub struct Borrower<K>(PhantomData<fn() -> K>);

impl<K: Kernel> kapi::Module<K> for Borrower<K> {
    const NAME: &'static str = "borrower";
    const ABOUT: &'static str = "borrows a spoon of lender's";

    /// `EBUSY` when all spoons are lent.
    fn load(_values: &Values<'_>) -> Result<Self, Errno> {
        let spoon = lender::lend().ok_or(Errno::EBUSY)?;
        K::log(format_args!("borrower: has spoon {spoon}"));
        Ok(Self(PhantomData))
    }
}

impl<K: Kernel> CharDriver for Borrower<K> {}

impl<K> Drop for Borrower<K> {
    fn drop(&mut self) {
        lender::take_back();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use kapi::Errno;
    use kapi::testing::{self, Host};

    use super::Borrower;

    #[test]
    fn there_are_as_many_borrowers_as_spoons() {
        let _machine = testing::machine();
        let borrow = || testing::insmod::<Borrower<Host>>(&[]);
        let borrowers = [(); lender::SPOONS as usize].map(|()| borrow().expect("a spoon is left"));
        assert_eq!(borrow().err(), Some(Errno::EBUSY));
        drop(borrowers);
        assert!(borrow().is_ok());
    }
}
