# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Every way in which a payload ends or never begins, what is kept of its output, who is told; nothing of it is left.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

# A command line to look for: no other process has it.
sleeper='sleep 8[0-9][0-9][0-9]'
no_sleeper() { [ -z "$(all_of "$sleeper")" ]; }
# Those without a cgroup have directories of their own.
no_directory() { [ -z "$(find "$scenario" -mindepth 1 -maxdepth 1 -type d -name '@*')" ]; }
how() { fields "$1" result exit_code signal passed; }

fresh
t "killed"
ok "run-payload" ktctl run-payload --name victim -- sleep 8001
pid=$(payload_of victim | jq -r .pid)
directory=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
like "$directory" "^/ktsetup\.slice/ktsetup-default\.service/@" "it has a cgroup of its own"
record=$(ktctl kill-payload victim --json)
is "$? $(how "$record")" "0 killed -1 9 true" "kill-payload"
fails "its process is gone" kill -0 "$pid"
fails "so is its cgroup" [ -e "/sys/fs/cgroup$directory" ]
like "$(ktctl kill-payload victim 2>&1)" "NoSuchPayload" "it cannot be killed again"

t "timed out"
ok "run-payload" ktctl run-payload --name victim --check exit-code:0 -- sh -c 'trap "" TERM; sleep 8002 & sleep 8003; :'
pid=$(payload_of victim | jq -r .pid)
like "$(ktctl wait-payload victim --timeout 200ms 2>&1)" "goes on.*TimedOut" "the wait alone ends"
ok "the payload lives" kill -0 "$pid"
record=$(ktctl wait-payload victim --timeout 200ms --kill --json)
is "$? $(how "$record")" "4 timed-out -1 9 false" "the payload ends with the wait"
ok "all of it" no_sleeper

t "killed by somebody else"
ok "a cgroup with a limit" ktctl add-cgroup tight --memory-max 24M --memory-swap-max 0 -- sleep 8004
kill -KILL "$(payload_of sleep | jq -r .pid)"
record=$(ktctl wait-payload sleep --json)
is "$(how "$record") $(jq .oom_kills <<<"$record")" "signaled -1 9 true 0" "KILL"
ok "run-payload" ktctl run-payload --name victim --cgroup tight --check exit-code:-1 -- sleep 8005
kill -TERM "$(payload_of victim | jq -r .pid)"
record=$(ktctl wait-payload victim --json)
is "$? $(how "$record")" "4 signaled -1 15 true" "TERM: the check passes, yet the payload did not end by itself"

t "no memory"
ok "run-payload" ktctl run-payload --name eater --cgroup tight -- python3 -c 'b"x" * (64 << 20)'
record=$(ktctl wait-payload eater --timeout 120s --json)
is "$? $(how "$record")" "4 oom-killed -1 9 true" "memory.max"
is "$(jq .oom_kills <<<"$record")" "$(sed -n 's/^oom_kill //p' "$scenario/tight/memory.events")" "what memory.events counted"
# A child of the payload is the kernel's victim; the payload itself is killed from outside.
ok "run-payload" ktctl run-payload --name parent --cgroup tight -- \
	sh -c 'python3 -c "b\"x\" * (64 << 20)"; echo $?; exec sleep 8006'
ok "its child dies" timeout 60 sh -c 'ktctl payload-output parent --follow | grep -qx 137'
is "$(payload_of parent | jq -r .state)" running "it goes on"
record=$(ktctl kill-payload parent --json)
is "$(how "$record") $(jq .oom_kills <<<"$record")" "killed -1 9 true 1" "that is told apart"
ok "run-payload" ktctl run-payload --name after --cgroup tight -- sleep 8007
kill -KILL "$(payload_of after | jq -r .pid)"
record=$(ktctl wait-payload after --json)
is "$(how "$record") $(jq .oom_kills <<<"$record")" "signaled -1 9 true 0" "those before do not count"
report=$(ktctl end-step --json)
is $? 4 "the end of the step tells of the check that failed, though its result was collected"
is "$(jq -c '[.payloads[] | [.payload, .result, .passed]]' <<<"$report")" \
	'[["victim","killed",true],["victim","timed-out",false],["sleep","signaled",true],["victim","signaled",true],["eater","oom-killed",true],["parent","killed",true],["after","signaled",true]]' \
	"and of all payloads of the step"
