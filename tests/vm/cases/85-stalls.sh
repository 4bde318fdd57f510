# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tasks that stop making progress: seen, with the right class and cause, told once; and those that do not are let be.
# The period is the default, 500 ms, so four samples take 1.5 s. KTSETUP_VM_PROGRESS_SECONDS: how long the work types
# that progress are watched (default 20; the machine is an emulated one).
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

progress_seconds=60
hog_cpu=3 late_cpu=5
message=e7d32e1b0c7a4d1c9a41f6b8f3d5a2c6
# A burst and then a sleep on a futex that nobody wakes before the stop.
sleeper=(--work-type Bursty --param burst_duration=1ms --param sleep_duration=3600s)

state() { ktctl status --json; }
stalls_of() { state | jq -c --arg c "$1" '.stalls[] | select(.cgroup == $c)'; }
count_of() { stalls_of "$1" | wc -l; }
has_stalls() { [ "$(count_of "$1")" = "$2" ]; }
iterations_of() { state | jq --arg c "$1" '[.cgroups[] | select(.name == $c) | .works[].workers[].iterations] | add'; }
moves() { [ "$(iterations_of "$1")" -gt "$2" ]; }
state_of() { sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status"; }
stands() { [ "$(state_of "$1")" = T ]; }
monitor() { state | jq -c .stall_monitor; }
ticks() { state | jq .stall_monitor.ticks; }
has_ticks() { [ "$(ticks)" -ge "$1" ]; }
# Until every window is full twice over, whatever the machine makes of 500 ms.
some_periods() { wait_until 60 "the monitor goes on" has_ticks $(($(ticks) + ${1:-9})); }
journal() { journalctl -q -o json "MESSAGE_ID=$1" "KTSETUP_CGROUP=$2"; }

fresh
ok "catalog" journalctl --update-catalog

t "nothing to watch"
ok "backdrop" ktctl add-cgroup base --backdrop "${light[@]}" --workers 1
is "$(monitor)" '{"active":false}' "a backdrop alone is not watched"

t "stopped"
ok "add-cgroup" ktctl add-cgroup stopped "${light[@]}" --workers 1
like "$(monitor)" '^\{"active":true,"poll_ms":500,"ticks":[0-9]+\}$' "the first workers of a step start it"
pid=$(pids_of stopped)
kill -STOP "$pid"
wait_until 30 "it is told" has_stalls stopped 1
stall=$(stalls_of stopped)
is "$(fields "$stall" class state pid tid work_type work_index worker fails)" "stopped T $pid $pid Bursty 0 0 true" "the record"
like "$(fields "$stall" cause)" '^stopped by a signal for [0-9.]+ s; SIGCONT sets it going$' "its cause"
is "$(jq -c '[.samples | length, (map([.nr_switches, .sum_exec_runtime_ns]) | unique | length)]' <<<"$stall")" '[4,1]' "four equal samples"
# 3 periods; a tick may be up to half a one late.
is "$(jq '.window_ms >= 1250 and .window_ms <= 3000' <<<"$stall")" true "its window: $(jq .window_ms <<<"$stall") ms"
like "$(fields "$stall" comm)" . "comm"
like "$(fields "$stall" kernel_cgroup)" "0::/ktsetup.slice/ktsetup-default.service/stopped" "the cgroup as the kernel has it"
like "$(fields "$stall" wchan)" 'do_signal_stop|ptrace_stop|get_signal' "wchan, which the executor reads"
like "$(fields "$stall" stack)" 'do_signal_stop|get_signal' "stack"
like "$(fields "$stall" syscall)" '^([0-9]+ 0x|-1 0x|running)' "syscall"
like "$(fields "$stall" loadavg)" '^[0-9.]+ ' "loadavg"
like "$(fields "$stall" cpu_pressure)" '^some avg10=|unreadable' "cpu.pressure"

t "the journal"
entry=$(journal $message stopped)
is "$(wc -l <<<"$entry")" 1 "one entry"
is "$(jq -r '[.KTSETUP_SCENARIO, .KTSETUP_STALL_CLASS, .KTSETUP_PID, .KTSETUP_TID, .KTSETUP_WORK_TYPE, .KTSETUP_WORK_INDEX,
	.KTSETUP_WORKER, .PRIORITY, .SYSLOG_IDENTIFIER] | join(" ")' <<<"$entry")" "default stopped $pid $pid Bursty 0 0 4 ktsetupd" "its fields"
