#!/usr/bin/env python3
"""From the comparisons of bench/interaction.sh: bits per byte of each kind in each of the units, and the interaction terms with their errors.

For a kind K and Mamba-2 the term is

    I = (bits of K over bytes - bits of Mamba-2 over bytes) - (bits of K over tokens - bits of Mamba-2 over tokens)

in bits per byte of the same held-out text. Above 0: taking the tokenizer away favours Mamba-2. Its standard error joins two: that of the text (blocks of
16,384 bytes, means over seeds) and that of the seeds (trainings with the same seed are paired; absent with a single seed).

usage: bench/interaction.py COMPARISON...
"""
import array
import json
import math
import sqlite3
import sys
from pathlib import Path

BLOCK = 16384  # twice the context, so that neighbours depend little on each other
BASE = "mamba2"


def costs_of(folder):
    """{candidate: {seed: bits of each block}} and the bytes of the blocks"""
    found, sizes = {}, None
    rows = sqlite3.connect(f"file:{folder}/compare.sqlite?mode=ro", uri=True).execute("SELECT candidate, seed, nats FROM costs ORDER BY candidate, seed")
    for candidate, seed, blob in rows:
        nats = array.array("f", blob)
        starts = range(0, len(nats), BLOCK)
        found.setdefault(candidate, {})[seed] = [sum(nats[at:at + BLOCK]) / math.log(2) for at in starts]
        sizes = [min(BLOCK, len(nats) - at) for at in starts]
    return found, sizes


def mean(values):
    return sum(values) / len(values)


def error_of_mean(values):
    if len(values) < 2:
        return 0.0
    m = mean(values)
    return math.sqrt(sum((v - m) ** 2 for v in values) / (len(values) - 1) / len(values))


def combined(costs, sizes, signs):
    """The sum of signs[c] * bits per byte of c: value, standard error of the text, of the seeds, number of seeds."""
    seeds = sorted(set.intersection(*(set(costs[c]) for c in signs)))
    total = sum(sizes)
    by_seed = [sum(sign * sum(costs[c][seed]) for c, sign in signs.items()) / total for seed in seeds]
    blocks = [mean([sum(sign * costs[c][seed][b] for c, sign in signs.items()) for seed in seeds]) / size for b, size in enumerate(sizes)]
    return mean(by_seed), error_of_mean(blocks), error_of_mean(by_seed), len(seeds)


def figure(result, sign=""):
    value, text, seed, count = result
    return f"{value:{sign}.3f} ± {math.hypot(text, seed):.3f}" + (" (one seed)" if count == 1 else "")


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for folder in sys.argv[1:]:
        report = json.loads((Path(folder) / "report.json").read_text())
        costs, sizes = costs_of(folder)
        kinds = [c["name"] for c in report["candidates"] if ":" not in c["name"] and c["name"] in costs]
        tokens = sorted({c["units"] for c in report["candidates"]} - {"bytes"})
        about = {c["name"]: c for c in report["candidates"]}
        print(f"Equal: {report['terms']['equal']}. Judged on {sum(sizes):,} bytes.\n")
        print("| units | " + " | ".join(kinds) + " |\n|---|" + "---|" * len(kinds))
        for units in ["bytes", *tokens]:
            names = [kind if units == "bytes" else f"{kind}:{units}" for kind in kinds]
            print(f"| {units} | " + " | ".join(f"{combined(costs, sizes, {name: 1})[0]:.3f}" + (" unfinished" if about[name].get("unfinished") else "")
                                               if name in costs else "–" for name in names) + " |")
        print("\n| against Mamba-2 | " + " | ".join(f"bytes | {units} | interaction" for units in tokens) + " |\n|---|" + "---|---|---|" * len(tokens))
        for kind in kinds:
            if kind == BASE:
                continue
            cells = []
            for units in tokens:
                if not {f"{kind}:{units}", f"{BASE}:{units}"} <= set(costs):
                    cells += ["–"] * 3
                    continue
                signs = {kind: 1, BASE: -1, f"{kind}:{units}": -1, f"{BASE}:{units}": 1}
                cells += [figure(combined(costs, sizes, {kind: 1, BASE: -1}), "+"), figure(combined(costs, sizes, {f"{kind}:{units}": 1, f"{BASE}:{units}": -1}), "+"),
                          figure(combined(costs, sizes, signs), "+")]
            print(f"| {kind} | " + " | ".join(cells) + " |")
        print()


if __name__ == "__main__":
    main()
