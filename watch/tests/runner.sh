#!/bin/sh
# Stands for the runner and its machine: `run IMAGE` has the memory in IMAGE, and a console that answers.
memory=${WATCHED%,*}
pipe=${WATCHED#*,}
cat "$2" > "/proc/self/fd/$memory"
echo 'booted'
while printf '# ' && read -r line; do
    case $line in
        mark) head -c 4097 /dev/zero > "/proc/self/fd/$pipe" && echo 'marked' ;;
        lines) seq -f 'line %g' 30 ;;
        fail) exit 1 ;;
        die) kill -9 $$ ;;
        bye) exit 0 ;;
        *) echo "got $line" ;;
    esac
done
