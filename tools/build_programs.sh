#!/usr/bin/env bash
# Builds every program and lays them out flat in out/, stripped, as a lab machine
# would get them.
#
# Usage: tools/build_programs.sh [--tests]
#   --tests  also what the end-to-end tests and benchmarks need
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(
  //ktstrctl:ktstrctl
  //coordinator:coordinator
  //hostd:hostd
  //vmm:vmm
  //guestd:guestd
  //ktstr:verifier_suite
  //ktstr/catalog:catalog
  //kernel:ktstr_fetch
  //examples:first_light
  //examples:kernel_schedulers
)
case ${1:-} in
  '') ;;
  --tests)
    targets+=(
      //bpf:scx_fixture
      //docs/writing-tests:guide
      //tests/e2e:dying_vmm
      //tests/e2e:e2e_test
      //tests/guest:broken
      //tests/guest:checks
      //tests/guest:engine
      //tests/guest:expected
      //tests/guest:fixture
      //tests/guest:payloads
      //tests/guest:says_arguments
      //tests/guest:setup
      //tests/guest:topology
      //tests/guest:work_types
      //tests/lib:calling_init
      //tests/machine:machine_init
      //tests/machine:machine_test
      //tests/perf:boot_phases
      //tests/perf:boot_race
      //tests/perf:console_race
      //tests/perf:packages_ratio
    )
    ;;
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "build_programs.sh: unknown argument $1" >&2; exit 2 ;;
esac

bazel build "${targets[@]}" >&2

mkdir -p out
for target in "${targets[@]}"; do
  built=bazel-bin/${target#//}
  built=${built/:/\/}
  placed=out/${target##*:}
  # Only what changed, so that content caches stay warm.
  if [[ ! -e $placed || $built -nt $placed ]]; then
    strip -o "$placed.stripped" "$built"
    mv "$placed.stripped" "$placed"
  fi
done

# A file that a suite wants beside it.
if [[ ${1:-} == --tests ]]; then cp -u tests/guest/says_arguments.conf out/; fi
