//! What this system does not have: networks, attributes with names.

use kapi::Errno;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};

pub(super) const CALLS: &[Entry] = calls![
    socket(Count, Count, Count),
    socketpair(Count, Count, Count, Address),
    connect(Fd, Address, Count),
    bind(Fd, Address, Count),
    listen(Fd, Count),
    accept(Fd, Address, Address),
    accept4(Fd, Address, Address, Flags),
    getsockname(Fd, Address, Address),
    getpeername(Fd, Address, Address),
    getsockopt(Fd, Count, Count, Address, Address),
    setsockopt(Fd, Count, Count, Address, Count),
    sendto(Fd, Address, Count, Flags, Address, Count),
    recvfrom(Fd, Address, Count, Flags, Address, Address),
    sendmsg(Fd, Address, Flags),
    recvmsg(Fd, Address, Flags),
    shutdown(Fd, Count),
    getxattr(Path, Address, Address, Count),
    lgetxattr(Path, Address, Address, Count),
    fgetxattr(Fd, Address, Address, Count),
    setxattr(Path, Address, Address, Count, Flags),
    lsetxattr(Path, Address, Address, Count, Flags),
    fsetxattr(Fd, Address, Address, Count, Flags),
    listxattr(Path, Address, Count),
    llistxattr(Path, Address, Count),
    flistxattr(Fd, Address, Count),
    removexattr(Path, Address),
    lremovexattr(Path, Address),
    fremovexattr(Fd, Address),
];

/// Functions that say the same of all their calls.
macro_rules! all {
    ($answer:ident: $($name:ident),*) => {
        $(fn $name(call: &mut Call<'_>) -> Outcome {
            $answer(call)
        })*
    };
}

all!(no_network: socket, socketpair);
all!(
    no_socket: connect, bind, listen, accept, accept4, getsockname, getpeername, getsockopt, setsockopt, sendto,
    recvfrom, sendmsg, recvmsg, shutdown
);
all!(
    no_attributes: getxattr, lgetxattr, fgetxattr, setxattr, lsetxattr, fsetxattr, listxattr, llistxattr, flistxattr,
    removexattr, lremovexattr, fremovexattr
);

fn no_network(_call: &mut Call<'_>) -> Outcome {
    Err(Errno::EAFNOSUPPORT)
}

/// No file that is open is a socket.
fn no_socket(call: &mut Call<'_>) -> Outcome {
    call.file(0).and(Err(Errno::ENOTSOCK))
}

fn no_attributes(_call: &mut Call<'_>) -> Outcome {
    Err(Errno::EOPNOTSUPP)
}
