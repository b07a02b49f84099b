#!/usr/bin/env python3
"""Which depth and width is best at equal time? Configs of one kind with as many parameters as its preset: the preset, and other numbers of layers and widths.

usage: bench/shapes.py write KIND SIZE FOLDER STATERA     writes the configs, prints their paths with commas between
       bench/shapes.py table COMPARISON STATERA           prints a comparison of them in Markdown
"""
import copy
import json
import subprocess
import sys
from pathlib import Path

# (width, layers, heads of attention). The width of the MLPs follows from the number of parameters.
SHAPES = {
    ("attention", "tiny"): [(72, "A4", 2), (72, "A4", 3), (96, "A3", 3), (64, "A6", 2)],
    ("mamba1", "tiny"): [(96, "m3", 0), (64, "m6", 0), (112, "m2", 0)],
    ("mamba2", "tiny"): [(96, "m3", 0), (64, "m6", 0), (112, "m2", 0)],
    ("hybrid", "tiny"): [(72, "m2 A m", 2), (96, "m A m", 3), (64, "m3 A m2", 2)],
    ("attention", "small"): [(144, "A8", 4), (192, "A5", 6), (224, "A4", 7)],
    ("mamba1", "small"): [(192, "m5", 0), (224, "m4", 0)],
    ("mamba2", "small"): [(192, "m5", 0), (224, "m4", 0)],
    ("hybrid", "small"): [(144, "m2 A m3 A m", 4), (192, "m2 A m2", 6), (224, "m2 A m", 7)],
}


def info(statera, path):
    ran = subprocess.run([statera, "info", str(path), "--length", "512", "--json"], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"error: {ran.stderr.strip()}")
    return json.loads(ran.stdout)


def shaped(preset, width, layers, heads):
    config = copy.deepcopy(preset)
    config["d_model"], config["layers"] = width, layers
    for mixer in config["mixers"].values():
        if mixer["type"] == "attention":
            mixer["n_heads"] = heads
        elif 2 * width % mixer.get("headdim", 1):  # then the widest head of at most 64 that divides the inner width
            mixer["headdim"] = max(n for n in range(8, 65, 4) if 2 * width % n == 0)
    return config


def write(kind, size, folder, statera):
    preset_path = Path("configs") / f"{size}-{kind}.json"
    preset, wanted = json.loads(preset_path.read_text()), info(statera, preset_path)["parameters"]
    paths = [f"{size}-{kind}"]
    for width, layers, heads in SHAPES[kind, size]:
        config = shaped(preset, width, layers, heads)
        path = folder / f"{layers.replace(' ', '')}-{width}{f'-{heads}' if heads else ''}.json"

        def parameters(d_ff):
            config["mlp"]["d_ff"] = d_ff
            path.write_text(json.dumps(config, indent=1) + "\n")
            return info(statera, path)["parameters"]

        few, many = parameters(4), parameters(8)  # linear in d_ff
        d_ff = 4 * round((4 + (wanted - few) / ((many - few) / 4)) / 4)
        if d_ff < 4:
            raise SystemExit(f"error: {path}: has more than {wanted} parameters without MLPs")
        parameters(d_ff)
        paths.append(str(path))
    print(",".join(paths))


def table(comparison, statera):
    report = json.loads((Path(comparison) / "report.json").read_text())
    rows = ["| shape | layers | width | MLPs | FLOPs per byte in training | bytes/s | steps | bits per byte | doubt |", "|---|---|---|---|---|---|---|---|---|"]
    for c in report["candidates"]:
        path = Path(comparison) / "models" / c["name"] / "config.json"
        config, about = json.loads(path.read_text()), info(statera, path)
        layers = sum(int(word[1:] or 1) for word in config["layers"].split())
        share = 3 * config["d_model"] * config["mlp"]["d_ff"] * layers / about["parameters"]
        doubt = c.get("difference", {}).get("doubt")
        rows.append(f"| {c['name']} | {config['layers']} | {config['d_model']} | {share:.0%} | {about['flops_per_byte']['training'] / 1e6:.1f} M "
                    f"| {c['train_bytes'] / c['train_seconds'] / 1000:.1f} K | {c['steps']:,} | {c['bits_per_byte']:.3f} | {'-' if doubt is None else f'{doubt:.3f}'} |")
    print("\n".join(rows))


def main():
    if len(sys.argv) == 6 and sys.argv[1] == "write" and tuple(sys.argv[2:4]) in SHAPES:
        write(sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5])
    elif len(sys.argv) == 4 and sys.argv[1] == "table":
        table(sys.argv[2], sys.argv[3])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
