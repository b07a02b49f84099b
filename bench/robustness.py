#!/usr/bin/env python3
"""How much more a spoiled text costs: random case, and dropped, repeated and swapped characters. Models are those of a comparison (bench/units.sh, or any).

usage: bench/robustness.py STATERA TEXT MODEL...      TEXT: held-out text, UTF-8; at most its last 100,000 characters are read

A figure is the growth in bits per byte of the spoiled text, in percent of the cost of the clean one. Every model reads the same spoiled texts.
"""
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 100_000


def spoiled(text, kind, share, seed=1):
    """The text with that share of its characters changed; of "case": with that share of its letters in the other case."""
    draw = random.Random(f"{kind} {share} {seed}")
    out, at = [], 0
    while at < len(text):
        one, hit = text[at], draw.random() < share
        if hit and kind == "case":
            one = one.swapcase()
        elif hit and kind == "drop":
            one = ""
        elif hit and kind == "repeat":
            one += one
        elif hit and kind == "swap" and at + 1 < len(text):
            one = text[at + 1] + one
            at += 1
        out.append(one)
        at += 1
    return "".join(out)


def bits(statera, model, path):
    ran = subprocess.run([statera, "score", model, path, "--json"], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"error: {ran.stderr.strip()}")
    return json.loads(ran.stdout)["bits_per_byte"]


def main():
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    statera, text, models = sys.argv[1], Path(sys.argv[2]).read_text(errors="replace")[-MOST:], sys.argv[3:]
    kinds = [("case", 0.05), ("case", 0.10), ("drop", 0.05), ("drop", 0.10), ("repeat", 0.05), ("repeat", 0.10), ("swap", 0.05), ("swap", 0.10)]
    print("| model | clean, bits per byte | " + " | ".join(f"{kind} {share:.0%}" for kind, share in kinds) + " |\n|---|---|" + "---|" * len(kinds))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "text"))
        for model in models:
            Path(path).write_text(text)
            clean = bits(statera, model, path)
            cells = []
            for kind, share in kinds:
                Path(path).write_text(spoiled(text, kind, share))
                cells.append(f"{100 * (bits(statera, model, path) / clean - 1):+.1f} %")
            print(f"| {Path(model).name} | {clean:.3f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
