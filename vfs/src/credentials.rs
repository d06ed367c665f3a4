//! Who asks: the users and groups of a process, and how they change.
//!
//! Key types: [`Credentials`], [`Ids`]. User 0 is root, who may become anybody; the others change between the numbers
//! that they have. The rules are those of POSIX, and of setresuid where POSIX has none.

use kapi::Errno;

/// Further groups that a process may have.
pub const MAX_GROUPS: usize = 16;

/// The numbers of a user, or of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ids {
    /// Who has started the program.
    pub real: u32,
    /// Whose rights it has.
    pub effective: u32,
    /// Whose rights it may get back.
    pub saved: u32,
}

/// Whether the rules for numbers hold for somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Power {
    /// Any number will do.
    Root,
    /// Only those that he has.
    Ordinary,
}

impl Ids {
    const fn has(self, id: u32) -> bool {
        id == self.real || id == self.effective || id == self.saved
    }

    /// As setuid: root changes all three for good, another the effective one.
    fn set(&mut self, id: u32, power: Power) -> Result<(), Errno> {
        match power {
            Power::Root => *self = Self { real: id, effective: id, saved: id },
            Power::Ordinary if id == self.real || id == self.saved => self.effective = id,
            Power::Ordinary => return Err(Errno::EPERM),
        }
        Ok(())
    }

    /// As setreuid: the saved one follows when the real one is set, or the effective one to what the real one was not.
    fn set_pair(&mut self, real: Option<u32>, effective: Option<u32>, power: Power) -> Result<(), Errno> {
        let takes_real = |id| id == self.real || id == self.effective;
        let is_allowed = real.is_none_or(takes_real) && effective.is_none_or(|id| self.has(id));
        if power == Power::Ordinary && !is_allowed {
            return Err(Errno::EPERM);
        }
        let follows = real.is_some() || effective.is_some_and(|id| id != self.real);
        self.real = real.unwrap_or(self.real);
        self.effective = effective.unwrap_or(self.effective);
        if follows {
            self.saved = self.effective;
        }
        Ok(())
    }

    /// As setresuid: `[real, effective, saved]`.
    fn set_each(&mut self, new: [Option<u32>; 3], power: Power) -> Result<(), Errno> {
        if power == Power::Ordinary && !new.iter().flatten().all(|id| self.has(*id)) {
            return Err(Errno::EPERM);
        }
        let [real, effective, saved] = new;
        self.real = real.unwrap_or(self.real);
        self.effective = effective.unwrap_or(self.effective);
        self.saved = saved.unwrap_or(self.saved);
        Ok(())
    }
}

/// Whose numbers a change is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The user's.
    User,
    /// The group's.
    Group,
}

/// A change of a process's numbers; `None` leaves one as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewIds {
    /// As setuid.
    One(u32),
    /// As setreuid: real and effective.
    Pair(Option<u32>, Option<u32>),
    /// As setresuid: real, effective and saved.
    Each([Option<u32>; 3]),
}

/// Who a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// Its user.
    pub user: Ids,
    /// Its group.
    pub group: Ids,
    /// Further groups; the first `count` are there.
    groups: [u32; MAX_GROUPS],
    count: u8,
}

impl Credentials {
    /// Root.
    pub const ROOT: Self = Self {
        user: Ids { real: 0, effective: 0, saved: 0 },
        group: Ids { real: 0, effective: 0, saved: 0 },
        groups: [0; MAX_GROUPS],
        count: 0,
    };

    /// Whether it may do everything.
    pub const fn is_root(&self) -> bool {
        self.user.effective == 0
    }

    const fn power(&self) -> Power {
        if self.is_root() { Power::Root } else { Power::Ordinary }
    }

    /// Further groups.
    pub fn groups(&self) -> &[u32] {
        &self.groups[..self.count.into()]
    }

    /// Whether the group `id` is its effective one or one of the others.
    pub fn is_in(&self, id: u32) -> bool {
        id == self.group.effective || self.groups().contains(&id)
    }

    /// Changes the numbers of its user or of its group.
    ///
    /// # Errors
    /// `EPERM` for numbers that only root may take: then nothing has changed.
    pub fn set(&mut self, whose: Whose, new: NewIds) -> Result<(), Errno> {
        let power = self.power();
        let ids = match whose {
            Whose::User => &mut self.user,
            Whose::Group => &mut self.group,
        };
        match new {
            NewIds::One(id) => ids.set(id, power),
            NewIds::Pair(real, effective) => ids.set_pair(real, effective, power),
            NewIds::Each(new) => ids.set_each(new, power),
        }
    }

    /// Changes the further groups.
    ///
    /// # Errors
    /// `EPERM` for who is not root, `EINVAL` for more than [`MAX_GROUPS`]: then nothing has changed.
    pub fn set_groups(&mut self, groups: &[u32]) -> Result<(), Errno> {
        if !self.is_root() {
            return Err(Errno::EPERM);
        }
        self.groups.get_mut(..groups.len()).ok_or(Errno::EINVAL)?.copy_from_slice(groups);
        self.count = groups.len() as u8;
        Ok(())
    }

