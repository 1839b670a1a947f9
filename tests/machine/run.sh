#!/usr/bin/env bash
# Boots machines of the catalogue on a real kernel and lets each compare itself
# with its declaration: on this machine where KVM can run Linux, else inside the
# emulated lab host.
#
# Usage: tests/machine/run.sh [--all | --filter GTEST_FILTER]
#   --all     every one, the 24 presets too; takes long where KVM is emulated
#   --filter  which ones; by default a selection that has every kind once
# Last line: "machine: N passed, N failed". Exit 1 when one failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

filter=$(printf '*/%s:' tiny_1llc smt_3llc numa2_4llc attributes attributes_intel \
  two_memory_only caches_intel dies_intel dies_amd packages_amd packages_intel)
while [[ $# -gt 0 ]]; do
  case $1 in
    --all) filter='*'; shift ;;
    --filter) filter=$2; shift 2 ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done

tools/build_programs.sh --tests
kernel=$(tools/test_kernel.sh)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
tools/with_kvm.sh --kernel "$kernel" --with /usr/bin/lstopo-no-graphics -- \
  machine_test "--gtest_filter=$filter" --gtest_color=no 2>&1 | tee "$log" || true

count() { # WORD
  sed -n "s/^\[  $1 *\] \([0-9]*\) test.*/\1/p" "$log" | tail -1
}
passed=$(count PASSED)
failed=$(count FAILED)
# No line at all: the program did not finish. Nothing passed: nothing was tested.
if [[ -z $passed || $passed == 0 && -z $failed ]]; then failed=1; fi
echo "machine: ${passed:-0} passed, ${failed:-0} failed"
[[ ${failed:-0} == 0 ]]
