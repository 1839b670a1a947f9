#!/usr/bin/env bash
# Everything CI runs: lint, layering, unit and machine tests, the unit tests under
# sanitizers, fuzzing, machines and the whole fleet on a real kernel.
#
# Each stage ends with a line "NAME: N passed, N failed[, N skipped]"; the last
# line of all is their sum. A stage that breaks without such a line counts as one
# failure. Exit 1 on any failure.
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Adds up a stage's last summary line.
stage() { # NAME COMMAND...
  local name=$1 start=$SECONDS line
  shift
  echo "=== $name"
  "$@" 2>&1 | tee "$log"
  local status=${PIPESTATUS[0]}
  line=$(grep -E "^$name: [0-9]+ passed, [0-9]+ failed" "$log" | tail -1)
  if [[ $line =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
    [[ $status == 0 || ${BASH_REMATCH[2]} != 0 ]] || failed=$((failed + 1))
  else
    failed=$((failed + 1))
  fi
  echo "=== $name took $((SECONDS - start)) s"
}

# bazel test, with its per-target lines counted.
bazel_test() { # NAME FLAG...
  local name=$1 status=0
  shift
  bazel test --keep_going --noshow_progress --nocache_test_results --test_env=CI="${CI:-}" "$@" \
    >"$log.bazel" 2>&1 || status=$?
  cat "$log.bazel"
  local ok bad
  ok=$(grep -cE '^//.* PASSED in|^//.*\(cached\) PASSED' "$log.bazel")
  bad=$(grep -cE '^//.* (FAILED|TIMEOUT|NO STATUS|FAILED TO BUILD)' "$log.bazel")
  rm -f "$log.bazel"
  [[ $status == 0 || $bad != 0 ]] || bad=1
  echo "$name: $ok passed, $bad failed"
  return $status
}

stage lint tools/lint.sh
stage layering tests/layering/layering_test.sh
stage unit bazel_test unit //...
stage asan bazel_test asan --config=asan --test_tag_filters=-requires-kvm,-no-sanitizer //...
# Not those that link the system's gRPC: it is not instrumented, so that the
# sanitizer sees races where its locks are; nor those that say no-tsan, and why.
mapfile -t tsan_targets < <(bazel query --noshow_progress 2>/dev/null \
  "tests(//...) except rdeps(tests(//...), @grpc//:grpc) except attr(tags, 'requires-kvm|no-sanitizer|no-tsan|manual', //...)")
stage tsan bazel_test tsan --config=tsan "${tsan_targets[@]}"
# Twice as many at once as there are CPUs: each still runs for its time.
stage fuzz env KTSTR_FUZZ_JOBS=$((2 * $(nproc))) tools/fuzz.sh --seconds 40
stage machine tests/machine/run.sh
stage e2e tests/e2e/run.sh

echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed == 0 ]]
