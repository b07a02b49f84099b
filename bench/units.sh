#!/usr/bin/env bash
# Bytes, tokens and learned segments on one text: Mamba-2, attention and a hybrid over bytes and over two sizes of BPE; H-Nets with one stage and two, with
# Mamba-2 outside and attention inside and the other way round; and as controls the same H-Net with cuts at fixed distances and at spaces.
# usage: bench/units.sh [--how-long] KIND FILE [SIZE] [MINUTES] [SEEDS]     KIND as in bench/raw_bytes.sh; default: small, 5 minutes a training, at equal
# time, 1 seed. A later call with more seeds trains these alone, each as long as the first, and statera says how long that takes.
# Resumable: what is trained is not trained again. Prints the table in Markdown; the report is in out/units. --how-long: only says that.
set -euo pipefail
cd "$(dirname "$0")/.."
source bench/raw_bytes.sh
only_say=
if [ "${1:-}" = --how-long ]; then only_say=1 && shift && set -- "${1:-KIND}" "${2:-FILE}" "${@:3}"; fi
[ $# -ge 2 ] && { [ $only_say ] || [ -r "$2" ]; } || { sed -n '2,6s/^# //p' "$0"; exit 2; }
kind=$1 file=$2 size=${3:-small} minutes=${4:-5} seeds=${5:-1}
kinds=(mamba2 attention hybrid) units=(bytes bpe-1024 bpe-8192) preset=src/mixers/hnet/presets/$size-hnet.json
names=$(python3 bench/units_configs.py --names "$preset")
mapfile -t hnets <<<"$names"
# Three fifths of the time are trainings, the rest goes to rates, measurements and baselines: 100 seconds for each minute of training. The budget is that of
# the first call of statera; the H-Nets get as much each.
first=$((${#kinds[@]} * ${#units[@]})) all=$((${#kinds[@]} * ${#units[@]} + ${#hnets[@]}))
echo "$all candidates, about $minutes minutes a training, and $seeds seeds: $(python3 bench/duration.py $((all * seeds)) $((minutes * 100))s) in all" >&2
[ $only_say ] && exit
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
name=$(basename "${file%.xz}") out=out/units/$(basename "${file%.xz}")-$size-$minutes
mkdir -p "$out/configs"
[ -s "$out/$name" ] || { raw_bytes "$kind" "$file" >"$out/$name.part"; mv "$out/$name.part" "$out/$name"; }
statera=build/release/bin/statera
python3 bench/units_configs.py "$preset" "$out/configs" $statera
joined() { local IFS=,; echo "$*"; }
[ -s "$out/budget" ] || echo $((first * seeds * minutes * 100))s >"$out/budget"   # the same whatever seeds and candidates are added
add() {  # adds candidates to the comparison
  $statera compare "$out/$name" --size $size --noise-share 0 --budget "$(cat "$out/budget")" --seeds $seeds --length 1024 --out "$out/compare" "$@" >&2
}
add --candidates "$(joined "${kinds[@]}")" --units "$(joined "${units[@]}")"
add --candidates "$(printf "$out/configs/%s.json\n" "${hnets[@]}" | paste -sd,)"
python3 bench/units.py "$out/compare" "$out/$name" $statera
