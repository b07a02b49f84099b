#!/usr/bin/env bash
# Statera beside PyTorch and llama.cpp: the same work on the same machine in the same minute. `bench/peers/run.sh --help` lists the flags.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build() {
  mkdir -p "$root/build/peers"
  cmake -S "$root" --preset release -DSTATERA_BENCH=ON >/dev/null
  cmake --build "$root/build/release" --target peers_worker >&2
}
[ "${1:-}" != --tables ] || exec python3 "$here/tables.py" "${@:2}"
for flag in "$@"; do
  case $flag in
    --install) exec "$here/install.sh" ;;
    --check)
      [ -x "$root/build/peers/venv/bin/python" ] || { echo "error: PyTorch is not installed; bench/peers/run.sh --install does it" >&2; exit 1; }
      build
      exec "$root/build/peers/venv/bin/python" "$here/check_torch_models.py" "$root/build/release/bin/peers_worker" ;;
    --same-bits)
      [ -x "$root/build/peers/venv/bin/python" ] || { echo "error: PyTorch is not installed; bench/peers/run.sh --install does it" >&2; exit 1; }
      cmake -S "$root" --preset release >/dev/null && cmake --build "$root/build/release" --target statera_app >&2
      exec "$root/build/peers/venv/bin/python" "$here/same_bits.py" "$root/build/release/bin/statera" "${@:2}" ;;
    -h | --help) exec python3 "$here/compare.py" --help ;;
  esac
done
build
exec python3 "$here/compare.py" "$@"
