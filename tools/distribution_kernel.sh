#!/usr/bin/env bash
# Prints the path of Debian's own 6.12 kernel, as its package has it: image,
# configuration and the modules of virtio and vsock. Downloaded with apt on first
# use (100 MiB), unpacked into the user's cache; nothing is installed.
set -euo pipefail

cache=${KTSTR_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ktstr}/distribution
package=$(apt-cache --names-only search '^linux-image-6\.12\.[0-9]+.*[0-9]-amd64$' |
  cut -d' ' -f1 | sort -V | tail -1)
if [[ -z $package ]]; then
  echo "distribution_kernel.sh: apt knows no package linux-image-6.12.*-amd64" \
    "(tools/setup.sh adds where it comes from)" >&2
  exit 1
fi
release=${package#linux-image-}
tree=$cache/$release

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
if [[ ! -e $tree ]]; then
  work=$(mktemp -d "$cache/.work-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "downloading $package" >&2
  (cd "$work" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package" >&2)
  mkdir "$work/tree"
  dpkg-deb --fsys-tarfile "$work/$package"_*.deb |
    tar -x -C "$work/tree" --no-same-owner --wildcards ./boot './lib/modules/*/modules.*' \
      './lib/modules/*/kernel/drivers/virtio' './lib/modules/*/kernel/net/vmw_vsock'
  PATH=$PATH:/usr/sbin:/sbin depmod -b "$work/tree" "$release"
  mv "$work/tree" "$tree"
fi
echo "$tree/boot/vmlinuz-$release"
