#!/usr/bin/env bash
# Compares every room's direct dependencies with table.txt.
#
# Usage: layering_test.sh            (from the root of the checkout)
# Prints one line a room, and "N passed, N failed" last. Exit 1 on a violation.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

passed=0
failed=0

# Packages that the room's own code (not its tests) names in `deps`.
direct_packages() {
  local room=$1
  bazel query --noshow_progress --output=package \
    "labels(deps, //$room/... except attr(testonly, 1, //$room/...)
       except kind('_test rule', //$room/...)) intersect //..."
}

while IFS=: read -r room allowed; do
  [[ -z $room || $room == \#* ]] && continue
  if ! packages=$(direct_packages "$room"); then
    echo "WRONG $room cannot be queried"
    failed=$((failed + 1))
    continue
  fi
  bad=""
  for package in $packages; do
    used=${package%%/*}
    [[ $used == "$room" || " $allowed " == *" $used "* ]] || bad+=" $used"
  done
  if [[ -z $bad ]]; then
    echo "ok    $room"
    passed=$((passed + 1))
  else
    echo "WRONG $room uses$bad; table.txt allows:${allowed:- nothing}"
    failed=$((failed + 1))
  fi
done <"$here/table.txt"

# A room that the table does not know is a hole in the table.
for dir in */BUILD.bazel; do
  room=${dir%%/*}
  case $room in third_party | tests | tools | docs | bazel-*) continue ;; esac
  if ! grep -q "^$room:" "$here/table.txt"; then
    echo "WRONG $room is not in table.txt"
    failed=$((failed + 1))
  fi
done

echo "layering: $passed passed, $failed failed"
[[ $failed == 0 ]]
