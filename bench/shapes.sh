#!/usr/bin/env bash
# Which depth and width of a kind is best at equal time? The preset beside shapes with as many parameters (bench/shapes.py), each with its own search of a rate.
# usage: bench/shapes.sh KIND TEXT [SIZE] [BUDGET] [FLAG...]     KIND: attention, mamba1, mamba2, hybrid; default: tiny 6m; flags go to statera compare
# Resumable. Prints the table in Markdown; the report is in out/shapes.
set -euo pipefail
cd "$(dirname "$0")/.."
source bench/release.sh
[ $# -ge 2 ] && [ -r "$2" ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
kind=$1 text=$2 size=${3:-tiny} budget=${4:-6m}
shift $(($# < 4 ? $# : 4))
build_release
out=out/shapes/$kind-$size-$(basename "$text")
mkdir -p "$out/configs"
configs=$(python3 bench/shapes.py write "$kind" "$size" "$out/configs" build/release/bin/statera)
build/release/bin/statera compare "$text" --size "$size" --candidates "$configs" --length 512 --noise-share 0 --budget "$budget" --out "$out/compare" "$@" >&2
python3 bench/shapes.py table "$out/compare" build/release/bin/statera
