#!/usr/bin/env python3
"""Do the shape of a batch or the settings of the optimizer favour one kind of mixer? Each setting with each kind, at two rates each.

usage: bench/recipes.py TEXT [TEXT ...] [--size tiny] [--steps 1250]     and the options of bench/sweep.py

Prints Markdown: bits per byte of the usual setting (2 x 512 bytes, at the better of its rates), and how many more or fewer each other setting has at
the better of its own. All read the same number of bytes. The same call resumes after an interruption.
"""
import sys

import sweep

KINDS = {"attention": (0.003, 0.006), "mamba1": (0.004, 0.008), "mamba2": (0.004, 0.008), "hybrid": (0.004, 0.008)}
USUAL = "usual"


def settings(steps):
    """What differs from the usual job: fields of the job, and flags."""
    return {
        USUAL: {},
        "1 x 512 bytes, twice the steps": {"batch": 1, "steps": 2 * steps},
        "4 x 512 bytes, half the steps": {"batch": 4, "steps": steps // 2},
        "warm-up over a fifth": {"flags": ["--warmup", str(steps // 5)]},
        "weight decay 0": {"flags": ["--weight-decay", "0"]},
        "weight decay 0.3": {"flags": ["--weight-decay", "0.3"]},
        "no clipping": {"flags": ["--clip", "0"]},
    }


def main():
    parser = sweep.arguments(__doc__)
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--steps", type=int, default=1250, help="of 2 x 512 bytes (default: 1250)")
    o = parser.parse_args()
    if o.steps < 10 or o.steps % 2:
        parser.error("--steps must be even, and at least 10")
    jobs = [(text, kind, name, {"data": text, "config": f"{o.size}-{kind}", "lr": lr, "seed": 1, "steps": o.steps, "batch": 2, "length": 512, **change})
            for text in o.texts for name, change in settings(o.steps).items() for kind, rates in KINDS.items() for lr in rates]
    results = sweep.run([job for *_, job in jobs], sweep.Store(o.store), o.statera, o.jobs)
    best = {}
    for (text, kind, name, job), value in zip(jobs, results):
        bits = value.get("bits", float("inf"))  # a training that diverged
        best[text, kind, name] = min(best.get((text, kind, name), float("inf")), bits)
    print("| setting | " + " | ".join(f"{kind}, {text.rsplit('/', 1)[-1]}" for text in o.texts for kind in KINDS) + " |")
    print("|---" * (1 + len(o.texts) * len(KINDS)) + "|")
    for name in settings(o.steps):
        cells = []
        for text in o.texts:
            for kind in KINDS:
                bits, usual = best[text, kind, name], best[text, kind, USUAL]
                cells.append("diverged" if bits == float("inf") else f"{bits:.3f}" if name == USUAL or usual == float("inf") else f"{bits - usual:+.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
