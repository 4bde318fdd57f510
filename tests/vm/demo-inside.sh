#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# demo-inside.sh [--native BUILD]
#
# The demonstration itself, as root. Where ktsetupd is installed as a system service, plain. With --native, from
# the build directory BUILD, in a delegated scope of systemd: daemon and bus are then its own.
set -euo pipefail

heading() { printf '\n=== %s\n\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
note() { printf '%s\n' "$*"; }

work=$(mktemp -d)
bus='' daemon=''
# shellcheck disable=SC2317  # called by the trap
finish() {
  [ -z "$daemon" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null || :
  [ -z "$bus" ] || kill "$bus" || :
  rm -rf "$work"
}
trap finish EXIT
cd "$work"

start_native() {
  local build=$1 scope
  scope=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
  # A cgroup whose controllers are handed down holds no process itself.
  mkdir "$scope/demo" "$scope/scenarios"
  echo $$ >"$scope/demo/cgroup.procs"
  echo "+cpuset +cpu +io +memory +pids" >"$scope/cgroup.subtree_control"
  dbus-daemon --session --nofork --nopidfile --address="unix:path=$work/bus" &
  bus=$!
  until [ -S "$work/bus" ]; do sleep 0.1; done
  : >ktsetupd.conf
  "$build/daemon/ktsetupd" --bus-address "unix:path=$work/bus" --cgroup-root "$scope/scenarios" \
    --executor "$build/daemon/executor/ktsetup-executor" --config ktsetupd.conf &
  daemon=$!
  eval "ktctl() { '$build/client/ktctl' --address 'unix:path=$work/bus' \"\$@\"; }"
  for _ in $(seq 50); do ! ktctl status >/dev/null 2>&1 || break; sleep 0.1; done
  root=$scope/scenarios
}

native=''
if [ "${1:-}" = --native ]; then
  native=yes
  start_native "$2"
else
  root=/sys/fs/cgroup/ktsetup.slice
fi

heading "A machine at rest"
if [ -z "$native" ]; then
  note "The service is not running: the first call starts it."
  run systemctl is-active ktsetupd.service || :
  note
fi
run ktctl topology
[ -n "$native" ] || { note; run systemctl is-active ktsetupd.service; }

heading "What to set up: two cgroups, a last-level cache each, different limits and workers"
cat >two-llcs.json <<'END'
{
  "cgroups": [
    {
      "name": "busy",
      "cpuset": "llc:0",
      "cpu": { "weight": 200, "quota_us": "150%" },
      "memory": { "max": "256M", "high": "200M" },
      "io": { "weight": 50 },
      "pids": { "max": 64 },
      "works": [ { "work_type": "SpinWait", "workers": 3, "nice": 5, "comm": "spinner" } ]
    },
    {
      "name": "waking",
      "cpuset": "llc:1",
      "memory": { "max": "64M" },
      "pids": { "max": 32 },
      "works": [
        { "work_type": "Bursty", "workers": 2, "affinity": "single", "comm": "bursty",
          "params": { "burst_duration": "5ms", "sleep_duration": "10ms" } },
        { "work_type": "YieldHeavy", "workers_pct": 0.5, "comm": "yielder" }
      ]
    }
  ]
}
END
run cat two-llcs.json

heading "The plan: every directory, value and worker, before anything is touched"
run ktctl apply --dry-run two-llcs.json

heading "Now for real"
run ktctl apply two-llcs.json

heading "Status, twice: the counters are read from memory that the workers share with the daemon"
run ktctl status
sleep 2
note
run ktctl status

heading "The kernel's own view"
state=$(ktctl status --json)
while IFS=$'\t' read -r name path; do
  note "$name: $path"
  for knob in cpuset.cpus.effective cpu.max cpu.weight memory.max memory.high io.weight pids.max; do
    printf '  %-22s %s\n' "$knob" "$(paste -sd' ' "$path/$knob")"
  done
  printf '  %-22s %s\n' cgroup.procs "$(paste -sd' ' "$path/cgroup.procs")"
  while read -r pid; do
    printf '    %-8s %-10s %s  CPUs %s\n' "$pid" "$(cat "/proc/$pid/comm")" "$(cat "/proc/$pid/cgroup")" \
      "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$pid/status")"
  done <"$path/cgroup.procs"
  note "  throttled: $(grep -E '^nr_(periods|throttled) ' "$path/cpu.stat" | paste -sd' ')"
done < <(jq -r '.cgroups[] | [.name, .path] | @tsv' <<<"$state")

if [ -z "$native" ]; then
  heading "The scenario is an ordinary service of systemd"
  run systemctl status --no-pager --lines=0 ktsetup-default.service
fi

heading "A call that the machine cannot satisfy changes nothing and says why"
run ktctl add-cgroup third --cpuset llc:7 || :
note
run ktctl add-cgroup third --cpu-weigth 100 || :

heading "The end of the step: a report for each worker"
run ktctl end-step

heading "Nothing is left"
run ktctl status
run ktctl teardown
left() { find "$root" -mindepth 1 -type d 2>/dev/null || :; }
for _ in $(seq 100); do # the executor, and systemd after it, tidy up behind the answer
  [ -n "$(left)" ] || break
  sleep 0.1
done
[ -n "$native" ] || run systemctl list-units --no-pager --all 'ktsetup-*'
left=$(left)
note "cgroups below $root: ${left:-none}"
[ -z "$left" ]
note
note "done"
