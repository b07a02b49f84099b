#!/usr/bin/env bash
# A trained model, counts of contexts, and both: what each costs on held-out bytes. The table of
# docs/learning-while-reading.md. Resumable: what is trained or judged already is not done again.
# usage: bench/counts_and_states.sh KIND FILE MODEL STEPS RATE [FLAG...]     flags go to statera train
#   KIND    genome, audio, logs or text, as in bench/raw_bytes.sh; enwik8: 3,800,000 bytes and the next 177,000
#   MODEL   a preset, such as tiny-mamba2+ngram
#           or a config, such as one with longer n-grams
# The last tenth of the bytes is judged. Files may be packed as .xz. Prints one row: data, model, steps, minutes of training, bits per byte
# of the frozen model, of the one that learns while it reads, of counts alone, and of both mixed.
set -euo pipefail
cd "$(dirname "$0")/.."
source bench/raw_bytes.sh
[ $# -ge 5 ] || { sed -n '2,10s/^# //p' "$0"; exit 2; }
kind=$1 file=$2 model=$3 steps=$4 rate=$5; shift 5
[ -x build/release/bin/statera ] || { cmake --preset release >/dev/null; cmake --build build/release --target statera_app >&2; }
statera=build/release/bin/statera
name=$(basename "${file%.xz}") data=out/counts-and-states/$(basename "${file%.xz}")
mkdir -p "$data"
if [ ! -s "$data/held" ]; then
  if [ "$kind" = enwik8 ]; then
    raw_bytes text "$file" >"$data/all"
    head -c 3800000 "$data/all" >"$data/train"
    tail -c +3800001 "$data/all" | head -c 177000 >"$data/held"
  else
    raw_bytes "$kind" "$file" >"$data/all"
    bytes=$(stat -c %s "$data/all") held=$((($(stat -c %s "$data/all") + 9) / 10))
    head -c $((bytes - held)) "$data/all" >"$data/train"
    tail -c "$held" "$data/all" >"$data/held"
  fi
  rm "$data/all"
fi
held_out=(--val-fraction 0.02)   # of what is trained on: its end
case " $* " in *" --val-fraction "*) held_out=() ;; esac
out=$data/$(basename "${model%.json}")-$steps-$rate
if [ ! -s "$out/score.json" ]; then
  $statera train "$data/train" --config "$model" --steps "$steps" --lr "$rate" --batch 2 --length 512 --dropout 0.1 "${held_out[@]}" \
    --no-baselines --resume --out "$out" "$@" >&2
  $statera score "$out" "$data/held" --adapt --counts --before "$data/train" --json >"$out/score.json.new"
  mv "$out/score.json.new" "$out/score.json"
fi
python3 - "$name" "$(basename "${model%.json}")" "$steps" "$out" <<'PYTHON'
import json, sys
name, model, steps, out = sys.argv[1:]
s = json.load(open(out + "/score.json"))
seconds = json.loads(open(out + "/metrics.jsonl").readlines()[-1])["seconds"]
print(f"| {name} | `{model}` | {steps} | {seconds / 60:.1f} | {s['bits_per_byte']:.3f} | {s['adaptive_bits_per_byte']:.3f} | "
      f"{s['counts_bits_per_byte']:.3f} | {s['mixed_bits_per_byte']:.3f} |")
PYTHON
