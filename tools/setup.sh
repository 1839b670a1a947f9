#!/usr/bin/env bash
# Installs what building, testing and running need on Debian 12. Idempotent; does
# nothing, quickly, when nothing is missing. Works as root or with sudo.
#
# Usage: tools/setup.sh [--check]
#   --check  only list what is missing; exit 1 if anything is
set -euo pipefail

packages=(
  # Build.
  g++ make git pkg-config ca-certificates file gpg gpg-agent gpgv
  bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
  clang-format clang-19 libclang-rt-19-dev llvm-19 jq
  # Libraries: third_party/ has one BUILD file each.
  libgrpc-dev libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libc-ares-dev libre2-dev libabsl-dev libspdlog-dev libfmt-dev libcli11-dev
  libelf-dev libdw-dev zlib1g-dev libzstd-dev liblz4-dev liblzma-dev libssl-dev
  libcurl4-openssl-dev
  libsqlite3-dev libseccomp-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev
  # The test kernel and the schedulers of its tree.
  linux-source-6.12 flex bison bc dwarves kmod cpio xz-utils zstd lz4 rsync
  # The emulated lab host; QEMU is also the peer of benchmarks.
  qemu-system-x86 busybox-static erofs-utils
  # Checking generated ACPI tables, and what a guest makes of them.
  acpica-tools hwloc-nox
)

# From the release's backports, with the oldest version that will do: links of
# struct_ops and shadow types in skeletons (bpf/).
declare -A backports=([libbpf-dev]=1:1.4 [bpftool]=7.4)

# One query for all; packages that dpkg never heard of are absent from the answer.
declare -A installed=()
while read -r package version; do
  installed[$package]=$version
done < <(dpkg-query -W -f='${db:Status-Abbrev} ${Package} ${Version}\n' \
  "${packages[@]}" "${!backports[@]}" 2>/dev/null | sed -n 's/^ii  *//p')
missing=()
missing_backports=()
for package in "${packages[@]}"; do
  [[ -n ${installed[$package]:-} ]] || missing+=("$package")
done
for package in "${!backports[@]}"; do
  dpkg --compare-versions "${installed[$package]:-}" ge "${backports[$package]}" ||
    missing_backports+=("$package")
done

if [[ ${#missing[@]} == 0 && ${#missing_backports[@]} == 0 ]]; then
  exit 0
fi
if [[ ${1:-} == --check ]]; then
  printf '%s\n' ${missing[@]+"${missing[@]}"} ${missing_backports[@]+"${missing_backports[@]}"}
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
    echo "setup.sh: run as root or install sudo; missing:" \
      "${missing[*]} ${missing_backports[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

install() { # FLAG_OR_PACKAGE...
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "$@"
}

# One value a line: FIELD of the package lists that apt reads and that match every
# FILTER. apt's own answer, however its sources are written down.
of_apt() { # FIELD FILTER...
  local field=$1
  shift
  apt-get indextargets --format "\$($field)" \
    'Created-By: Packages' 'Component: main' "$@"
}

# Lets apt know the backports of this release, on the mirror it uses for the
# release itself.
add_backports() {
  local mirror options=
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  local list=/etc/apt/sources.list.d/ktstr-backports.list
  [[ -z $(of_apt URI "Codename: $codename-backports") ]] || return 0
  mirror=$(of_apt REPO_URI 'Origin: Debian' "Codename: $codename" | head -n 1)
  if [[ -z $mirror ]]; then
    echo "setup.sh: apt knows no mirror of $codename to take its backports from" >&2
    return 1
  fi
  [[ ! -e $keyring ]] || options="[signed-by=$keyring] "
  echo "deb $options$mirror $codename-backports main" |
    "${as_root[@]}" tee "$list" >/dev/null
  "${as_root[@]}" apt-get update -q && return 0
  "${as_root[@]}" rm "$list"
  echo "setup.sh: no $codename-backports on apt's mirror of $codename; needed for:" \
    "${missing_backports[*]}" >&2
  return 1
}

echo "setup: installing $((${#missing[@]} + ${#missing_backports[@]})) packages:" \
  "${missing[*]} ${missing_backports[*]}"
"${as_root[@]}" apt-get update -q
[[ ${#missing[@]} == 0 ]] || install "${missing[@]}"
if [[ ${#missing_backports[@]} != 0 ]]; then
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  add_backports
  install -t "$codename-backports" "${missing_backports[@]}"
fi
