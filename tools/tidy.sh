#!/usr/bin/env bash
# usage: tools/tidy.sh [PART-OF-A-PATH...]     runs clang-tidy 14 (.clang-tidy) over the sources of the library and the command, or over those whose
# path has one of these parts. Needs build/dev/compile_commands.json (cmake --preset dev). Exit 1 if it finds anything, or looks at nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
source tools/packages.sh
install_packages tidy || exit 1

commands=build/dev/compile_commands.json
[ -r $commands ] || { echo "error: no $commands; make it first: cmake --preset dev" >&2; exit 1; }
tidy() { clang-tidy-14 --quiet "$@" 2>&1 | grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed '; return "${PIPESTATUS[0]}"; }

# first something that must be found, so that a list of checks that is empty or not read is seen
planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
cp .clang-tidy "$planted/"
printf '#include <string>\n#include <utility>\nsize_t used(std::string a) {\n  std::string b = std::move(a);\n  return a.size() + b.size();\n}\n' >"$planted/moved.cpp"
if tidy "$planted/moved.cpp" -- -std=c++20 >"$planted/said"; then
  echo "error: clang-tidy does not find a use after a move; is .clang-tidy read?" >&2; cat "$planted/said" >&2; exit 1
fi

mapfile -t files < <(python3 - "$commands" "$@" <<'PY'
import json, re, sys
from pathlib import Path
root = Path.cwd()
for path in sorted({entry["file"] for entry in json.load(open(sys.argv[1]))}):
    name = Path(path).relative_to(root).as_posix() if path.startswith(f"{root}/") else ""
    if re.match(r"(src|apps)/", name) and not re.search(r"_(test|golden|fuzz)\.cpp$", name) and (not sys.argv[2:] or any(part in name for part in sys.argv[2:])):
        print(name)
PY
)
[ ${#files[@]} -gt 0 ] || { echo "error: $commands has no source that matches: nothing to look at" >&2; exit 1; }
export -f tidy
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'tidy -p build/dev "$0"' || { echo "clang-tidy found something" >&2; exit 1; }
echo "${#files[@]} sources, nothing found"
