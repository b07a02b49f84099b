#!/usr/bin/env bash
# Do kinds of models change places when the tokenizer is taken away? {bytes, BPE} x {Mamba-2, attention with a window of 512 positions, attention,
# 3:1 hybrid}, once with equal bytes read and once with equal training FLOPs. Each candidate searches its own learning rate.
# usage: bench/interaction.sh TEXT [SIZE] [BUDGET] [LENGTH] [SEEDS] [UNITS]     default: small 8h 8192 3 bpe-4096; the budget is for each of the two
# Resumable. Prints the tables in Markdown. The reports are in out/interaction. A window of 512 positions covers 512 bytes, and over tokens several times
# as much text.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] && [ -r "$1" ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
text=$1 size=${2:-small} budget=${3:-8h} length=${4:-8192} seeds=${5:-3} units=${6:-bpe-4096}
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
out=out/interaction/$(basename "$text")-$size-$length-$units
mkdir -p "$out"
python3 - configs/$size-attention.json "$out/window.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
for mixer in config["mixers"].values():
    mixer["window"] = 512
json.dump(config, open(sys.argv[2], "w"))
PYTHON
for match in params flops; do   # params: equal numbers of steps, and so of bytes
  build/release/bin/statera compare "$text" --size $size --candidates mamba2,"$out/window.json",attention,hybrid --units bytes,$units --match $match \
    --length $length --batch 1 --seeds $seeds --noise-share 0 --budget $budget --out "$out/$match" >&2
done
python3 bench/interaction.py "$out/params" "$out/flops"
