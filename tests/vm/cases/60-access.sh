# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Everybody may look, root may change.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

fresh
t "a user without privileges"
ok "topology" as_nobody ktctl topology
ok "status" as_nobody ktctl status
ok "property" as_nobody busctl get-property org.ktstr.Setup1 /org/ktstr/Setup1 org.ktstr.Setup1.Manager Controllers
ok "introspection" as_nobody busctl introspect org.ktstr.Setup1 /org/ktstr/Setup1/scenario/default
fails "add-cgroup" as_nobody ktctl add-cgroup no
like "$(as_nobody ktctl add-cgroup no 2>&1)" "AccessDenied" "the error says why"
fails "teardown" as_nobody ktctl teardown
ok "nothing is left" nothing_left
is "$(busctl get-property org.ktstr.Setup1 /org/ktstr/Setup1 org.ktstr.Setup1.Manager Controllers)" \
	'as 5 "cpuset" "cpu" "memory" "pids" "io"' "controllers"
is "$(busctl get-property org.ktstr.Setup1 /org/ktstr/Setup1 org.ktstr.Setup1.Manager CgroupRoot)" \
	's "/sys/fs/cgroup/ktsetup.slice"' "root"

t "the sandbox of the service"
ok "scenario" ktctl add-cgroup box "${light[@]}"
daemon=$(systemctl show -P MainPID ktsetupd.service)
executor=$(systemctl show -P MainPID ktsetup-default.service)
is "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$daemon/status")" 1 "the daemon has no new privileges"
is "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$executor/status")" 0 "its executor inherits nothing of that"
is "$(sed -n 's/^Seccomp:\t//p' "/proc/$(pids_of box)/status")" 0 "nor does a worker"
ok "teardown" ktctl teardown
