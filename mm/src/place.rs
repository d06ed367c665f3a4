//! Values that are made where they stay, because a boot stack is too small.
//!
//! Key types: [`Place`], and the macro [`in_place`]. What is large is made field by field and element by element, so
//! that the stack holds one of them at a time; in builds without optimisation too.

use core::ptr::NonNull;

/// A place for a value, for ever. Whoever has this has it alone.
pub(crate) struct Place<T: 'static>(NonNull<T>);

impl<T> Place<T> {
    /// The place at `place`.
    ///
    /// # Safety
    /// It is valid for a `T` for ever, and nothing else uses it.
    pub(crate) const unsafe fn new(place: NonNull<T>) -> Self {
        Self(place)
    }

    /// Where it is.
    pub(crate) const fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    /// Puts what `make` makes there. A function of its own: its stack is free when it returns.
    #[inline(never)]
    pub(crate) fn make(self, make: impl FnOnce() -> T) -> &'static T {
        // SAFETY: the place is ours alone.
        unsafe { self.0.write(make()) };
        // SAFETY: it was written, and is only shared from now on.
        unsafe { self.0.as_ref() }
    }
}

impl<T, const N: usize> Place<[T; N]> {
    /// Makes each element in its place.
    pub(crate) fn fill(self, mut make: impl FnMut(usize) -> T) -> &'static [T; N] {
        let first = self.0.cast::<T>();
        for nth in 0..N {
            // SAFETY: the array has N elements.
            let element = unsafe { first.add(nth) };
            // SAFETY: the place is ours alone, and each element is handed out once.
            unsafe { Place::new(element) }.make(|| make(nth));
        }
        // SAFETY: all elements were written, and are only shared from now on.
        unsafe { self.0.as_ref() }
    }
}

/// Puts a small value into a place: for [`in_place`].
pub(crate) fn value<T>(value: T) -> impl FnOnce(Place<T>) -> &'static T {
    |place| place.make(|| value)
}

/// Makes each field of the struct `Self` in its place by a function from that place, in this order, and gives a
/// reference to the whole. A function may use the fields before its own by their names. To leave a field out does not
/// compile.
macro_rules! in_place {
    ($place:expr, Self { $($field:ident: $init:expr),+ $(,)? }) => {{
        let place: $crate::place::Place<Self> = $place;
        let place = place.as_ptr();
        // Every field is named, and named once.
        let _ = |all: &Self| { let Self { $($field: _),+ } = all; };
        $(
            // SAFETY: the field lies in the place, which the caller had alone.
            let field = unsafe { &raw mut (*place).$field };
            // SAFETY: a field's address is not null.
            let field = unsafe { core::ptr::NonNull::new_unchecked(field) };
            // SAFETY: each field is named once.
            let field = unsafe { $crate::place::Place::new(field) };
            #[expect(clippy::allow_attributes, reason = "not every field is used by later ones")]
            #[allow(unused_variables)]
            let $field: &'static _ = $init(field);
        )+
        // SAFETY: all fields were written, and are only shared from now on.
        unsafe { &*place }
    }};
}

pub(crate) use in_place;
