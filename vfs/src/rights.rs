//! Who may do what with a file: one place for the rules.
//!
//! The owner's bits count for the owner, the group's for its members who are not the owner, the others' for the rest:
//! the first that fit, even if they grant less. Root may do all, but run only what somebody may run.

use bitflags::bitflags;
use kapi::Errno;

use crate::attributes::{Attributes, Change, Kind};
use crate::credentials::Credentials;

bitflags! {
    /// What is to be done with a file.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Rights: u16 {
        /// Read it; of a directory, its names.
        const READ = 4;
        /// Write to it; make and remove names in a directory.
        const WRITE = 2;
        /// Run it; go through a directory.
        const RUN = 1;
        /// Make and remove names in a directory.
        const CHANGE_NAMES = Self::WRITE.bits() | Self::RUN.bits();
    }
}

/// In such a directory a name may be removed by the owner of what it leads to alone, and by the directory's.
const STICKY: u16 = 0o1000;
/// Any right to run.
const ANYBODY_RUNS: u16 = 0o111;

/// Whether `who` may do what is `wanted` with a file.
///
/// # Errors
/// `EACCES`.
pub fn may(who: &Credentials, file: &Attributes, wanted: Rights) -> Result<(), Errno> {
    let granted = if who.is_root() {
        let runs = file.kind == Kind::Directory || file.mode & ANYBODY_RUNS != 0;
        if runs { Rights::all() } else { Rights::READ | Rights::WRITE }
    } else if who.user.effective == file.user {
        Rights::from_bits_truncate(file.mode >> 6)
    } else if who.is_in(file.group) {
        Rights::from_bits_truncate(file.mode >> 3)
    } else {
        Rights::from_bits_truncate(file.mode)
    };
    if granted.contains(wanted) { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether `who` may remove a name in `directory` that leads to `file`, or give it another one.
///
/// # Errors
/// `EACCES`; `EPERM` where the directory is sticky and neither is theirs.
pub fn may_remove(who: &Credentials, directory: &Attributes, file: &Attributes) -> Result<(), Errno> {
    may(who, directory, Rights::CHANGE_NAMES)?;
    let owns = |it: &Attributes| who.user.effective == it.user;
    if directory.mode & STICKY == 0 || who.is_root() || owns(directory) || owns(file) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Whether `who` may make a change of what is known of a file. Its owner may change mode and times, and give it to a
/// group that he is in; root may do all.
///
/// # Errors
/// `EPERM`.
pub fn may_change(who: &Credentials, file: &Attributes, change: Change) -> Result<(), Errno> {
    let owns = who.user.effective == file.user;
    let is_allowed = match change {
        Change::Mode(_) | Change::Times { .. } => owns,
        Change::Owner { user, group } => {
            owns && user.is_none_or(|user| user == file.user)
                && group.is_none_or(|group| group == file.group || who.is_in(group))
        }
        Change::Content => true,
    };
    if is_allowed || who.is_root() { Ok(()) } else { Err(Errno::EPERM) }
}

#[cfg(test)]
mod tests {
    use kapi::Errno;

    use super::{Rights, may, may_change, may_remove};
    use crate::{Attributes, Change, Credentials, Kind, NewIds, Timestamp, Whose};

    fn who(user: u32, group: u32) -> Credentials {
        let mut who = Credentials::ROOT;
        who.set_groups(&[50]).expect("root may");
        who.set(Whose::Group, NewIds::One(group)).expect("root may");
        who.set(Whose::User, NewIds::One(user)).expect("root may");
        who
    }

    fn file(kind: Kind, mode: u16, user: u32, group: u32) -> Attributes {
        Attributes { user, group, ..Attributes::new(kind, mode, Timestamp::default()) }
    }

    #[test]
    fn the_first_bits_that_fit_count() {
        let it = file(Kind::File, 0o047, 1, 5);
        assert_eq!(may(&who(1, 5), &it, Rights::READ), Err(Errno::EACCES), "the owner has none, whatever others have");
        assert_eq!(may(&who(2, 5), &it, Rights::READ), Ok(()));
        assert_eq!(may(&who(2, 5), &it, Rights::WRITE), Err(Errno::EACCES));
        assert_eq!(may(&who(2, 6), &it, Rights::all()), Ok(()));
        let of_another_group = file(Kind::File, 0o640, 1, 50);
        assert_eq!(may(&who(2, 6), &of_another_group, Rights::READ), Ok(()));
        assert_eq!(may(&who(2, 6), &of_another_group, Rights::READ | Rights::WRITE), Err(Errno::EACCES));
    }

    #[test]
    fn root_runs_only_what_somebody_may_run() {
        let root = Credentials::ROOT;
        assert_eq!(may(&root, &file(Kind::File, 0, 1, 1), Rights::READ | Rights::WRITE), Ok(()));
        assert_eq!(may(&root, &file(Kind::File, 0o666, 0, 0), Rights::RUN), Err(Errno::EACCES));
        assert_eq!(may(&root, &file(Kind::File, 0o001, 1, 1), Rights::RUN), Ok(()));
        assert_eq!(may(&root, &file(Kind::Directory, 0, 1, 1), Rights::all()), Ok(()));
    }

    #[test]
    fn names_in_a_sticky_directory_are_their_owners() {
        let shared = file(Kind::Directory, 0o1777, 0, 0);
        let of_one = file(Kind::File, 0o666, 1, 1);
        assert_eq!(may_remove(&who(1, 1), &shared, &of_one), Ok(()));
        assert_eq!(may_remove(&who(2, 2), &shared, &of_one), Err(Errno::EPERM));
        assert_eq!(may_remove(&Credentials::ROOT, &shared, &of_one), Ok(()));
        let of_two = file(Kind::Directory, 0o1777, 2, 2);
        assert_eq!(may_remove(&who(2, 2), &of_two, &of_one), Ok(()), "the directory is his");
        let open = file(Kind::Directory, 0o777, 0, 0);
        assert_eq!(may_remove(&who(2, 2), &open, &of_one), Ok(()));
        let closed = file(Kind::Directory, 0o755, 0, 0);
        assert_eq!(may_remove(&who(1, 1), &closed, &of_one), Err(Errno::EACCES));
    }

    #[test]
    fn owners_change_what_is_theirs_and_root_gives_away() {
        let it = file(Kind::File, 0o600, 1, 1);
        let to = |user, group| Change::Owner { user, group };
        assert_eq!(may_change(&who(1, 1), &it, Change::Mode(0)), Ok(()));
        assert_eq!(may_change(&who(2, 1), &it, Change::Mode(0)), Err(Errno::EPERM));
        assert_eq!(may_change(&who(1, 1), &it, to(Some(1), Some(50))), Ok(()));
        assert_eq!(may_change(&who(1, 1), &it, to(None, Some(2))), Err(Errno::EPERM));
        assert_eq!(may_change(&who(1, 1), &it, to(Some(2), None)), Err(Errno::EPERM));
        assert_eq!(may_change(&Credentials::ROOT, &it, to(Some(2), Some(2))), Ok(()));
        let times = Change::Times { accessed: None, modified: None };
        assert_eq!(may_change(&who(2, 2), &it, times), Err(Errno::EPERM));
        assert_eq!(may_change(&who(2, 2), &it, Change::Content), Ok(()));
    }
}
