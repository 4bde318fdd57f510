# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Programs beside the workers: fio and stress-ng as files define them, what becomes of their numbers, who they run
# as and in what, who may start them.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

files=/etc/ktsetupd/payloads.d
manager=(busctl call org.ktstr.Setup1 /org/ktstr/Setup1 org.ktstr.Setup1.Manager)
home=/ktsetup.slice/ktsetup-default.service
mkdir -p "$files"

# stress-ng has no JSON: its YAML holds a list of stressors, each with its numbers.
cat >/usr/local/bin/stress-json <<'END'
#!/bin/sh
cat /proc/self/cgroup
yaml=$(mktemp) || exit
stress-ng --quiet --metrics --temp-path /tmp --yaml "$yaml" "$@" || exit
awk -F ': ' '/^    - stressor: /{ printf "%s\"%s\": {", comma, $2; comma = "}, "; inner = "" }
	comma && /^      [a-z-]+: /{ printf "%s\"%s\": %s", inner, substr($1, 7), $2; inner = ", " }
	BEGIN { printf "{\"stressors\": {" } END { print "}}}" }' "$yaml"
rm "$yaml"
END
chmod +x /usr/local/bin/stress-json

cat >"$files/stress.payload" <<'END'
[Payload]
Exec=stress-json
Args=--cpu 1 --cpu-method int64 --cpu-ops 20
Output=json
Checks=exit-code:0 min:stressors.cpu.bogo-ops=20 exists:stressors.cpu.user-time
Metrics=stressors.cpu.bogo-ops=informational stressors.cpu.bogo-ops-per-second-real-time=higher-better,ops/s
END

cat >"$files/fio.payload" <<'END'
[Payload]
Exec=/bin/sh
# The first argument is what the script calls itself.
Args=-c 'cat /proc/self/cgroup; exec fio "$@"' fio --name=null --ioengine=null --rw=read --bs=4k --output-format=json
Output=json
KnownFlags=size
Checks=exit-code:0 range:jobs.0.read.total_ios=1024..1024 min:jobs.0.read.iops=1
Metrics=jobs.0.read.total_ios=target:1024 jobs.0.read.iops=higher-better,iops jobs.0.read.clat_ns.max=lower-better,ns
END

metric() { jq -c --arg n "$2" '.metrics[] | select(.name == $n) | [.value, .polarity, .target, .unit, .stream]' <<<"$1"; }

fresh
t "payloads of definitions, beside workers and under limits"
results=$(ktctl apply --json - <<END
{"cgroups":[
  {"name":"load", "cpuset":"llc:0", "memory":{"max":"256M"}, "pids":{"max":24}, "payload":"stress",
   "works":[{"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers":2}]},
  {"name":"disk/one", "cpuset":"llc:1", "memory":{"max":"512M"}, "pids":{"max":40},
   "payload":{"name":"hold", "exec":"sleep", "args":["7001"]},
   "works":[{"work_type":"Bursty", "params":{"burst_duration":"1ms"}, "workers":1}]}]}
END
)
is $? 0 "apply"
is "$(jq -c '[.cgroups[].payload | [.payload, .cgroup, .path, .target, .argv[0]]]' <<<"$results")" \
	"[[\"stress\",\"load\",\"$scenario/load\",\"step\",\"stress-json\"],[\"hold\",\"disk/one\",\"$scenario/disk/one\",\"step\",\"sleep\"]]" \
	"what the answer says of them"
hold=$(jq -r '.cgroups[1].payload.pid' <<<"$results")
is "$(sed -n 's/^0:://p' "/proc/$hold/cgroup")" "$home/disk/one" "the payload is in its cgroup"
is "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$hold/status")" 4-7 "and on its CPUs"
is "$(sort -n "$scenario/disk/one/cgroup.procs" | paste -sd' ')" \
	"$( (pids_of disk/one; echo "$hold") | sort -n | paste -sd' ')" "with the worker"
is "$(tr '\0' ' ' <"/proc/$hold/cmdline")" "sleep 7001 " "its command line"
is "$(cat "$scenario/load/memory.max" "$scenario/load/pids.max" | paste -sd' ')" "268435456 24" "limits"
is "$(busctl get-property org.ktstr.Setup1 /org/ktstr/Setup1/scenario/default org.ktstr.Setup1.Scenario Payloads)" \
	"u $(ktctl status --json | jq '[.payloads[] | select(.state == "running")] | length')" "the property Payloads"
like "$(systemctl status ktsetup-default.service --no-pager)" "one.*$hold sleep 7001" "systemctl status shows it"

