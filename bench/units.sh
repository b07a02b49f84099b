#!/usr/bin/env bash
# Bytes, tokens and learned segments on one text: Mamba-2, attention and a hybrid over bytes and over two sizes of BPE; H-Nets with one stage and two, with
# Mamba-2 outside and attention inside and the other way round; and as controls the same H-Net with cuts at fixed distances and at spaces.
# usage: bench/units.sh KIND FILE [SIZE] [MINUTES]     KIND as in bench/raw_bytes.sh; default: small, 20 minutes a training, at equal time
# Resumable. Prints the table in Markdown; the report is in out/units.
set -euo pipefail
cd "$(dirname "$0")/.."
source bench/raw_bytes.sh
[ $# -ge 2 ] && [ -r "$2" ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
kind=$1 file=$2 size=${3:-small} minutes=${4:-20}
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
name=$(basename "${file%.xz}") out=out/units/$(basename "${file%.xz}")-$size-$minutes
mkdir -p "$out/configs"
[ -s "$out/$name" ] || { raw_bytes "$kind" "$file" >"$out/$name.part"; mv "$out/$name.part" "$out/$name"; }
python3 bench/units_configs.py src/mixers/hnet/presets/$size-hnet.json "$out/configs" build/release/bin/statera
# 14 trainings; three fifths of the budget are trainings, the rest goes to rates, measurements and baselines
budget=$((9 * minutes * 5 / 3))m   # of the first nine; the others get as much each
statera=build/release/bin/statera
both() {  # adds candidates to the comparison
  $statera compare "$out/$name" --size $size --noise-share 0 --budget $budget --length 1024 --out "$out/compare" "$@" >&2
}
both --candidates mamba2,attention,hybrid --units bytes,bpe-1024,bpe-8192
both --candidates "$(ls "$out"/configs/*.json | paste -sd,)"
python3 bench/units.py "$out/compare" "$out/$name" $statera
