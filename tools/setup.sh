#!/bin/sh
# Installs what building and running Scullery needs and this machine lacks: QEMU and UEFI firmware (Debian
# packages), and the components of the pinned Rust toolchain (by rustup, else from Debian's packages).
# Says what it installs and why; where it may not, says what to type. Quick when nothing is missing.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$top/rust-toolchain.toml")
components=rust-src,llvm-tools,rustfmt,clippy
overlay=$top/build/toolchain

say() { echo "setup: $*" >&2; }

# What a person must type, where this script may not or cannot.
commands=

# ask_for COMMANDS
ask_for() {
    commands="$commands$1
"
}

# as_root COMMAND...: runs it as root, or fails. Asks for a password only where somebody can answer.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# --- Debian packages ----------------------------------------------------------------------------------------

packages=

# need PACKAGE REASON
need() {
    say "$1 is missing: $2"
    packages="$packages $1"
}

have_uefi() {
    [ -e /usr/share/ovmf/OVMF.fd ] || [ -e /usr/share/edk2/ovmf/OVMF.fd ] || [ -e /usr/share/edk2-ovmf/x64/OVMF.fd ]
}

apt_install() {
    # shellcheck disable=SC2086 # one word a package
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages >&2
}

install_packages() {
    say "installing$packages with apt-get"
    # The lists at hand may do; if not, fetch new ones.
    apt_install || { as_root apt-get update -qq >&2 && apt_install; } || ask_for "sudo apt-get update
sudo apt-get install --no-install-recommends$packages"
}

# --- the Rust toolchain -------------------------------------------------------------------------------------

# complete SYSROOT: has it the standard library's source, and the tools that make images?
complete() {
    [ -e "$1/lib/rustlib/src/rust/library/core/src/lib.rs" ] || return 1
    for tool in "$1"/lib/rustlib/*/bin/llvm-objcopy; do
        [ -x "$tool" ] && return 0
    done
    return 1
}

completed_by_rustup() {
    for sysroot in "${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$version"-*; do
        complete "$sysroot" && return 0
    done
    return 1
}

rustup_install() {
    if rustup toolchain list | grep -q "^$version-"; then
        # shellcheck disable=SC2046 # one word a component
        rustup component add --toolchain "$version" $(echo $components | tr , ' ') >&2
    else
        rustup toolchain install "$version" --profile minimal -c $components >&2
    fi
}

install_toolchain() {
    say "Rust $version with rust-src and llvm-tools is missing: the kernel builds core and alloc from source," \
        "and objcopy makes its image"
    if ! command -v rustup >/dev/null; then
        ask_for "(install rustup: https://rustup.rs)"
        return
    fi
    say "installing it with rustup"
    rustup_install && return
    say "rustup did not succeed: completing the toolchain at hand with Debian's packages instead"
    "$top/tools/debian-toolchain.sh" "$version" "$overlay" "$top/build/debian" ||
        ask_for "rustup toolchain install $version --profile minimal -c $components"
}

# --- what is missing? ---------------------------------------------------------------------------------------

command -v qemu-system-x86_64 >/dev/null || need qemu-system-x86 "the machine that Scullery boots on"
have_uefi || need ovmf "the firmware that UEFI boots start from"
command -v cc >/dev/null || need gcc "host programs are linked with it"
command -v c++ >/dev/null || need g++ "make bench compares with allocators in C++"
[ -e /usr/include/stdio.h ] || need libc6-dev "host programs are linked with it"
[ -z "$packages" ] || install_packages

if completed_by_rustup; then
    # What rustup brings goes before what was put together here.
    rm -rf "$overlay"
elif ! complete "$overlay"; then
    install_toolchain
fi

if [ -n "$commands" ]; then
    say "could not install everything. Type these commands, then try again:"
    printf '%s' "$commands" | sed 's/^/    /' >&2
    exit 1
fi
