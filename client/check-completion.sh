#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# check-completion.sh KTCTL COMPLETION MANPAGE: does the completion find words of every kind in the
# help texts, and has the man page all options?

set -eu
ktctl=$1
. "$2"
manpage=$3

# complete WORD...: what stands for the last word, on one line
complete_words() {
    COMP_WORDS=("$ktctl" "$@")
    COMP_CWORD=$#
    _ktctl "$ktctl"
    echo "${COMPREPLY[*]}"
}

expect() {
    local want=$1 got
    shift
    got=$(complete_words "$@")
    if [[ $got != "$want" ]]; then
        echo "ktctl $*: completes to '$got', not '$want'" >&2
        exit 1
    fi
}

expect 'add-cgroup' add
expect 'topology teardown' t
expect 'status' --session stat
expect '--cpuset --cpuset-mems' add-cgroup a --cpus
expect '--param' add-cgroup a --par
expect '--nice --no-legend --numa-node' add-cgroup a --n
expect '--dry-run' apply f --dry
expect '--stall-fails --stall-monitor --stall-poll-ms --stall-window' apply f --stall
expect '' add-cgroup a --stall-fails ''
expect '--swappable' add-cgroup a --sw
expect '--work --work-type --work-type-override --workers --workers-pct --workers-per-cgroup' add-cgroup a --work
expect '--count' monitor --c
expect '' monitor --count ''
expect '' add-cgroup a --work ''
expect '--cpuset --cpuset-mems' add-cgroup a --swappable --cpus
expect '--timeout' --time
expect '' add-cgroup a --work-type ''
expect '' status --cpu
expect 'end-step' help end
expect 'payload-output payloads' pay
expect '--payload' add-cgroup a --pay
expect '--stderr --stdout' wait-payload a --std
expect '--stderr' payload-output a --std
expect '--timeout' wait-payload a --ti
expect '--metric' run-payload --met
expect "$2" --session apply "$2"
expect "$2" end-step --report "$2"
expect "$2" wait-payload a --stdout "$2"
expect "$2" run-payload -- cat "$2"
expect '' run-payload a --check ''
expect "$2" end-step --report = "$2"

# Whatever stands for an option in the help must be found, however its line goes on.
listed=$("$ktctl" help add-cgroup | grep -o '^ *--[^ ]*' | sort -u | wc -l)
found=$(_ktctl_options "$ktctl" add-cgroup | wc -l)
if ((found != listed)); then
    echo "help lists $listed options, the completion finds $found" >&2
    exit 1
fi

for verb in $(_ktctl_verbs "$ktctl"); do
    for option in $(_ktctl_options "$ktctl" "$verb" | sed 's/ .*//'); do
        if ! grep -qE -- "Fl Fl ${option#--}( |\$)" "$manpage"; then
            echo "$manpage does not have $option of $verb" >&2
            exit 1
        fi
    done
done
