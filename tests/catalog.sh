#!/usr/bin/env bash
# Plays the catalogue of scenarios in guests under the kernel's default scheduler:
# on this machine where KVM can run Linux, else inside the emulated lab host.
#
# Usage: tests/catalog.sh [--preset NAME]... [--passes N] [--filter GLOB]...
#          [--out DIR]
#   --preset  topologies (tiny-2llc and medium-4llc)
#   --passes  how often each (2)
#   --filter  which scenarios (every one)
#   --out     where the results are kept (a directory that is removed)
# Prints the table of each pass. Exit 1 when a scenario did not pass or skip.
set -euo pipefail
cd "$(dirname "$0")/.."

presets=()
filters=()
passes=2
out=
while [[ $# -gt 0 ]]; do
  case $1 in
    --preset) presets+=("$2"); shift 2 ;;
    --passes) passes=$2; shift 2 ;;
    --filter) filters+=(--filter "$2"); shift 2 ;;
    --out) out=$2; shift 2 ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "catalog.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done
[[ ${#presets[@]} -gt 0 ]] || presets=(tiny-2llc medium-4llc)
if [[ -z $out ]]; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi

tools/build_programs.sh
kernel=$(tools/test_kernel.sh)
failed=0
for ((pass = 1; pass <= passes; pass++)); do
  for preset in "${presets[@]}"; do
    echo "catalog: pass $pass on $preset"
    tools/with_kvm.sh --kernel "$kernel" --out "$out/$preset-$pass" -- \
      ktstrctl submit @bin/catalog --kernel @kernel --scheduler default \
      --preset "$preset" --output @out --quiet \
      ${filters[@]+"${filters[@]}"} || failed=1
  done
done
exit "$failed"
