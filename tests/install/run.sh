#!/usr/bin/env bash
# usage: run.sh BUILD_DIR    installs BUILD_DIR into a temporary prefix, builds the programs beside this file against it, trains a small model
# with the installed command line and streams text from it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
text=$here/../../data/tinyshakespeare.txt.xz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "error: $1"; exit 1; }

cmake --install "$build" --prefix "$work/prefix"
if grep -rF "$build" "$work/prefix" --include='*.cmake'; then fail "installed CMake files name the build folder"; fi
cmake -G Ninja -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release
cmake --build "$work/build"

cd "$work"
[ "$(build/count "$text")" = "1115394 bytes" ] || fail "the installed library does not count the bytes of $text"
presets=$(prefix/bin/statera info)
preset=$(grep -m 1 '^tiny-' <<<"$presets") || fail "the installed command knows no preset tiny-*"
prefix/bin/statera train "$text" --config "$preset" --steps 4 --batch 4 --length 64 --evaluate-every 4 --no-baselines --out model
build/stream model >streamed
cat streamed
python3 -c 'import ctypes
text = ctypes.create_string_buffer(101)
written = ctypes.CDLL("./build/libplugin.so").plugin_generate(b"model", text, 101)
exit(f"the shared library wrote {written} bytes, expected nearly 100") if not 97 <= written <= 100 else None'
[ "$(wc -c <streamed)" -ge 190 ] || fail "expected some 200 bytes of text"