record=$(ktctl wait-payload stress --timeout 300s --stdout /tmp/stress.out --json)
is $? 0 "wait-payload"
is "$(fields "$record" payload cgroup slot origin placement result exit_code passed)" \
	"stress load step definition born exited 0 true" "the record"
is "$(head -n 1 /tmp/stress.out)" "0::$home/load" "where it says it is, in its first line"
is "$(metric "$record" stressors.cpu.bogo-ops-per-second-real-time | jq -c '.[1:]')" \
	'["higher-better",null,"ops/s","stdout"]' "a metric with polarity and unit"
is "$(metric "$record" stressors.cpu.bogo-ops | jq '.[0] >= 20')" true "an integer metric"
is "$(jq '.rusage.user_us > 0 and .rusage.max_rss_kib > 1000 and .run_us > 1000' <<<"$record")" true "usage"
is "$(jq -c .stdout.bytes <<<"$record")" "$(stat -c %s /tmp/stress.out)" "bytes of its output"
is "$(payload_of stress)" "" "it is no more in the state"

t "payloads of calls"
started=$("${bus[@]}" --json=short -- RunPayload 'a{sv}a{sv}' 3 payload s fio args as 1 --size=4M cgroup s disk/one 0)
is $? 0 "RunPayload"
is "$(jq -c '.data[0] | [.payload.data, .cgroup.data, .path.data, .target.data, .argv.data[-1]]' <<<"$started")" \
	"[\"fio\",\"disk/one\",\"$scenario/disk/one\",\"step\",\"--size=4M\"]" "its answer"
record=$(ktctl wait-payload fio --cgroup disk/one --timeout 300s --stdout /tmp/fio.out --json)
is $? 0 "wait-payload"
is "$(fields "$record" origin placement result passed)" "call born exited true" "the record"
is "$(head -n 1 /tmp/fio.out)" "0::$home/disk/one" "where it says it is"
is "$(metric "$record" jobs.0.read.total_ios)" '[1024,"target",1024,"","stdout"]' "fio's integer is exact"
is "$(metric "$record" jobs.0.read.io_bytes)" '[4194304,"unknown",null,"","stdout"]' "and one that nobody described"
is "$(metric "$record" jobs.0.read.clat_ns.max | jq -c '.[1:]')" '["lower-better",null,"ns","stdout"]' "a metric below another"
sed 1d /tmp/fio.out | jq '[paths(type == "number")] | length' >/tmp/fio.numbers
is "$(jq '.metrics | length' <<<"$record") $(jq .metrics_truncated <<<"$record")" "$(cat /tmp/fio.numbers) false" \
	"as many metrics as jq finds numbers"
is "$(sed 1d /tmp/fio.out | jq -c '[.jobs[0].read | .runtime, .clat_ns.min, .clat_ns.max, .iops]')" \
	"$(for m in runtime clat_ns.min clat_ns.max iops; do metric "$record" "jobs.0.read.$m" | jq '.[0]'; done | jq -cs .)" \
	"with the values that jq reads"
refusal=$("${bus[@]}" -- RunPayload 'a{sv}a{sv}' 2 payload s fio args as 1 --rw=write 0 2>&1)
is $? 1 "a flag that the file does not know is refused"
like "$refusal" "fio.*--rw.*size" "with the list of those it knows"

t "checks that fail"
# 2 MiB are 512 reads: the check of the file wants 1024.
ok "run-payload" "${bus[@]}" -- RunPayload 'a{sv}a{sv}' 2 payload s fio args as 1 --size=2M 0
record=$(ktctl wait-payload fio --timeout 300s --json)
is $? 4 "exit status of ktctl"
is "$(fields "$record" cgroup result exit_code passed)" " exited 0 false" "the record"
is "$(jq '.failures | length' <<<"$record")" 1 "one check failed"
like "$(jq -r '.failures[0]' <<<"$record")" "jobs\.0\.read\.total_ios.* 512.*range:jobs\.0\.read\.total_ios=1024\.\.1024" \
	"what failed"
ok "a second one, whose result nobody asks for" "${bus[@]}" -- RunPayload 'a{sv}a{sv}' 1 payload 'a{sv}' 4 \
	name s "wrong" exec s sh args as 2 -c 'echo because of this >&2; exit 3' checks as 1 exit-code:0 0
wait_until 60 "it ends" has_exited wrong
"${bus[@]}" --json=short EndStep 'a{sv}' 0 >/tmp/summary.json
is $? 0 "EndStep"
is "$(jq -c '.data[0] | [.payloads.data, .payloads_failed.data, .passed.data]' /tmp/summary.json)" '[5,2,false]' "the summary"
like "$(jq -c '.data[0].failures.data' /tmp/summary.json)" "payload 'fio' .*512.*payload 'wrong' .*exit code 3.*because of this" \
	"its failures"
