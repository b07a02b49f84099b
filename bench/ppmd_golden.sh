#!/usr/bin/env bash
# Our PPMd beside the sizes that 7-Zip's writes: one line per row of TABLE, exit 1 if one differs by more than 0.1 %. About a minute for 78 rows.
# usage: bench/ppmd_golden.sh TABLE FOLDER     e.g. ../shared/golden/ppmd.csv ../shared/data
set -euo pipefail
[ $# = 2 ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
table=$(realpath "$1") folder=$(realpath "$2")
cd "$(dirname "$0")/.."
cmake --preset release -DSTATERA_BENCH=ON >/dev/null
cmake --build build/release --target ppmd_golden >&2
build/release/bin/ppmd_golden "$table" "$folder"
