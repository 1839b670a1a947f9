#!/usr/bin/env bash
# Runs the fuzz targets: every parser of bytes that a guest, a file or a peer
# chose. One line a target: runs, control-flow edges reached, inputs kept.
#
# Usage: tools/fuzz.sh [--seconds N] [TARGET...]
#   --seconds  how long each runs (60)
# TARGET is a label such as //vmm/boot:elf_fuzz_test; all of them by default. As
# many run at once as there are CPUs. Inputs that reach something new are kept in
# the cache directory, where the next run starts; those that break something are
# left in fuzz-findings/.
# Last line: "fuzz: N passed, N failed". Exit 1 when one failed.
set -uo pipefail
cd "$(dirname "$0")/.."

seconds=60
targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { echo "fuzz.sh: --seconds needs a positive number" >&2; exit 2; }
      seconds=$2; shift 2 ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    //*) targets+=("$1"); shift ;;
    *) echo "fuzz.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done
if [[ ${#targets[@]} == 0 ]]; then
  mapfile -t targets < <(bazel query --noshow_progress 'attr(tags, fuzz, //...)' 2>/dev/null | sort)
fi
if [[ ${#targets[@]} == 0 ]]; then
  echo "fuzz.sh: no target is tagged \"fuzz\"" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Copied, because the next build with other options takes their place.
if ! bazel build --config=fuzz --noshow_progress "${targets[@]}" >"$work/build" 2>&1; then
  # The linker warns about each of the sanitizer's symbols.
  grep -v 'Cannot export local symbol' "$work/build"
  echo "fuzz: 0 passed, ${#targets[@]} failed"
  exit 1
fi
for target in "${targets[@]}"; do
  path=${target#//}
  cp "bazel-bin/${path/:/\/}" "$work/"
done

run_one() { # TARGET
  local name=${1##*:} corpus log line
  corpus=$CACHE/fuzz/$name
  log=$WORK/$name.log
  mkdir -p "$corpus" fuzz-findings
  if ! "$WORK/$name" -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="fuzz-findings/$name-" -print_final_stats=1 "$corpus" >"$log" 2>&1; then
    echo "FAILED $1"
    tail -n 40 "$log" | sed 's/^/    /'
    return
  fi
  line=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -1)
  printf 'ok     %-48s %10s runs, %5s edges, %5s inputs\n' "$1" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(sed 's/^cov: \([0-9]*\).*/\1/' <<<"$line")" "${line##* }"
}
export -f run_one
export WORK=$work SECONDS_EACH=$seconds
export CACHE=${KTSTR_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ktstr}
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_one {}' | tee "$work/results"
rmdir fuzz-findings 2>/dev/null

passed=$(grep -c '^ok ' "$work/results")
echo "fuzz: $passed passed, $((${#targets[@]} - passed)) failed"
[[ $passed == "${#targets[@]}" ]]
