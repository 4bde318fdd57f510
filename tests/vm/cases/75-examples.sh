# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The installed examples run as they are; and what ktctl monitor shows of them.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

examples=/usr/share/doc/ktsetupd/examples

# one FILE [OPTION...]: a whole step with it
one() {
	local file=$1 status report made
	shift
	t "$(basename "$file")"
	ok "dry run" ktctl apply --dry-run "$file" "$@"
	made=$(ktctl apply --json "$file" "$@") || { ok "apply" false; return; }
	status=$(ktctl status --json)
	is "$(jq -c '[.cgroups[].name]' <<<"$status")" "$(jq -c '[.cgroups[].name]' "$file")" "its cgroups are there"
	is "$(jq '[.cgroups[].works[].workers[]] | length' <<<"$status")" \
		"$(jq '[.cgroups[].works[].workers] | add' <<<"$made")" "all workers are there"
	is "$(jq -c '[.cgroups[].works[].workers[].state] | unique' <<<"$status")" '["running"]' "they run"
	ok "status" ktctl status --limits
	while read -r payload cgroup; do
		ok "$payload passes" ktctl wait-payload "$payload" --cgroup "$cgroup" --timeout 60
	done < <(jq -r '.cgroups[] | select(.payload.checks?) | "\(.payload.name) \(.name)"' "$file")
	report=$(ktctl end-step --json)
	is "$?" 0 "the step ends well"
	is "$(jq -c '[.cgroups[].works[].workers[].completed] | unique' <<<"$report")" '[true]' "all workers completed"
	is "$(jq -c .warnings <<<"$report")" '[]' "nothing to warn of"
}

fresh
for file in "$examples"/*.json; do
	one "$file"
done
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left

t "a work type for a swappable cgroup"
ok "apply" ktctl apply --work-type-override YieldHeavy "$examples/swappable-work-type.json"
is "$(ktctl status --json | jq -c '[.cgroups[].works[].work_type]')" '["YieldHeavy","Bursty"]' "the other cgroup keeps its own"
ok "teardown" ktctl teardown

t "what the examples say"
ok "a deadline task" ktctl apply "$examples/deadline-task.json"
is "$(awk '/^policy/ { print $3 }' "/proc/$(pids_of periodic)/sched")" 6 "SCHED_DEADLINE"
ok "teardown" ktctl teardown
ok "a capped neighbour" ktctl apply "$examples/noisy-neighbour-capped.json"
is "$(cat "$scenario/neighbour/cpu.max") $(cat "$scenario/neighbour/memory.max")" "10000 20000 67108864" "its limits"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left

t "monitor"
fresh
lines=$(mktemp) ready=$(mktemp)
# everybody may look
setpriv --reuid=65534 --regid=65534 --clear-groups ktctl monitor --json >"$lines" 2>"$ready" &
monitor=$!
wait_until 30 "it listens" grep -qx 'monitoring scenario default' "$ready"
fails "nobody started the service for that" systemctl is-active --quiet ktsetupd.service
ok "add-cgroup" ktctl add-cgroup seen "${light[@]}"
ok "end-step" ktctl end-step
wait_until 30 "the step's end" grep -q '"StepEnded"' "$lines"
ok "the service stops" systemctl stop ktsetupd.service
wait_until 30 "its end" jq -es 'any(.signal == "NameOwnerChanged" and .new_owner == "")' "$lines"
kill -INT $monitor
wait $monitor
is "$?" 0 "an interrupt is its end"
is "$(jq -r 'select(.name == "seen").signal' "$lines" | tr '\n' ' ')" "CgroupAdded CgroupRemoved " "what happened"
rm "$lines" "$ready"
