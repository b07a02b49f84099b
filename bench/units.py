#!/usr/bin/env python3
"""From a comparison of bench/units.sh: bits per byte at equal time and at equal FLOPs, and costs per byte.

usage: bench/units.py COMPARISON TEXT STATERA
"""
import json
import math
import subprocess
import sys
from pathlib import Path


def at_flops(curve, flops):
    """Bits per byte on validation text where the curve reaches `flops`, on straight lines over the logarithm; None outside its points."""
    before = None
    for point in curve:
        if point["flops"] >= flops:
            if before is None:
                return point["bits_per_byte"] if point["flops"] == flops else None
            share = (math.log(flops) - math.log(before["flops"])) / (math.log(point["flops"]) - math.log(before["flops"]))
            return before["bits_per_byte"] + share * (point["bits_per_byte"] - before["bits_per_byte"])
        before = point
    return before["bits_per_byte"] if before and flops <= 1.001 * before["flops"] else None


def bytes_per_segment(statera, model, text):
    """Of the innermost stage on the held-out end of the text; None for a model without one."""
    if not json.loads((model / "config.json").read_text()).get("inner"):
        return None
    end = model / "segments.txt"
    end.write_bytes(Path(text).read_bytes()[-20000:])
    ran = subprocess.run([statera, "segments", str(model), str(end), "--json", "--force", "--out", str(model / "segments.html")], capture_output=True, text=True)
    end.unlink()
    if ran.returncode:
        raise SystemExit(f"error: {ran.stderr.strip()}")
    return json.loads(ran.stdout)["stages"][-1]["bytes_per_segment"]


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    folder, text, statera = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    report = json.loads((folder / "report.json").read_text())
    judged = [c for c in report["candidates"] if "bits_per_byte" in c]
    least = min(c["train_flops"] for c in judged)
    print(f"Equal time: {report['terms']['equal']}. Equal FLOPs: {least:.3g}, on validation text.\n")
    print("| model | bits per byte, equal time | doubt | equal FLOPs | bytes per segment or token | training MFLOPs per byte | training, B/s | µs per byte generated | state per byte of context |")
    print("|---|---|---|---|---|---|---|---|---|")
    for c in sorted(judged, key=lambda c: c["bits_per_byte"]):
        segment = bytes_per_segment(statera, folder / "models" / c["name"], text) if c.get("units", "bytes") == "bytes" else c["bytes_per_id"]
        doubt = f"{c['difference']['doubt']:.3f}" if "difference" in c else "best"
        equal = at_flops(c["curve"], least)
        at = c["judged_at"]
        print(f"| {c['name']}{' (unfinished)' if c.get('unfinished') else ''} | {c['bits_per_byte']:.3f} | {doubt} | {'–' if equal is None else f'{equal:.3f}'} | "
              f"{'–' if segment is None else f'{segment:.2f}'} | {c['training_flops_per_byte'] / 1e6:.2f} | {c['speed']['train_bytes_per_second'] / 1e3:.1f} K | "
              f"{at['step_seconds'] * 1e6:.1f} | {at['state_bytes'] / at['context']:.0f} B |")
    for row in report["baselines"]:
        print(f"| {row['name']} | {row['bits_per_byte']:.3f} |  |  |  |  |  |  |  |")


if __name__ == "__main__":
    main()
