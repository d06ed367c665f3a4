#!/bin/sh
# qemu.sh: fetches Debian's QEMU, and the libraries of it that this machine lacks, into build/qemu. They are unpacked
# there and nowhere else: nobody has to be root, and packages that cannot be installed beside them stay. QEMU finds
# its firmware from where its program lies.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
place=$top/build/qemu

say() { echo "setup: $*" >&2; }

# shellcheck source=tools/apt.sh
. "$top/tools/apt.sh"

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    say "QEMU cannot be fetched: this machine has no apt-get or no dpkg-deb"
    exit 1
fi
packages=$(apt_plan qemu-system-x86 | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
say "fetching QEMU, 20 megabytes, into build/qemu"
mkdir -p "$top/build"
work=$(mktemp -d "$top/build/qemu.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
# shellcheck disable=SC2086 # one word a package
apt_fetch $packages
for package in *.deb; do
    dpkg-deb -x "$package" .
done
rm -f ./*.deb said
cat >qemu-system-x86_64 <<'END'
#!/bin/sh
place=$(dirname "$0")
LD_LIBRARY_PATH=$place/usr/lib/x86_64-linux-gnu:$place/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH
exec "$place/usr/bin/qemu-system-x86_64" "$@"
END
chmod 755 . qemu-system-x86_64
if ! ./qemu-system-x86_64 --version >/dev/null; then
    say "the QEMU that was fetched does not run here"
    exit 1
fi
rm -rf "$place"
mv "$work" "$place"
