# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A call that fails half-way leaves the machine as it was, and says what the kernel refused and why.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

# refused ERROR REGEX DOCUMENT
refused() {
	local error message
	error=$(ktctl apply - --json <<<"$3" 2>&1 >/dev/null)
	is "$(jq -r .error <<<"$error")" "org.ktstr.Setup1.Error.$1" "error name"
	message=$(jq -r .message <<<"$error")
	like "$message" "$2" "message"
	echo "    $message"
}

fresh
t "third definition refused by the kernel"
three='{"cgroups":[
	{"name":"one","cpuset":"llc:0","works":[{"workers":2}]},
	{"name":"two/deep","memory":{"max":"32M"},"works":[{"workers":2}]},
	{"name":"three","cpu":{"quota_us":9000000000000000}}]}'
refused KernelRefused "^cgroups\[2\]\.cpu\.quota_us: cgroup 'three': cannot set cpu\.max = '9000000000000000 100000' .*/three/cpu\.max.*EINVAL .*the quota at least 1 ms" "$three"
ok "no directory, process or unit is left" nothing_left
is "$(ktctl status --json | jq -c .cgroups)" '[]' "the books are empty"

t "what was there before stays"
ok "backdrop" ktctl add-cgroup base --backdrop --cpu-weight 50 "${light[@]}"
before=$(find "$scenario" -type d | sort; cat "$scenario/cgroup.subtree_control"; pids_of base)
refused KernelRefused "^cgroups\[2\]" "$three"
after=$(find "$scenario" -type d | sort; cat "$scenario/cgroup.subtree_control"; pids_of base)
is "$after" "$before" "directories, controllers and workers are as before"

t "workers that cannot be set up"
refused WorkersFailed "^cgroups\[1\]\.works\[0\]: cgroup 'dl': worker [0-9]+ cannot set its sched_policy: (EBUSY|EPERM) " \
	'{"cgroups":[{"name":"fine"},{"name":"dl","works":[{"sched_policy":"deadline:900ms/1s/1s","workers":40}]}]}'
refused WorkersFailed "^cgroups\[0\]\.works\[0\]: cgroup 'tiny': worker 0 was killed by signal 9 \(KILL\) before it was ready" \
	'{"cgroups":[{"name":"tiny","memory":{"max":4096}}]}'
refused InvalidDefinition "^cgroups\\[0\\]\\.name: cgroup 'base/x': its parent 'base' holds workers.*no internal processes" \
	'{"cgroups":[{"name":"base/x","cpu":{"weight":10}}]}'
after=$(find "$scenario" -type d | sort; cat "$scenario/cgroup.subtree_control"; pids_of base)
is "$after" "$before" "directories, controllers and workers are as before"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left
