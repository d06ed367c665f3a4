#!/bin/sh
# busybox.sh: fetches Debian's busybox-static into build/busybox, for the initial files: the program, and the names of
# its applets. It is unpacked there and nowhere else, so nothing is installed and nobody has to be root.
#
# busybox is free software under the GNU General Public License, version 2; its copyright file lies beside it.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
place=$top/build/busybox

say() { echo "setup: $*" >&2; }

# shellcheck source=tools/apt.sh
. "$top/tools/apt.sh"

[ ! -x "$place/busybox" ] || [ ! -s "$place/applets" ] || exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    say "busybox comes from Debian's package busybox-static, and this machine has no apt-get or no dpkg-deb;" \
        "a static busybox for x86_64 from elsewhere serves as $place/busybox, with what it says to --list beside it," \
        "as applets"
    exit 1
fi
say "fetching busybox-static, a megabyte, into build/busybox"
mkdir -p "$top/build"
work=$(mktemp -d "$top/build/busybox.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
if ! apt_fetch busybox-static; then
    say "busybox could not be fetched; all but INIT=/bin/sh and the tests in user space goes without it"
    exit 1
fi
dpkg-deb -x busybox-static_*.deb unpacked
for program in unpacked/bin/busybox unpacked/usr/bin/busybox; do
    [ ! -f "$program" ] || cp "$program" busybox
done
cp unpacked/usr/share/doc/busybox-static/copyright copyright
dpkg-deb -f busybox-static_*.deb Package Version >version
./busybox --list >applets
rm -rf unpacked busybox-static_*.deb said "$place"
chmod 755 "$work"
mv "$work" "$place"
