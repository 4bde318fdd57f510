#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# demo.sh [--vm|--native]
#
# Installs what it needs, builds, and shows the main job of ktsetupd from a call to an empty machine again. It
# runs in a throwaway virtual machine, where ktsetupd is installed as a system service, or (--native) on this
# machine, with a bus and a delegated cgroup of its own: nothing is installed then. Without an option: natively
# where the machine has what the demonstration shows, else in the virtual machine.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

# systemd with a unified cgroup tree, all five controllers, and two last-level caches to tell apart.
fits() {
  local controller
  [ -d /run/systemd/system ] || { echo "systemd does not run here"; return 1; }
  [ -e /sys/fs/cgroup/cgroup.controllers ] || { echo "cgroup v2 is not what /sys/fs/cgroup has"; return 1; }
  for controller in cpuset cpu io memory pids; do
    grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || { echo "no cgroup controller '$controller'"; return 1; }
  done
  [ "$(cat /sys/devices/system/cpu/cpu*/cache/index3/shared_cpu_list 2>/dev/null | sort -u | wc -l)" -ge 2 ] ||
    { echo "fewer than two last-level caches"; return 1; }
  [ "$(id -u)" = 0 ] || type -P sudo >/dev/null || { echo "not root, and no sudo"; return 1; }
}

where=${1:-}
case $where in
'') if why=$(fits); then where=--native; else where=--vm; echo "demo: in a virtual machine ($why)"; fi ;;
--vm) ;;
--native) why=$(fits) || { echo "demo: not on this machine: $why" >&2; exit 1; } ;;
*) echo "usage: $0 [--vm|--native]" >&2; exit 2 ;;
esac

tests/check/install test
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "demo: building"
{ [ -e build/build.ninja ] || meson setup build; meson compile -C build; } >"$log" 2>&1 || { cat "$log" >&2; exit 1; }

if [ "$where" = --vm ]; then
  exec tests/vm/run --build build -- bash /tests/vm/demo-inside.sh
fi
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
# A scope of our own with the controllers handed over; it ends with the demonstration.
exec "${as_root[@]}" systemd-run --quiet --scope --unit="ktsetup-demo-$$" --property=Delegate=yes \
  bash tests/vm/demo-inside.sh --native "$PWD/build"
