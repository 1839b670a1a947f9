#!/usr/bin/env bash
# Prints the path of the sched_ext test kernel, building it first if the cache
# does not hold it (about six minutes on two cores).
set -euo pipefail
cd "$(dirname "$0")/.."

# The installed source package, not what kernel.org has by now: the same kernel
# everywhere, and no network.
package=deb:linux-source-6.12
out/ktstrctl kernel build "$package" >&2
out/ktstrctl kernel path "$package"
