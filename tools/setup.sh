#!/bin/sh
# setup.sh [GOAL...]: installs what these goals of make need and this machine lacks: QEMU, UEFI firmware, a C compiler
# (Debian packages), and the components of the pinned Rust toolchain (by rustup, else from Debian's packages). Fetches
# busybox, without which all but tests in user space goes on.
#
# What is there and serves is taken. No package is removed or downgraded (tools/apt.sh): where QEMU cannot be installed
# without that, or without being root, it is unpacked in build/qemu (tools/qemu.sh). Says what it installs and why; where
# it may not, says what to type. Quick when nothing is missing.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$top/rust-toolchain.toml")
components=rust-src,llvm-tools,rustfmt,clippy
overlay=$top/build/toolchain
# Where tools/qemu.sh puts it, as the Makefile has it.
PATH=$PATH:$top/build/qemu
goals=" ${*:-setup} "
# Where the machine's files are: the tests of this script have machines of their own.
root=${SETUP_ROOT-}

say() { echo "setup: $*" >&2; }

# shellcheck source=tools/apt.sh
. "$top/tools/apt.sh"

# What a person must do, where this script may not or cannot.
commands=

# ask_for COMMANDS
ask_for() {
    commands="$commands$1
"
}

# wanted GOAL...: is one of them to be made?
wanted() {
    for goal in "$@"; do
        case $goals in *" $goal "*) return 0 ;; esac
    done
    return 1
}

# --- packages -----------------------------------------------------------------------------------------------

packages=

# need PACKAGE REASON
need() {
    say "$1 is missing: $2"
    packages="$packages $1"
}

# Is there a QEMU that runs? Versions 7 to 10 are known to serve.
have_qemu() {
    qemu=$(qemu-system-x86_64 --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p') || return 1
    case $qemu in
        7 | 8 | 9 | 10) ;;
        "") return 1 ;;
        *) say "the QEMU that is there is version $qemu; 7 to 10 are known to serve, this one may" ;;
    esac
}

have_uefi() {
    for image in ovmf/OVMF.fd edk2/ovmf/OVMF.fd edk2-ovmf/x64/OVMF.fd; do
        [ ! -e "$root/usr/share/$image" ] || return 0
    done
    return 1
}

have_static_libc() {
    for library in lib/x86_64-linux-gnu x86_64-linux-gnu/lib lib64 lib; do
        [ ! -e "$root/usr/$library/libc.a" ] || return 0
    done
    return 1
}

install_packages() {
    say "installing$packages"
    # shellcheck disable=SC2086 # one word a package
    apt_install $packages && return
    others=$(echo "$packages" | sed 's/ qemu-system-x86//')
    # shellcheck disable=SC2086
    if [ "$others" != "$packages" ] && "$top/tools/qemu.sh" && { [ -z "$others" ] || apt_install $others; }; then
        return
    fi
    ask_for "(install$packages, or programs that do the same, for example by: sudo apt-get install$packages)"
}

# --- the Rust toolchain -------------------------------------------------------------------------------------

# complete SYSROOT: has it the standard library's source, and the tools that make images?
complete() {
    [ -e "$1/lib/rustlib/src/rust/library/core/src/lib.rs" ] || return 1
    for tool in "$1"/lib/rustlib/*/bin/llvm-objcopy; do
        [ ! -x "$tool" ] || return 0
    done
    return 1
}

completed_by_rustup() {
    for sysroot in "${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$version"-*; do
        complete "$sysroot" && return 0
    done
    return 1
}

# Is the compiler that cargo would use the pinned one, and complete, whoever installed it?
completed_by_others() {
    RUSTUP_AUTO_INSTALL=0
    export RUSTUP_AUTO_INSTALL
    case $(rustc --version 2>/dev/null) in
        "rustc $version "*) complete "$(rustc --print sysroot)" ;;
        *) return 1 ;;
    esac
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
        ask_for "(install rustup, the installer of Rust's toolchains)"
        return
    fi
    say "installing it with rustup: some minutes"
    rustup_install && return
    say "rustup did not succeed: completing the toolchain at hand with Debian's packages instead"
    "$top/tools/debian-toolchain.sh" "$version" "$overlay" "$top/build/debian" ||
        ask_for "rustup toolchain install $version --profile minimal -c $components"
}

# --- what is missing? ---------------------------------------------------------------------------------------

if wanted setup run test test-qemu test-userland bench-guest bench-boot bench-linux; then
    have_qemu || need qemu-system-x86 "the machine that Scullery boots on"
fi
if wanted setup test test-qemu || [ "${FIRMWARE-}" = uefi ]; then
    have_uefi || need ovmf "the firmware that UEFI boots start from"
fi
if ! command -v cc >/dev/null; then
    need gcc "host programs are linked with it"
elif wanted setup kernel module run test test-qemu && ! command -v gcc >/dev/null; then
    need gcc "modules in C are compiled with it"
fi
if ! [ -e "$root/usr/include/stdio.h" ]; then
    need libc6-dev "host programs are linked with it"
elif wanted setup run image test test-qemu test-userland program programs bench-linux && ! have_static_libc; then
    need libc6-dev "programs for the guest are linked with its static library"
fi
if wanted setup test test-qemu test-userland; then
    command -v musl-gcc >/dev/null || need musl-tools "a test is a program of its C library"
fi
if wanted setup bench; then
    command -v c++ >/dev/null || need g++ "make bench compares with allocators in C++"
fi
[ -z "$packages" ] || install_packages

if completed_by_rustup; then
    # What rustup brings goes before what was put together here.
    rm -rf "$overlay"
elif ! complete "$overlay" && ! completed_by_others; then
    install_toolchain
fi

# --- busybox: a part of what runs in user space needs it, and nothing else ----------------------------------

# Where it could not be had once, only who asks for it waits for another try.
if wanted setup test test-qemu test-userland bench-linux || [ -n "${INIT-}" ] || { wanted run && [ ! -e "$top/build/no-busybox" ]; }; then
    if "$top/tools/busybox.sh"; then
        rm -f "$top/build/no-busybox"
    else
        mkdir -p "$top/build" && : >"$top/build/no-busybox"
    fi
fi

# --- a program of Rust's standard library, and what others wrote --------------------------------------------

# Without it one test fails, and says so.
add_musl_target() {
    target=x86_64-unknown-linux-musl
    command -v rustc >/dev/null || return 0
    [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || return 0
    ! command -v rustup >/dev/null || rustup target add --toolchain "$version" $target >&2 || true
}

if wanted setup test test-qemu test-userland; then
    add_musl_target
fi
if wanted test-userland; then
    "$top/tools/userland.sh" || ask_for "sudo apt-get update"
fi

if [ -n "$commands" ]; then
    say "could not install everything. Do this, then try again:"
    printf '%s' "$commands" | sed 's/^/    /' >&2
    exit 1
fi
