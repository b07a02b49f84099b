#!/usr/bin/env python3
"""Do state-space models beat attention on bytes even when attention gets more compute? (Albert Gu, "On the Tradeoffs of SSMs and Transformers", 2025)

usage: bench/claim_bytes.py TEXT TEXT [--steps 3000] [--store out/claim/sweeps.sqlite] [--jobs 2] [--statera build/release/bin/statera]

On each text, at lengths of 512 and 2,048: tiny-mamba2, and attention of the same depth that costs as many training FLOPs per byte, and twice as many
(a wider model; all read the same bytes). Each tries the rates of RATES on the first seed and is trained with its best one on three seeds. A table with the means
over seeds and their standard errors, on held-out windows of the training length.
"""
import json
import math
import os
import subprocess
import sys

from sweep import Store, arguments, run

LENGTHS, SEEDS, BYTES = (512, 2048), (1, 2, 3), 2048  # bytes of a batch
RATES = {"mamba2": (0.002, 0.004, 0.008, 0.016), "attention": (0.001, 0.002, 0.004)}


def flops(config, length, statera):
    done = subprocess.run([statera, "info", config, "--length", str(length), "--json"], capture_output=True, text=True, check=True)
    info = json.loads(done.stdout)
    return info["flops_per_byte"]["training"], info["parameters"]


def attention_with(target, length, folder, name, statera):
    """Attention of tiny's depth whose training FLOPs per byte are nearest to the target, the MLP as wide beside it as in tiny-attention."""
    with open("configs/tiny-attention.json") as file:
        base = json.load(file)
    heads, width, wide = base["mixers"]["A"]["n_heads"], base["d_model"], base["mlp"]["d_ff"] / base["d_model"]
    best = None
    for d_model in range(32, 512, 8):
        config = json.loads(json.dumps(base))
        n_heads = max(1, round(heads * d_model / width))
        while d_model % n_heads or (d_model // n_heads) % 2:
            n_heads -= 1
        config["d_model"], config["mixers"]["A"]["n_heads"], config["mlp"]["d_ff"] = d_model, n_heads, 4 * round(wide * d_model / 4)
        path = os.path.join(folder, f"{name}-{length}.json")
        with open(path + ".try", "w") as file:
            json.dump(config, file)
        cost = flops(path + ".try", length, statera)[0]
        if best is None or abs(math.log(cost / target)) < best[0]:
            best = (abs(math.log(cost / target)), config)
        if cost > 1.5 * target:
            break
    os.remove(path + ".try")
    with open(path, "w") as file:
        json.dump(best[1], file)
    return path


def contenders(length, folder, statera):
    """[(name, kind, config)]"""
    cost, _ = flops("tiny-mamba2", length, statera)
    return [("mamba2", "mamba2", "tiny-mamba2"), ("attention, equal FLOPs", "attention", attention_with(cost, length, folder, "attention-1x", statera)),
            ("attention, twice the FLOPs", "attention", attention_with(2 * cost, length, folder, "attention-2x", statera))]


def main():
    parser = arguments(__doc__)
    parser.set_defaults(store="out/claim/sweeps.sqlite")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--steps", type=int, default=3000)
    options = parser.parse_args()
    store, folder = Store(options.store), os.path.dirname(options.store)
    print("| text | length | | FLOPs per byte, training | parameters | rate | bits per byte | behind mamba2 |\n|---|---|---|---|---|---|---|---|")
    for text in options.texts:
        for length in LENGTHS:
            means = {}
            for name, kind, config in contenders(length, folder, options.statera):
                job = {"data": text, "config": config, "seed": 1, "steps": options.steps, "batch": max(1, BYTES // length), "length": length}
                rates = [{**job, "lr": lr} for lr in RATES[kind]]
                tried = run(rates, store, options.statera, options.jobs)
                lr = min(zip(RATES[kind], tried), key=lambda pair: pair[1].get("bits", math.inf))[0]
                bits = [value["bits"] for value in run([{**job, "lr": lr, "seed": seed} for seed in SEEDS], store, options.statera, options.jobs)]
                mean = sum(bits) / len(bits)
                error = math.sqrt(sum((b - mean) ** 2 for b in bits) / (len(bits) - 1) / len(bits))
                means[name] = (mean, error)
                behind = "" if name == "mamba2" else f"{mean - means['mamba2'][0]:+.3f} ± {math.hypot(error, means['mamba2'][1]):.3f}"
                edge = " (an end of those tried)" if lr in (RATES[kind][0], RATES[kind][-1]) else ""
                cost, parameters = flops(config, length, options.statera)
                print(f"| {os.path.basename(text)} | {length:,} | {name} | {cost / 1e6:.2f} M | {parameters:,} | {lr}{edge} | {mean:.3f} ± {error:.3f} | {behind} |", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
