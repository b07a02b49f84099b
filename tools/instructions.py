#!/usr/bin/env python3
"""Guards the speed of a few kernels by counting instructions, which no busy machine changes.

usage: instructions.py [--accept] [--build DIR]

Runs each case of tests/instructions/accepted.json under valgrind's callgrind, on one thread with the AVX2 kernels (valgrind knows no AVX-512), and
compares the instructions of one forward and backward pass with the accepted figure: 5 % more or less is red, as less should be accepted and kept.
--accept writes what was counted. Figures hold for one compiler, whose name stands beside them. Needs a finished build (build/dev) and valgrind.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = ROOT / "tests/instructions/accepted.json"
PASSES = 4
MARGIN = 0.05


def compiler_of(build):
    for line in (build / "CMakeCache.txt").read_text().splitlines():
        if line.startswith("CMAKE_CXX_COMPILER:"):
            return subprocess.run([line.split("=", 1)[1], "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    raise SystemExit(f"error: {build} is not configured: cmake --preset dev")


def instructions(program, case, passes):
    run = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*measured_pass*", "--callgrind-out-file=/dev/null", program, case, str(passes)]
    result = subprocess.run(run, capture_output=True, text=True, env={**os.environ, "STATERA_ISA": "AVX2"})
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode or not found:
        raise SystemExit(f"error: {case} fails under valgrind:\n{result.stderr[-2000:]}")
    return int(found.group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--build", type=Path, default=ROOT / "build/dev")
    options = parser.parse_args()
    program = options.build.resolve() / "bin/instructions"
    if not program.exists():
        raise SystemExit(f"error: no {program}; build it first: cmake --preset dev && cmake --build build/dev")
    if not shutil.which("valgrind"):
        raise SystemExit("error: no valgrind here; apt-get install valgrind")
    accepted, compiler = json.loads(ACCEPTED.read_text()), compiler_of(options.build)
    if not options.accept and accepted["compiler"] != compiler:
        raise SystemExit(f"error: the accepted figures are of '{accepted['compiler']}', this is '{compiler}'; look at what --accept changes")
    if not accepted["instructions"]:
        raise SystemExit(f"error: {ACCEPTED} names no case: nothing is counted")
    red = 0
    for case, before in accepted["instructions"].items():
        now = (instructions(program, case, 1 + PASSES) - instructions(program, case, 1)) // PASSES
        good = options.accept or abs(now - before) <= MARGIN * before
        red += not good
        print(f"{case:28} {now:>12,} instructions, accepted {before:>12,}, {now / before - 1 if before else 0:+.1%}  {'ok' if good else 'RED'}")
        accepted["instructions"][case] = now
    if options.accept:
        accepted["compiler"] = compiler
        ACCEPTED.write_text(json.dumps(accepted, indent=1) + "\n")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
