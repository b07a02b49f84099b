#!/usr/bin/env bash
# The table of docs/tokenizers.md: how fast texts are encoded and tokenizers trained, beside Hugging Face's tokenizers,
# in one run on the same cores (about two minutes). The package comes into build/peers/tokenizers.
# usage: bench/token_speed.sh TOKENIZER.json TEXT...     e.g. tokenizer.json ../shared/data/text/*.xz
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
paths=(); for path in "$@"; do paths+=("$(realpath "$path")"); done
cd "$(dirname "$0")/.."
cmake --preset release -DSTATERA_BENCH=ON >/dev/null
cmake --build build/release --target token_speed >&2
venv=build/peers/tokenizers
[ -x $venv/bin/python ] || { python3 -m venv $venv && $venv/bin/pip install --quiet tokenizers; } >&2
$venv/bin/python bench/token_speed.py build/release/bin/token_speed "${paths[0]}" "$(nproc)" 8192 "${paths[@]:1}"
