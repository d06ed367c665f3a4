#!/bin/sh
# userland.sh: fetches programs and test suites that others wrote into build/userland, for `make test-userland`. They
# are Debian's: unpacked there and nowhere else, so nothing is installed and nobody has to be root. Each is under a
# licence of its own, and none becomes part of an image.
#
#   nolibc-test             tests of system calls that come with Linux, without any C library
#   busybox-suite/          the tests of busybox itself, and of its shell; the three programs in C that these need
#   memtester, bash-static  programs
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
place=$top/build/userland

say() { echo "setup: $*" >&2; }

# shellcheck source=tools/apt.sh
. "$top/tools/apt.sh"

# fetch_source PACKAGE FILE...: files of the source of a package; they lie where it does
fetch_source() {
    from=$(apt-get download --print-uris "$1" | sed -n "s/^'\([^']*\)'.*/\1/p")
    shift
    for file in "$@"; do
        /usr/lib/apt/apt-helper download-file "${from%/*}/$file" "$file" >said 2>&1 || { cat said >&2; return 1; }
    done
}

# version PACKAGE: of its source, without the epoch: 1.35.0-4+deb12u1
version() {
    shown=$(apt-cache show --no-all-versions "$1")
    built=$(echo "$shown" | sed -n 's/^Source: .*(\(.*\))$/\1/p')
    [ -n "$built" ] || built=$(echo "$shown" | sed -n 's/^Version: //p')
    echo "${built#*:}"
}

nolibc() {
    say "fetching Linux's source for nolibc-test: 140 MB, of which 23 KB stay"
    apt_fetch linux-source-6.1
    dpkg-deb --fsys-tarfile linux-source-6.1_*.deb | tar -xO ./usr/src/linux-source-6.1.tar.xz | xz -dc |
        tar -x --strip-components=2 --wildcards '*/tools/include/nolibc' '*/tools/testing/selftests/nolibc'
    gcc -Os -s -fno-ident -fno-asynchronous-unwind-tables -nostdlib -static -include include/nolibc/nolibc.h \
        -o "$1" testing/selftests/nolibc/nolibc-test.c -lgcc
}

suite() {
    say "fetching the source of busybox for its tests: 2.5 MB"
    of=$(version busybox-static)
    upstream=busybox_${of%-*}.orig.tar.bz2
    debian=busybox_$of.debian.tar.xz
    fetch_source busybox-static "$upstream" "$debian"
    tar -xf "$upstream" --strip-components=1 --wildcards '*/testsuite' '*/shell/ash_test'
    tar -xf "$debian" debian/config/pkg/static
    mkdir "$1"
    mv testsuite shell "$1"
    mv debian/config/pkg/static "$1/.config"
    for program in printenv recho zecho; do
        gcc -Os -s -w -static -o "$1/shell/ash_test/$program" "$1/shell/ash_test/$program.c"
    done
}

memtester() {
    of=$(version memtester)
    fetch_source memtester "memtester_${of%-*}.orig.tar.gz"
    tar -xf memtester_*.tar.gz --strip-components=1
    gcc -O2 -s -w -static -DPOSIX -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -DTEST_NARROW_WRITES \
        -o "$1" memtester.c tests.c
}

bash_static() {
    apt_fetch bash-static
    dpkg-deb -x bash-static_*.deb .
    find . -name bash-static -type f -path '*/bin/*' -exec cp {} "$1" \;
}

# get NAME FUNCTION: what FUNCTION makes in a directory of its own, if it is not there
get() {
    [ ! -e "$place/$1" ] || return 0
    mkdir -p "$place/new"
    cd "$place/new"
    "$2" "$place/new/made"
    mv made "$place/$1"
    cd "$place"
    rm -rf new
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    say "what make test-userland runs comes from Debian's packages, and this machine has no apt-get or no dpkg-deb"
    exit 1
fi
mkdir -p "$place"
rm -rf "$place/new"
trap 'rm -rf "$place/new"' EXIT
get nolibc-test nolibc
get busybox-suite suite
get memtester memtester
get bash-static bash_static
