#!/bin/sh
# Runs every test: the shared parts with the whole workspace installed, each service with only its own dependencies.
# Usage: tools/test.sh UV [PYTEST ARGUMENT…]
set -u
uv=$1
shift
failed=""

note() { # note STATUS WHAT: 5 is pytest's "no test chosen", which `-k` may mean for some of them
    if [ "$1" -ne 0 ] && { [ "$1" -ne 5 ] || [ "$has_arguments" -eq 0 ]; }; then failed="$failed $2"; fi
}

has_arguments=$#
echo "== libs, cli, tests, benchmarks"
"$uv" run --no-sync --quiet pytest libs cli tests benchmarks "$@"
note $? libs-cli-tests-benchmarks
for member in services/* gateway; do
    echo "== $member, with only its own dependencies"
    # The ledger's tests compute, a file to a processor; the others' mostly wait, and some of them watch the clock.
    at_once=
    [ "$member" = services/usage-metering ] && at_once="-n 2 --dist loadfile"
    "$uv" run --isolated --locked --quiet --package "roomscribe-$(basename "$member")" --group dev pytest "$member" $at_once "$@"
    note $? "$member"
done
if [ -n "$failed" ]; then
    echo "FAILED:$failed" >&2
    exit 1
fi
echo "every test passed"
