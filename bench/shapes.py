#!/usr/bin/env python3
"""Which depth and width of a kind is best at equal time? Its preset beside other shapes with as many parameters.

usage: bench/shapes.py TEXT [TEXT ...] [--kind attention] [--size tiny] [--seconds 28]     and the options of bench/sweep.py

First `statera bench --train` measures the training speed of all shapes, in turn. This needs a quiet machine. The speeds are kept in
out/shapes/KIND-SIZE/speeds; to measure them again, delete that file. Then every shape trains for as many steps as it makes in --seconds. Its
rates are the usual one, which its mixers' rates.json give for this width and number of steps, times each of --factors. These trainings may share
the machine: their steps are fixed. Prints Markdown: bits per byte at the best of its rates, for each text and seed. The same call resumes after an
interruption.
"""
import copy
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import sweep

ROOT = Path(__file__).resolve().parent.parent
BATCH = {"tiny": 2, "small": 4}
LENGTH = 512
# (width, layers, heads of attention, channels of a head; 0: as in the preset, or where that does not divide
# twice the width, half of it, at most 64). The width of the MLPs follows from the number
# of parameters.
SHAPES = {
    ("attention", "tiny"): [(72, "A4", 4, 0), (72, "A4", 1, 64), (80, "A4", 2, 0), (96, "A3", 3, 0), (96, "A3", 2, 0)],
    ("mamba1", "tiny"): [(80, "m4", 0, 0), (96, "m3", 0, 0)],
    ("mamba2", "tiny"): [(72, "m4", 0, 72), (80, "m4", 0, 40), (80, "m4", 0, 80), (96, "m3", 0, 48), (96, "m3", 0, 96)],
    ("hybrid", "tiny"): [(72, "m2 A m", 4, 0), (80, "m2 A m", 2, 0), (96, "m A m", 3, 0)],
    ("attention", "small"): [(144, "A8", 8, 0), (144, "A8", 5, 0), (192, "A6", 6, 0), (192, "A5", 5, 0), (224, "A4", 6, 0)],
    ("mamba1", "small"): [(192, "m6", 0, 0), (224, "m4", 0, 0)],
    ("mamba2", "small"): [(192, "m6", 0, 64), (224, "m4", 0, 64)],
    ("hybrid", "small"): [(144, "m2 A m3 A m", 8, 0), (192, "m2 A m3", 6, 0), (224, "m2 A m", 6, 0)],
}


