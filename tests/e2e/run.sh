#!/usr/bin/env bash
# Runs the end-to-end tests on a real kernel: on this machine where KVM can run
# Linux, else inside the emulated lab host.
#
# Usage: tests/e2e/run.sh [--filter GTEST_FILTER] [--program NAME]
#   --filter   which tests; all by default
#   --program  which test program in out/ to run; e2e_test by default
# Last line: "e2e: N passed, N failed, N skipped". Exit 1 when one failed, or
# when one was skipped and CI is "true".
set -euo pipefail
cd "$(dirname "$0")/../.."

filter='*'
program=e2e_test
while [[ $# -gt 0 ]]; do
  case $1 in
    --filter) filter=$2; shift 2 ;;
    --program) program=$2; shift 2 ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done

tools/build_programs.sh --tests
kernel=$(tools/test_kernel.sh)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
tools/with_kvm.sh --kernel "$kernel" -- \
  "$program" "--gtest_filter=$filter" --gtest_color=no | tee "$log" || true

count() { sed -n "s/^\[  $1 *\] \([0-9]*\) tests\{0,1\}[,.].*/\1/p" "$log" | tail -1; }
passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -1)
failed=$(count FAILED)
skipped=$(count SKIPPED)
if [[ -z $passed ]]; then
  echo "e2e: the test program did not finish"
  failed=$((${failed:-0} + 1))
fi
echo "e2e: ${passed:-0} passed, ${failed:-0} failed, ${skipped:-0} skipped"
[[ ${failed:-0} == 0 && (${CI:-} != true || ${skipped:-0} == 0) ]]
