#!/usr/bin/env bash
# What attention costs as sequences grow: training speed of attention, attention with a window of 512, mamba2 and a 3:1 hybrid at lengths of 512 to 65,536,
# one sequence per step, all in one run, and where the lines cross. On an idle machine.
# usage: bench/lengths.sh [SIZE] [FLAG...]     SIZE: tiny, small (default) or base; flags go to statera bench
# Prints the table in Markdown and writes docs/images/lengths-SIZE.svg.
set -euo pipefail
cd "$(dirname "$0")/.."
size=small
case ${1:-} in tiny | small | base) size=$1; shift ;; -h | --help) sed -n '2,6s/^# //p' "$0"; exit 2 ;; esac
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
mkdir -p out/lengths docs/images
window=out/lengths/$size-window.json
python3 - configs/$size-attention.json $window <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
for mixer in config["mixers"].values():
    mixer["window"] = 512
json.dump(config, open(sys.argv[2], "w"))
PYTHON
build/release/bin/statera bench --train $size-attention,$window,$size-mamba2,$size-hybrid --length 512,1024,2048,4096,8192,16384,32768,65536 --batch 1 --checkpoint \
  --json "$@" >out/lengths/$size.json
python3 bench/lengths.py out/lengths/$size.json docs/images/lengths-$size.svg
