#!/usr/bin/env bash
# The four tiny presets on four kinds of raw data, five minutes per candidate.
# usage: bench/raw_data.sh KIND FILE... [-- FLAG...]     flags go to statera compare
#   genome  FASTA file      the bases, in upper case, without headers and line ends
#   audio   16-bit WAV      the high byte of each sample, so a byte is a sample of 8 bits
#   logs    log files       as they are, one document each
#   text    a text file     as it is (the documents' table takes one without spaces between words)
# Files may be packed as .xz. The report is in out/raw-KIND. The same call resumes after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."
source bench/release.sh
source bench/raw_bytes.sh
[ $# -ge 2 ] || { sed -n '2,8s/^# //p' "$0"; exit 2; }
kind=$1; shift
files=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do files+=("$1"); shift; done
[ $# -gt 0 ] && shift
build_release
data=out/raw-data/$kind
rm -rf "$data"; mkdir -p "$data"
for file in "${files[@]}"; do raw_bytes "$kind" "$file" >"$data/$(basename "${file%.xz}")"; done
exec build/release/bin/statera compare "$data" --size tiny --candidates attention,mamba1,mamba2,hybrid --budget 20m --out "out/raw-$kind" "$@"
