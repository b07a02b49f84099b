#!/usr/bin/env bash
# How much the learning rate that `compare` chooses loses to the best of a full sweep (factors of two over a range of 64), on six kinds of data.
# usage: bench/rates.sh ENGLISH JAPANESE GENOME.fa SOUND.wav XML LOG... [-- STAGE...]     .xz is unpacked; STAGE: 3m, 10m, 30m (default: all)
#        bench/rates.sh --report                                                          the tables of what is done
# bench/rates.json has the steps of each stage: what `compare --budget STAGE` of four candidates gave before the first two got a second seed
# (docs/comparing.md). Every training is kept in out/rates/*.sqlite (bench/rates has those so far; two cores continue from there), so the same call resumes after an interruption, and another way to choose is judged without training again. The sweeps of 3m go through all rates; those
# of 10m and 30m try rates outwards from the usual one until one on each side is 0.05 bits behind. About eight hours on two cores in all.
set -euo pipefail
cd "$(dirname "$0")/.."
source bench/raw_bytes.sh
out=out/rates
kept=bench/rates   # what was trained so far, by two parts
report() { local from=$out; [ -e $out/part-0.sqlite ] || from=$kept; build/release/bin/rates bench/rates.json --report $from/part-*.sqlite; }
[ $# -ge 1 ] || { sed -n '2,9s/^# //p' "$0"; exit 2; }
cmake --preset release -DSTATERA_BENCH=ON >/dev/null
cmake --build build/release --target rates >&2
if [ "$1" = --report ]; then report; exit; fi
files=() stages=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do files+=("$1"); shift; done
[ $# -gt 0 ] && shift
[ $# -gt 0 ] && stages=("$@") || stages=(3m 10m 30m)
[ ${#files[@]} -ge 6 ] || { sed -n '2,9s/^# //p' "$0"; exit 2; }
mkdir -p $out/data
first=4000000
put() { [ -e $out/data/$1 ] || { raw_bytes "$2" "$3" | head -c $first >$out/data/$1.new || true; mv $out/data/$1.new $out/data/$1; }; }  # head closes the pipe early
put english text "${files[0]}"
put japanese text "${files[1]}"
put dna genome "${files[2]}"
put sound audio "${files[3]}"
put xml text "${files[4]}"
if [ ! -e $out/data/logs ]; then  # lines of all logs in turn, so that the last tenth is of the same kinds as the rest
  for log in "${files[@]:5}"; do raw_bytes logs "$log" >"$out/log-$(basename "${log%.xz}")"; done
  paste -d '\n' $out/log-* | tr -s '\n' | head -c $first >$out/data/logs.new || true
  rm $out/log-*; mv $out/data/logs.new $out/data/logs
fi
parts=$(nproc)
if [ "$parts" = 2 ] && [ ! -e $out/part-0.sqlite ]; then cp $kept/part-*.sqlite $out/; fi
for stage in "${stages[@]}"; do
  pids=()
  for ((part = 0; part < parts; part++)); do
    build/release/bin/rates bench/rates.json $out/data $out/part-$part.sqlite --stage "$stage" --part $part/$parts & pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
done
report
