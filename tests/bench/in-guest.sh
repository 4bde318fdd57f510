#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# in-guest.sh [ROUNDS [COUNTS]]
#
# On a machine with systemd where ktsetupd is installed, best by tests/bench/in-vm:
# First bench-spawn, where there is one in /bench: groups of COUNTS workers with all limits, by ktsetupd, by hand and as a
# systemd scope. Then one process in a cgroup of its own, from the start to the removal: ktctl and busctl against a
# shell, systemd-run and a plain program, in turn; medians as multiples of starting a program.
#
# Fails only if something does not work or something is left.
set -euo pipefail

rounds=${1:-9} counts=${2:-1,8,16,256}
cgroup=/sys/fs/cgroup/bench-shell
bus=(org.ktstr.Setup1 /org/ktstr/Setup1/scenario/default org.ktstr.Setup1.Scenario)
work=(--work-type Bursty --param burst_duration=1us --param sleep_duration=3600s) # sleeps until it is stopped
times=$(mktemp)
trap 'rm -f "$times"' EXIT

# ---- the ways ----

program() { /bin/true; }

# As cgexec does it: move oneself, then execute.
shell() {
  mkdir "$cgroup"
  # shellcheck disable=SC2016  # expanded by the inner shell
  bash -c 'echo $$ >"$0/cgroup.procs"; exec /bin/true' "$cgroup"
  rmdir "$cgroup"
}

scope() { systemd-run --quiet --scope /bin/true; }
service() { systemd-run --quiet --wait /bin/true; }

ktctl_step() {
  ktctl add-cgroup bench "${work[@]}" >/dev/null
  ktctl end-step >/dev/null
}

busctl_step() {
  busctl --quiet call "${bus[@]}" AddCgroupDef 'a{sv}a{sv}' \
    2 name s bench works 'aa{sv}' 1 2 work_type s Bursty \
    params 'a{sv}' 2 burst_duration s 1us sleep_duration s 3600s 0
  busctl --quiet call "${bus[@]}" EndStep 'a{sv}' 0
}

empty_call() { busctl --quiet call org.ktstr.Setup1 /org/ktstr/Setup1 org.freedesktop.DBus.Peer Ping; }

# ---- measuring ----

# measure NAME COMMAND: one sample, in microseconds
measure() {
  local start=${EPOCHREALTIME/./} end
  "$2"
  end=${EPOCHREALTIME/./}
  echo "$1	$((end - start))" >>"$times"
}

one_round() {
  measure program program
  measure shell shell
  measure scope scope
  measure service service
  measure ping empty_call
  measure ktctl-cold ktctl_step
  measure busctl-cold busctl_step
  ktctl add-cgroup base --backdrop "${work[@]}" >/dev/null
  measure ktctl-up ktctl_step
  measure busctl-up busctl_step
  ktctl teardown >/dev/null
}

median() { grep "^$1	" "$times" | cut -f 2 | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

row() { # LABEL NAME
  local us
  us=$(median "$2")
  awk -v label="$1" -v us="$us" -v floor="$floor" \
    'BEGIN { printf "%-62s%9.1f ms%9.1f x\n", label, us / 1000, us / floor }'
}

nothing_left() {
  [ ! -e "$cgroup" ] && [ "$(busctl get-property "${bus[@]}" Cgroups)" = "as 0" ] && ! pgrep -x ktsetup-executo >/dev/null
}

if [ -x /bench/bench-spawn ]; then /bench/bench-spawn --installed --rounds "$rounds" --counts "$counts"; fi

one_round # everything is in the caches, the daemon is started
: >"$times"
for ((i = 0; i < rounds; i++)); do one_round; done

floor=$(median program)
printf '\nLinux %s, %s CPUs. One process in a cgroup of its own, from nothing to nothing; medians of %s.\n\n' \
  "$(uname -r)" "$(nproc)" "$rounds"
row 'start a program (fork, exec, wait)' program
row 'busctl: an empty call to ktsetupd' ping
row 'shell: mkdir, write cgroup.procs, exec, rmdir' shell
row 'systemd-run --scope' scope
row 'systemd-run --wait (a service)' service
row 'busctl AddCgroupDef, EndStep: the scenario is up' busctl-up
row 'busctl AddCgroupDef, EndStep: its unit is started and stopped' busctl-cold
row 'ktctl add-cgroup, end-step: the scenario is up' ktctl-up
row 'ktctl add-cgroup, end-step: its unit is started and stopped' ktctl-cold
printf '\nThe last four start two programs each; every other one.\n'
nothing_left || { echo "something is left" >&2; exit 1; }