ok "nothing is left" nothing_left

t "what cannot be started"
mkdir -p /run/82/directory
printf '#!/no/such/interpreter\n' >/run/82/no-interpreter
printf 'echo no first line\n' >/run/82/no-line
printf '#!/bin/sh\n' >/run/82/not-executable
chmod +x /run/82/no-interpreter /run/82/no-line
# refused EXEC REGEX: as a payload of a call and of a definition
refused() {
	local message
	message=$(ktctl run-payload --name x -- "$1" 2>&1)
	like "$message" "payload 'x'.*$2.*PayloadFailed" "$1"
	echo "    $message"
	like "$(ktctl add-cgroup whole --memory-max 64M "${light[@]}" --workers 2 -- "$1" 2>&1)" "$2.*PayloadFailed" "$1, in a definition"
	ok "nothing is left" nothing_left
}
refused /run/82/nothing "'/run/82/nothing'.*ENOENT.*no such file"
refused nosuchcommand "'nosuchcommand'.*ENOENT.*no directory of PATH"
refused /run/82/directory "'/run/82/directory'.*EACCES.*a directory"
refused /run/82/not-executable "'/run/82/not-executable'.*EACCES.*chmod"
refused /run/82/no-line "'/run/82/no-line'.*ENOEXEC.*#!"
refused /run/82/no-interpreter "'/run/82/no-interpreter'.*'/no/such/interpreter'.*ENOENT.*interpreter"
refused /bin/sh/x "ENOTDIR"
like "$(ktctl run-payload --name x -- some/where 2>&1)" "relative.*InvalidDefinition" "a relative path"
like "$(ktctl run-payload --name x --working-directory /run/82/nothing -- true 2>&1)" "'/run/82/nothing'.*ENOENT" "a directory to start in"
ok "a backdrop" ktctl add-cgroup full --backdrop --pids-max 2 "${light[@]}" --workers 2
like "$(ktctl run-payload --name x --cgroup full --backdrop -- true 2>&1)" "EAGAIN.*pids\.max" "pids.max"
is "$(pids_of full | wc -l)" 2 "whoever was there goes on"
like "$(ktctl apply - 2>&1 <<<'{"cgroups":[{"name":"a","payload":{"name":"x","exec":"sleep","args":["8008"]}},
	{"name":"b","payload":{"name":"x","exec":"/run/82/nothing"}}]}')" "^.*cgroups\[1\]\.payload.*nothing" "the second of two"
is "$(ktctl status --json | jq -c '[[.cgroups[].name], .payloads]')" '[["full"],[]]' "nor is there the first"
ok "no process of it" no_sleeper
is "$(cd "$scenario" && find . -mindepth 1 -type d ! -name supervisor)" ./full "nor a cgroup"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left

t "more output than is kept"
limit=$((16 << 20)) printed=$((20 << 20))
ok "run-payload" ktctl run-payload --name loud -- sh -c "yes out | head -c $printed & yes err | head -c $printed >&2; wait"
record=$(ktctl wait-payload loud --timeout 300s --stdout /run/82/out --stderr /run/82/err --json)
is "$(how "$record")" "exited 0 null true" "it ended by itself"
for stream in stdout stderr; do
	is "$(jq -c ".$stream | [.bytes, .kept, .truncated]" <<<"$record")" "[$printed,$limit,true]" "$stream"
done
ok "the beginning of one is kept" cmp -n "$limit" /run/82/out <(yes out 2>/dev/null | head -c "$limit")
ok "and of the other" cmp -n "$limit" /run/82/err <(yes err 2>/dev/null | head -c "$limit")
is "$(stat -c %s /run/82/out /run/82/err | paste -sd' ')" "$limit $limit" "no more"
rm /run/82/out /run/82/err

