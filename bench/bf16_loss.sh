#!/usr/bin/env bash
# Does training with bf16 products end where fp32 ends? Tiny presets on Tiny Shakespeare, each seed in both precisions.
# usage: bench/bf16_loss.sh [--steps N] [--threads N]     prints one line per run: kind, precision, seed, held-out bits per byte
set -euo pipefail
cd "$(dirname "$0")/.."
steps=400 threads=0
while [ $# -gt 0 ]; do
  case $1 in
    --steps) steps=$2 ;;
    --threads) threads=$2 ;;
    *) sed -n '2,3s/^# //p' "$0"; exit 2 ;;
  esac
  shift 2
done
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for kind in attention mamba1 mamba2; do
  for seed in 1 2 3; do
    for precision in fp32 bf16; do
      build/release/bin/statera train data/tinyshakespeare.txt.xz --config tiny-$kind --steps "$steps" --batch 8 --length 256 --seed $seed \
        --precision $precision --threads "$threads" --no-baselines --overwrite --json --out "$out/model" 2>"$out/log" >"$out/json" ||
        { tail -n 1 "$out/log" >&2; exit 1; }
      python3 -c 'import json, sys; print(*sys.argv[1:], "%.4f" % json.load(sys.stdin)["held_out_bits_per_byte"])' $kind $precision $seed <"$out/json"
    done
  done
done | tee "$out/runs"
python3 - "$out/runs" <<'PY'
import statistics as s
import sys
runs = {}
for kind, precision, _, bits in (line.split() for line in open(sys.argv[1])):
    runs.setdefault(kind, {}).setdefault(precision, []).append(float(bits))
for kind, r in runs.items():
    print(f"{kind}: fp32 {s.mean(r['fp32']):.4f} (over seeds +-{s.stdev(r['fp32']):.4f}), bf16 {s.mean(r['bf16']):.4f} (+-{s.stdev(r['bf16']):.4f})")
PY
