# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A definition with every key there is: what each worker became is read from /proc and from the cgroup files.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

# Each worker has a name of its own; threads are found by it as well.
task() { grep -lx "$1" /proc/[0-9]*/task/[0-9]*/comm 2>/dev/null | sed 's|/comm$||' | head -n 1; }
status() { sed -n "s/^$2:\t*//p" "$(task "$1")/status"; }
sched() { local t; t=$(task "$1"); chrt -p "${t##*/}" | sed -n 's/.*: //p' | paste -sd' '; }
nice_of() { local t; t=$(task "$1"); cut -d' ' -f19 "$t/stat"; }
cgroup_of() { sed -n 's/^0:://p' "$(task "$1")/cgroup"; }
knob() { cat "$scenario/$1"; }

fresh
t "every key"
cat >/tmp/every-key.json <<'END'
{"cgroups":[
  {"name":"outer/every", "cpuset":"numa:1", "cpuset_mems":"0-1",
   "cpu":{"weight":250, "quota_us":"50%", "period_us":"1s"},
   "memory":{"max":"512M", "high":"384M", "low":"16M", "swap_max":"64M"},
   "io":{"weight":300}, "pids":{"max":64},
   "nice":3, "comm":"by-default", "uid":65534, "gid":65533, "numa_node":1, "swappable":true,
   "works":[
     {"work_type":"Bursty", "params":{"burst_duration":"1ms","sleep_duration":"20ms"}, "workers":1},
     {"work_type":"IdleChurn", "params":{"burst_duration":"1ms","sleep_duration":"10ms","precise_timing":true},
      "workers":1, "comm":"fifo", "sched_policy":"fifo:7", "affinity":"single", "uid":0, "gid":0},
     {"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers":1, "comm":"rr", "sched_policy":"rr:9",
      "affinity":"cpus:5,6"},
     {"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers":1, "comm":"batch", "sched_policy":"batch",
      "nice":-4, "affinity":"smt-pair"},
     {"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers":1, "comm":"idle", "sched_policy":"idle",
      "affinity":"llc"},
     {"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers_pct":0.25, "comm":"random",
      "affinity":"random:2@4-7", "nice":0},
     {"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers":1, "comm":"bound", "mem_policy":"bind:1",
      "mpol_flags":["static","balancing"]},
     {"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers":1, "comm":"interleaved",
      "mem_policy":"interleave:1", "affinity":"cross-cgroup"},
     {"work_type":"PipeIo", "params":{"burst_iters":64}, "workers":2, "comm":"pipe"},
     {"work_type":"FutexPingPong", "params":{"spin_iters":64}, "workers":2, "comm":"pingpong", "pcomm":"server",
      "nice":5, "affinity":"cpus:4-5"},
     {"work_type":"Mixed", "workers":1, "comm":"mixed", "pcomm":"server", "sched_policy":"fifo:3",
      "mem_policy":"preferred:1"}]},
  {"name":"deadline", "works":[
     {"comm":"deadline", "work_type":"Bursty", "params":{"burst_duration":"1ms"},
      "sched_policy":"deadline:1ms/10ms/20ms"}]}]}
END
results=$(ktctl apply --json /tmp/every-key.json)
is $? 0 "apply"
every=/ktsetup.slice/ktsetup-default.service/outer/every

is "$(knob outer/every/cpuset.cpus) $(knob outer/every/cpuset.mems)" "4-7 0-1" "cpuset"
is "$(knob outer/every/cpu.weight) / $(knob outer/every/cpu.max)" "250 / 500000 1000000" "cpu"
is "$(for k in max high low swap.max; do knob "outer/every/memory.$k"; done | paste -sd' ')" \
	"536870912 402653184 16777216 67108864" "memory"
is "$(knob outer/every/io.weight) / $(knob outer/every/pids.max)" "default 300 / 64" "io and pids"

t "defaults of the definition"
is "$(status by-default Uid | tr '\t' ' ')" "65534 65534 65534 65534" "uid"
is "$(status by-default Gid | tr '\t' ' ')" "65533 65533 65533 65533" "gid"
is "$(status by-default Groups | tr -d ' ')" "" "no supplementary groups"
is "$(nice_of by-default)" 3 "nice"
is "$(status by-default Cpus_allowed_list)" 4-7 "numa_node 1 within the cpuset"

t "each work's own"
is "$(sched fifo)" "SCHED_FIFO 7" "fifo:7"
is "$(status fifo Uid | tr '\t' ' ')" "0 0 0 0" "its own uid wins over the default"
is "$(status fifo Cpus_allowed_list)" 4 "affinity single"
is "$(sched rr)" "SCHED_RR 9" "rr:9"
is "$(status rr Cpus_allowed_list)" 5-6 "affinity cpus:5,6"
is "$(sched batch) / $(nice_of batch)" "SCHED_BATCH 0 / -4" "batch, nice -4"
is "$(status batch Cpus_allowed_list)" 4-5 "affinity smt-pair"
is "$(sched idle)" "SCHED_IDLE 0" "idle"
is "$(status idle Cpus_allowed_list)" 4-7 "affinity llc"
is "$(nice_of random)" 0 "nice 0 is a value too"
like "$(status random Cpus_allowed_list)" '^([4-7],[4-7]|4-5|5-6|6-7)$' "affinity random:2@4-7"
like "$(sed -n 1p "$(task bound)/numa_maps")" ' bind=static\+balancing:1 | bind=static\|balancing:1 |bind=static:1' "bind:1, static"
like "$(sed -n 1p "$(task interleaved)/numa_maps")" ' interleave:1 ' "interleave:1"
is "$(status interleaved Cpus_allowed_list)" 4-7 "cross-cgroup, clipped by the cpuset"
is "$(sched deadline | cut -d' ' -f1)" SCHED_DEADLINE "deadline"
is "$(cgroup_of deadline)" /ktsetup.slice/ktsetup-default.service/deadline "cgroup of the deadline worker"

