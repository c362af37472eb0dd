#!/usr/bin/env bash
# Every script that people run answers --help with exit 0 and its usage, and a wrong argument with exit 2.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

failures=0
expect() {
    local wanted=$1 status output
    shift
    output=$("$@" 2>&1 </dev/null)
    status=$?
    if [[ $status -ne $wanted || $output != *"$1"* ]]; then
        printf '%s: exit %d instead of %d, or no usage in:\n%s\n' "$*" "$status" "$wanted" "$output"
        failures=$((failures + 1))
    fi
}
for script in ci/*; do
    expect 0 "$script" --help
    expect 2 "$script" --no-such-option
done
echo "$failures failures"
[[ $failures -eq 0 ]]
