#!/bin/sh
# debian-toolchain.sh VERSION OVERLAY WORK: completes an installed Rust toolchain without rustup's server.
#
# OVERLAY becomes a copy (hard links where possible) of the installed toolchain of that VERSION, with the
# standard library's source from Debian's package rust-src and Debian's llvm-objcopy beside rustc's own tools.
# Neither rustup's directories nor the system's package sources are touched, so rustup can add its components
# later. Package lists and downloads stay in WORK.
set -eu

version=$1 overlay=$2 work=$3
# The mirror that this system uses, if it says.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep '/debian/*$' | head -n 1 || true)
mirror=${mirror:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
suites="trixie-backports trixie sid"

say() { echo "setup: $*" >&2; }

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

# private TOOL...: an apt tool with package sources, lists and cache of our own.
private() {
    tool=$1
    shift
    "$tool" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User= "$@"
}

# fetch_source: unpacks Debian's rust-src of the version; its library directory.
fetch_source() {
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    for suite in $suites; do
        echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
        private apt-get update -qq >&2 || continue
        package=$(private apt-cache madison rust-src | awk -F'|' '{ print $2 }' | tr -d ' ' |
            grep "^$version" | head -n 1)
        [ -n "$package" ] || continue
        (cd "$work" && private apt-get download -qq "rust-src=$package" >&2) || continue
        source=usr/src/rustc-$version/library
        dpkg-deb --fsys-tarfile "$work"/rust-src_"$version"*.deb | tar -xC "$work" "./$source" || continue
        echo "$work/$source"
        return
    done
    return 1
}

find_objcopy() {
    for tool in /usr/bin/llvm-objcopy /usr/bin/llvm-objcopy-[0-9]*; do
        [ -x "$tool" ] && echo "$tool" && return
    done
    say "llvm-objcopy is missing: installing Debian's llvm with apt-get"
    if [ "$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi
    $sudo apt-get install -qq -y --no-install-recommends llvm >&2 && echo /usr/bin/llvm-objcopy
}

sysroot=$(find_sysroot) || fail "no Rust toolchain of version $version is installed"
objcopy=$(find_objcopy) || fail "no llvm-objcopy: type sudo apt-get install llvm"
library=$(fetch_source) || fail "no package rust-src of version $version in Debian's $suites"

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