t "a container"
leader=$(grep -lx server /proc/[0-9]*/comm | sed 's|/proc/||; s|/comm||')
is "$(wc -w <<<"$leader")" 1 "one process is called by the pcomm"
is "$(cat "/proc/$leader/task"/*/comm | sort | paste -sd' ')" "mixed pingpong pingpong server" "its threads"
is "$(status mixed Tgid) $(status pingpong Tgid)" "$leader $leader" "thread group"
is "$(grep -cx "$leader" "$scenario/outer/every/cgroup.procs")" 1 "the leader is in cgroup.procs"
is "$(status mixed Uid | tr '\t' ' ')" "65534 65534 65534 65534" "uid of a thread"
is "$(status server Uid | tr '\t' ' ') / $(status server Gid | tr '\t' ' ')" \
	"65534 65534 65534 65534 / 65533 65533 65533 65533" "uid and gid of the leader"
is "$(sched mixed) / $(sched pingpong)" "SCHED_FIFO 3 / SCHED_OTHER 0" "policies of threads"
is "$(nice_of pingpong) / $(status pingpong Cpus_allowed_list)" "5 / 4-5" "nice and affinity of a thread"
like "$(sed -n 1p "$(task mixed)/numa_maps")" 'prefer.*:1' "memory policy of a thread"

t "every worker is in its cgroup"
is "$(for c in by-default fifo rr batch idle random bound interleaved pipe pingpong mixed server; do cgroup_of $c; done | sort -u)" \
	"$every" "cgroup"
is "$(jq -r '[.cgroups[].works[].pids[]] | unique | .[]' <<<"$results")" \
	"$(sort -n "$scenario/outer/every/cgroup.procs" "$scenario/deadline/cgroup.procs")" "the pids told are those of cgroup.procs"

t "the placement log"
log=/run/ktsetupd/placement.log
is "$(grep -c 'spawned non-pcomm workers cgroup="outer/every"' $log)" 9 "a line for each work"
like "$(grep 'spawned pcomm' $log)" "default apply_setup: spawned pcomm workers cgroup=\"outer/every\" pcomm=\"server\" count=1 pids=\[$leader\]" \
	"a line for the container"
is "$(journalctl -q -o json MESSAGE_ID=5d9d7bfd6e8344c1a28f54ef25378a9e KTSETUP_CGROUP=deadline | jq -r .KTSETUP_PIDS)" \
	"[$(cat "$scenario/deadline/cgroup.procs")]" "an entry in the journal"

t "the end"
wait_until 20 "everybody worked" sh -c "ktctl status --json | jq -e '[.cgroups[].works[].workers[].iterations] | min > 0' >/dev/null"
report=$(ktctl end-step --json)
is "$(jq '[.cgroups[].works[].workers[].completed] | all' <<<"$report")" true "every worker answered the stop"
is "$(jq -c '[.cgroups[0].works[].work_index]' <<<"$report")" '[0,1,2,3,4,5,6,7,8,9,10]' "reports in the order of the definition"
wait_until 10 "nothing is left" nothing_left
is "$(grep -c 'cgroup="outer/every"\|cgroup="deadline"' $log)" 11 "the log outlives the step"

t "clone3 refused"
# As under a seccomp filter that knows no clone3: workers are forked and moved, and the report says so.
mkdir -p /run/systemd/system/ktsetup-.service.d
printf '[Service]\nSystemCallFilter=~clone3\nSystemCallErrorNumber=ENOSYS\n' >/run/systemd/system/ktsetup-.service.d/seccomp.conf
systemctl daemon-reload
ok "apply" ktctl apply - <<'END'
{"cgroups":[{"name":"moved","cpuset":"llc:1","works":[
	{"workers":2,"work_type":"PipeIo","comm":"moved-pipe"},
	{"workers":2,"work_type":"Bursty","comm":"moved-thread","pcomm":"moved-leader"}]}]}
END
is "$(cgroup_of moved-pipe) $(cgroup_of moved-thread)" \
	"/ktsetup.slice/ktsetup-default.service/moved /ktsetup.slice/ktsetup-default.service/moved" "cgroup"
is "$(status moved-pipe Cpus_allowed_list) $(status moved-thread Cpus_allowed_list)" "4-7 4-7" "cpuset"
report=$(ktctl end-step --json)
is "$(jq -c '[.cgroups[].works[].placement] | unique' <<<"$report")" '["moved"]' "placement in the report"
is "$(jq -r '[.cgroups[].works[].workers[].born_in] | unique | .[]' <<<"$report")" \
	/ktsetup.slice/ktsetup-default.service/moved "they were moved before they did anything"
rm -r /run/systemd/system/ktsetup-.service.d
systemctl daemon-reload
wait_until 10 "nothing is left" nothing_left
