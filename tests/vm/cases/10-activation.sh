# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The main job: each client starts the service by activation and gets a cgroup that all five controllers limit.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

# A period of 1 s is the longest there is. On a slow machine the kernel doubles shorter ones together with the
# quota ("period too short, scaling up", kernel/sched/fair.c), and cpu.max would not hold what was written.
# knobs CGROUP: the kernel's files hold what was asked for (res:R22 res:R23 res:R24 res:R25 res:R26)
knobs() {
	local dir=$scenario/$1
	is "$(cat "$dir/cpuset.cpus")" 4-7 "cpuset.cpus"
	is "$(cat "$dir/cpuset.cpus.effective")" 4-7 "cpuset.cpus.effective"
	is "$(cat "$dir/cpuset.mems")" 1 "cpuset.mems"
	is "$(cat "$dir/cpu.weight")" 250 "cpu.weight"
	is "$(cat "$dir/cpu.max")" "1500000 1000000" "cpu.max"
	is "$(cat "$dir/memory.max")" 67108864 "memory.max"
	is "$(cat "$dir/memory.high")" 50331648 "memory.high"
	is "$(cat "$dir/memory.low")" 1048576 "memory.low"
	is "$(cat "$dir/memory.swap.max")" 0 "memory.swap.max"
	is "$(cat "$dir/io.weight")" "default 50" "io.weight"
	is "$(cat "$dir/pids.max")" 20 "pids.max"
}

# placed CGROUP COUNT
placed() {
	local pid n=0
	for pid in $(pids_of "$1"); do
		n=$((n + 1))
		is "$(cat "/proc/$pid/cgroup")" "0::/ktsetup.slice/ktsetup-default.service/$1" "worker $pid: cgroup"
		is "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$pid/status")" 4-7 "worker $pid: Cpus_allowed_list"
		is "$(sed -n 's/^Mems_allowed_list:\t//p' "/proc/$pid/status")" 1 "worker $pid: Mems_allowed_list"
	done
	is "$n" "$2" "number of workers"
	is "$(sort -n "$scenario/$1/cgroup.procs" | tr '\n' ' ')" "$(pids_of "$1" | sort -n | tr '\n' ' ')" "cgroup.procs"
}

fresh
t "busctl"
is "$(systemctl is-active ktsetupd.service)" inactive "the service is not running"
ok "AddCgroupDef" "${bus[@]}" AddCgroupDef 'a{sv}a{sv}' \
	9 name s all cpuset s numa:1 cpuset_mems s 1 \
	cpu 'a{sv}' 3 weight i 250 quota_us s 150% period_us t 1000000 \
	memory 'a{sv}' 4 max s 64M high t 50331648 low s 1M swap_max i 0 \
	io 'a{sv}' 1 weight q 50 pids 'a{sv}' 1 max u 20 nice i 3 \
	works 'aa{sv}' 1 2 work_type s SpinWait workers i 2 \
	0
is "$(systemctl is-active ktsetupd.service)" active "the call started the service"
knobs all
placed all 2
ok "Teardown" "${bus[@]}" Teardown
ok "nothing is left when Teardown has answered" nothing_left

fresh
t "ktctl"
is "$(systemctl is-active ktsetupd.service)" inactive "the service is not running"
ok "add-cgroup" ktctl add-cgroup all --cpuset numa:1 --cpuset-mems 1 --cpu-weight 250 --cpu-quota-us 1500ms --cpu-period-us 1s \
	--memory-max 64M --memory-high 50331648 --memory-low 1M --memory-swap-max 0 --io-weight 50 --pids-max 20 \
	--work-type YieldHeavy --workers 2 --work-type Bursty --workers 1 --param burst_duration=1ms
is "$(systemctl is-active ktsetupd.service)" active "the call started the service"
knobs all
placed all 3
like "$(systemctl status ktsetup-default.service --no-pager)" "all.*$(pids_of all | head -1)" "systemctl status shows the workers"
# Live counters: the same worker is further along in a later look.
first=$(ktctl status --json | jq '[.cgroups[].works[].workers[].iterations] | add')
wait_until 20 "the counters move" sh -c "[ \$(ktctl status --json | jq '[.cgroups[].works[].workers[].iterations] | add') -gt $first ]"

t "report"
report=$(ktctl end-step --json)
is "$(jq -r '[.cgroups[].works[].workers[].completed] | unique | tojson' <<<"$report")" '[true]' "every worker completed"
is "$(jq -r '[.cgroups[].works[].workers[]] | length' <<<"$report")" 3 "one report for each worker"
is "$(jq -r '[.cgroups[].works[].workers[].born_in] | unique | .[]' <<<"$report")" \
	/ktsetup.slice/ktsetup-default.service/all "where each first instruction ran"
is "$(jq -r '[.cgroups[].works[].workers[] | .work_units > 0 and .wall_time_ns > 0] | unique | tojson' <<<"$report")" '[true]' \
	"every worker worked" # work:S2
like "$(jq -r '.cgroups[].works[1].workers[0].wake_latency_ns.count' <<<"$report")" '^[1-9]' "Bursty measured its sleeps"
ok "nothing is left when EndStep has answered" nothing_left
