#!/usr/bin/env bash
# Builds and runs the benchmarks whose figure matches, one JSON line a figure.
#
# Usage: tests/perf/run.sh [GLOB]      such as 'vmm.*' or 'boot.phases'
set -euo pipefail
cd "$(dirname "$0")/../.."

glob=${1:-*}
wanted() { # FIGURE...
  local figure
  for figure in "$@"; do
    # shellcheck disable=SC2053  # the right side is a pattern on purpose
    [[ $figure == $glob ]] && return 0
  done
  return 1
}
# A program measures several figures in one go.
only_wanted() {
  local line
  while read -r line; do
    if wanted "$(sed -n 's/.*"figure":"\([^"]*\)".*/\1/p' <<<"$line")"; then echo "$line"; fi
  done
}
ran=0

# Bare-metal guests on this machine's own /dev/kvm.
if wanted vmm.first_io_ratio vmm.rss_ratio vmm.vcpu252_extra_ms; then
  bazel build //vmm:vmm //tests/perf:vmm_first_io >&2
  bazel-bin/tests/perf/vmm_first_io --vmm bazel-bin/vmm/vmm | only_wanted
  ran=1
fi

# Linux guests, where KVM can run them.
if wanted boot.phases; then
  tools/build_programs.sh --tests
  kernel=$(tools/test_kernel.sh)
  tools/with_kvm.sh --kernel "$kernel" -- boot_phases
  ran=1
fi

if wanted boot.hello_ratio_microvm boot.hello_ratio_q35; then
  tools/build_programs.sh --tests
  kernel=$(tools/test_kernel.sh)
  tools/with_kvm.sh --kernel "$kernel" --qemu -- \
    boot_race --bin @bin --kernel @kernel --bzimage @bzimage | only_wanted
  ran=1
fi

if wanted boot.packages_ratio; then
  tools/build_programs.sh --tests
  kernel=$(tools/test_kernel.sh)
  tools/with_kvm.sh --kernel "$kernel" -- packages_ratio --bin @bin --kernel @kernel
  ran=1
fi

if wanted boot.virtio_console_ratio boot.virtio_console_verbose_ratio; then
  tools/build_programs.sh --tests
  kernel=$(tools/test_kernel.sh)
  tools/with_kvm.sh --kernel "$kernel" -- console_race --bin @bin --kernel @kernel | only_wanted
  ran=1
fi

if [[ $ran == 0 ]]; then
  echo "perf: no figure matches $glob; known: vmm.first_io_ratio vmm.rss_ratio vmm.vcpu252_extra_ms boot.phases boot.hello_ratio_microvm boot.hello_ratio_q35 boot.packages_ratio boot.virtio_console_ratio boot.virtio_console_verbose_ratio" >&2
  exit 2
fi