is "$(all_of 'sleep 7001')" "" "the payload that ran is gone"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left

t "the same by ktctl"
ok "add-cgroup with a command" ktctl add-cgroup one --memory-max 128M "${light[@]}" --workers 1 -- sleep 7002
is "$(sed -n 's/^0:://p' "/proc/$(payload_of sleep | jq -r .pid)/cgroup")" "$home/one" "where it is"
ok "add-cgroup with a file's payload" ktctl add-cgroup two --payload stress "${light[@]}" --workers 1
ok "run-payload" ktctl run-payload --name bad --cgroup one --check exit-code:0 -- sh -c 'exit 7'
wait_until 60 "it ends" has_exited bad
wait_until 300 "stress ends" has_exited stress
report=$(ktctl end-step --json)
is $? 4 "end-step says by its status that a check failed"
is "$(jq -c '[.payloads[] | [.payload, .cgroup, .result, .passed]] | sort' <<<"$report")" \
	'[["bad","one","exited",false],["sleep","one","killed",true],["stress","two","exited",true]]' "the report"
is "$(jq -r '[.cgroups[].works[].workers[].completed] | unique | tojson' <<<"$report")" '[true]' "the workers completed"
ok "nothing is left" nothing_left
ok "run-payload, all checks pass" ktctl run-payload --name good --check exit-code:0 -- true
wait_until 60 "it ends" has_exited good
ok "end-step says that" ktctl end-step
ok "nothing is left" nothing_left

t "a file of fio's"
ok "run-payload" ktctl run-payload --name fio-file --output json --check exit-code:0 --check range:jobs.0.write.io_bytes=8388608..8388608 \
	-- fio --name=file --ioengine=sync --rw=write --bs=64k --size=8M --filename=/run/fio.data --unlink=1 --output-format=json
record=$(ktctl wait-payload fio-file --timeout 300s --json)
is "$? $(jq -c .failures <<<"$record")" "0 []" "its checks pass"

t "what a payload is born with"
# Nothing of the daemon's sandbox, and nothing of the executor's own.
ok "run-payload" ktctl run-payload --name look -- sh -c 'cat /proc/self/status; echo end; ls -l /proc/self/fd; echo end; env; echo end
	readlink /proc/self/ns/mnt /proc/self/ns/net; pwd; ps -o pid=,pgid= -p $$; echo $$'
ok "wait-payload" ktctl wait-payload look --timeout 60s --stdout /tmp/look
daemon=$(systemctl show -P MainPID ktsetupd.service)
is "$(grep -E '^(NoNewPrivs|Seccomp|SigBlk|SigIgn|SigCgt):' /tmp/look | tr -d '\t' | paste -sd' ')" \
	"SigBlk:0000000000000000 SigIgn:0000000000000000 SigCgt:0000000000000000 NoNewPrivs:0 Seccomp:0" "signals and privileges"
is "$(sed -n 's/^CapEff:\t//p' /tmp/look)" "$(sed -n 's/^CapEff:\t//p' /proc/1/status)" "all capabilities"
is "$(sed -n 's/^Cpus_allowed_list:\t//p' /tmp/look)" 0-7 "all CPUs"
like "$(sed -n '/^end/,/^end/s/.* \([0-9]*\) -> \(.*\)/\1 \2/p' /tmp/look | sed 's/\[.*//' | paste -sd' ')" \
	"^0 /dev/null 1 pipe: 2 pipe: 3 /proc/[0-9]+/fd\$" "descriptors; the last one is that of ls"
is "$(sed -n '/^mnt:/p;/^net:/p' /tmp/look | paste -sd' ')" "$(readlink /proc/1/ns/mnt /proc/1/ns/net | paste -sd' ')" "namespaces"
is "$(grep -cE '^(NOTIFY_SOCKET|WATCHDOG_|LISTEN_|LOGS_DIRECTORY|MAINPID)' /tmp/look)" 0 "environment"
is "$(tail -n 3 /tmp/look | head -n 1)" / "working directory"
leader=$(tail -n 1 /tmp/look)
is "$(tail -n 2 /tmp/look | head -n 1 | xargs)" "$leader $leader" "it leads a process group"
is "$(grep -E '^(CapEff|CapBnd|CapPrm|NoNewPrivs):' "/proc/$daemon/status" | tr -d '\t' | paste -sd' ')" \
	"CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:0000000000000000 NoNewPrivs:1" "the daemon has no rights"
