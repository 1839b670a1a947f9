#!/usr/bin/env bash
# Runs the end-to-end tests on a real kernel: on this machine where KVM can run
# Linux, else inside the emulated lab host.
#
# Usage: tests/e2e/run.sh [--filter GTEST_FILTER]
#   --filter  which tests; all by default
# KTSTR_E2E_MIXED_RUNS attempts in mixed order (20); KTSTR_E2E_MIXED_SEED repeats an
# order.
# Last line: "e2e: N passed, N failed, N skipped". Exit 1 when one failed, or
# when one was skipped and CI is "true".
set -euo pipefail
cd "$(dirname "$0")/../.."

# Two halves of about the same length. Those who share a lab host of their guests
# (outcomes, fixtures under a watchdog) stay together.
first='OutcomeTest.*:MixedOrderTest.*:WatchdogFixtureTest.*:VerifierTest.*:GuideTest.*'
filters=("$first" "*-$first")
while [[ $# -gt 0 ]]; do
  case $1 in
    --filter) filters=("$2"); shift 2 ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done

tools/build_programs.sh --tests
kernel=$(tools/test_kernel.sh)
KTSTR_E2E_DISTRIBUTION=$(tools/distribution_kernel.sh)
export KTSTR_E2E_DISTRIBUTION

# Two halves at once where lab hosts are emulated: each has one CPU. Directly on
# KVM one after the other, because they count what is left on the machine.
work=$(mktemp -d)
trap 'rm -rf "$work"; jobs -p | xargs -r kill 2>/dev/null || true' EXIT
run_part() { # NUMBER FILTER
  tools/with_kvm.sh --kernel "$kernel" \
    --tree "$(dirname "$(dirname "$KTSTR_E2E_DISTRIBUTION")")" -- \
    e2e_test "--gtest_filter=$2" --gtest_color=no >"$work/$1" 2>&1 || true
}
if out/vmm --probe >/dev/null 2>&1; then at_once=; else at_once=1; fi
echo "e2e: ${#filters[@]} part(s) under way; their output follows when they end"
for i in "${!filters[@]}"; do
  if [[ -n $at_once ]]; then
    run_part "$i" "${filters[i]}" &
  else
    run_part "$i" "${filters[i]}"
  fi
done
wait

passed=0
failed=0
skipped=0
count() { # WORD LOG
  sed -n "s/^\[  $1 *\] \([0-9]*\) test.*/\1/p" "$2" | tail -1
}
for i in "${!filters[@]}"; do
  log=$work/$i
  cat "$log"
  if [[ -z $(count PASSED "$log") ]]; then
    echo "e2e: the test program did not finish"
    failed=$((failed + 1))
    continue
  fi
  passed=$((passed + $(count PASSED "$log")))
  left_out=$(count SKIPPED "$log")
  skipped=$((skipped + ${left_out:-0}))
  bad=$(count FAILED "$log")
  # A suite whose set-up failed has no failed test of its own.
  if [[ ${bad:-} == 0 ]]; then bad=1; fi
  failed=$((failed + ${bad:-0}))
done
echo "e2e: $passed passed, $failed failed, $skipped skipped"
[[ $failed == 0 && (${CI:-} != true || $skipped == 0) ]]
