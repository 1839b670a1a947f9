#!/usr/bin/env bash
# The example suite over four topologies, on the kernel's default scheduler and on
# scx_simple from the same kernel tree: 24 guests, 24 verdicts.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/build_programs.sh
kernel=$(tools/test_kernel.sh)

tools/with_kvm.sh --kernel "$kernel" --out ktstr-results -- ktstrctl submit \
  @bin/first_light --kernel @kernel \
  --scheduler default --scheduler @scheduler \
  --preset tiny-1llc --preset tiny-2llc --preset odd-3llc --preset smt-2llc \
  --output @out
