#!/usr/bin/env python3
"""Breaks the fast paths on purpose: every mutant (tools/mutants.py) must turn the tests red.

usage: mutate.py --list | --run I [I...] | --all | --pick HASH [--count N]      [--build DIR] [--jobs N]

Needs a finished build (build/dev). The tree stays untouched: what depends on the mutated file is compiled aside, for this machine's
instruction set alone, and linked before the library's archive, so that it takes the place of the sound object. Before the mutants,
the same is done with no edit and must be green. Exit 1 if a mutant survives or nothing could be tested.
"""
import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from mutants import mutants  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ["test_ops", "test_core", "test_counts", "conformance", "test_nn", "test_models", "test_train"]  # which may notice, in the order to ask
TIMEOUT = 600  # of a control; a mutant hangs when it takes ten times as long as its control, and half a minute


def native_flags():
    """Compiles one target instead of three: the best that this machine has."""
    try:
        cpu = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpu = ""
    level = "x86-64-v4" if all(f in cpu for f in ("avx512f", "avx512bw", "avx512dq", "avx512vl")) else "x86-64-v3" if "avx2" in cpu else ""
    return ["-w", "-O1", "-g0"] + (["-DHWY_COMPILE_ONLY_STATIC", f"-march={level}", "-maes", "-mpclmul", "-ffp-contract=off"] if level else [])


class Build:
    def __init__(self, folder):
        self.folder = folder
        entries = json.loads((folder / "compile_commands.json").read_text())
        self.compile = {shlex.split(e["command"])[shlex.split(e["command"]).index("-o") + 1]: e for e in entries}
        self.users = {}  # file -> objects that include it
        target = None
        for line in self.ninja("-t", "deps").splitlines():
            if m := re.match(r"(\S+\.o): #deps", line):
                target = m.group(1)
            elif target and line.startswith("    "):
                self.users.setdefault(os.path.normpath(folder / line.strip()), set()).add(target)
        lines = (folder / "build.ninja").read_text()
        self.programs = [p for p in PROGRAMS if re.search(rf"^build bin/{p}:", lines, re.M)]
        self.link = {p: self.ninja("-t", "commands", f"bin/{p}").splitlines()[-1] for p in self.programs}
        self.flags = native_flags()

    def ninja(self, *arguments):
        return subprocess.run(["ninja", "-C", self.folder, *arguments], check=True, capture_output=True, text=True).stdout

    def objects(self, path):
        """The objects that depend on a file and go into a program we run, those of the smallest sources first."""
        users = (o for o in self.users.get(str(ROOT / path), ()) if "/statera.dir/" in o or any(f"/{p}.dir/" in o for p in self.programs))
        return sorted(users, key=lambda o: ("/statera.dir/" not in o, os.path.getsize(self.compile[o]["file"]), o))

    def compile_aside(self, objects, path, aside):
        """Compiles objects with aside/src before src/ on the include path. Returns what the compiler said, or None if all is well."""
        for name in objects:
            entry, made = self.compile[name], aside / name
            made.parent.mkdir(parents=True, exist_ok=True)
            source = entry["file"]
            if source == str(ROOT / path):
                source = str(aside / path)
            command = [source if word == entry["file"] else str(made) if word == name else word for word in shlex.split(entry["command"])
                       if word != "-Werror"]
            compiler = 2 if "ccache" in command[0] else 1
            command[compiler:compiler] = [f"-I{aside / 'src'}"]
            result = subprocess.run(command + self.flags, cwd=self.folder, capture_output=True, text=True)
            if result.returncode:
                return result.stderr
        return None

    def link_aside(self, program, objects, aside):
        command, extra = self.link[program], []
        for name in objects:
            if f"/{program}.dir/" in name:
                command = command.replace(f" {name} ", f" {aside / name} ")
            elif "/statera.dir/" in name:
                extra.append(str(aside / name))
        command = command.replace(f"-o bin/{program}", f"{' '.join(extra)} -o {aside / program}")
        subprocess.run(command, shell=True, check=True, cwd=self.folder, capture_output=True, text=True)
        return aside / program

    def red(self, binary, timeout=TIMEOUT):
        """True if the program fails, crashes or hangs."""
        run = [binary, "--gtest_fail_fast", "--gtest_brief=1"]
        try:
            return subprocess.run(run, cwd=binary.parent, capture_output=True, timeout=timeout).returncode != 0
        except subprocess.TimeoutExpired:
            return True


