#!/usr/bin/env bash
# The peers in build/peers: an environment with PyTorch and gguf, and llama-bench of the llama.cpp that llama-cpp-python's source
# distribution carries, built for this processor. Nothing of it is linked into Statera. JOBS: parallel compilations (default: all cores).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
to=$root/build/peers
mkdir -p "$to/sdist"
[ -x "$to/venv/bin/python" ] || python3 -m venv "$to/venv"
"$to/venv/bin/pip" install torch numpy gguf
if ! ls "$to"/sdist/*.tar.gz >/dev/null 2>&1; then
  "$to/venv/bin/pip" download --no-deps --no-binary llama-cpp-python -d "$to/sdist" llama-cpp-python
fi
sources=("$to"/sdist/*.tar.gz)
[ ${#sources[@]} = 1 ] || { echo "error: several sources in $to/sdist: keep one" >&2; exit 1; }
tar -xzf "${sources[0]}" -C "$to/sdist"
name=$(basename "${sources[0]}" .tar.gz)
# Flags by what the processor says: a compiler may take it for another one.
flags=()
has() { grep -qw "$1" /proc/cpuinfo; }
for pair in avx:AVX avx2:AVX2 fma:FMA f16c:F16C bmi2:BMI2 avx512f:AVX512 avx512vbmi:AVX512_VBMI avx512_vnni:AVX512_VNNI \
  avx512_bf16:AVX512_BF16 avx_vnni:AVX_VNNI amx_tile:AMX_TILE amx_int8:AMX_INT8 amx_bf16:AMX_BF16; do
  if has "${pair%%:*}"; then flags+=("-DGGML_${pair##*:}=ON"); fi
done
if [ "$(uname -m)" = x86_64 ]; then flags+=(-DGGML_NATIVE=OFF); else flags=(-DGGML_NATIVE=ON); fi
cmake -S "$to/sdist/$name/vendor/llama.cpp" -B "$to/llama" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF "${flags[@]}"
cmake --build "$to/llama" --target llama-bench -j "${JOBS:-$(nproc)}"
echo "of $name, ${flags[*]}" >"$to/llama.txt"
echo "installed: $("$to/venv/bin/python" -c 'import torch; print("torch", torch.__version__)'), llama.cpp $(cat "$to/llama.txt")"