is "$(awk '/^Max open files/ { print $4, $5 }' "/proc/$daemon/limits")" "16384 16384" "but room for descriptors"

t "another user"
cat >"$files/who.payload" <<'END'
[Payload]
Exec=/bin/sh
Args=-c 'echo $(id -u) $(id -g) $(id -G); echo by name >/dev/stdout; echo errors >/dev/stderr; pwd; cat /proc/self/cgroup; echo "$GREETING"; echo no >/run/no'
User=nobody
WorkingDirectory=/tmp
Environment="GREETING=good day"
END
ok "reload-payloads" "${manager[@]}" ReloadPayloads
ok "add-cgroup" ktctl add-cgroup nobodys --payload who
record=$(ktctl wait-payload who --timeout 60s --stdout /tmp/who --stderr /tmp/who.err --json)
is "$(fields "$record" result exit_code passed)" "exited 2 true" "the record"
is "$(paste -sd'|' /tmp/who)" "65534 65534 65534|by name|/tmp|0::$home/nobodys|good day" "who and where it is"
like "$(cat /tmp/who.err)" "^errors.*/run/no: Permission denied" "its messages"
rm -f /run/no
like "$(ktctl run-payload --name x --user nosuchuser -- true 2>&1)" "nosuchuser" "a user that is not there"
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left

t "files are read again on a reload"
fresh
ok "the daemon runs" ktctl payloads
daemon=$(systemctl show -P MainPID ktsetupd.service)
ok "run-payload" ktctl run-payload fio -- --size=4M
printf '[Payload]\nExec=true\nChecks=exit-code:0\n' >"$files/new.payload"
printf '[Payload]\nExec=some/where\n' >"$files/broken.payload"
printf 'Exec=true\n' >"$files/no-section.payload"
mkdir -p /usr/lib/ktsetupd/payloads.d
printf '[Payload]\nExec=false\n' >/usr/lib/ktsetupd/payloads.d/new.payload
printf '[Payload]\nExec=false\n' >/usr/lib/ktsetupd/payloads.d/vendor.payload
rm "$files/fio.payload"
has_payload() { ktctl payloads --json | jq -e --arg n "$1" 'any(.[]; .name == $n)' >/dev/null; }
fails "the new one is not known yet" has_payload new
ok "systemctl reload" systemctl reload ktsetupd.service
wait_until 20 "it is known" has_payload new
is "$(systemctl show -P MainPID ktsetupd.service)" "$daemon" "by the same daemon"
is "$(ktctl payloads --json | jq -c 'map({name, file, exec, bad: has("error")}) | sort_by(.name) | map([.name, .file, .exec, .bad])')" \
	"[[\"broken\",\"$files/broken.payload\",null,true],[\"new\",\"$files/new.payload\",\"true\",false],[\"no-section\",\"$files/no-section.payload\",null,true],[\"stress\",\"$files/stress.payload\",\"stress-json\",false],[\"vendor\",\"/usr/lib/ktsetupd/payloads.d/vendor.payload\",\"false\",false],[\"who\",\"$files/who.payload\",\"/bin/sh\",false]]" \
	"all of them"
like "$(ktctl payloads)" "broken.*some/where" "ktctl payloads tells what is wrong"
journal=$(journalctl -u ktsetupd.service -b -o cat --no-pager)
like "$journal" "$files/broken\.payload.*some/where" "so does the journal"
like "$journal" "$files/no-section\.payload" "of each broken file"
like "$(ktctl run-payload broken 2>&1)" "$files/broken\.payload.*some/where" "and whoever wants to run it"
like "$(ktctl run-payload vendr 2>&1)" "did you mean 'vendor'" "a near name is told"
ok "the payload that runs keeps its definition" ktctl wait-payload fio --timeout 300s
fails "it cannot be started again" ktctl run-payload fio
ok "the new one can" ktctl run-payload new
ok "and passes" ktctl wait-payload new --timeout 60s
rm "$files/broken.payload" "$files/no-section.payload"
"${manager[@]}" --json=short ReloadPayloads >/tmp/reloaded.json
is "$(jq -c '[.data[0][].name.data] | sort' /tmp/reloaded.json)" '["new","stress","vendor","who"]' "ReloadPayloads"
ok "end-step" ktctl end-step
ok "nothing is left" nothing_left

