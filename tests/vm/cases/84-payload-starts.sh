# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Hundreds of payloads: whatever each of them took, descriptors, processes, memory, cgroups, is given back. The machine
# is an emulated one, where each costs a seventh of a second.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

starts=${KTSETUP_STARTS:-400} batch=100
helper=$(dirname "$0")/../payload-starts
daemon_pid() { systemctl show -P MainPID ktsetupd.service; }
executor_pid() { systemctl show -P MainPID ktsetup-default.service; }
descriptors() { find "/proc/$1/fd" -mindepth 1 | wc -l; }
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
zombies() { ps -e -o stat= -o comm= | grep -c '^Z' || :; }
no_zombies() { [ "$(zombies)" = 0 ]; }
directories() { find "$slice" -type d | sort; }

fresh
# Keeps the executor and the scenario through all ends of steps.
ok "a backdrop" ktctl add-cgroup base --backdrop "${light[@]}"
daemon=$(daemon_pid) executor=$(executor_pid)

t "one after the other"
# The first ones make what stays: tables that have grown, libraries that were loaded.
is "$("$helper" "$batch" 1 true)" "$batch exited 0" "the first $batch"
ok "end-step" ktctl end-step
files="$(descriptors "$daemon") $(descriptors "$executor")"
memory=$(resident "$daemon") executor_memory=$(resident "$executor")
places=$(directories) began=$SECONDS
for ((done = batch; done < starts; done += batch)); do
	is "$("$helper" "$batch" 1 true)" "$batch exited 0" "$batch more after $done"
	ok "end-step" ktctl end-step
	echo "    $((done + batch)): daemon $(resident "$daemon") KiB, executor $(resident "$executor") KiB, $((SECONDS - began)) s"
done
is "$(daemon_pid) $(executor_pid)" "$daemon $executor" "daemon and executor are the same"
is "$(descriptors "$daemon") $(descriptors "$executor")" "$files" "their descriptors"
# A page for each start would be 1.2 MiB.
is "$(($(resident "$daemon") - memory < 1024))" 1 "the daemon's memory: $memory KiB before, $(resident "$daemon") KiB after"
is "$(($(resident "$executor") - executor_memory < 512))" 1 \
	"the executor's memory: $executor_memory KiB before, $(resident "$executor") KiB after"
is "$(directories)" "$places" "cgroups"
ok "no zombie" no_zombies
is "$(ktctl status --json | jq -c .payloads)" '[]' "the books"

t "many at once"
# Each takes five descriptors of the daemon: more than the 1024 that a service has by default.
ok "start" "$helper" 300 0 sleep 8401
is "$(all_of 'sleep 8401' | wc -l)" 300 "they run"
is "$(busctl get-property org.ktstr.Setup1 /org/ktstr/Setup1/scenario/default org.ktstr.Setup1.Scenario Payloads)" "u 300" \
	"the property Payloads"
is "$(($(descriptors "$daemon") > 1024))" 1 "descriptors of the daemon"
report=$(ktctl end-step --json)
is "$(jq -c '[.payloads | length, (map(.result) | unique)]' <<<"$report")" '[300,["killed"]]' "the report"
is "$(all_of 'sleep 8401')" "" "they are gone"
is "$(descriptors "$daemon") $(descriptors "$executor")" "$files" "descriptors"
is "$(directories)" "$places" "cgroups"
ok "no zombie" no_zombies

t "a limit"
ok "drop-in" mkdir -p /etc/ktsetupd.conf.d
printf '[Limits]\nMaxPayloads=3\n[Payloads]\nMaxOutputBytes=4K\n' >/etc/ktsetupd.conf.d/84.conf
ok "teardown" ktctl teardown
fresh
for i in 1 2 3; do
	ok "payload $i" ktctl run-payload --name "p$i" -- sh -c 'yes | head -c 10000; sleep 8402'
done
like "$(ktctl run-payload --name p4 -- true 2>&1)" "MaxPayloads.*LimitExceeded" "the fourth"
wait_until 60 "one prints more than is kept" eval '[ "$(payload_of p1 | jq .stdout.bytes)" = 10000 ]'
record=$(ktctl kill-payload p1 --json)
is "$(jq -c .stdout <<<"$record")" '{"bytes":10000,"kept":4096,"truncated":true}' "what is kept"
ok "there is room again" ktctl run-payload --name p4 -- true
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left
rm /etc/ktsetupd.conf.d/84.conf
fresh
