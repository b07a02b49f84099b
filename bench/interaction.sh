#!/usr/bin/env bash
# Do kinds of models change places when the tokenizer is taken away? {bytes, BPE} x {Mamba-2, attention with a window of 512 positions, attention,
# 3:1 hybrid}, once with equal bytes read and once with equal training FLOPs. Each candidate searches its own learning rate if the budget buys 100 steps
# for each rate; the line "Equal" says whether it did.
# usage: bench/interaction.sh [--how-long] [--match params|flops] TEXT [SIZE] [BUDGET] [LENGTH] [SEEDS] [UNITS]     default: small 100m 8192 1 bpe-4096; the budget is for each
# of the two, with the seeds of the first call. A later call with more seeds trains these alone, each as long as the first; statera says how long in all.
# Resumable: what is trained is not trained again. Prints the tables in Markdown. The reports are in out/interaction. --how-long: only says that.
# --match: one of the two comparisons alone.
# A window of 512 positions covers 512 bytes, and over tokens several times as much text.
set -euo pipefail
cd "$(dirname "$0")/.."
only_say= matches=(params flops)   # params: equal numbers of steps, and so of bytes
while true; do
  case ${1:-} in
    --how-long) only_say=1; shift ;;
    --match) matches=("${2:-}"); shift 2 || shift ;;
    *) break ;;
  esac
done
case ${matches[0]} in params | flops) ;; *) echo "error: --match '${matches[0]}'; it is params or flops" >&2; exit 2 ;; esac
[ ! $only_say ] || set -- "${1:-TEXT}" "${@:2}"
[ $# -ge 1 ] && { [ $only_say ] || [ -r "$1" ]; } || { sed -n '2,9s/^# //p' "$0"; exit 2; }
text=$1 size=${2:-small} budget=${3:-100m} length=${4:-8192} seeds=${5:-1} units=${6:-bpe-4096}
out=out/interaction/$(basename "$text")-$size-$length-$units
kinds=(mamba2 "$out/window.json" attention hybrid) both=(bytes "$units")
echo "${#matches[@]} comparisons of $budget, with $((${#kinds[@]} * ${#both[@]})) candidates each and $seeds seeds: \
$(python3 bench/duration.py ${#matches[@]} "$budget") in all" >&2
[ $only_say ] && exit
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
mkdir -p "$out"
python3 - configs/$size-attention.json "$out/window.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
for mixer in config["mixers"].values():
    mixer["window"] = 512
json.dump(config, open(sys.argv[2], "w"))
PYTHON
joined() { local IFS=,; echo "$*"; }
for match in "${matches[@]}"; do
  build/release/bin/statera compare "$text" --size $size --candidates "$(joined "${kinds[@]}")" --units "$(joined "${both[@]}")" --match $match \
    --length $length --batch 1 --seeds $seeds --noise-share 0 --budget $budget --out "$out/$match" >&2
done
python3 bench/interaction.py "${matches[@]/#/$out/}"
