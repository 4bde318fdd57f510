# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Checks for test cases: `. "$(dirname "$0")/../lib.sh"` first, then
#
#   t NAME                            names the checks that follow
#   ok DESC CMD [ARG...]              CMD succeeds
#   fails DESC CMD [ARG...]           CMD runs and does not succeed
#   is GOT EXPECTED DESC              the same text
#   like TEXT REGEX DESC              TEXT matches the extended REGEX
#   wait_until SECONDS DESC CMD...    CMD succeeds before long; polls: for what has no event to wait on
#
# A check that fails says what it got and the case goes on; each returns whether it passed, so that
# `ok ... || exit` leaves a case that makes no sense any more. At exit the last line is
# `N passed, N failed`, and the status is 0 only if something passed and nothing failed.

set -uo pipefail

_name='' _passed=0 _failed=0

_pass() { _passed=$((_passed + 1)); }

_fail() {  # DESC [LINE...]: the lines say what was there instead
	_failed=$((_failed + 1))
	echo "FAIL: ${_name:+$_name: }$1"
	shift
	[ $# = 0 ] || printf '%s\n' "$@" | sed 's/^/    /'
	return 1
}

_finish() {
	local status=$?
	[ "$status" = 0 ] || _fail "the case ended with status $status"
	[ $((_passed + _failed)) != 0 ] || _fail "no check was made"
	echo "$_passed passed, $_failed failed"
	[ "$_failed" = 0 ] || exit 1
	exit 0
}
trap _finish EXIT

t() { _name=$1; echo "-- $1"; }

ok() {
	local desc=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" = 0 ]; then _pass; return; fi
	_fail "$desc" "command:  $*" "status:   $status" "output:   $output"
}

fails() {
	local desc=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	# 126, 127: it did not even run; above 128: it crashed.
	if [ "$status" -gt 0 ] && [ "$status" -lt 126 ]; then _pass; return; fi
	_fail "$desc" "command:  $*" "status:   $status, expected a failure" "output:   $output"
}

is() {
	if [ "$1" = "$2" ]; then _pass; return; fi
	_fail "$3" "got:      $1" "expected: $2"
}

like() {
	if [[ $1 =~ $2 ]]; then _pass; return; fi
	_fail "$3" "got:      $1" "expected: match of $2"
}

wait_until() {
	local limit=$1 desc=$2 end=$((SECONDS + $1)) output status
	shift 2
	while :; do
		status=0
		output=$("$@" 2>&1) || status=$?
		if [ "$status" = 0 ]; then _pass; return; fi
		[ "$SECONDS" -lt "$end" ] || break
		sleep 0.1
	done
	_fail "$desc" "not within $limit seconds" "command:  $*" "status:   $status" "output:   $output"
}
