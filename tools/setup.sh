#!/usr/bin/env bash
# Installs what building, testing and running need on Debian 12. Idempotent; does
# nothing, quickly, when nothing is missing. Works as root or with sudo.
#
# Usage: tools/setup.sh [--check]
#   --check  only list what is missing; exit 1 if anything is
set -euo pipefail

packages=(
  # Build.
  g++ make git pkg-config ca-certificates file
  bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
  clang-format clang-19 libclang-rt-19-dev llvm-19 jq
  # Libraries: third_party/ has one BUILD file each.
  libgrpc-dev libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libc-ares-dev libre2-dev libabsl-dev libspdlog-dev libfmt-dev libcli11-dev
  libelf-dev libdw-dev zlib1g-dev libzstd-dev liblz4-dev liblzma-dev libssl-dev
  libsqlite3-dev libseccomp-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev
  # The test kernel and the schedulers of its tree.
  linux-source-6.12 flex bison bc dwarves kmod cpio xz-utils zstd lz4 rsync
  # The emulated lab host; QEMU is also the peer of benchmarks.
  qemu-system-x86 busybox-static erofs-utils
  # Checking generated ACPI tables, and what a guest makes of them.
  acpica-tools hwloc-nox
)

# One query for all; packages that dpkg never heard of are absent from the answer.
installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2>/dev/null |
  sed -n 's/^ii  *//p' || true)
missing=()
for package in "${packages[@]}"; do
  [[ $'\n'$installed$'\n' == *$'\n'$package$'\n'* ]] || missing+=("$package")
done

if [[ ${#missing[@]} == 0 ]]; then
  exit 0
fi
if [[ ${1:-} == --check ]]; then
  printf '%s\n' "${missing[@]}"
  exit 1
fi
if [[ -n ${1:-} ]]; then
  sed -n '2,6s/^# \{0,1\}//p' "$0"
  [[ $1 == --help || $1 == -h ]] && exit 0
  exit 2
fi

as_root=()
if [[ $(id -u) != 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: run as root or install sudo; missing: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -q --no-install-recommends "${missing[@]}"
