#!/usr/bin/env bash
# Runs one of our programs where KVM can run Linux: here, or inside the emulated
# lab host, and says which in one line.
#
# Usage: tools/with_kvm.sh --kernel VMLINUX [--out DIR] [--qemu] [--with PATH]...
#          [--tree DIR]... -- PROGRAM [ARG...]
#   --kernel  cached test kernel; its schedulers lie beside it
#   --out     directory for results, visible to the program as $KTSTR_OUT
#   --qemu    the program starts qemu-system-x86_64
#   --with    the program needs this program of this machine, at the same place
#   --tree    the program reads this directory of this machine, at the same place
# PROGRAM is a name in out/. In an ARG, "@bin" stands for the directory of the
# programs, "@kernel", "@bzimage", "@scheduler" and "@qmap" for the kernel, the same
# kernel packed, its scx_simple and its scx_qmap, "@out" for the results directory.
set -euo pipefail
cd "$(dirname "$0")/.."

kernel=
results=
needs_qemu=
needed=()
trees=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --kernel) kernel=$2; shift 2 ;;
    --out) results=$2; shift 2 ;;
    --qemu) needs_qemu=1; shift ;;
    --with) needed+=("$2"); shift 2 ;;
    --tree) trees+=("$(realpath "$2")"); shift 2 ;;
    --) shift; break ;;
    -h | --help) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "with_kvm.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done
program=$1
shift
if [[ -n $results ]]; then
  mkdir -p "$results"
  results=$(realpath "$results")
fi
scheduler=$(dirname "$kernel")/schedulers/scx_simple

# The same arguments and environment for both places.
#   $1 directory of the programs, $2 kernel, $3 scheduler, $4 results, $5 host class
assemble() {
  environment=(
    "KTSTR_E2E_BIN=$1" "KTSTR_E2E_KERNEL=$2" "KTSTR_E2E_SCHEDULER=$3"
    "KTSTR_OUT=$4" "KTSTR_WHERE=$5" "CI=${CI:-}"
    "KTSTR_E2E_DISTRIBUTION=${KTSTR_E2E_DISTRIBUTION:-}"
    "KTSTR_E2E_MIXED_RUNS=${KTSTR_E2E_MIXED_RUNS:-}"
    "KTSTR_E2E_MIXED_SEED=${KTSTR_E2E_MIXED_SEED:-}"
  )
  arguments=()
  for argument in "${given[@]}"; do
    argument=${argument//@bin/$1}
    argument=${argument//@kernel/$2}
    argument=${argument//@bzimage/$(dirname "$2")/bzImage}
    argument=${argument//@scheduler/$3}
    argument=${argument//@qmap/$(dirname "$3")/scx_qmap}
    arguments+=("${argument//@out/$4}")
  done
}
given=("$@")

# The probe's verdict is about /dev/kvm alone; other complaints are not its business.
if probe=$(out/vmm --probe 2>/dev/null); then
  echo "KVM runs Linux here: direct" >&2
  assemble "$PWD/out" "$kernel" "$scheduler" "$results" direct
  exec env "${environment[@]}" "out/$program" ${arguments[@]+"${arguments[@]}"}
fi

reason=$(sed -n 's/.*"reason":"\([^"]*\)".*/\1/p' <<<"$probe")
echo "KVM cannot run Linux here (${reason:-no answer}): in the emulated lab host" >&2
assemble /ktstr/bin /ktstr/kernel/vmlinux /ktstr/kernel/schedulers/scx_simple \
  "${results:-/out}" emulated
# One CPU: with more, QEMU's threads race with kernels that patch their own code,
# and a guest in some ten dies of a triple fault or takes the lab host along.
lab=(tools/labhost --cpus 1 --memory "${KTSTR_LAB_MEMORY_MIB:-6144}" --dir out:/ktstr/bin
  --file "$kernel:/ktstr/kernel/vmlinux")
for path in "$(dirname "$scheduler")"/*; do
  lab+=(--program "$path:/ktstr/kernel/schedulers/$(basename "$path")")
done
[[ ! -e $(dirname "$kernel")/bzImage ]] ||
  lab+=(--file "$(dirname "$kernel")/bzImage:/ktstr/kernel/bzImage")
[[ -z $results ]] || lab+=(--out "$results")
if [[ -n $needs_qemu ]]; then
  qemu=$(command -v qemu-system-x86_64)
  lab+=(--program "$qemu:$qemu" --dir /usr/share/qemu:/usr/share/qemu
    --dir /usr/share/seabios:/usr/share/seabios)
fi
for path in ${trees[@]+"${trees[@]}"}; do lab+=(--dir "$path:$path"); done
for path in ${needed[@]+"${needed[@]}"}; do lab+=(--program "$path:$path"); done
for variable in "${environment[@]}"; do lab+=(--env "$variable"); done
exec "${lab[@]}" -- "/ktstr/bin/$program" ${arguments[@]+"${arguments[@]}"}