t "output after the end of the leader"
mkfifo /run/82/go
ok "run-payload" ktctl run-payload --name parting -- \
	sh -c 'echo first; { read -r line </run/82/go; echo "$line"; exec sleep 8009; } & setsid sh -c "sleep 8010 & exit" & exit 5'
wait_until 60 "the leader ends" has_exited parting
is "$(fields "$(payload_of parting)" result exit_code)" "exited 5" "as the state tells"
is "$(ktctl payload-output parting)" first "its output so far"
ktctl payload-output parting --follow >/run/82/followed &
follower=$!
echo last >/run/82/go
wait_until 60 "what the background child prints is kept" sh -c '[ "$(ktctl payload-output parting | tail -n 1)" = last ]'
wait_until 60 "it goes on" sh -c 'pgrep -x -f "sleep 8009" && pgrep -x -f "sleep 8010"'
record=$(ktctl wait-payload parting --stdout /run/82/all --json)
is "$(fields "$record" result exit_code stdout.bytes stdout.truncated)" "exited 5 11 false" "the record"
is "$(paste -sd' ' /run/82/all)" "first last" "all of the output"
wait $follower
is "$? $(paste -sd' ' /run/82/followed)" "0 first last" "who follows has it, too, and ends"
ok "nobody of it is left" no_sleeper
ok "nor its cgroup" no_directory

t "who waits"
waiting=("${bus[@]}" --timeout=600 --json=short WaitPayload 'sa{sv}')
ok "run-payload" ktctl run-payload --name slow -- sh -c 'read -r line </run/82/go; exit 6'
pid=$(payload_of slow | jq -r .pid)
daemon=$(systemctl show -P MainPID ktsetupd.service)
# The daemon watches who waits: that is a match rule on the bus for each.
watches() {
	busctl --json=short call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.Debug.Stats GetAllMatchRules 2>/dev/null |
		jq -r '.data[0][][]' | grep -c "member='NameOwnerChanged'.*arg0=':" || :
}
idle=$(watches)
"${waiting[@]}" slow 0 >/run/82/one & one=$!
"${waiting[@]}" slow 0 >/run/82/two & two=$!
"${waiting[@]}" slow 0 >/run/82/three 2>&1 & three=$!
wait_until 60 "the daemon watches them" eval '[ "$(watches)" = $((idle + 3)) ]'
kill -KILL $three
wait $three 2>/dev/null
wait_until 60 "one has left, and its wait with it" eval '[ "$(watches)" = $((idle + 2)) ]'
ok "the payload lives" kill -0 "$pid"
is "$(payload_of slow | jq -r .state)" running "as the daemon knows"
fails "the others still wait" test -s /run/82/one
echo >/run/82/go
wait $one
is "$?" 0 "one is answered"
wait $two
is "$?" 0 "and the other"
is "$(jq -c '.data[0].exit_code.data' /run/82/one /run/82/two | paste -sd' ')" "6 6" "with the same record"
ok "just the same" cmp /run/82/one /run/82/two
is "$(watches)" "$idle" "nobody is watched any more"
is "$(systemctl show -P MainPID ktsetupd.service)" "$daemon" "the daemon is the same"
is "$(payload_of slow)" "" "the payload is collected"
ok "end-step" ktctl end-step
ok "nothing is left" nothing_left

t "two in one cgroup, beside a worker and a stranger"
ok "a backdrop, so that the scenario outlives the step" ktctl add-cgroup base --backdrop "${light[@]}"
ok "add-cgroup" ktctl add-cgroup shared "${light[@]}" --workers 1
ok "one" ktctl run-payload --name one --cgroup shared -- sh -c 'setsid sleep 8021 & exec sleep 8022'
ok "two" ktctl run-payload --name two --cgroup shared -- sh -c 'setsid sleep 8023 & exec sleep 8024'
wait_until 60 "all run" eval '[ "$(all_of "$sleeper" | wc -l)" = 4 ]'
sleep infinity & stranger=$!
echo $stranger >"$scenario/shared/cgroup.procs"
ok "one is killed" ktctl kill-payload one
is "$(all_of "$sleeper" | xargs ps -o args= -p | sort | paste -sd,)" "sleep 8023,sleep 8024" "with its descendant; the other and its own live"
is "$(sort -n "$scenario/shared/cgroup.procs" | paste -sd' ')" \
	"$( (all_of "$sleeper"; pids_of shared; echo $stranger) | sort -n | paste -sd' ')" "as do the worker and the stranger"
