#!/bin/sh
# patiently.sh TEXT COMMAND...: runs a command that is quiet, and says what is going on if it takes a while.
set -eu

text=$1
shift

# Nothing that outlives this script may hold its output open: somebody may wait for the end of it. Nor may it go on
# telling when the script was killed.
pause() {
    sleep "$1" </dev/null >/dev/null 2>&1
    kill -0 $$ 2>/dev/null || exit 0
}

(
    pause 2
    echo "$text" >&2
    seconds=0
    while :; do
        pause 10
        seconds=$((seconds + 10))
        echo "$text: $seconds s so far" >&2
    done
) &
teller=$!

status=0
"$@" || status=$?
kill "$teller" 2>/dev/null || true
exit $status
