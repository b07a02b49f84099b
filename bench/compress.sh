#!/usr/bin/env bash
# The tables of docs/compression.md: how small files get and how fast (about eight minutes), and what each part of the model is worth (two minutes).
# usage: bench/compress.sh FOLDER [--parts]     FOLDER: e.g. ../shared/data
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
folder=$(realpath "$1"); shift
cd "$(dirname "$0")/.."
source bench/raw_bytes.sh
cmake --preset release -DSTATERA_BENCH=ON >/dev/null
cmake --build build/release --target compress >&2
raw=$(mktemp -d); trap 'rm -rf "$raw"' EXIT
raw_bytes genome "$folder/dna/ecoli_k12_mg1655.fa.xz" >"$raw/ecoli_bases"   # as in docs/raw-data.md
raw_bytes audio "$folder/audio/tchaikovsky_sugar_plum_16k.wav.xz" >"$raw/sugar_plum_8_bits"
if [ "${1:-}" = --parts ]; then
  echo "| data | bytes | all | no words | no gaps | no records | no samples | no runs | no matches | no refinement | one set |"
  echo "|---|---|---|---|---|---|---|---|---|---|---|"
  files=(enwik8/enwik8_first_4154399.xz logs/OpenStack_2k.log.xz audio/tchaikovsky_sugar_plum_16k.wav.xz
         multilingual/ja_aozora_8_works.txt.xz dna/ecoli_k12_mg1655.fa.xz)
  files=("${files[@]/#/$folder/}")
  build/release/bin/compress --parts "${files[@]/%/:200000}"
  exit
fi
echo "| data | bytes | ours | PPMd | xz | smaller than PPMd | KB/s | PPMd's KB/s |"
echo "|---|---|---|---|---|---|---|---|"
build/release/bin/compress "$folder"/enwik8/enwik8_first_4154399.xz:{1000000,3000000} \
  "$folder"/{text/tinyshakespeare.txt,text/silesia_dickens,multilingual/ja_aozora_8_works.txt,multilingual/zh_four_novels.txt}.xz:3000000 \
  "$folder"/{text/silesia_xml,text/silesia_nci,logs/OpenStack_2k.log}.xz:3000000 \
  "$folder"/{dna/ecoli_k12_mg1655.fa,audio/tchaikovsky_sugar_plum_16k.wav}.xz:3000000 "$raw"/{ecoli_bases,sugar_plum_8_bits}:3000000
