#!/usr/bin/env python3
"""From the runs of bench/litmus.sh: tables in Markdown, and a chart of bits per real byte against growth.

usage: bench/litmus.py FOLDER CHART.svg
"""
import json
import math
import sys
from pathlib import Path

COLOURS = {"attention": "#1f6feb", "mamba2": "#1a7f37", "hybrid": "#8250df", "hnet": "#bc4c00", "hnet, ratio growing": "#9a6700"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 800, 400, 64, 150, 20, 52


class Cell:
    """The runs of one kind of model under one kind of filler; a figure is their mean and half their range."""

    def __init__(self, runs):
        self.runs = runs

    def mean(self, key):
        return sum(run[key] for run in self.runs) / len(self.runs)

    def half_range(self, key):
        values = [run[key] for run in self.runs]
        return (max(values) - min(values)) / 2

    def text(self, key, digits):
        if any(run.get(key) is None for run in self.runs):
            return "–"
        spread = f" ± {self.half_range(key):.{digits}f}" if len(self.runs) > 1 else ""
        return f"{self.mean(key):.{digits}f}{spread}"


def cells(folder):
    """{kind: {(growth, fillers): Cell}}"""
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        run = json.loads(path.read_text())
        kind = run["config"].removeprefix("tiny-")
        found.setdefault(kind, {}).setdefault((run["growth"], run["kind"]), []).append(run)
    if not found:
        raise SystemExit(f"error: no runs in {folder}")
    return {kind: {what: Cell(runs) for what, runs in of.items()} for kind, of in found.items()}


def table(all_cells, whats, columns):
    kinds = [kind for kind in COLOURS if kind in all_cells]
    rows = ["| model | fillers | " + " | ".join(head for head, *_ in columns) + " |", "|---|---|" + "---|" * len(columns)]
    for kind in kinds:
        for growth, fillers in whats:
            cell = all_cells[kind].get((growth, fillers))
            if cell:
                name = {"random": f"×{growth}", "even": f"×{growth}, even", "many": f"×{growth}, 64 ids"}[fillers]
                rows.append(f"| {kind} | {name} | " + " | ".join(cell.text(key, digits) if scale == 1 else
                            Cell([{**run, key: run[key] * scale} for run in cell.runs]).text(key, digits) for _, key, digits, scale in columns) + " |")
    return "\n".join(rows)


def chart(all_cells):
    kinds = [kind for kind in COLOURS if kind in all_cells]
    points = {kind: sorted((growth, cell) for (growth, fillers), cell in all_cells[kind].items() if fillers == "random") for kind in kinds}
    values = [cell.mean("bits_per_byte") + sign * cell.half_range("bits_per_byte") for line in points.values() for _, cell in line for sign in (-1, 1)]
    low, high = min(values) - 0.03, max(values) + 0.03
    most = max(growth for line in points.values() for growth, _ in line)
    x = lambda growth: LEFT + (WIDTH - LEFT - RIGHT) * math.log2(growth) / max(1, math.log2(most))
    y = lambda bits: TOP + (HEIGHT - TOP - BOTTOM) * (high - bits) / (high - low)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13" role="img">',
           "<title>Bits per byte of text against the growth of the stream by fillers</title>",
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    step = 0.1 if high - low < 1 else 0.25
    bits = math.ceil(low / step) * step
    while bits < high:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(bits):.1f}" y2="{y(bits):.1f}" stroke="#d0d7de"/>'
                   f'<text x="{LEFT - 8}" y="{y(bits) + 4:.1f}" text-anchor="end" fill="#57606a">{bits:.2f}</text>')
        bits += step
    for growth in sorted({growth for line in points.values() for growth, _ in line}):
        out.append(f'<text x="{x(growth):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#57606a">×{growth}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle" fill="#24292f">length of the stream, with fillers</text>')
    ends = []
    for kind in kinds:
        colour, line = COLOURS[kind], points[kind]
        path = " ".join(f"{x(growth):.1f},{y(cell.mean('bits_per_byte')):.1f}" for growth, cell in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for growth, cell in line:
            at, above, below = y(cell.mean("bits_per_byte")), *(y(cell.mean("bits_per_byte") + s * cell.half_range("bits_per_byte")) for s in (1, -1))
            out.append(f'<line x1="{x(growth):.1f}" x2="{x(growth):.1f}" y1="{above:.1f}" y2="{below:.1f}" stroke="{colour}" stroke-width="1.5"/>'
                       f'<circle cx="{x(growth):.1f}" cy="{at:.1f}" r="3.5" fill="{colour}"/>')
        ends.append([y(line[-1][1].mean("bits_per_byte")), kind, x(line[-1][0])])
    ends.sort()
    for above, below in zip(ends, ends[1:]):
        below[0] = max(below[0], above[0] + 16)
    for at, kind, right in ends:
        out.append(f'<text x="{right + 10:.1f}" y="{at + 4:.1f}" fill="{COLOURS[kind]}">{kind}</text>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    all_cells = cells(sys.argv[1])
    whats = [(1, "random"), (2, "random"), (4, "random"), (8, "random"), (4, "even"), (4, "many")]
    print(table(all_cells, whats, [("bits per byte", "bits_per_byte", 3, 1), ("MFLOPs per byte", "flops_per_byte", 2, 1e-6),
                                   ("µs per byte", "read_seconds_per_byte", 1, 1e6), ("bytes of state per byte", "state_bytes_per_byte", 0, 1)]))
    if "hnet" in all_cells:
        print()
        print(table({kind: of for kind, of in all_cells.items() if kind.startswith("hnet")}, whats, [("fillers that begin a segment", "fillers_cut", 3, 1), ("bytes that do", "bytes_cut", 3, 1),
                                                         ("inner steps per byte", "inner_steps_per_byte", 3, 1)]))
    Path(sys.argv[2]).write_text(chart(all_cells))


if __name__ == "__main__":
    main()