is "$(jq -r .KTSETUP_STALL_CAUSE <<<"$entry")" "$(fields "$stall" cause)" "the cause"
explained=$(journalctl -q -x "MESSAGE_ID=$message" KTSETUP_CGROUP=stopped)
like "$explained" "worker 0 \(Bursty, work 0\) in cgroup 'stopped' made no progress: stopped" "its text"
like "$explained" "Subject: A task of scenario default makes no progress \(stopped\)" "the catalog's subject"
like "$explained" "Process $pid, thread $pid, in cgroup stopped of scenario default" "and explanation"

t "a second stall of the same task"
before=$(iterations_of stopped)
kill -CONT "$pid"
wait_until 30 "it moves" moves stopped "$before"
some_periods 2
is "$(count_of stopped)" 1 "still one report"
kill -STOP "$pid"
wait_until 30 "it is told again" has_stalls stopped 2
is "$(stalls_of stopped | jq -r .class | uniq)" stopped "of the same class"

t "a stalled worker that dies"
kill -KILL "$pid"
is_killed() { [ "$(state | jq -r --arg c "$1" '.cgroups[] | select(.name == $c) | .works[0].workers[0].state')" = killed ]; }
wait_until 20 "it is gone" is_killed stopped
some_periods
is "$(count_of stopped)" 2 "no report after its end"

t "asleep"
ok "a sleep longer than the window" ktctl add-cgroup asleep "${sleeper[@]}" --workers 1
ok "a futex that nobody wakes" ktctl run-payload --name futex -- \
	python3 -c 'import ctypes; ctypes.CDLL(None).syscall(202, ctypes.byref(ctypes.c_int(0)), 0, 0, None)'
futex=$(payload_of futex | jq .pid)
wait_until 30 "the sleeper is told" has_stalls asleep 1
stall=$(stalls_of asleep)
is "$(fields "$stall" class state work_type)" "sleeping S Bursty" "class"
like "$(fields "$stall" cause)" '^asleep in .*futex.* for [0-9.]+ s$' "cause"
told() { state | jq -c '.stalls[] | select(.payload == "futex")'; }
is_told() { [ "$(told | wc -l)" = 1 ]; }
wait_until 60 "the payload is told" is_told
is "$(fields "$(told)" class state pid)" "sleeping S $futex" "class"
like "$(fields "$(told)" cause)" '^asleep in .*futex.* for [0-9.]+ s$' "cause"
like "$(fields "$(told)" syscall)" '^202 0x' "the system call: futex"
some_periods
is "$(count_of asleep) $(told | wc -l)" "1 1" "each once"

t "frozen"
ok "add-cgroup" ktctl add-cgroup cold --work-type SpinWait --workers 1
echo 1 >"$scenario/cold/cgroup.freeze"
wait_until 20 "it is frozen" grep -q 'frozen 1' "$scenario/cold/cgroup.events"
some_periods
is "$(count_of cold)" 0 "who is frozen is not told"
echo 0 >"$scenario/cold/cgroup.freeze"
some_periods 2
is "$(count_of cold)" 0 "nor after that"

t "throttled to nothing"
# A millisecond a second; a tick of the clock is longer, so it pays for several seconds at a time. Once it got a
# millisecond again it has moved, and the next wait is a stall of its own.
ok "add-cgroup" ktctl add-cgroup slow --cpu-quota-us 1ms --cpu-period-us 1s --work-type SpinWait --workers 1
has_any() { [ "$(count_of "$1")" -ge 1 ]; }
wait_until 60 "it is told" has_any slow
stalls=$(stalls_of slow)
is "$(jq -r .class <<<"$stalls" | sort -u)" throttled "class"
like "$(jq -r .cause <<<"$stalls" | head -n 1)" \
	"^runnable for [0-9.]+ s, but not allowed to run; cgroup 'slow' used up its cpu.max in [0-9]+ of [0-9]+ periods and was throttled (for [0-9.]+ s|all along)$" \
	"cause"
is "$(jq '.throttling[0] | .cgroup == "slow" and .nr_throttled > 0' <<<"$stalls" | sort -u)" true "cpu.stat of its cgroup"
is "$(jq -r '.throttling[-1] | has("nr_periods")' <<<"$stalls" | sort -u)" true "and of the scenario's root"