    /// A new program begins: what it can get back is what it has.
    pub const fn exec(&mut self) {
        self.user.saved = self.user.effective;
        self.group.saved = self.group.effective;
    }

    /// The same with the rights of those who started the program: whom `access` asks about.
    pub const fn as_real(mut self) -> Self {
        self.user.effective = self.user.real;
        self.group.effective = self.group.real;
        self
    }

    /// Whether it may send a signal to a process of `other`: its user has to be that one's.
    pub fn may_signal(&self, other: &Self) -> bool {
        let is_same = |id: u32| id == other.user.real || id == other.user.saved;
        self.is_root() || is_same(self.user.real) || is_same(self.user.effective)
    }

    /// Whether it may change what the kernel keeps for a process of `other`: all numbers have to be its real ones.
    pub fn may_control(&self, other: &Self) -> bool {
        let is_all = |ids: Ids, id: u32| ids == Ids { real: id, effective: id, saved: id };
        self.is_root() || is_all(other.user, self.user.real) && is_all(other.group, self.group.real)
    }
}

#[cfg(test)]
mod tests {
    use kapi::Errno;

    use super::{Credentials, Ids, MAX_GROUPS, NewIds, Whose};

    fn user(id: u32) -> Credentials {
        let mut who = Credentials::ROOT;
        who.set(Whose::Group, NewIds::One(id)).expect("root may");
        who.set(Whose::User, NewIds::One(id)).expect("root may");
        who
    }

    const fn ids(real: u32, effective: u32, saved: u32) -> Ids {
        Ids { real, effective, saved }
    }

    #[test]
    fn root_becomes_another_for_good() {
        let mut who = user(1000);
        assert_eq!((who.user, who.group), (ids(1000, 1000, 1000), ids(1000, 1000, 1000)));
        for new in [NewIds::One(0), NewIds::Pair(None, Some(0)), NewIds::Each([None, None, Some(0)])] {
            assert_eq!(who.set(Whose::User, new), Err(Errno::EPERM), "{new:?}");
            assert_eq!(who.set(Whose::Group, new), Err(Errno::EPERM), "{new:?}");
        }
        assert_eq!(who, user(1000));
    }

    #[test]
    fn rights_that_are_given_away_for_a_while_come_back() {
        let mut who = Credentials::ROOT;
        who.set(Whose::User, NewIds::Each([None, Some(7), None])).expect("root may");
        assert_eq!((who.user, who.is_root()), (ids(0, 7, 0), false));
        assert_eq!(who.set(Whose::User, NewIds::One(8)), Err(Errno::EPERM));
        who.set(Whose::User, NewIds::One(0)).expect("the real one");
        assert_eq!(who.user, ids(0, 0, 0));
    }

    #[test]
    fn who_is_not_root_changes_between_his_numbers() {
        let mut who = Credentials::ROOT;
        who.set(Whose::User, NewIds::Each([Some(1), Some(2), Some(3)])).expect("root may");
        who.set(Whose::User, NewIds::One(3)).expect("the saved one");
        assert_eq!(who.user, ids(1, 3, 3));
        who.set(Whose::User, NewIds::Each([Some(3), Some(1), None])).expect("among them");
        assert_eq!(who.user, ids(3, 1, 3));
        assert_eq!(who.set(Whose::User, NewIds::One(2)), Err(Errno::EPERM));
    }

    #[test]
    fn a_pair_takes_the_saved_one_along() {
        let mut who = Credentials::ROOT;
        who.set(Whose::User, NewIds::Each([Some(1), Some(2), Some(3)])).expect("root may");
        let mut other = who;
        who.set(Whose::User, NewIds::Pair(None, Some(1))).expect("the real one");
        assert_eq!(who.user, ids(1, 1, 3), "effective is what real was");
        other.set(Whose::User, NewIds::Pair(Some(2), Some(1))).expect("swapped");
        assert_eq!(other.user, ids(2, 1, 1));
        assert_eq!(who.set(Whose::User, NewIds::Pair(Some(3), None)), Err(Errno::EPERM), "real never takes saved");
    }

    #[test]
    fn groups_are_roots_to_give() {
        let mut who = Credentials::ROOT;
        assert_eq!(who.set_groups(&[9; MAX_GROUPS + 1]), Err(Errno::EINVAL));
        who.set_groups(&[4, 5]).expect("they fit");
        who.set(Whose::User, NewIds::One(1)).expect("root may");
        assert_eq!(who.set_groups(&[]), Err(Errno::EPERM));
        assert_eq!(who.groups(), [4, 5]);
        assert!(who.is_in(4) && who.is_in(0) && !who.is_in(6));
    }

    #[test]
    fn signals_go_to_ones_own_processes() {
        let (one, other) = (user(1), user(2));
        assert!(one.may_signal(&one) && !one.may_signal(&other) && !one.may_signal(&Credentials::ROOT));
        assert!(Credentials::ROOT.may_signal(&one) && Credentials::ROOT.may_control(&one));
        let mut changed = one;
        changed.user = ids(2, 1, 2);
        assert!(one.may_control(&one) && !one.may_control(&changed));
        assert!(!one.may_signal(&changed), "the effective one of the other does not count");
        assert!(changed.may_signal(&one) && changed.may_signal(&other));
    }
}
