#!/usr/bin/env bash
# Runs benchmarks and prints one JSON line a figure.
#
# Usage: tests/perf/run.sh [FIGURE_GLOB]
#   Names as in docs/design.md, "What fast means here"; all by default. What a
#   figure needs is built first, to standard error.
# Exit 1 when a benchmark failed, 2 when no figure has such a name.
set -euo pipefail
cd "$(dirname "$0")/../.."
glob=${1:-*}

# One row a program: its name, then the figures it prints.
programs=(
  'vmm_first_io vmm.first_io_ratio vmm.rss_ratio vmm.vcpu252_extra_ms'
  'boot_phases boot.phases'
)

vmm_first_io() {
  bazel build //vmm:vmm //tests/perf:vmm_first_io >&2
  bazel-bin/tests/perf/vmm_first_io --vmm bazel-bin/vmm/vmm
}

boot_phases() {
  tools/build_programs.sh --tests >&2
  local kernel
  kernel=$(tools/test_kernel.sh)
  tools/with_kvm.sh --kernel "$kernel" -- boot_phases
}

matched=0
for row in "${programs[@]}"; do
  read -r program figures <<<"$row"
  for figure in $figures; do
    # shellcheck disable=SC2053  # the glob is meant as one
    [[ $figure == $glob ]] || continue
    matched=1
    output=$("$program")
    while IFS= read -r line; do
      name=${line#*\"figure\":\"}
      # shellcheck disable=SC2053
      if [[ ${name%%\"*} == $glob ]]; then printf '%s\n' "$line"; fi
    done <<<"$output"
    break
  done
done
if [[ $matched == 0 ]]; then
  echo "run.sh: no figure matches $glob" >&2
  exit 2
fi
