#!/usr/bin/env bash
# usage: tools/format.sh [--fix]     checks that the C++ sources are formatted as .clang-format says, in lines of at most 120 columns; --fix formats them
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/packages.sh
install_packages format

mapfile -t files < <(find apps bench include src tests -name '*.cpp' -o -name '*.hpp')
[ ${#files[@]} -gt 0 ] || { echo "error: no C++ sources here: nothing to check" >&2; exit 1; }
if [ "${1:-}" = --fix ]; then clang-format-14 -i "${files[@]}"; fi
rc=0
clang-format-14 --dry-run --Werror "${files[@]}" || { echo "tools/format.sh --fix formats them"; rc=1; }
awk 'length > 120 { print FILENAME ":" FNR ": error: " length " columns"; long = 1 } END { exit long }' "${files[@]}" || rc=1
exit $rc
