# The newest Python that Debian forky has, in a folder of the run. Sourced after steps.sh; expects $work.
#
# Needs Debian, root, mmdebstrap (installed where it is missing) and namespaces. Packages are extracted, not installed:
# none of their scripts runs. The tests see a /dev made for them and a /proc of their own process namespace.

forky_suite=forky
forky_options=(-o 'Acquire::Check-Valid-Until=false' -o 'Acquire::Languages=none')

# debian_mirror: where this machine's apt has Debian from.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        grep -E '/debian/?$' | sort -u | head -n 1 | grep .
}

# forky_python MIRROR: the name of the newest Python's package there.
forky_python() {
    local lists="$work/forky-apt"
    local apt=("${forky_options[@]}" -o "Dir::Etc::SourceList=$lists/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$lists/lists" -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
    mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
    printf 'deb %s %s main\n' "$1" "$forky_suite" >"$lists/sources.list"
    apt-get "${apt[@]}" -qq update >&2 || return 1
    apt-cache "${apt[@]}" search --names-only '^python3\.[0-9]+-venv$' |
        sed -n 's/^\(python3\.[0-9]*\)-venv .*/\1/p' | sort -V | tail -n 1 | grep .
}

# make_forky ROOT MIRROR PYTHON: what the tests need of Debian, and the files by which pip finds its index.
make_forky() {
    local path
    retry mmdebstrap --quiet --mode=chrootless --variant=extract \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
        --include="$3,$3-venv,bash,coreutils,dash,libc-bin,libstdc++6,media-types,netbase,procps,tzdata" \
        "$forky_suite" "$1" "$2" || return 1
    for path in /etc/hosts /etc/resolv.conf /etc/passwd /etc/group /etc/nsswitch.conf \
        /etc/pip.conf "$HOME/.config/pip" "$HOME/.pip" "$HOME/.netrc" /etc/ssl/certs/ca-certificates.crt \
        ${PIP_CONFIG_FILE:-} ${PIP_CERT:-} ${PIP_CLIENT_CERT:-} ${PIP_FIND_LINKS:-} ${SSL_CERT_FILE:-} \
        ${REQUESTS_CA_BUNDLE:-}; do
        case $path in
            /dev/* | /proc/*) ;;
            /*) if [ -e "$path" ]; then mkdir -p "$1${path%/*}" && cp -rLT "$path" "$1$path" || return 1; fi ;;
        esac
    done
    mkdir -p "$1/root" "$1/tmp" "$1/proc" "$1/dev" "$1/src"
    chmod 1777 "$1/tmp"
    tar -C "$work/src" --exclude=./.venv -cf - . | tar -C "$1/src" -xf -
}

# in_forky ROOT COMMAND...: run it there, in /src, with a new process namespace that ends with it.
in_forky() {
    unshare --mount --pid --fork --kill-child bash -euc '
        root=$1
        shift
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for node in null:3 zero:5 full:7 random:8 urandom:9; do
            mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
        done
        mknod -m 666 "$root/dev/tty" c 5 0
        mkdir "$root/dev/shm" "$root/dev/pts"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        ln -s pts/ptmx "$root/dev/ptmx"
        ln -s /proc/self/fd "$root/dev/fd"
        mount -t proc proc "$root/proc"
        # Not exec: this shell is process 1 and waits for what loses its parent.
        status=0
        chroot "$root" /usr/bin/env HOME=/root TMPDIR=/tmp PATH=/usr/bin:/bin \
            bash -euc '\''cd /src; status=0; "$@" || status=$?; exit $status'\'' in_forky "$@" || status=$?
        exit $status
    ' in_forky "$@"
}

# install_in_forky ROOT: the package and what its tests need, as far as there are wheels; says what there is not.
install_in_forky() {
    local pip=(/venv/bin/pip install -q --only-binary=:all:) item
    if in_forky "$1" "${pip[@]}" -e '.[test]'; then return 0; fi
    say "not everything installs on this Python; one at a time:"
    in_forky "$1" /venv/bin/pip install -q -e . || return 1
    in_forky "$1" "${pip[@]}" pytest pytest-timeout pytest-randomly hypothesis psutil || return 1
    in_forky "$1" /venv/bin/python - >"$work/forky-wanted" <<'PYTHON' || return 1
import re
import tomllib

extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]


def flat(name):
    for item in extras[name]:
        if item.startswith("otel_stdlib["):
            for inner in re.search(r"\[(.*)\]", item)[1].split(","):
                yield from flat(inner)
        else:
            yield item


print(*dict.fromkeys(flat("test")), sep="\n")
PYTHON
    while read -r item; do
        in_forky "$1" "${pip[@]}" "$item" </dev/null >"$work/forky-pip" 2>&1 || say "  no wheel: $item"
    done <"$work/forky-wanted"
}

# test_forky: the core tests there. Status 0 where such a Python cannot be had, with the reason.
test_forky() {
    local root="$work/forky" mirror python tests
    step "a newer Python from Debian $forky_suite"
    if [ "$(id -u)" != 0 ]; then say "not run: needs root"; return 0; fi
    mirror=$(debian_mirror) || { say "not run: apt has no Debian mirror here"; return 0; }
    if ! command -v mmdebstrap >/dev/null; then
        { apt-get -q update && apt-get -qy install --no-install-recommends mmdebstrap; } >"$work/forky-log" 2>&1 ||
            { tail -n 3 "$work/forky-log"; say "not run: mmdebstrap cannot be installed"; return 0; }
    fi
    python=$(forky_python "$mirror") || { say "not run: the mirror has no $forky_suite"; return 0; }
    make_forky "$root" "$mirror" "$python" || { say "not run: $python cannot be unpacked"; return 0; }
    in_forky "$root" "/usr/bin/$python" -m venv /venv || { say "not run: $python does not start here"; return 0; }
    install_in_forky "$root" || { say "not run: the core's dependencies are not there for $python"; return 0; }
    step "core tests on $(in_forky "$root" /venv/bin/python -V), of Debian $forky_suite"
    tests=(in_forky "$root" /venv/bin/python -m pytest -q -m "not server and not slow")
    "${tests[@]}" || again $? "$root/src/.pytest_cache" "${tests[@]}"
    rm -rf "$root"
}
