#!/bin/sh
# Runs a program that cargo built for this machine: watchdog.sh PROGRAM ARGUMENTS...
# A test program (others run as they are) that takes longer than TEST_SECONDS, 150, is ended: a test hangs. Its name
# comes last, as the line that the test harness would print, and the status is 124.
# Called by `cargo test` (.cargo/config.toml) and by xtask.
set -u

case $1 in
*/deps/* | *rustdoctest*) ;;
*) exec "$@" ;;
esac

seconds=${TEST_SECONDS:-150}
folder=$(mktemp -d) || exit
trap 'rm -rf "$folder"' EXIT
printed=$folder/printed

{
    timeout --foreground --kill-after=5 "$seconds" "$@"
    echo $? >"$folder/status"
} | tee "$printed"
status=$(cat "$folder/status")

# Names of tests that were running: the harness tells after a minute of each (-q: behind dots) or, with one thread, beforehand.
running() {
    sed -n 's/^[.iF]*test \(.*\) has been running for over .*/\1/p' "$printed"
    sed -n '$s/^test \(.*\) \.\.\. $/\1/p' "$printed"
}

case $status in
124 | 137)
    echo
    running | while read -r name || [ -n "$name" ]; do
        grep -q "^test $name \.\.\. ." "$printed" || echo "test $name ... FAILED, it hangs: ended after $seconds seconds"
    done
    echo "$1 was ended after $seconds seconds (TEST_SECONDS)" >&2
    exit 124
    ;;
esac
exit "$status"
