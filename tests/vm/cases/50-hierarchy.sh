# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Nested names, and what others may do inside our cgroups.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

fresh
t "nested names"
ok "apply" ktctl apply - <<'END'
{"cgroups":[{"name":"a/b/c","cpu":{"weight":10},"memory":{"max":"32M"},"pids":{"max":9}},
            {"name":"a/b/d","cpuset":"llc:0"}]}
END
is "$(cat "$scenario/cgroup.subtree_control")" "cpuset cpu memory pids" "controllers of the root"
is "$(cat "$scenario/a/cgroup.subtree_control")" "cpuset cpu memory pids" "controllers on the way"
is "$(cat "$scenario/a/b/cgroup.subtree_control")" "cpuset cpu memory pids" "controllers of the parent"
is "$(cat "$scenario/a/b/c/cgroup.type")" domain "a plain domain, no threads mode by accident"
is "$(cat "$scenario/a/b/c/pids.max") $(cat "$scenario/a/b/d/cpuset.cpus")" "9 0-3" "limits of the leaves"
ok "a sibling in the backdrop" ktctl add-cgroup a/e --backdrop --io-weight 20 "${light[@]}"
is "$(cat "$scenario/a/e/io.weight")" "default 20" "its limit"
ok "end-step" ktctl end-step
is "$(cd "$scenario" && find a -type d | sort | tr '\n' ' ')" "a a/e " "only the backdrop's way stays"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left

t "a stranger in the cgroup"
ok "add-cgroup" ktctl add-cgroup busy "${light[@]}" --workers 1
sleep infinity &
stranger=$!
echo $stranger >"$scenario/busy/cgroup.procs"
ok "backdrop" ktctl add-cgroup base --backdrop "${light[@]}"
report=$(ktctl end-step --json)
like "$(jq -r '.warnings[]' <<<"$report")" "busy.*$stranger" "the report names the process that was in the way"
is "$([ -e "$scenario/busy" ]; echo $?)" 1 "the cgroup is gone"
ok "the process lives" kill -0 $stranger
kill $stranger
ok "teardown" ktctl teardown

t "a frozen cgroup"
ok "add-cgroup" ktctl add-cgroup ice "${light[@]}" --workers 2
echo 1 >"$scenario/ice/cgroup.freeze"
wait_until 10 "it is frozen" grep -q 'frozen 1' "$scenario/ice/cgroup.events"
report=$(ktctl end-step --json)
is "$(jq -c '[.cgroups[].works[].workers[].completed]' <<<"$report")" '[true,true]' "its workers completed all the same"

t "somebody else's cgroup below ours"
ok "add-cgroup" ktctl add-cgroup full "${light[@]}" --workers 1
mkdir "$scenario/full/theirs"
report=$(ktctl end-step --json)
like "$(jq -r '.warnings[]' <<<"$report")" "cannot remove the cgroup .*/full: " "the report says so"
is "$(ktctl status --json | jq -r '.cgroups[].name')" full "it stays in the books"
rmdir "$scenario/full/theirs"
ok "the next end removes it" ktctl teardown
ok "nothing is left" nothing_left

t "workers by the size of the cpuset"
ok "add-cgroup" ktctl add-cgroup lots --cpuset range:0-1 "${light[@]}" --workers-pct 1
is "$(pids_of lots | wc -l)" 7 "one worker for each usable CPU: the last one is left to the root"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left
