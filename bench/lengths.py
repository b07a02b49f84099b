#!/usr/bin/env python3
"""From what `statera bench --train ... --length ... --json` printed: training speed against length as a table, its crossing points, and a chart.

usage: bench/lengths.py BENCH.json CHART.svg
"""
import json
import math
import os
import sys

COLOURS = ["#1f6feb", "#8250df", "#1a7f37", "#bc4c00", "#cf222e", "#57606a"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 84, 150, 24, 56


def name_of(model):
    stem = os.path.splitext(os.path.basename(model))[0]
    kind = stem.split("-", 1)[-1]
    return "attention, window 512" if kind == "window" else kind


def speeds(bench):
    """{name: {length: positions per second}}, in the order of the file."""
    lines = {}
    for row in bench["training"]:
        lines.setdefault(name_of(row["model"]), {})[row["length"]] = row["positions_per_s"]
    if not lines:
        raise SystemExit("error: no training speeds in this file")
    return lines


def crossings(lines):
    """Lengths at which one line falls below another, on straight lines between logarithms."""
    said = []
    names = list(lines)
    for i, one in enumerate(names):
        for other in names[i + 1:]:
            lengths = sorted(set(lines[one]) & set(lines[other]))
            ratios = [math.log(lines[one][n] / lines[other][n]) for n in lengths]
            for a, b, at, to in zip(ratios, ratios[1:], lengths, lengths[1:]):
                if a > 0 >= b or a < 0 <= b:
                    x = math.exp(math.log(at) + (math.log(to) - math.log(at)) * a / (a - b))
                    ahead, behind = (other, one) if a > 0 else (one, other)
                    said.append(f"{ahead} trains faster than {behind} from about {round(x, -2):,.0f} bytes on")
    return said


def table(lines):
    lengths = sorted({n for line in lines.values() for n in line})
    rows = ["| bytes of a sequence | " + " | ".join(lines) + " |", "|---|" + "---|" * len(lines)]
    for n in lengths:
        rows.append(f"| {n:,} | " + " | ".join(f"{line[n] / 1000:.1f} K" if n in line else "–" for line in lines.values()) + " |")
    return "\n".join(rows)


def chart(lines):
    lengths = sorted({n for line in lines.values() for n in line})
    values = [v for line in lines.values() for v in line.values()]
    low, high = math.log10(min(values)) - 0.05, math.log10(max(values)) + 0.05
    x = lambda n: LEFT + (WIDTH - LEFT - RIGHT) * (math.log(n) - math.log(lengths[0])) / (math.log(lengths[-1]) - math.log(lengths[0]))
    y = lambda v: TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(v)) / (high - low)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" role="img" '
           'aria-label="Training speed against the length of a sequence">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    for n in lengths:
        out.append(f'<line x1="{x(n):.1f}" x2="{x(n):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eaeef2"/>'
                   f'<text x="{x(n):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#424a53">{n:,}</text>')
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5):
            v = digit * 10.0 ** power
            if low <= math.log10(v) <= high:
                out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#eaeef2"/>'
                           f'<text x="{LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end" fill="#424a53">{v:,.0f}</text>')
    ends = []
    for (name, line), colour in zip(lines.items(), COLOURS):
        points = " ".join(f"{x(n):.1f},{y(line[n]):.1f}" for n in sorted(line))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x(n):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>' for n, v in sorted(line.items())]
        ends.append([y(line[max(line)]) + 4, x(max(line)) + 8, name, colour])
    ends.sort()
    for before, after in zip(ends, ends[1:]):  # labels that would cover each other move down
        after[0] = max(after[0], before[0] + 15)
    out += [f'<text x="{at:.1f}" y="{down:.1f}" fill="{colour}">{name}</text>' for down, at, name, colour in ends]
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle" fill="#24292f">bytes of a sequence</text>'
               f'<text x="{LEFT}" y="14" fill="#24292f">bytes trained on per second</text></svg>')
    return "\n".join(out) + "\n"


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__.strip().splitlines()[2])
    with open(sys.argv[1]) as file:
        lines = speeds(json.load(file))
    print(table(lines))
    for sentence in crossings(lines):
        print(f"\n- {sentence}.", end="")
    print()
    with open(sys.argv[2], "w") as file:
        file.write(chart(lines))


if __name__ == "__main__":
    main()