def shaped(preset, width, layers, heads, headdim):
    config = copy.deepcopy(preset)
    config["d_model"], config["layers"] = width, layers
    for mixer in config["mixers"].values():
        if mixer["type"] == "attention":
            mixer["n_heads"] = heads
            mixer["headdim"] = headdim or mixer["headdim"]
        elif "headdim" in mixer and (headdim or 2 * width % mixer["headdim"]):
            mixer["headdim"] = headdim or min(64, width // 2)
    return config


def fill(config, wanted, parameters):
    """Sets the width of the MLPs so that the model has about `wanted` parameters; `parameters(config)` counts them."""
    def count(d_ff):
        config["mlp"]["d_ff"] = d_ff
        return parameters(config)

    few, many = count(4), count(8)  # linear in d_ff
    d_ff = 4 * round((4 + (wanted - few) / ((many - few) / 4)) / 4)
    if d_ff < 4:
        raise SystemExit(f"error: {config['layers']} of width {config['d_model']} has more than {wanted} parameters without MLPs")
    config["mlp"]["d_ff"] = d_ff
    return config


def info(statera, path):
    ran = subprocess.run([statera, "info", str(path), "--length", str(LENGTH), "--json"], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"error: {ran.stderr.strip()}")
    return json.loads(ran.stdout)


def write_shapes(kind, size, folder, statera):
    """{name: path of its config}, the preset first."""
    preset_path = ROOT / "configs" / f"{size}-{kind}.json"
    preset, wanted = json.loads(preset_path.read_text()), info(statera, preset_path)["parameters"]
    paths = {"preset": preset_path}
    for width, layers, heads, headdim in SHAPES[kind, size]:
        path = folder / ("-".join([layers.replace(" ", ""), str(width)] + [f"{heads}h"] * bool(heads) + [str(headdim)] * bool(headdim)) + ".json")

        def parameters(config):
            path.write_text(json.dumps(config, indent=1) + "\n")
            return info(statera, path)["parameters"]

        parameters(fill(shaped(preset, width, layers, heads, headdim), wanted, parameters))  # writes the last one too
        paths[path.stem] = path
    return paths


def layer_types(config):
    """The type of mixer of each layer."""
    return [config["mixers"][word[0]]["type"] for word in config["layers"].split() for _ in range(int(word[1:] or 1))]


def usual_rate(config, steps, positions):
    """The mean over the layers, in octaves, of what their mixers' rates.json say."""
    logs = []
    for mixer in layer_types(config):
        rates = json.loads((ROOT / "src/mixers" / mixer / "rates.json").read_text())
        logs.append(math.log2(rates["lr"]) + rates["by_width"] * math.log2(config["d_model"] / rates["d_model"])
                    + rates["by_steps"] * math.log2(steps / rates["steps"]) + rates["by_positions"] * math.log2(positions / rates["positions"]))
    return 2 ** (sum(logs) / len(logs))


def measure(paths, size, statera):
    """Training steps per second of each shape, without evaluation."""
    command = [statera, "bench", "--train", ",".join(str(path) for path in paths.values()), "--batch", str(BATCH[size]), "--length", str(LENGTH), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"error: {ran.stderr.strip()}")
    rows = {row["model"]: row for row in json.loads(ran.stdout)["training"]}
    return {name: 1 / rows[str(path)]["step_seconds"] for name, path in paths.items()}


def kept_speeds(paths, path, measured):
    """From `path`, where they are kept; if a shape is new or has changed, all are measured again: measured(paths)."""
    configs = {name: json.loads(Path(p).read_text()) for name, p in paths.items()}
    if path.exists():
        kept = json.loads(path.read_text())
        if all(name in kept and kept[name]["config"] == config for name, config in configs.items()):
            return {name: kept[name]["steps_per_second"] for name in paths}
    speeds = measured(paths)
    path.write_text(json.dumps({name: {"steps_per_second": speed, "config": configs[name]} for name, speed in speeds.items()}, indent=1) + "\n")
    return speeds


def table(paths, speeds, texts, seeds, size, results, statera):
    """`results`: {(name, text, seed): bits}"""
    columns = [f"{os.path.basename(text)}{f', seed {seed}' if len(seeds) > 1 else ''}" for text in texts for seed in seeds]
    lines = ["| shape | MLPs | training FLOPs per byte | bytes/s | " + " | ".join(columns) + " | behind the best, mean |", "|---" * (5 + len(columns)) + "|"]
    best = {(text, seed): min(results[name, text, seed] for name in paths) for text in texts for seed in seeds}
    for name, path in paths.items():
        config, about = json.loads(Path(path).read_text()), info(statera, path)
        share = 3 * config["d_model"] * config["mlp"]["d_ff"] * len(layer_types(config)) / about["parameters"]
        behind = [results[name, text, seed] - best[text, seed] for text in texts for seed in seeds]
        lines.append(f"| {name} | {share:.0%} | {about['flops_per_byte']['training'] / 1e6:.1f} M | {speeds[name] * BATCH[size] * LENGTH / 1000:.1f} K | "
                     + " | ".join(f"{results[name, text, seed]:.3f}" for text in texts for seed in seeds) + f" | {sum(behind) / len(behind):.3f} |")
    return "\n".join(lines)


def main():
    parser = sweep.arguments(__doc__)
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--kind", default="attention", choices=sorted({kind for kind, _ in SHAPES}))
    parser.add_argument("--size", default="tiny", choices=BATCH)
    parser.add_argument("--seconds", type=float, default=28, help="of training for each shape, on all cores (default: 28)")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1)")
    parser.add_argument("--factors", type=lambda words: [float(word) for word in words.split(",")], default=[0.7, 1.4], help="of the usual rate (default: 0.7,1.4)")
    parser.add_argument("--shapes", type=lambda words: words.split(","), help="only these, by name")
    parser.add_argument("--speeds", action="store_true", help="only measure the speeds")
    o = parser.parse_args()
    if o.seconds <= 0 or o.seeds < 1:
        parser.error("--seconds must be positive, --seeds at least 1")
    folder = Path("out/shapes") / f"{o.kind}-{o.size}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = write_shapes(o.kind, o.size, folder, o.statera)
    if unknown := [name for name in o.shapes or [] if name not in paths]:
        parser.error(f"no shape {unknown[0]}; the shapes: {', '.join(paths)}")
    speeds = kept_speeds(paths, folder / "speeds", lambda all_paths: measure(all_paths, o.size, o.statera))
    if o.speeds:
        return
    paths = {name: path for name, path in paths.items() if not o.shapes or name in o.shapes}
    seeds, batch, jobs = range(1, o.seeds + 1), BATCH[o.size], {}
    for text in o.texts:
        for seed in seeds:
            for name, path in paths.items():
                steps = round(speeds[name] * o.seconds)
                rate = usual_rate(json.loads(Path(path).read_text()), steps, batch * LENGTH)
                for factor in o.factors:
                    jobs[name, text, seed, factor] = {"data": text, "config": str(path), "lr": float(f"{rate * factor:.3g}"), "seed": seed, "steps": steps,
                                                      "batch": batch, "length": LENGTH}
    values = dict(zip(jobs, sweep.run(list(jobs.values()), sweep.Store(o.store), o.statera, o.jobs)))
    results = {}
    for (name, text, seed, _), value in values.items():
        results[name, text, seed] = min(results.get((name, text, seed), math.inf), value.get("bits", math.inf))  # none: a training that diverged
    print(table(paths, speeds, o.texts, list(seeds), o.size, results, o.statera))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
