# What .ci/run is made of. Sourced; expects $work and `set -euo pipefail`.

current=""
began=$SECONDS
steps=()

say() { printf '%s\n' "$@"; }

# step NAME: end the step before, begin a new one.
step() {
    [ -z "$current" ] || steps+=("$(printf '%5d s  %s' $((SECONDS - began)) "$current")")
    current=$1 began=$SECONDS
    say "" "=== $1"
}

# finish STATUS: the summary, and the temporary folder goes. Called once, by the EXIT trap.
finish() {
    trap - EXIT
    say "" "=== summary"
    if [ ${#steps[@]} -gt 0 ]; then printf '%s\n' "${steps[@]}"; fi
    if [ -e "$work/again" ]; then say "failed at first, passed alone:"; cat "$work/again"; fi
    if [ "$1" -eq 0 ]; then
        say "all steps passed in $SECONDS s"
    else
        say "$(printf '%5d s  %s' $((SECONDS - began)) "$current")  <-- FAILED with status $1"
    fi
    cd /
    end_own_processes
    rm -rf "$work" || true
    exit "$1"
}

# end_own_processes: what a test that failed left running in this run's own folder, and nothing else.
end_own_processes() {
    local place pid
    for place in /proc/[0-9]*/cwd; do
        pid=${place#/proc/} pid=${pid%/cwd}
        case "$(readlink "$place" 2>/dev/null || true)" in
            "$work" | "$work"/*) [ "$pid" = $$ ] || kill -9 "$pid" 2>/dev/null || true ;;
        esac
    done
}

# retry COMMAND...: three tries for what needs a network.
retry() {
    local try
    for try in 1 2 3; do
        if "$@"; then return 0; fi
        say "try $try failed: $*"
        sleep $((try * 5))
    done
    return 1
}

is_good() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

# ensure_python: python3 on the PATH is 3.10 or newer and can make environments.
ensure_python() {
    local minor found
    mkdir -p "$work/bin"
    if ! is_good python3; then
        found=""
        for minor in 11 12 13 14 10 15; do
            if found=$(find_python "$minor"); then break; fi
        done
        if [ -z "$found" ]; then
            retry apt-get update -q
            retry apt-get install -q -y --no-install-recommends python3 python3-venv git
            found=$(command -v python3)
        fi
        printf '#!/bin/sh\nexec "%s" "$@"\n' "$found" >"$work/bin/python3"
        chmod +x "$work/bin/python3"
        export PATH="$work/bin:$PATH"
    fi
    is_good python3
}

# find_python MINOR: the path of a Python 3.MINOR that works.
find_python() {
    local candidate
    for candidate in "$(command -v "python3.$1" 2>/dev/null || true)" \
        "$HOME"/.pyenv/versions/3."$1".*/bin/python /opt/python/3."$1"*/bin/python; do
        # A pyenv shim is a command for every version it knows and works only for the chosen ones.
        if [ -n "$candidate" ] && is_good "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

# copy_files FROM TO: what git tracks, as it stands in the work tree.
copy_files() {
    mkdir -p "$2"
    git -c safe.directory='*' -C "$1" ls-files -z |
        (cd "$1" && xargs -0 -I{} sh -c '[ -e "$1" ] && printf "%s\0" "$1" || true' sh {}) |
        tar -C "$1" --null -T - -cf - | tar -C "$2" -xf -
}

# new_venv FOLDER PYTHON
new_venv() {
    "$2" -m venv "$1"
    retry "$1/bin/python" -m pip install -q --upgrade pip
}

# run_readme_command WORD: the README's one-line command that contains WORD, as it stands there.
run_readme_command() {
    local command
    command=$(grep -E "^python3 -m venv .*$1" README.md) || { say "README.md has no command with $1"; return 1; }
    [ "$(printf '%s\n' "$command" | wc -l)" -eq 1 ] || return 1
    say "+ $command"
    bash -euo pipefail -c "$command"
}

# again STATUS CACHE COMMAND...: after a pytest with this status, run the tests that failed once more, alone. Of
# thousands with real servers and kills one may meet a machine that stalls; a fault fails twice. Only where 5 or
# fewer failed, and the summary names them. CACHE is pytest's cache folder.
again() {
    local status=$1 failed="$2/v/cache/lastfailed" names="$work/failed-$BASHPID" number
    shift 2
    [ "$status" -eq 1 ] || return "$status"
    number=$(grep -c ': true' "$failed") || return 1
    [ "$number" -le 5 ] || return 1
    grep ': true' "$failed" >"$names"
    say "" "--- $number failed; once more, alone"
    "$@" --lf --lfnf=none || return 1
    cat "$names" >>"$work/again"
}

# flavour: what a build gives here.
flavour() {
    if "${CC:-cc}" --version >/dev/null 2>&1; then say compiled; else say pure; fi
}

# test_wheel DIST ENVIRONMENT FLAVOUR: the wheel and nothing else, in an empty folder.
test_wheel() {
    local wheel empty="$2-empty"
    wheel=$(ls "$1"/*.whl)
    say "${wheel##*/}"
    case $3:$wheel in
        pure:*-py3-none-any.whl | compiled:*-cp*) ;;
        *) say "expected a wheel that is $3"; return 1 ;;
    esac
    new_venv "$2" python3
    retry "$2/bin/pip" install -q "$wheel"
    "$2/bin/pip" check
    mkdir "$empty"
    cp .ci/wheel_smoke.py tests/typing/api.py "$empty"
    (
        cd "$empty"
        "$2/bin/python" -W error wheel_smoke.py "$3"
        "$2/bin/otel-stdlib" --help >/dev/null
        "$2/bin/otel-stdlib" --version
        # The installed package is typed: user code checks against it, not against the checkout.
        "$work/dev/bin/mypy" --strict --python-executable "$2/bin/python" api.py
    )
}
