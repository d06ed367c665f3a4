#!/bin/sh
# mkinitrd.sh DIR OUT.cpio: packs busybox and, from DIR, modules, programs and init. The same bytes every time.
set -eu
from=$1 out=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
cp "$from/ucopy" "$from/procbench" "$from/diskbench" "$root/bin/"
cp "$from"/*.ko "$root/"
strip --strip-debug "$root"/*.ko
cp "$from/init" "$root/init"
chmod +x "$root/init"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet --reproducible) >"$out"
