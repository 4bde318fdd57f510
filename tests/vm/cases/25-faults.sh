# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernel refuses in turn what a plan asks of it: knobs, directories, controllers, processes. And an executor is
# killed in the middle of a plan. Nothing is left, and the next call works.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

machine() {
	find "$slice" -type d | sort
	cat "$scenario/cgroup.subtree_control"
	pids_of base
}

works='"works":[{"work_type":"Bursty","params":{"burst_duration":"1ms"},"workers":2}]'
whole='"cpuset":"llc:0","cpuset_mems":"0","cpu":{"weight":50,"quota_us":50000},"io":{"weight":50},
	"memory":{"max":"64M","high":"48M","low":"1M","swap_max":0},"pids":{"max":20}'

fresh
t "before"
ok "backdrop" ktctl add-cgroup base --backdrop --cpuset range:0-1 --cpu-weight 50 "${light[@]}"
before=$(machine)

# refused ERROR REGEX DEFINITION: the third of three, after one with everything and one that is nested
refused() {
	local error message
	error=$(ktctl apply - --json 2>&1 >/dev/null <<END
{"cgroups":[{"name":"one",$whole,$works},{"name":"two/deep",$whole,$works},$3]}
END
	)
	is "$(jq -r .error <<<"$error")" "org.ktstr.Setup1.Error.$1" "error name"
	message=$(jq -r .message <<<"$error")
	echo "    $message"
	like "$message" "$2" "place, cause and reason"
	is "$(machine)" "$before" "directories, controllers and workers are as before"
}


# These are the values that the plan takes and the kernel does not. It takes whatever the plan lets through for the
# other knobs.
t "knobs out of the kernel's range"
refused KernelRefused "^cgroups\[2\]\.cpu\.quota_us: cgroup 'three': .*/three/cpu\.max.*EINVAL" \
	'{"name":"three","cpu":{"quota_us":100}}'
refused KernelRefused "^cgroups\[2\]\.cpu\.quota_us: cgroup 'three': .*/three/cpu\.max.*EINVAL" \
	'{"name":"three","cpu":{"quota_us":1000000,"period_us":2000000}}'
refused KernelRefused "^cgroups\[2\]\.pids\.max: cgroup 'three': .*/three/pids\.max.*EINVAL" \
	'{"name":"three","pids":{"max":5000000}}'

t "a parent that is read-only"
ok "backdrop below a parent" ktctl add-cgroup ro/keep --backdrop "${light[@]}"
before=$(machine)
ok "mount" mount --bind "$scenario/ro" "$scenario/ro"
ok "read-only" mount -o remount,bind,ro "$scenario/ro"
refused KernelRefused "^cgroups\[2\].*: cgroup 'ro.*EROFS" '{"name":"ro/x"}'
refused KernelRefused "^cgroups\[2\].*: cgroup 'ro.*EROFS" '{"name":"ro/x","cpu":{"weight":5}}'
ok "umount" umount "$scenario/ro"
ok "the next call" ktctl add-cgroup ro/x --cpu-weight 5 "${light[@]}"
ok "end-step" ktctl end-step
before=$(machine)

t "no more processes"
echo $(($(cat "$scenario/pids.current") + 6)) >"$scenario/pids.max"
refused WorkersFailed "^cgroups\[2\]\.works\[0\]: cgroup 'three': .*EAGAIN" \
	'{"name":"three","works":[{"work_type":"Bursty","workers":8}]}'
echo max >"$scenario/pids.max"
ok "the next call" ktctl add-cgroup three "${light[@]}" --workers 8
ok "end-step" ktctl end-step
is "$(machine)" "$before" "only the backdrop is there"

t "a knob that cannot be written at the end"
ok "add-cgroup" ktctl add-cgroup busy "${light[@]}" --workers 2
ok "mount" mount --bind "$scenario/busy/cgroup.freeze" "$scenario/busy/cgroup.freeze"
ok "read-only" mount -o remount,bind,ro "$scenario/busy/cgroup.freeze"
report=$(ktctl end-step --json)
like "$(jq -r '.warnings[]' <<<"$report")" "busy/cgroup\.freeze.*EROFS" "the report tells of the knob"
is "$(jq -c '[.cgroups[].works[].workers[].completed]' <<<"$report")" '[true,true]' "the workers completed"
is "$(machine)" "$before" "only the backdrop is there"

t "an executor that is killed in the middle of a plan"
executor=$(systemctl show -P MainPID ktsetup-default.service)
light_work='"work_type":"Bursty","params":{"burst_duration":"1ms"}'
ktctl apply - --json >/dev/null 2>/run/25-error <<<"{\"cgroups\":[
	{\"name\":\"big\",\"works\":[{$light_work,\"workers\":300}]},
	{\"name\":\"more\",\"works\":[{$light_work,\"workers\":300}]}]}" &
client=$!
while kill -0 $client 2>/dev/null && [ "$(wc -l 2>/dev/null <"$scenario/big/cgroup.procs" || echo 0)" -lt 50 ]; do :; done
ok "kill" kill -KILL "$executor"
wait $client
is $? 1 "exit status of the call"
is "$(jq -r .error </run/25-error)" org.ktstr.Setup1.Error.ExecutorLost "error name"
wait_until 20 "nothing is left" nothing_left
is "$(ktctl status --json | jq -c .cgroups)" '[]' "the books are empty"
ok "the next call" ktctl add-cgroup one --cpuset llc:0 "${light[@]}" --workers 4
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left
