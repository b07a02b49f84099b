#!/usr/bin/env bash
# Do state-space models beat attention on bytes even when attention gets more compute? Two texts, two lengths, attention at once and twice the FLOPs.
# usage: bench/claim_bytes.sh TEXT TEXT [FLAG...]     flags go to bench/claim_bytes.py, which says what is measured
# Trainings are kept in out/claim; the same call resumes after an interruption (bench/claim has those so far, for the first 4 MB of Silesia's dickens).
# Some hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
mkdir -p out/claim
[ -e out/claim/sweeps.sqlite ] || [ ! -e bench/claim/sweeps.sqlite ] || cp bench/claim/sweeps.sqlite out/claim/
exec python3 bench/claim_bytes.py "$@"
