#!/usr/bin/env bash
# Compiles tests/refused/cases.cc once a case and compares the first error.
#
# Usage: refused_test.sh             (in the root of the checkout or of runfiles)
# Prints one line a case. Exit 1 when one compiled, or said something else.
set -euo pipefail

cases=tests/refused/cases.cc
failed=0
compile() { # CASE
  LC_ALL=C "${CXX:-g++}" -std=c++20 -fsyntax-only -fdiagnostics-color=never -I. \
    -DCASE="$1" "$cases" 2>&1
}

if ! said=$(compile 0); then
  echo "WRONG without a mistake it does not compile: $said"
  exit 1
fi

# "NUMBER TEXT" a line.
mapfile -t wanted < <(awk '/CASE == / { number = $4 }
  /^\/\/ says: / { sub(/^\/\/ says: /, ""); print number, $0 }' "$cases")
for line in "${wanted[@]}"; do
  number=${line%% *}
  text=${line#* }
  if said=$(compile "$number"); then
    echo "WRONG case $number compiles"
    failed=$((failed + 1))
    continue
  fi
  # Asserts about options that are none come after the reason for that.
  errors=$(grep ' error: ' <<<"$said" | grep -v 'non-constant condition' || true)
  first=$(head -1 <<<"$errors")
  if [[ $first != *"$text"* ]]; then
    echo "WRONG case $number: not \"$text\" but: $first"
    failed=$((failed + 1))
  elif [[ $(wc -l <<<"$errors") -gt 2 ]]; then
    echo "WRONG case $number: the error is one of many: $errors"
    failed=$((failed + 1))
  else
    echo "ok    case $number: ${first#*error: }"
  fi
done
[[ ${#wanted[@]} -gt 0 && $failed == 0 ]]
