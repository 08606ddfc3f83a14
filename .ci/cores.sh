# The core tests on every Python that is found. Sourced after steps.sh and forky.sh; expects $work.

# test_core PYTHON MINOR: the tests that need no server. The oldest Python gets the oldest dependencies, and 3.12
# pure Python throughout.
test_core() {
    local environment="$work/core-3.$2" constraints=() tests
    new_venv "$environment" "$1"
    if [ "$2" = 10 ]; then constraints=(-c .ci/oldest.txt); fi
    if [ "$2" = 12 ]; then export OTEL_STDLIB_NO_NATIVE=1; else unset OTEL_STDLIB_NO_NATIVE; fi
    retry "$environment/bin/pip" install -q -e '.[test]' "${constraints[@]}"
    "$environment/bin/pip" list 2>/dev/null | grep -iE '^(orjson|python-json-logger|pyyaml) '
    "$environment/bin/otel-stdlib" --version
    tests=("$environment/bin/python" -m pytest -q -o "cache_dir=$environment/cache" -m "not server and not slow")
    "${tests[@]}" || again $? "$environment/cache" "${tests[@]}"
    rm -rf "$environment"
}

# test_sanitized: the compiled path under the sanitizers, in a copy of its own, where its build is the only one.
test_sanitized() {
    copy_files "$here" "$work/sanitize"
    new_venv "$work/sanitize-venv" python3
    (cd "$work/sanitize" && retry "$work/sanitize-venv/bin/pip" install -q -e '.[test]')
    bash "$work/sanitize/.ci/sanitize" "$work/sanitize-venv/bin/python"
}

# run_lane ITEM...: one after the other "MINOR:PYTHON", "forky" or "sanitized"; ends with the first that fails.
run_lane() {
    local item since
    for item in "$@"; do
        since=$SECONDS
        say "--- ${item#*:}"
        case $item in
            forky) test_forky ;;
            sanitized) test_sanitized ;;
            *) test_core "${item#*:}" "${item%%:*}" ;;
        esac
        say "--- ${item#*:}: passed in $((SECONDS - since)) s"
    done
}

# test_cores: two lanes beside each other, because most tests wait for processes. The Python of the
# developer's environment has run every test already.
test_cores() {
    local minor python lane status=0 number=0 done_minor pids=() lanes=("" "")
    done_minor=$("$work/dev/bin/python" -c 'import sys; print(sys.version_info[1])')
    for minor in 10 12 11 14 13 15; do
        python=$(find_python "$minor") || { say "no Python 3.$minor here"; continue; }
        if [ "$minor" = "$done_minor" ]; then say "3.$minor ran them above"; continue; fi
        lanes[number++ % 2]+=" $minor:$python"
    done
    lanes[number++ % 2]+=" forky"
    lanes[number % 2]+=" sanitized"
    for lane in 0 1; do
        # shellcheck disable=SC2086  # a list
        run_lane ${lanes[lane]} >"$work/lane-$lane" 2>&1 &
        pids+=($!)
    done
    for lane in 0 1; do
        wait "${pids[lane]}" || status=$?
        cat "$work/lane-$lane"
    done
    return $status
}
