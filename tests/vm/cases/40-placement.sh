# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A worker never runs outside its cgroup: it is cloned into it, and nobody writes to any cgroup.procs.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

fresh
t "born in place"
ok "backdrop" ktctl add-cgroup base --backdrop "${light[@]}"
executor=$(systemctl show -P MainPID ktsetup-default.service)
trace=$(mktemp)
strace -f -qq -e trace=clone3,openat,openat2 -o "$trace" -p "$executor" &
tracer=$!
wait_until 20 "the tracer is attached" grep -q "^TracerPid:.*$tracer" "/proc/$executor/status"
ok "add-cgroup" ktctl add-cgroup born --cpuset llc:1 --workers 4
report=$(ktctl end-step --json)
kill "$tracer"
wait "$tracer" 2>/dev/null
is "$(grep -c 'clone3(.*CLONE_INTO_CGROUP' "$trace")" 4 "four workers are cloned into the cgroup"
is "$(grep 'cgroup.procs' "$trace" | grep -c 'O_WRONLY\|O_RDWR')" 0 "no cgroup.procs is opened for writing"
is "$(jq -c '[.cgroups[].works[] | .placement] | unique' <<<"$report")" '["born"]' "placement in the report"
is "$(jq -r '[.cgroups[].works[].workers[].born_in] | unique | .[]' <<<"$report")" \
	/ktsetup.slice/ktsetup-default.service/born "what each first instruction saw"
is "$(jq -r '[.cgroups[].works[].workers[].cpus_used | test("^[4-7,-]+$")] | unique | tojson' <<<"$report")" '[true]' \
	"no worker was seen on a CPU outside its cpuset"
rm "$trace"
ok "teardown" ktctl teardown

t "an executor with a narrow affinity"
# Since Linux 6.2 an inherited mask survives entry into a cpuset.
mkdir -p /run/systemd/system/ktsetup-.service.d
printf '[Service]\nCPUAffinity=0\n' >/run/systemd/system/ktsetup-.service.d/affinity.conf
systemctl daemon-reload
ok "add-cgroup" ktctl add-cgroup wide --cpuset numa:1
is "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$(pids_of wide)/status")" 4-7 "the worker may use its whole cpuset"
rm -r /run/systemd/system/ktsetup-.service.d
systemctl daemon-reload
ok "teardown" ktctl teardown

t "set-up"
ok "apply" ktctl apply - <<'END'
{"cgroups":[{"name":"setup","cpuset":"numa:1","nice":3,"works":[
	{"comm":"plain","work_type":"Bursty"},
	{"comm":"fifo","work_type":"Bursty","params":{"burst_duration":"1ms"},"sched_policy":"fifo:7","affinity":"cpus:5"},
	{"comm":"batch","work_type":"Bursty","sched_policy":"batch","nice":-4,"affinity":"smt-pair"},
	{"comm":"nobody","work_type":"Bursty","uid":65534,"gid":65534,"affinity":"random:1"},
	{"comm":"memory","work_type":"Bursty","mem_policy":"bind:1","mpol_flags":["static"]}]}]}
END
pid() { for p in $(pids_of setup); do [ "$(cat "/proc/$p/comm")" != "$1" ] || echo "$p"; done; }
allowed() { sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$(pid "$1")/status"; }
is "$(ps -o ni= -p "$(pid plain)" | tr -d ' ')" 3 "nice from the definition"
is "$(ps -o cls=,rtprio= -p "$(pid fifo)" | tr -s ' ')" " FF 7" "policy and priority"
is "$(allowed fifo)" 5 "affinity cpus:5"
is "$(ps -o cls=,ni= -p "$(pid batch)" | tr -s ' ')" " B -4" "batch, with the work's own nice"
is "$(allowed batch)" 4-5 "affinity smt-pair"
is "$(ps -o uid=,gid= -p "$(pid nobody)" | xargs)" "65534 65534" "uid and gid"
like "$(allowed nobody)" '^[4-7]$' "affinity random:1"
like "$(sed -n 1p "/proc/$(pid memory)/numa_maps")" 'bind=static:1' "memory policy"
# The parent-death signal survives the change of uid.
systemctl kill -s KILL --kill-who=main ktsetup-default.service
wait_until 10 "nothing is left" nothing_left
