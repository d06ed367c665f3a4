# apt.sh: installs Debian packages and harms none that are there. To be sourced by a script that has `say`.
#
# What apt-get would do is simulated and read first. If it would remove or downgrade a package, nothing is done, and
# what it would have done is said. The machine's own package sources are used, and no others.

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

# apt_plan PACKAGE...: what apt-get would do, an action a line.
apt_plan() {
    LC_ALL=C apt-get -s install --no-install-recommends "$@"
}

# apt_harm: of a plan on standard input, what it would take away.
apt_harm() {
    while read -r verb name old new _; do
        case $verb in
            Remv | Purg) echo "remove $name" ;;
            Inst)
                case $old in "["*) ;; *) continue ;; esac
                old=${old#\[} old=${old%\]} new=${new#\(}
                ! dpkg --compare-versions "$new" lt "$old" || echo "downgrade $name from $old to $new"
                ;;
        esac
    done
}

# apt_attempt PACKAGE...: 0 installed, 1 failed, 2 refused since it would do harm.
apt_attempt() {
    plan=$(apt_plan "$@") || return 1
    harm=$(printf '%s\n' "$plan" | apt_harm)
    if [ -n "$harm" ]; then
        say "nothing was installed, since installing $* would also"
        printf '%s\n' "$harm" | sed 's/^/    /' >&2
        return 2
    fi
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-remove --no-install-recommends "$@" >&2 || return 1
}

# apt_install PACKAGE...: installs them, or says why not and fails.
apt_install() {
    if ! command -v apt-get >/dev/null; then
        say "this machine has no apt-get"
        return 1
    fi
    code=0
    apt_attempt "$@" || code=$?
    if [ $code = 1 ]; then
        # The lists of packages at hand may be old.
        as_root apt-get update -qq >&2 || return 1
        code=0
        apt_attempt "$@" || code=$?
    fi
    return $code
}

# apt_fetch PACKAGE...: as .deb in the directory at hand, or says why not and fails. Nobody has to be root, but where
# the lists of packages are missing or old.
apt_fetch() {
    apt-get -qq download "$@" 2>said </dev/null && return
    as_root apt-get update -qq >&2 && apt-get -qq download "$@" 2>said </dev/null && return
    cat said >&2
    return 1
}