t "the end of the step"
summary=$("${bus[@]}" --json=short EndStep 'a{sv}' 0 | jq -c '.data[0] | map_values(.data)')
is "$(jq '.passed' <<<"$summary")" false "stalls fail a step"
is "$(jq '.stalls >= 5 and .stalls == .stalls_failed' <<<"$summary")" true "and are counted"
like "$(jq -r '.failures[]' <<<"$summary")" "worker 0 \(Bursty, work 0\) in cgroup 'stopped' \(pid $pid\) made no progress: stopped: " "failures"
is "$(monitor)" '{"active":false}' "the monitor ends with the step"
is "$(state | jq -c .stalls)" '[]' "and the next one begins without stalls"
ok "teardown" ktctl teardown

t "starved"
# Both keep a part of each CPU for others: RT throttling, and from Linux 6.12 on a fair server for each CPU.
throttling=$(sysctl -n kernel.sched_rt_runtime_us)
[ -d /sys/kernel/debug/sched ] || mount -t debugfs none /sys/kernel/debug
set_fair_servers() {
	local cpu file
	for cpu in "$hog_cpu" "$late_cpu"; do
		file=/sys/kernel/debug/sched/fair_server/cpu$cpu/runtime
		[ ! -e "$file" ] || echo "$1" >"$file"
	done
}
fair=$(cat "/sys/kernel/debug/sched/fair_server/cpu$hog_cpu/runtime" 2>/dev/null || :)
ok "RT throttling off" sysctl -q kernel.sched_rt_runtime_us=-1
ok "fair servers off" set_fair_servers 0
ok "the victim" ktctl add-cgroup victim --work-type SpinWait --affinity "cpus:$hog_cpu" --workers 1
wait_until 30 "it runs" moves victim 0
# It comes from another CPU, so that the moment is known.
ok "the hog" ktctl add-cgroup hog --work-type SpinWait --affinity cpus:6 --sched-policy fifo:50 --comm the-hog --workers 1
hog=$(pids_of hog)
# 5 periods, and the second that the executor has to look at it. The host may hold the machine up meanwhile, so the
# first of three that is in time will do.
for try in 1 2 3; do
	ok "comes to the victim's CPU" taskset -pc "$hog_cpu" "$hog"
	began=$(date +%s%6N)
	wait_until 60 "the victim is told" has_stalls victim "$try"
	took=$((($(journal $message victim | tail -n 1 | jq -r .__REALTIME_TIMESTAMP) - began) / 1000))
	echo "    told after $took ms"
	[ "$took" -gt 3500 ] && [ "$try" -lt 3 ] || break
	ok "leaves again" taskset -pc 6 "$hog"
	before=$(iterations_of victim)
	wait_until 60 "the victim moves" moves victim "$before"
done
is "$((took <= 3500))" 1 "told in time"
stall=$(stalls_of victim | tail -n 1)
is "$(fields "$stall" class state)" "starved R" "class"
like "$(fields "$stall" cause)" "^runnable for [0-9.]+ s and never picked; CPU $hog_cpu is taken by the-hog \(pid $hog, SCHED_FIFO 50\)" "cause"
is "$(jq -c '.runnable_on_its_cpus.first[0] | [.pid, .comm, .cpu, .policy, .priority]' <<<"$stall")" \
	"[$hog,\"the-hog\",$hog_cpu,\"SCHED_FIFO\",50]" "the thief"
is "$(count_of hog)" 0 "the hog moves"
# Its gate is opened, but behind a hog on its CPU it does not come to its first instruction.
ok "one that cannot start" ktctl apply - <<END
{"cgroups":[{"name":"late","works":[
  {"work_type":"SpinWait","affinity":"cpus:$late_cpu","sched_policy":"fifo:60","workers":1},
  {"work_type":"SpinWait","affinity":"cpus:$late_cpu","workers":1}]}]}
END
some_periods
if [ "$(state | jq -r '.cgroups[] | select(.name == "late") | .works[1].workers[0].state')" = ready ]; then
	is "$(stalls_of late)" "" "who has not started is not told"
else
	echo "    it came through before its hog, and is watched: nothing to see"
fi
is "$(count_of victim)" "$try" "the victim once for each time"
summary=$("${bus[@]}" --json=short EndStep 'a{sv}' 0 | jq -c '.data[0] | map_values(.data)')
is "$(fields "$summary" passed)" false "the step fails"
ok "fair servers on" set_fair_servers "${fair:-0}"
ok "RT throttling on" sysctl -q "kernel.sched_rt_runtime_us=$throttling"

