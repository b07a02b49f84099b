#!/usr/bin/env python3
"""The delete law: without any one mixer, everything else builds and passes.

usage: delete_law.py NAME... | --all | --pick HASH      [--build DIR] [--tests REGEX] [--keep]

Makes a copy of the tree in DIR/../delete-law/NAME, takes the mixer out of it (tools/delete_mixer.py), builds the copy and runs its tests. Needs a
finished build of the tree (DIR, build/dev): an object whose source, included files and command are the same in the copy is taken from there
instead of being compiled (tools/reuse_object.py), so that a build takes what the change costs. --pick takes one mixer by the hash; --tests limits
the tests to those whose ctest name matches. Exit 1 if anything fails, or if there was no mixer to delete or no test to run.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from delete_mixer import DeleteError, ENTRY, REGISTRY, Tree  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


def deletable(root):
    """One type of each folder that can be deleted."""
    tree, found = Tree(root), {}
    for _, name in ENTRY.findall(tree.read(REGISTRY)):
        try:
            folder, types = tree.find(name)
        except DeleteError:
            continue  # the folder of the default MLP
        found.setdefault(folder, types[0])
    return sorted(found.values())


def copy_tree(copy):
    shutil.rmtree(copy, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        raise SystemExit(f"error: {ROOT} is no git checkout, so which files to copy is not known: {listed.stderr.decode().strip()}")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


def without_depfile(words):
    """A compile command without the flags that only say where the list of included files goes."""
    kept, skip = [], False
    for word in words:
        if skip or word in ("-MD", "-MT", "-MF"):
            skip = not skip and word != "-MD"
            continue
        kept.append(word)
    return kept


def reusable(build, copy):
    """{object in the copy's build: [object to take, its command]} for all that are the same there."""
    def there(path):
        return Path(str(path).replace(str(ROOT), str(copy), 1))

    same = {}

    def is_same(path):
        if path not in same:
            other = there(path)
            same[path] = other.is_file() and other.read_bytes() == Path(path).read_bytes()
        return same[path]

    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        if any(word.startswith("-D") and str(ROOT) in word for word in words):
            continue  # it knows where the tree lies
        words = words[next(i for i, word in enumerate(words) if re.search(r"(\+\+|cc)(-\d+)?$", word)):]  # behind ccache
        commands[words[words.index("-o") + 1]] = without_depfile([word.replace(str(ROOT), str(copy)) for word in words])
    table, name, included = {}, None, []
    deps = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], check=True, capture_output=True, text=True).stdout
    for line in deps.splitlines() + [""]:
        if match := re.match(r"(\S+): #deps", line):
            name, included = match[1], []
        elif line.startswith("    "):
            included.append(os.path.normpath(build / line.strip()))
        elif name in commands and included and (build / name).exists():
            made, ours = (build / name).stat().st_mtime, [path for path in included if path.startswith(f"{ROOT}/")]
            if all(os.path.exists(path) and os.stat(path).st_mtime <= made for path in ours) and all(map(is_same, ours)):
                table[name] = [str(build / name), commands[name]]
            name = None
    if not table:
        raise SystemExit(f"error: {build} has no object that could be taken; build it first: cmake --preset dev && cmake --build {build}")
    return table


def law(name, build, tests):
    copy = build.parent / "delete-law" / name
    copy_tree(copy)
    print(f"== {name}\n" + "\n".join(Tree(copy).delete(name)), flush=True)
    cache = (build / "CMakeCache.txt").read_text()
    ccache = re.search(r"^CCACHE:FILEPATH=(/.*)$", cache, re.M)
    table = copy / "reuse.json"
    launcher = [sys.executable, "-ISE", str(copy / "tools/reuse_object.py"), str(table)] + ([ccache[1]] if ccache else [])
    into = copy / "build/dev"
    begin = time.monotonic()
    # no commands of the build: configured first, as generated sources are compared too
    run(["cmake", "--preset", "dev", "-S", str(copy), f"-DCMAKE_CXX_COMPILER_LAUNCHER={';'.join(launcher)}"], copy)
    found = reusable(build, copy)
    table.write_text(json.dumps(found))
    run(["cmake", "--build", str(into)], copy)
    table.write_text("{}")  # whoever changes the copy and builds it again gets what the compiler makes of it
    total = len(json.loads((into / "compile_commands.json").read_text()))
    print(f"built in {time.monotonic() - begin:.0f} s: {len(found)} objects of {total} are those of {build}", flush=True)
    listed = subprocess.run(["ctest", "--test-dir", str(into), "-N", "-R", tests], check=True, capture_output=True, text=True).stdout
    if "Total Tests: 0" in listed or "Total Tests:" not in listed:
        raise SystemExit(f"error: no test of {into} matches '{tests}'")
    for name in tests.removeprefix("^(").removesuffix(")$").split("|") if tests.startswith("^(") else []:
        if not re.search(rf": {re.escape(name)}$", listed, re.MULTILINE):
            raise SystemExit(f"error: {into} has no test '{name}', which --tests names")
    begin = time.monotonic()
    run(["ctest", "--test-dir", str(into), "--output-on-failure", "-R", tests, "-j", str(os.cpu_count())], copy)
    print(f"passed in {time.monotonic() - begin:.0f} s", flush=True)
    return copy


def run(command, folder):
    environment = {key: value for key, value in os.environ.items() if key != "GTEST_OUTPUT"} | {"GTEST_BRIEF": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}\nerror: `{shlex.join(command)}` failed in {folder}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--pick", metavar="HASH")
    parser.add_argument("--build", type=Path, default=ROOT / "build/dev")
    parser.add_argument("--tests", default=".")
    parser.add_argument("--keep", action="store_true", help="leave the copy there")
    options = parser.parse_args()
    mixers = deletable(ROOT)
    if not mixers:
        raise SystemExit("error: the registry has no mixer that could be deleted")
    names = options.names + (mixers if options.all else []) + ([mixers[int(options.pick[:8], 16) % len(mixers)]] if options.pick else [])
    if not names:
        parser.error("give a mixer's NAME, --all or --pick HASH")
    for name in names:
        try:
            copy = law(name, options.build.resolve(), options.tests)
        except DeleteError as error:
            raise SystemExit(f"error: {error}")
        if not options.keep:
            shutil.rmtree(copy)


if __name__ == "__main__":
    main()
