# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the README and the demonstration show is what happens.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../kt.sh
. "$(dirname "$0")/../kt.sh"

fresh
t "README"
cd "$(mktemp -d)" || exit
/tests/check/readme-commands >tour.sh || exit
ok "every command of the tour" bash tour.sh
ok "nothing is left" nothing_left

t "demonstration"
fresh
ok "runs to its end" bash /tests/vm/demo-inside.sh
ok "nothing is left" nothing_left
