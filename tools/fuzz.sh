#!/usr/bin/env bash
# Runs the fuzz targets: every parser of bytes that a guest, a file or a peer
# chose. One line a target: executions, executions a second, lines of the parser's
# sources, the share of them that its inputs reach.
#
# Usage: tools/fuzz.sh [--seconds N | --runs N] [--coverage] [--keep] [TARGET...]
#   --seconds   how long each runs (60)
#   --runs      how many executions each makes instead
#   --coverage  count lines, too; builds every target a second time
#   --keep      store the smallest set of inputs that reaches as much in the tree
# TARGET is a label such as //vmm/boot:elf_fuzz_test; all of them by default. As
# many run at once as there are CPUs ($KTSTR_FUZZ_JOBS). Each starts with the
# inputs in testdata/NAME.tar.gz of its package and those of earlier runs in the
# cache directory, where new ones are kept; those that break something are left in
# fuzz-findings/.
# Last line: "fuzz: N passed, N failed". Exit 1 when one failed.
set -uo pipefail
cd "$(dirname "$0")/.."

limit=-max_total_time=60
coverage=
keep=
targets=()
number() { # OPTION VALUE
  [[ $2 =~ ^[1-9][0-9]*$ ]] || { echo "fuzz.sh: $1 needs a positive number" >&2; exit 2; }
}
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds) number "$1" "${2:-}"; limit=-max_total_time=$2; shift 2 ;;
    --runs) number "$1" "${2:-}"; limit=-runs=$2; shift 2 ;;
    --coverage) coverage=1; shift ;;
    --keep) keep=1; shift ;;
    -h | --help) sed -n '2,19s/^# \{0,1\}//p' "$0"; exit 0 ;;
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
build() { # CONFIG DIRECTORY
  if ! bazel build "--config=$1" --noshow_progress "${targets[@]}" >"$work/build" 2>&1; then
    # The linker warns about each of the sanitizer's symbols.
    grep -v 'Cannot export local symbol' "$work/build"
    echo "fuzz: 0 passed, ${#targets[@]} failed"
    exit 1
  fi
  # Copied, because the next build with other options takes their place.
  mkdir "$work/$2"
  local target path
  for target in "${targets[@]}"; do
    path=${target#//}
    cp "bazel-bin/${path/:/\/}" "$work/$2/"
  done
}
build fuzz run
[[ -z $coverage ]] || build fuzz-coverage count

# A line a target: its label and the sources it says it covers. Asked now, because
# one query at a time can be made.
if [[ -n $coverage ]]; then
  for target in "${targets[@]}"; do
    bazel query --noshow_progress --output=build "$target" 2>/dev/null |
      grep -oE '"covers:[^"]*"' | sed 's/"covers:\(.*\)"/\1/' | paste -sd ' ' |
      sed "s|^|$target |"
  done >"$work/covers"
fi

# Lines of the sources a target says it covers, and the share its inputs reach.
count_lines() { # TARGET DIRECTORY...
  local name=${1##*:} sources
  sources=$(sed -n "s|^$1 ||p" "$WORK/covers")
  shift
  LLVM_PROFILE_FILE=$WORK/$name.raw "$WORK/count/$name" -runs=0 "$@" >/dev/null 2>&1 &&
    llvm-profdata-19 merge -sparse "$WORK/$name.raw" -o "$WORK/$name.profile" &&
    llvm-cov-19 export -summary-only -instr-profile="$WORK/$name.profile" \
      "$WORK/count/$name" 2>/dev/null |
    jq -r --arg sources "$sources" '($sources | split(" ")) as $wanted |
      [.data[0].files[] | select(.filename | IN($wanted[])) | .summary.lines] |
      "\(map(.count) | add) \(100 * (map(.covered) | add) / (map(.count) | add))"'
}

run_one() { # TARGET
  local name=${1##*:} path=${1#//} corpus seeds log runs seconds lines=- share=-
  path=${path%%:*}/testdata/$name.tar.gz
  corpus=$CACHE/fuzz/$name
  seeds=$WORK/seeds/$name
  log=$WORK/$name.log
  mkdir -p "$corpus" "$seeds" fuzz-findings
  [[ ! -e $path ]] || tar -xzf "$path" -C "$seeds"
  seconds=$(date +%s%N)
  if ! "$WORK/run/$name" "$LIMIT" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="fuzz-findings/$name-" -print_final_stats=1 "$corpus" "$seeds" \
    >"$log" 2>&1; then
    echo "FAILED $1"
    tail -n 40 "$log" | sed 's/^/    /'
    return
  fi
  seconds=$(($(date +%s%N) - seconds))
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  if [[ -n $KEEP ]]; then
    mkdir -p "$WORK/kept/$name" "$(dirname "$path")"
    "$WORK/run/$name" -merge=1 "$WORK/kept/$name" "$corpus" "$seeds" >>"$log" 2>&1
    tar -C "$WORK/kept/$name" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
      --mode=644 -cf - . | gzip -9n >"$path"
  fi
  if [[ -n $COVERAGE ]]; then
    read -r lines share < <(count_lines "$1" "$corpus" "$seeds")
  fi
  [[ ${share:--} == - ]] || share=$(printf '%.1f%%' "$share")
  printf 'ok     %-50s %10s runs %8s/s %6s lines %7s covered\n' "$1" "$runs" \
    "$((runs * 1000000000 / (seconds + 1)))" "${lines:--}" "${share:--}"
}
export -f run_one count_lines
export WORK=$work LIMIT=$limit COVERAGE=$coverage KEEP=$keep
export CACHE=${KTSTR_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ktstr}
printf '%s\n' "${targets[@]}" | xargs -P "${KTSTR_FUZZ_JOBS:-$(nproc)}" -I{} bash -c 'run_one {}' |
  tee "$work/results"
rmdir fuzz-findings 2>/dev/null

passed=$(grep -c '^ok ' "$work/results")
echo "fuzz: $passed passed, $((${#targets[@]} - passed)) failed"
[[ $passed == "${#targets[@]}" ]]
