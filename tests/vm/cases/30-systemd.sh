# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Whatever an administrator does to the service in the middle of a run, nothing stays behind that should not,
# and the next call is served.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

begin() {
	ok "a run begins" ktctl add-cgroup run --cpuset llc:0 "${light[@]}" --workers 3
	ok "with a backdrop" ktctl add-cgroup stage/deep --backdrop --memory-max 64M "${light[@]}" --workers 1
	is "$(workers)" 5 "an executor and four workers"
}

served() {
	ok "the next call is served" ktctl add-cgroup again "${light[@]}" --workers 1
	ok "and its end" ktctl teardown
	ok "nothing is left" nothing_left
}

fresh
t "systemctl stop"
begin
ok "stop" systemctl stop ktsetupd.service
wait_until 10 "nothing is left" nothing_left
is "$(systemctl show -P Result ktsetupd.service)" success "the service ended well"
served

t "systemctl kill -s KILL"
begin
ok "kill" systemctl kill -s KILL ktsetupd.service
wait_until 10 "nothing is left" nothing_left
served

t "systemctl kill -s KILL, called again at once"
begin
ok "kill" systemctl kill -s KILL ktsetupd.service
served

t "systemctl restart"
begin
ok "restart" systemctl restart ktsetupd.service
wait_until 10 "nothing is left" nothing_left
served

t "systemctl daemon-reload"
begin
before=$(cat "$scenario/run/cpuset.cpus" "$scenario/stage/deep/memory.max"; pids_of run; pids_of stage/deep)
ok "daemon-reload" systemctl daemon-reload
is "$(cat "$scenario/run/cpuset.cpus" "$scenario/stage/deep/memory.max"; pids_of run; pids_of stage/deep)" "$before" \
	"limits and workers are as before"
ok "another cgroup" ktctl add-cgroup more "${light[@]}" --workers 1
report=$(ktctl teardown --json)
is "$(jq -c '[.cgroups[].works[].workers[].completed]' <<<"$report")" '[true,true,true,true,true]' "every worker completed"
ok "nothing is left" nothing_left

t "the scenario's own unit is stopped"
begin
ok "stop" systemctl stop ktsetup-default.service
wait_until 10 "nothing is left" nothing_left
wait_until 10 "the daemon knows" sh -c "[ \"\$(ktctl status --json | jq -c .cgroups)\" = '[]' ]"
served

t "the executor is killed"
begin
ok "kill" systemctl kill -s KILL --kill-who=main ktsetup-default.service
wait_until 10 "nothing is left" nothing_left
served

t "the executor hangs"
begin
kill -STOP "$(systemctl show -P MainPID ktsetup-default.service)"
like "$(ktctl add-cgroup more 2>&1)" 'no progress for [0-9]+ ms .*\[TimedOut\]' "the call is answered all the same"
wait_until 10 "nothing is left" nothing_left
served

t "drop-in for scenarios"
mkdir -p /run/systemd/system/ktsetup-.service.d
printf '[Service]\nNice=5\n' >/run/systemd/system/ktsetup-.service.d/nice.conf
systemctl daemon-reload
ok "a run begins" ktctl add-cgroup run "${light[@]}"
is "$(systemctl show -P Nice ktsetup-default.service)" 5 "the drop-in counts"
rm -r /run/systemd/system/ktsetup-.service.d
systemctl daemon-reload
ok "teardown" ktctl teardown

t "idle exit"
mkdir -p /etc/ktsetupd.conf.d
printf '[Daemon]\nIdleExitSec=1\n' >/etc/ktsetupd.conf.d/10-idle.conf
fresh
ok "a call" ktctl topology
wait_until 20 "the idle service leaves" sh -c '[ "$(systemctl is-active ktsetupd.service)" = inactive ]'
is "$(systemctl show -P Result ktsetupd.service)" success "the service ended well"
served
rm /etc/ktsetupd.conf.d/10-idle.conf
fresh