class Trial:
    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        self.lock, self.controls = threading.Lock(), {}

    def aside(self, name):
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def control(self, program, path, objects):
        """Nothing mutated, everything else as for a mutant of `path`: must be green, or a red mutant would mean nothing. Returns its seconds."""
        with self.lock:
            if (program, *objects) not in self.controls:
                aside = self.aside("control")
                (aside / path).parent.mkdir(parents=True)
                shutil.copy(ROOT / path, aside / path)
                error = self.build.compile_aside(objects, path, aside)
                if error:
                    raise SystemExit(f"error: {path} does not compile aside, before any mutation:\n{error}")
                binary, begin = self.build.link_aside(program, objects, aside), time.monotonic()
                if self.build.red(binary):
                    raise SystemExit(f"error: {program} fails with {path} unmutated; fix it first: ninja -C {self.build.folder} && {program}")
                self.controls[program, *objects] = time.monotonic() - begin
                shutil.rmtree(aside)
            return self.controls[program, *objects]

    def run(self, number, mutant):
        """killed, SURVIVED or uncompiled, and by which program."""
        aside = self.aside(str(number))
        (aside / mutant.path).parent.mkdir(parents=True)
        (aside / mutant.path).write_text(mutant.apply((ROOT / mutant.path).read_text()))
        every = self.build.objects(mutant.path)
        try:
            # a header: mutated in the smallest file that includes it, as most mutants show there; then in all
            for objects in [every[:1], every] if len(every) > 1 else [every]:
                if self.build.compile_aside(objects, mutant.path, aside):
                    return "uncompiled", ""
                for program in self.build.programs:
                    seconds = self.control(program, mutant.path, objects)
                    if self.build.red(self.build.link_aside(program, objects, aside), 30 + 10 * seconds):
                        return "killed", program
                    if objects != every:
                        break
            return "SURVIVED", ""
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true")
    what.add_argument("--run", nargs="+", type=int, metavar="I")
    what.add_argument("--all", action="store_true")
    what.add_argument("--pick", metavar="HASH")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--build", type=Path, default=ROOT / "build/dev")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    every = mutants(ROOT)
    if options.list:
        for number, mutant in enumerate(every):
            print(f"{number:4} {mutant.diff()}")
        return 0
    if options.pick:  # one from each part of the list
        count = min(options.count, len(every))
        seed = int(hashlib.sha1(options.pick.encode()).hexdigest(), 16)
        numbers = [i * len(every) // count + (seed >> (16 * i)) % (len(every) // count) for i in range(count)]
    else:
        numbers = options.run or range(len(every))

    build = Build(options.build.resolve())
    if not build.programs:
        raise SystemExit(f"error: no test program in {options.build}; build it first: cmake --preset dev && cmake --build build/dev")
    trial = Trial(build, options.build.resolve() / "mutants")
    results = {}

    def one(number):
        begin = time.monotonic()
        verdict, program = trial.run(number, every[number])
        results[number] = verdict
        print(f"{number:4} {verdict:10} {program:12} {time.monotonic() - begin:5.1f} s  {every[number].rule:8} "
              f"{every[number].path}:{every[number].line}", flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(one, number) for number in numbers]:
            done.result()
    for number in list(results) if options.pick else []:  # one that does not compile proves nothing: its neighbour instead
        for _ in range(20):
            if results[number] != "uncompiled":
                break
            number = (number + 1) % len(every)
            if number not in results:
                one(number)
    survivors = [n for n in sorted(results) if results[n] == "SURVIVED"]
    for number in survivors:
        print(f"\nmutant {number} survived: no test notices\n{every[number].diff()}")
    killed = sum(v == "killed" for v in results.values())
    print(f"\n{killed} of {len(results)} mutants killed, {len(survivors)} survived, {len(results) - killed - len(survivors)} did not compile")
    return 1 if survivors or not killed else 0


if __name__ == "__main__":
    sys.exit(main())
