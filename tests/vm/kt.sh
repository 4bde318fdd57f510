# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the cases about the service share. Source it after lib.sh.

slice=/sys/fs/cgroup/ktsetup.slice
# shellcheck disable=SC2034  # used by the cases
scenario=$slice/ktsetup-default.service
bus=(busctl call org.ktstr.Setup1 /org/ktstr/Setup1/scenario/default org.ktstr.Setup1.Scenario)

# Workers that mostly sleep: where what they do does not matter, spinning would only slow the emulated machine.
# shellcheck disable=SC2034  # used by the cases
light=(--work-type Bursty --param burst_duration=1ms)

# pids_of CGROUP: one line a worker, as the daemon tells them
pids_of() { ktctl status --json | jq -r --arg c "$1" '.cgroups[] | select(.name == $c) | .works[].workers[].pid'; }

workers() { pgrep -c -f '^/usr/libexec/ktsetup-executor' || :; }

# Nothing of a scenario is left: no executor, no worker, no unit, no cgroup.
nothing_left() {
	[ "$(workers)" = 0 ] && [ ! -e "$slice" ] && [ -z "$(systemctl list-units --all --no-legend 'ktsetup-*' 'ktsetup.slice')" ]
}

# A case starts and ends with a service that was never asked anything.
fresh() {
	systemctl stop ktsetupd.service
	wait_until 20 "nothing is left of earlier scenarios" nothing_left
}

# ---- payloads ----

# payload_of NAME: what the daemon tells of it now; nothing when it is not there
payload_of() { ktctl status --json | jq -c --arg n "$1" '.payloads[] | select(.payload == $n)'; }

# has_exited NAME: its leader has ended
has_exited() { [ "$(payload_of "$1" | jq -r .state)" = exited ]; }

# all_of COMMAND-REGEX: the pids of the processes whose command line that is, from its first to its last letter
all_of() { pgrep -x -f "$1" || :; }

# fields RECORD FIELD...: their values in one line
fields() {
	local record=$1 field line=
	shift
	for field; do
		line+=" $(jq -r ".$field" <<<"$record")"
	done
	echo "${line# }"
}