t "who may"
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
touching='a{sv} 3 name s x exec s /bin/touch args as 1 /run/touched'
declare -A arguments=(
	[AddCgroupDef]="a{sv}a{sv} 2 name s no payload $touching 0"
	[ApplySetup]="aa{sv}a{sv} 1 2 name s no payload $touching 0"
	[EndStep]='a{sv} 0'
	[Teardown]=''
	[RunPayload]="a{sv}a{sv} 1 payload $touching 0"
	[WaitPayload]='sa{sv} hold 0'
	[KillPayload]='sa{sv} hold 0'
	[GetPayloadOutput]='sa{sv} hold 0'
	[ReloadPayloads]=''
)
inline='{"cgroups":[{"name":"no","payload":{"name":"x","exec":"/bin/touch","args":["/run/touched"]}}]}'
ok "a payload of root's" ktctl run-payload --name hold -- sleep 7003
before=$(payload_of hold)
# The methods that want privileges, as the daemon's introspection tells; of both objects.
privileged() {
	busctl introspect --xml-interface org.ktstr.Setup1 "$1" | awk -v i="$2" -F '"' '
		/<interface /{ ours = $2 == i } /<method /{ method = $2 }
		ours && method && /Privileged/{ print method; method = "" } /<\/method>/{ method = "" }'
}
try_all() {
	local of method words
	for of in /org/ktstr/Setup1:Manager /org/ktstr/Setup1/scenario/default:Scenario; do
		for method in $(privileged "${of%:*}" "org.ktstr.Setup1.${of#*:}"); do
			tried+="$method "
			if [ "$method" = ApplyJSON ]; then words=('sa{sv}' "$inline" 0); else read -ra words <<<"${arguments[$method]}"; fi
			is "$(as_nobody busctl call org.ktstr.Setup1 "${of%:*}" "org.ktstr.Setup1.${of#*:}" "$method" "${words[@]}" 2>&1)" \
				"Call failed: Access denied" "$method, refused by the $1"
		done
	done
}
tried=
try_all bus
is "$(tr ' ' '\n' <<<"$tried" | sort | xargs)" \
	"AddCgroupDef ApplyJSON ApplySetup EndStep GetPayloadOutput KillPayload ReloadPayloads RunPayload Teardown WaitPayload" \
	"these are all that change anything or show output"
ktctl_says() { as_nobody ktctl "$@" 2>&1 <<<"$inline"; }
like "$(ktctl_says run-payload -- touch /run/touched)" AccessDenied "run-payload with a command"
like "$(ktctl_says run-payload new)" AccessDenied "run-payload with a file's"
like "$(ktctl_says add-cgroup no -- touch /run/touched)" AccessDenied "add-cgroup"
like "$(ktctl_says apply -)" AccessDenied "apply"
like "$(ktctl_says wait-payload hold)" AccessDenied "wait-payload"
like "$(ktctl_says kill-payload hold)" AccessDenied "kill-payload"
like "$(ktctl_says payload-output hold)" AccessDenied "payload-output"
# The daemon does not leave it to the policy of the bus.
cat >/etc/dbus-1/system.d/80-payloads.conf <<'END'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><policy user="nobody"><allow send_destination="org.ktstr.Setup1"/></policy></busconfig>
END
reload_bus=(busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig)
ok "the bus lets everything through" "${reload_bus[@]}"
like "$(ktctl_says run-payload -- touch /run/touched)" "Access to org\.ktstr\.Setup1\.Scenario\.RunPayload\(\) not permitted.*AccessDenied" \
	"the daemon refuses it by itself"
try_all daemon
rm /etc/dbus-1/system.d/80-payloads.conf
ok "the bus has its policy again" "${reload_bus[@]}"
fails "nothing of that ran" [ -e /run/touched ]
is "$(payload_of hold | jq -c '[.pid, .state]')" "$(jq -c '[.pid, .state]' <<<"$before")" "the payload is as it was"
is "$(ktctl status --json | jq -c '[(.cgroups | length), (.payloads | length)]')" '[0,1]' "and alone"
is "$(as_nobody "${manager[@]}" --json=short ListPayloads | jq -c '[.data[0][].name.data] | sort')" '["new","stress","vendor","who"]' \
	"everybody may list them"
is "$(as_nobody "${bus[@]}" --json=short GetState | jq -r '.data[0] | fromjson | .payloads[0].argv | join(" ")')" "sleep 7003" \
	"and see what runs"
ok "by ktctl, too" as_nobody ktctl payloads
ok "status" as_nobody ktctl status
ok "teardown" ktctl teardown
ok "nothing is left" nothing_left
is "$(all_of 'sleep 700[0-9]')" "" "no process either"
rm -r "$files" /usr/lib/ktsetupd