t "work that progresses"
cpus=$(nproc)
for type in SpinWait YieldHeavy Mixed Bursty PipeIo FutexPingPong IdleChurn; do
	works+="${works:+,}{\"work_type\":\"$type\",\"workers\":2}"
done
# As many spinners more as it takes to have twice as many workers as CPUs.
works+=",{\"work_type\":\"SpinWait\",\"workers\":$((2 * cpus - 14))}"
# Where CPUs are emulated, the host may hold one up for longer than a window, and its tasks do stand still then. So
# a realtime process on each CPU looks how late it wakes: a report counts only if none was late by half a second.
cat >/tmp/lateness <<'END'
import os, sys, time
cpus, seconds, ends = sorted(os.sched_getaffinity(0)), float(sys.argv[1]), []
for cpu in cpus:
    r, w = os.pipe()
    if os.fork() == 0:
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        end, worst = time.monotonic() + seconds, 0
        while (now := time.monotonic()) < end:
            time.sleep(0.1)
            worst = max(worst, time.monotonic() - now - 0.1)
        os.write(w, b"%d" % (worst * 1000))
        os._exit(0)
    os.close(w)
    ends.append(r)
print(max(int(os.read(r, 32)) for r in ends))
END
for try in 1 2 3; do
	ok "apply" ktctl apply - <<<"{\"cgroups\":[{\"name\":\"all\",\"works\":[$works]}]}"
	is "$(pids_of all | wc -l)" $((2 * cpus)) "workers"
	late=$(python3 /tmp/lateness "$progress_seconds")
	like "$(monitor)" '"active":true' "they are watched"
	told=$(state | jq -c '[.stalls[] | [.work_type, .class, .cause]]')
	summary=$("${bus[@]}" --json=short EndStep 'a{sv}' 0 | jq -c '.data[0] | map_values(.data)')
	is "$(fields "$summary" completed)" $((2 * cpus)) "all end well"
	echo "    run $try: $(fields "$summary" stalls) reports, CPUs held up for $late ms at most"
	[ "$(fields "$summary" stalls)" != 0 ] && [ "$late" -ge 500 ] || break
done
if [ "$late" -lt 500 ] || [ "$(fields "$summary" stalls)" = 0 ]; then
	is "$(fields "$summary" passed stalls)" "true 0" "no report in $progress_seconds s: $told"
else
	echo "    the host held the machine up each time: nothing can be said of work that progresses"
fi

t "the period"
# One worker keeps the step, 2,000 come and go beside it, a hundred at a time. The measure is a process that wakes at
# the same period and leaves out what it missed, as the monitor does: an emulated machine may keep neither.
ok "add-cgroup" ktctl add-cgroup stays "${light[@]}" --workers 1
wait_until 20 "it ticks" has_ticks 1
python3 - >/tmp/reference <<'END' &
import time
due = time.monotonic()
end, count = due + 600, 0
while due < end:
    now = time.monotonic()
    due += 0.5 * (int(max(0, now - due) / 0.5) + 1)
    time.sleep(max(0, due - time.monotonic()))
    count += 1
    print(count, flush=True)
END
reference=$!
reference_ticks() { tail -n 1 /tmp/reference; }
wait_until 20 "the reference ticks" test -s /tmp/reference
first=$(ticks) first_reference=$(reference_ticks)
for i in $(seq 20); do
	ok "100 workers more" ktctl add-cgroup "many$i" --work-type Bursty --param burst_duration=100us --param sleep_duration=300ms --workers 100
	echo 1 >"$scenario/many$i/cgroup.kill"
done
has_none() { [ "$(state | jq '[.cgroups[] | select(.name | startswith("many")) | .works[].workers[] | select(.state != "killed")] | length')" = 0 ]; }
wait_until 60 "they are gone" has_none
wait_until 180 "time passes" has_ticks $((first + 120))
counted=$(($(ticks) - first)) expected=$(($(reference_ticks) - first_reference))
kill "$reference"
# Within 10 %, and one for the two not being read at the same moment.
is "$((counted * 10 + 10 >= expected * 9 && counted * 10 <= expected * 11 + 10))" 1 "$counted ticks where $expected were due"
echo "    $counted ticks where $expected were due"
summary=$("${bus[@]}" --json=short EndStep 'a{sv}' 0 | jq -c '.data[0] | map_values(.data)')
is "$(fields "$summary" workers killed)" "2001 2000" "the summary"
ok "nothing is left" nothing_left
fresh
