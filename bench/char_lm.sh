#!/usr/bin/env bash
# The character-level benchmark on the text that the repository ships: mean nats per character of 3 seeds for each kind of model.
# usage: bench/char_lm.sh [--json] [--seeds N] [--only attention|mamba1|mamba2]
# Last line: {"attention": ..., "mamba1": ..., "mamba2": ...}. With --json it is the only line on standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release -DSTATERA_BENCH=ON >/dev/null
cmake --build build/release --target char_lm >&2
exec build/release/bin/char_lm data/tinyshakespeare.txt.xz "$@"
