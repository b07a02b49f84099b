#!/usr/bin/env bash
# The four small presets on the beginning of enwik8: 3,800,000 bytes to train on, the next 177,000 to judge on, 15 minutes per candidate.
# usage: bench/enwik8_small.sh FILE [FLAG...]     FILE: enwik8 or its first 3,977,000 bytes or more, plain or .xz; flags go to statera compare
# Batches of 2 x 512 bytes and a tenth of the budget for learning rates: docs/log.md, 2026-11-28.
# The table is printed, the report is in out/enwik8-small. The same call resumes after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
file=$1; shift
[ -r "$file" ] || { echo "error: cannot read $file; enwik8 is the first 100,000,000 bytes of an English Wikipedia dump" >&2; exit 1; }
cmake --preset release >/dev/null
cmake --build build/release --target statera_app >&2
mkdir -p out
bytes=3977000 text=out/enwik8-first
case $file in *.xz) cat=xzcat ;; *) cat=cat ;; esac
$cat "$file" 2>/dev/null | head -c $bytes >"$text" || true  # head closes the pipe early
[ "$(stat -c %s "$text")" = $bytes ] || { echo "error: $file has fewer than $bytes bytes" >&2; exit 1; }
exec build/release/bin/statera compare "$text" --size small --candidates attention,mamba1,mamba2,hybrid --held-out-bytes 177000 \
  --batch 2 --search-share 0.1 --budget 60m --out out/enwik8-small "$@"