like "$(ktctl kill-payload two --cgroup '' 2>&1)" "no payload 'two' \(no cgroup\); those of that name: 'shared'.*NoSuchPayload" "the cgroup is part of the name"
report=$(ktctl end-step --json)
like "$(jq -r '.warnings[]' <<<"$report")" "shared.*$stranger" "the report names the stranger"
is "$(jq -c '[[.payloads[] | [.payload, .result]], [.cgroups[].works[].workers[].completed]]' <<<"$report")" \
	'[[["one","killed"],["two","killed"]],[true]]' "and the others"
ok "no process is left of the payloads" no_sleeper
ok "the stranger lives" kill -0 $stranger
kill $stranger
ok "teardown" ktctl teardown
wait_until 10 "nothing is left" nothing_left

t "a frozen cgroup"
ok "add-cgroup" ktctl add-cgroup ice "${light[@]}" --workers 1 -- sleep 8031
echo 1 >"$scenario/ice/cgroup.freeze"
wait_until 10 "it is frozen" grep -q 'frozen 1' "$scenario/ice/cgroup.events"
record=$(ktctl kill-payload sleep --json)
is "$? $(how "$record")" "0 killed -1 9 true" "a payload in it can be killed"
like "$(ktctl run-payload --name cold --cgroup ice -- true 2>&1)" "'ice'.*ETIMEDOUT.*frozen.*TimedOut" "none can be started in it"
is "$(cat "$scenario/ice/cgroup.procs")" "$(pids_of ice)" "the worker alone is there"
echo 0 >"$scenario/ice/cgroup.freeze"
ok "once it is thawed one can" ktctl run-payload --name warm --cgroup ice -- true
is "$(how "$(ktctl wait-payload warm --json)")" "exited 0 null true" "and ends"
ok "end-step" ktctl end-step
ok "nothing is left" nothing_left

t "one that forks without end"
ok "add-cgroup" ktctl add-cgroup bomb --cpuset cpus:6 --pids-max 12 "${light[@]}" --workers 1
cat >/run/82/bomb <<'END'
#!/usr/bin/python3
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
END
chmod +x /run/82/bomb
ok "run-payload" ktctl run-payload --cgroup bomb -- /run/82/bomb
wait_until 60 "the cgroup is full" grep -qx 12 "$scenario/bomb/pids.current"
record=$(ktctl kill-payload bomb --json)
is "$? $(how "$record")" "0 killed -1 9 true" "kill-payload"
is "$(cat "$scenario/bomb/cgroup.procs")" "$(pids_of bomb)" "the worker alone is there"
ok "end-step" ktctl end-step
ok "nothing is left" nothing_left

t "the step ends while somebody waits"
ok "run-payload" ktctl run-payload --name slow -- sleep 8041
"${waiting[@]}" slow 0 >/run/82/one 2>&1 & one=$!
wait_until 60 "somebody waits" eval '[ "$(watches)" -gt "$idle" ]'
ok "end-step" ktctl end-step
wait $one
is "$? $(jq -c '.data[0].result.data' /run/82/one)" '0 "killed"' "the record comes all the same"
ok "nothing is left" nothing_left

