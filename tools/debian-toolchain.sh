#!/bin/sh
# debian-toolchain.sh VERSION OVERLAY WORK: completes an installed Rust toolchain without rustup's server.
#
# OVERLAY becomes a copy (hard links where possible) of the installed toolchain of that VERSION, with the
# standard library's source from Debian's package rust-src and Debian's llvm-objcopy beside rustc's own tools.
# Neither rustup's directories nor the system's package sources are touched, so rustup can add its components
# later: the packages come from the sources that this system has, and no other. Package lists and downloads stay in
# WORK.
set -eu

version=$1 overlay=$2 work=$3

say() { echo "setup: $*" >&2; }

# shellcheck source=tools/apt.sh
. "$(dirname "$0")/apt.sh"

fail() {
    say "$*"
    exit 1
}

# The directory of an installed toolchain of the version, whatever its name.
find_sysroot() {
    for name in "$version" stable; do
        sysroot=$(RUSTUP_AUTO_INSTALL=0 rustup run "$name" rustc --print sysroot 2>/dev/null) || continue
        case $("$sysroot/bin/rustc" --version) in
            "rustc $version "*) echo "$sysroot" && return ;;
        esac
    done
    return 1
}

# private TOOL...: an apt tool with the system's package sources, and lists and cache of our own.
private() {
    tool=$1
    shift
    "$tool" -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User= "$@"
}

# fetch_source: unpacks Debian's rust-src of the version; its library directory.
fetch_source() {
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    private apt-get update -qq >&2 || return 1
    package=$(private apt-cache madison rust-src | awk -F'|' '{ print $2 }' | tr -d ' ' |
        grep "^$version" | head -n 1)
    [ -n "$package" ] || return 1
    (cd "$work" && private apt-get download -qq "rust-src=$package" >&2) || return 1
    source=usr/src/rustc-$version/library
    dpkg-deb --fsys-tarfile "$work"/rust-src_"$version"*.deb | tar -xC "$work" "./$source" || return 1
    echo "$work/$source"
}

find_objcopy() {
    for tool in /usr/bin/llvm-objcopy /usr/bin/llvm-objcopy-[0-9]*; do
        [ -x "$tool" ] && echo "$tool" && return
    done
    say "llvm-objcopy is missing: installing Debian's llvm"
    apt_install llvm && echo /usr/bin/llvm-objcopy
}

command -v apt-get >/dev/null || fail "this machine has no apt-get"
[ -n "$(apt-get indextargets 2>/dev/null)" ] || fail "apt has no package sources on this machine"
sysroot=$(find_sysroot) || fail "no Rust toolchain of version $version is installed"
objcopy=$(find_objcopy) || fail "no llvm-objcopy: Debian's package llvm has it"
library=$(fetch_source) || fail "none of this machine's package sources has rust-src of version $version"

say "completing Rust $version in $overlay"
rm -rf "$overlay"
mkdir -p "$overlay"
cp -al "$sysroot/." "$overlay" 2>/dev/null || cp -a --remove-destination "$sysroot/." "$overlay"
rm -rf "$overlay/lib/rustlib/src"
mkdir -p "$overlay/lib/rustlib/src/rust"
cp -a "$library" "$overlay/lib/rustlib/src/rust/library"
host=$("$sysroot/bin/rustc" --version --verbose | sed -n 's/^host: //p')
mkdir -p "$overlay/lib/rustlib/$host/bin"
ln -sf "$objcopy" "$overlay/lib/rustlib/$host/bin/llvm-objcopy"
