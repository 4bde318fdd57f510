#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# test.sh [--no-vm] [STAGE...]
#
# Runs every test, or the named stages: check build unit conformance bus vm. On a bare Debian 12 it installs what
# it needs first (as root, or by sudo). The last line is "N passed, N failed, N skipped"; the exit status is 0
# only if something passed and nothing failed.
#
#   check        layout, licence lines, bus contract and policy, manual pages, units, README, case coverage
#   build        the build that is installed (gcc, optimised) and the one that is tested here (clang, sanitizers)
#   unit         single functions and plans: no root, no cgroups
#   conformance  the catalogue of cases that the project promises (tests/conformance/ids.txt)
#   bus          the real daemon and executor on a private bus
#   vm           everything on real systems: kernels 6.1 and 6.12 under qemu, with systemd (--no-vm leaves it out)
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

all=(check build unit conformance bus vm)
stages=()
vm=yes
for arg; do
  case $arg in
  --no-vm) vm='' ;;
  -h | --help) sed -n '/^# test.sh/,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *)
    [[ " ${all[*]} " == *" $arg "* ]] || { echo "test.sh: no stage '$arg'; there are: ${all[*]}" >&2; exit 2; }
    stages+=("$arg") ;;
  esac
done
[ ${#stages[@]} -gt 0 ] || stages=("${all[@]}")

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

heading() { printf '\n==== %s\n' "$*"; }

# one NAME COMMAND...: a test of its own. Says what it printed if it fails; 77 is a skip, its last line the reason.
one() {
  local name=$1 status=0 start=$SECONDS
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  case $status in
  0) passed=$((passed + 1)); echo "  ok       $name ($((SECONDS - start)) s)" ;;
  77) skipped=$((skipped + 1)); echo "  skipped  $name: $(tail -n 1 "$log")" ;;
  *) failed=$((failed + 1)); echo "  FAILED   $name: status $status"; sed 's/^/    | /' "$log" ;;
  esac
  return 0
}

# configure DIR [OPTION...]: options of an existing directory are kept up with this script.
configure() {
  local dir=$1
  shift
  if [ -e "$dir/build.ninja" ]; then meson configure "$dir" "$@"; else meson setup "$dir" "$@"; fi
}
build_plain() {
  CC=gcc configure build -Dwerror=true -Dbuildtype=debugoptimized
  meson compile -C build
}
build_sanitized() {
  CC=clang configure build-san -Dwerror=true -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
  meson compile -C build-san
}
built=''
build() {
  [ -z "$built" ] || return 0
  built=yes
  heading "build"
  one "gcc, as installed" build_plain
  one "clang, with AddressSanitizer and UndefinedBehaviorSanitizer" build_sanitized
}

stage_build() { build; }

stage_check() {
  build # some checks look at what was built
  heading "check"
  local name
  for name in format spdx xml man units catalog config bus-policy readme-build; do
    one "$name" "tests/check/$name"
  done
  one "coverage" tests/check/coverage
  sed -n 's/^/    /; /conformance: /,$p' "$log" # of interest when it passed, too
}

# Every finding ends the program: a test that goes on after one could pass.
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1

suite() {
  local start=$SECONDS counts p f s status=0 junit=build-san/meson-logs/testlog.junit.xml
  build
  heading "$1 (sanitizers on)"
  rm -f "$junit"
  meson test -C build-san --suite "$1" --no-rebuild --print-errorlogs >"$log" 2>&1 </dev/null || status=$?
  if [ ! -e "$junit" ]; then
    failed=$((failed + 1))
    echo "  FAILED   nothing was run"
    sed 's/^/    | /' "$log"
    return 0
  fi
  counts=$(tests/check/junit "$junit")
  read -r p f s <<<"$counts"
  # Meson's verdict counts as well, should its list not show why.
  [ "$status" = 0 ] || [ "$f" != 0 ] || f=1
  [ "$f" = 0 ] || sed 's/^/    | /' "$log"
  sed 1d <<<"$counts"
  echo "  $1: $p passed, $f failed, $s skipped ($((SECONDS - start)) s)"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}
stage_unit() { suite unit; }
stage_conformance() { suite conformance; }
stage_bus() { suite bus; }

stage_vm() {
  local start=$SECONDS p f
  if [ -z "$vm" ]; then
    heading "vm"
    echo "  skipped  vm: --no-vm"
    skipped=$((skipped + 1))
    return 0
  fi
  if [ "$(uname -m)" != x86_64 ]; then
    heading "vm"
    echo "  skipped  vm: the test machine is x86_64, this one is $(uname -m)"
    skipped=$((skipped + 1))
    return 0
  fi
  build
  heading "vm"
  tests/vm/suite --build build 2>&1 </dev/null | tee "$log" || :
  read -r p f <<<"$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log" | tail -n 1)"
  [ -n "$p" ] || { p=0 f=1; echo "  FAILED   the suite did not get to its end"; }
  echo "  vm: $p passed, $f failed ($((SECONDS - start)) s)"
  passed=$((passed + p)) failed=$((failed + f))
}

tests/check/install test
for stage in "${stages[@]}"; do
  "stage_$stage"
done

printf '\n%s seconds in all\n' "$SECONDS"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