t "a daemon that would leave"
mkdir -p /etc/ktsetupd.conf.d
printf '[Daemon]\nIdleExitSec=1\n' >/etc/ktsetupd.conf.d/82-idle.conf
fresh
ok "run-payload" ktctl run-payload --name busy -- sh -c 'read -r line </run/82/go'
daemon=$(systemctl show -P MainPID ktsetupd.service)
# No event tells that nothing happens: three times what it would wait for.
sleep 3
is "$(systemctl show -P MainPID ktsetupd.service)" "$daemon" "it stays with a payload that runs"
echo >/run/82/go
wait_until 60 "the payload ends" has_exited busy
sleep 3
is "$(systemctl show -P MainPID ktsetupd.service)" "$daemon" "and with a result that nobody has asked for"
is "$(how "$(ktctl wait-payload busy --json)")" "exited 0 null true" "the result"
sleep 3
is "$(systemctl show -P MainPID ktsetupd.service)" "$daemon" "it stays with the record, too, which the step's report will have"
report=$(ktctl end-step --json)
is "$(jq -c '[.payloads[] | [.payload, .result]]' <<<"$report")" '[["busy","exited"]]' "the report has it"
wait_until 20 "then it leaves" sh -c '[ "$(systemctl is-active ktsetupd.service)" = inactive ]'
rm /etc/ktsetupd.conf.d/82-idle.conf
fresh

# A payload in a cgroup with a worker, and one with a descendant that has forked twice and left its session.
begin() {
	ok "a definition" ktctl add-cgroup run --cpuset llc:0 "${light[@]}" --workers 2 -- sleep 8011
	ok "a backdrop" ktctl add-cgroup stage/deep --backdrop --memory-max 64M -- sh -c 'setsid setsid sleep 8012 & setsid sh -c "setsid sleep 8013 &" ; sleep 8014'
	ok "a call" ktctl run-payload --name loose -- sh -c 'setsid sh -c "setsid sleep 8015 & exit" & exit 0'
	wait_until 60 "all run" eval '[ "$(all_of "$sleeper" | wc -l)" = 5 ]'
	wait_until 60 "one leader has left" has_exited loose
	like "$(cat "/proc/$(all_of 'sleep 8015')/cgroup")" "/@" "its descendant is in its cgroup"
}
served() {
	ok "the next call is served" ktctl run-payload --name next -- true
	is "$(how "$(ktctl wait-payload next --timeout 60s --json)")" "exited 0 null true" "to its end"
	ok "teardown" ktctl teardown
	ok "nothing is left" nothing_left
}

t "end of step, teardown"
begin
report=$(ktctl end-step --json)
is "$(jq -c '[.payloads[] | [.payload, .slot, .origin, .result]] | sort' <<<"$report")" \
	'[["loose","step","call","exited"],["sleep","step","definition","killed"]]' "the step's payloads"
is "$(all_of "$sleeper" | wc -l)" 3 "those of the backdrop go on"
report=$(ktctl teardown --json)
is "$(jq -c '[.payloads[] | [.payload, .slot, .result]]' <<<"$report")" '[["sh","backdrop","killed"]]' "the backdrop's"
ok "no process is left" no_sleeper
ok "nothing is left" nothing_left

t "systemctl stop of the daemon"
begin
ok "stop" systemctl stop ktsetupd.service
wait_until 10 "nothing is left" nothing_left
ok "no process either" no_sleeper
is "$(systemctl show -P Result ktsetupd.service)" success "the service ended well"
served

t "systemctl stop of the scenario's unit"
begin
"${waiting[@]}" sh 0 >/run/82/lost 2>&1 & waiter=$!
wait_until 60 "somebody waits" eval '[ "$(watches)" -gt "$idle" ]'
ok "stop" systemctl stop ktsetup-default.service
wait_until 10 "nothing is left" nothing_left
ok "no process either" no_sleeper
wait_until 10 "the daemon knows" sh -c "[ \"\$(ktctl status --json | jq -c '[.cgroups, .payloads]')\" = '[[],[]]' ]"
wait $waiter
is "$?" 1 "whoever waited is told"
like "$(cat /run/82/lost)" "Call failed: .*executor" "why"
served

t "the daemon is killed"
begin
ok "kill" systemctl kill -s KILL ktsetupd.service
wait_until 10 "nothing is left" nothing_left
ok "no process either" no_sleeper
served

t "the executor is killed"
begin
ok "kill" systemctl kill -s KILL --kill-who=main ktsetup-default.service
wait_until 10 "nothing is left" nothing_left
ok "no process either" no_sleeper
served
rm -r /run/82
fresh
