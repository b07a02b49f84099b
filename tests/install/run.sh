#!/usr/bin/env bash
# usage: run.sh BUILD_DIR    installs BUILD_DIR into a temporary prefix, then builds and runs the program beside this file against it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix"
if grep -rF "$build" "$work/prefix" --include='*.cmake'; then echo "installed CMake files name the build folder"; exit 1; fi
cmake -G Ninja -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release
cmake --build "$work/build"
cd "$work" && build/consumer
