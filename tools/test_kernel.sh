#!/usr/bin/env bash
# Prints the path of the sched_ext test kernel, building it first if the cache
# does not hold it (about six minutes on two cores).
set -euo pipefail
cd "$(dirname "$0")/.."

version=6.12
out/ktstrctl kernel build "$version" >&2
out/ktstrctl kernel path "$version"
