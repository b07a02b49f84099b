#!/usr/bin/env bash
# The litmus test: a text with fillers between its bytes, so that the stream grows 1, 2, 4 and 8 times and says no more. What do four kinds of models
# make of it? One reserved id at random places; at 4 also at even places, and ids from a reserved set. Every run reads the same bytes of text.
# usage: bench/litmus.sh TEXT [STEPS] [SEEDS]      STEPS of 2 x 256 bytes of text (default 2000); SEEDS: "1 2"
# Resumable: a run that is done is not done again (out/litmus). Prints the tables in Markdown and writes docs/images/litmus.svg.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] && [ -r "$1" ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
text=$1 steps=${2:-2000} seeds=${3:-1 2}
cmake --preset release -DSTATERA_BENCH=ON >/dev/null
cmake --build build/release --target litmus >&2
presets=$(cat configs/tiny-{mamba2,attention,hybrid}.json src/mixers/hnet/presets/tiny-hnet.json | cksum | cut -d ' ' -f 1)
out=out/litmus/$(basename "$text")-$steps-$presets   # runs of presets that have changed since are not mixed with new ones
mkdir -p "$out"
declare -A rate=([attention]=0.0035 [mamba2]=0.007 [hybrid]=0.007 [hnet]=0.0035 [hnet-growing]=0.0035)   # those that suit the presets without fillers
for seed in $seeds; do
  for what in "1 random" "2 random" "4 random" "8 random" "4 even" "4 many"; do
    read -r growth fillers <<<"$what"
    for kind in mamba2 attention hybrid hnet hnet-growing; do   # hnet-growing: the target counts bytes of text, not positions
      run=$kind-$growth-$fillers-$seed
      { [ -s "$out/$run.json" ] || [ $kind-$growth = hnet-growing-1 ]; } && continue
      ratio=fixed; [ $kind = hnet-growing ] && ratio=growing
      build/release/bin/litmus "$text" "tiny-${kind%-growing}" "$out/$run" growth=$growth kind=$fillers steps=$steps batch=2 length=256 lr=${rate[$kind]} seed=$seed ratio=$ratio >"$out/$run.part"
      mv "$out/$run.part" "$out/$run.json"
      rm -r "$out/$run"
      echo "$run: $(cat "$out/$run.json")" >&2
    done
  done
done
python3 bench/litmus.py "$out" docs/images/litmus.svg
