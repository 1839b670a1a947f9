#!/usr/bin/env bash
# Format of C++ sources and BPF programs, syntax of shell scripts, and the two
# SPDX lines.
#
# Last line: "lint: N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
check() { # NAME COMMAND...
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    echo "WRONG $name"
    failed=$((failed + 1))
  fi
}

formatted() { git ls-files '*.cc' '*.h' '*.bpf.c' | xargs clang-format --dry-run -Werror; }

scripts_parse() {
  local script
  while read -r script; do bash -n "$script" || return 1; done < <(
    git ls-files '*.sh' .ci/run
    git grep -lE '^#!.*bash' -- tools
  )
}

licensed() {
  local missing
  missing=$(git ls-files '*.cc' '*.h' '*.proto' '*.c' |
    xargs grep -L 'SPDX-License-Identifier' || true)
  [[ -z $missing ]] || { echo "no SPDX lines: $missing"; return 1; }
}

no_open_ends() {
  ! git grep -nE 'TODO|FIXME|XXX' -- '*.cc' '*.h' '*.proto' '*.sh' '*.bzl' \
    ':!tools/lint.sh' | grep -vE 'TODO\(#[0-9]+\)|XXXXXX'
}

check format formatted
check "shell syntax" scripts_parse
check licence licensed
check "TODO without an issue" no_open_ends

echo "lint: $passed passed, $failed failed"
[[ $failed == 0 ]]
