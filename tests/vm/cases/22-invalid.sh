# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The rows of the table of invalid definitions that need a controller to be there: what the plan says against
# them, and that nothing is left of a call that was refused.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

table=$(dirname "$0")/../../bus/invalid-definitions.json
limits=/etc/ktsetupd.conf.d/22-invalid.conf

# The same limits and the same cgroups as in tests/bus/test-invalid.c.
fresh
mkdir -p "$(dirname "$limits")"
printf '[Limits]\nMaxCgroups=12\nMaxWorkers=60\nMaxDocumentBytes=4000\n' >"$limits"
t "before"
ok "backdrop" ktctl add-cgroup base --backdrop "${light[@]}"
ok "step" ktctl add-cgroup taken "${light[@]}"
ok "step, nested" ktctl add-cgroup way/leaf "${light[@]}"

# What is there, but for what the workers count.
machine() {
	find "$slice" -type d | sort
	cat "$scenario/cgroup.subtree_control" "$scenario/way/cgroup.subtree_control"
	ktctl status --json | jq -c '[.step_index, (.cgroups[] | [.name, .slot, .limits, (.works[].workers[].pid)])]'
}

# row JSON: the call is refused with the error, the place and the words of the row
row() {
	local document error message place word status=0
	document=$(jq -c '{cgroups: (.definitions // [.definition])}' <<<"$1")
	place=$(jq -r '"cgroups[\((.definitions // [.definition]) | length - 1)]" +
		(if .at == "" then "" else "." + .at end) + ": "' <<<"$1")
	error=$(ktctl apply - --json <<<"$document" 2>&1 >/dev/null) || status=$?
	is "$status" 1 "exit status"
	is "$(jq -r .error <<<"$error")" "org.ktstr.Setup1.Error.$(jq -r .error <<<"$1")" "error name"
	message=$(jq -r .message <<<"$error")
	is "${message:0:${#place}}" "$place" "the place in: $message"
	while read -r word; do
		ok "'$word' in: $message" grep -qF -- "$word" <<<"$message"
	done < <(jq -r '.words[]' <<<"$1")
}

before=$(machine) rows=0
while read -r one; do
	t "$(jq -r .rule <<<"$one")"
	row "$one"
	rows=$((rows + 1))
	[ $((rows % 10)) != 0 ] || is "$(machine)" "$before" "nothing has changed after $rows rows"
done < <(jq -c '.[] | select(.needs)' "$table")

t "after $rows rows"
ok "there were rows" [ "$rows" -ge 20 ]
is "$(machine)" "$before" "nothing has changed"
ok "the next call" ktctl add-cgroup good --cpuset llc:0 "${light[@]}"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left
rm "$limits"
fresh
