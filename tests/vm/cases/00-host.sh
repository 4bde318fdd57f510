# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The machine is what the other cases rely on.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

cpu=/sys/devices/system/cpu node=/sys/devices/system/node

t "topology"
is "$(cat $cpu/online)" 0-7 "8 CPUs"
is "$(cat $node/online)" 0-1 "2 NUMA nodes"
is "$(cat $node/node0/cpulist) $(cat $node/node1/cpulist)" "0-3 4-7" "4 CPUs in each node"
is "$(cat $node/node0/distance) / $(cat $node/node1/distance)" "10 21 / 21 10" "node distances"
for n in 0 1; do
	# shellcheck disable=SC2016
	ok "node $n has memory" awk '$3 == "MemTotal:" && $4 > 500000 { found = 1 } END { exit !found }' $node/node$n/meminfo
done
for i in 0 1 2 3; do
	is "$(cat $cpu/cpu$i/cache/index3/shared_cpu_list)" 0-3 "CPU $i: first last-level cache"
	is "$(cat $cpu/cpu$((i + 4))/cache/index3/shared_cpu_list)" 4-7 "CPU $((i + 4)): second last-level cache"
done
for i in 0 2 4 6; do
	is "$(cat $cpu/cpu$i/topology/thread_siblings_list)" "$i-$((i + 1))" "CPU $i: SMT siblings"
done
is "$(cat $cpu/cpu0/topology/physical_package_id) $(cat $cpu/cpu7/topology/physical_package_id)" "0 1" "2 packages"

t "cgroups"
root=/sys/fs/cgroup
is "$(stat -f -c %T $root)" cgroup2fs "unified hierarchy"
for controller in cpuset cpu io memory pids; do
	like " $(cat $root/cgroup.controllers) " " $controller " "controller $controller"
done
# Every controller can be delegated and takes a value below the unit, swap accounting included.
# shellcheck disable=SC2016
ok "delegated unit" systemd-run --quiet --collect --wait --pipe -p Delegate="cpu cpuset io memory pids" sh -ec '
	cd /sys/fs/cgroup/$(sed -n s,^0::/,,p /proc/self/cgroup)
	mkdir supervisor inner
	echo 0 >supervisor/cgroup.procs
	echo "+cpuset +cpu +io +memory +pids" >cgroup.subtree_control
	cd inner
	echo 4-7 >cpuset.cpus
	echo 1 >cpuset.mems
	echo "50000 100000" >cpu.max
	echo 64M >memory.max
	echo 0 >memory.swap.max
	echo 10 >pids.max'
# A disk to throttle or to swap to: made of memory, there for whoever loads it.
ok "block device" modprobe null_blk nr_devices=1 gb=1 memory_backed=1
ok "io limit" systemd-run --quiet --collect --wait -p IOWriteBandwidthMax="/dev/nullb0 1M" true

t "systemd"
is "$(ps -o comm= -p 1)" systemd "process 1"
is "$(systemctl is-system-running)" running "state of the manager"
# Sandboxes pivot to a root of their own, which an initial ramdisk does not allow by itself.
ok "sandboxed unit" systemd-run --quiet --collect --wait -p ProtectSystem=strict -p PrivateTmp=yes -p PrivateDevices=yes \
	-p ProtectKernelTunables=yes -p ProtectHome=yes -p NoNewPrivileges=yes -p SystemCallFilter=@system-service true
like "$(cat /etc/machine-id)" '^[0-9a-f]{32}$' "machine id"
ok "journal" sh -c 'journalctl -b -o cat | grep -q .'

t "system bus"
ok "answers" busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId
ok "systemd is on it" busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 \
	org.freedesktop.systemd1.Manager Version
