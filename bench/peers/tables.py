"""Tables in Markdown of what `run.sh --json` wrote; see `run.sh --help`."""
import argparse
import json
import sys
from pathlib import Path


class Row:
    """One match; what it has not is a dash."""

    def __init__(self, match):
        self.match = match
        self.contenders = {c["name"]: c for c in match["contenders"]}
        self.ratios = {r["what"]: r for r in match["ratios"]}

    def name(self):
        return self.match["match"].removeprefix("train ")

    def rate(self, name):
        return f"{self.contenders[name]['positions_per_s']:,.0f}" if name in self.contenders else "-"

    def peak(self, name):
        return f"{self.contenders[name]['peak_bytes'] / 1e6:,.0f} MB" if name in self.contenders else "-"

    def ratio(self, our, peer):
        """Beside one PyTorch alone, that one is the faster."""
        for other in (peer, peer.replace("the faster PyTorch", "PyTorch compiled"), peer.replace("the faster PyTorch", "PyTorch eager")):
            r = self.ratios.get(f"{our} against {other}")
            if r:
                return f"{r['median']:.2f} ({r['least']:.2f} to {r['most']:.2f})"
        return "-"

    def memory(self, name):
        share = self.match.get("peak_memory_over_the_leaner_pytorch", {}).get(name)
        return "-" if share is None else f"{share:.2f}"

    def first_step(self):
        times = self.match.get("first_step_against_the_sooner_pytorch")
        return "-" if times is None else f"{times:.2f}"


TRAINING = {
    "training step": Row.name,
    "Statera f32, positions/s": lambda r: r.rate("Statera f32"),
    "PyTorch eager": lambda r: r.rate("PyTorch eager"),
    "compiled": lambda r: r.rate("PyTorch compiled"),
    "f32 against the faster PyTorch": lambda r: r.ratio("Statera f32", "the faster PyTorch"),
    "the same, with blocks recomputed": lambda r: r.ratio("Statera checkpoint", "the faster PyTorch"),
    "bf16 against the faster PyTorch in bf16": lambda r: r.ratio("Statera bf16", "the faster PyTorch bf16"),
    "bf16 against own f32": lambda r: r.ratio("Statera bf16", "Statera f32"),
}
MEMORY = {
    "peak memory": Row.name,
    "Statera f32": lambda r: r.peak("Statera f32"),
    "with blocks recomputed": lambda r: r.peak("Statera checkpoint"),
    "PyTorch eager": lambda r: r.peak("PyTorch eager"),
    "compiled": lambda r: r.peak("PyTorch compiled"),
    "Statera over the leaner PyTorch": lambda r: r.memory("Statera f32"),
    "the same, with blocks recomputed": lambda r: r.memory("Statera checkpoint"),
    "first gradient step, the sooner PyTorch's time over Statera's": Row.first_step,
}
INFERENCE = {
    "inference": Row.name,
    "Statera f32, positions/s": lambda r: r.rate("Statera f32"),
    "int8": lambda r: r.rate("Statera int8"),
    "PyTorch eager": lambda r: r.rate("PyTorch eager"),
    "compiled": lambda r: r.rate("PyTorch compiled"),
    "llama.cpp f32": lambda r: r.rate("llama.cpp f32"),
    "q8_0": lambda r: r.rate("llama.cpp q8_0"),
    "f32 against the faster PyTorch": lambda r: r.ratio("Statera f32", "the faster PyTorch"),
    "f32 against llama.cpp f32": lambda r: r.ratio("Statera f32", "llama.cpp f32"),
    "int8 against q8_0": lambda r: r.ratio("Statera int8", "llama.cpp q8_0"),
}


def show(columns, rows):
    if rows:
        print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        print("\n".join("| " + " | ".join(cell(r) for cell in columns.values()) + " |" for r in rows) + "\n")


def main():
    p = argparse.ArgumentParser(prog="bench/peers/run.sh --tables", description=__doc__)
    p.add_argument("file", nargs="+", type=Path, help="what --json printed; of a match that several files have, the last counts")
    rows = {}
    for file in p.parse_args().file:
        try:
            report = json.loads(file.read_text())
            rows |= {match["match"]: Row(match) for match in report["matches"]}
            print(f"{file.name}: {report['machine']['cpu']}, {report['versions']}, {report['rounds']} rounds of {report['seconds']:g} s", file=sys.stderr)
        except (OSError, ValueError, KeyError, TypeError) as why:
            sys.exit(f"error: {file} is not what run.sh --json writes: {why}")
    if not rows:
        sys.exit("error: there is no match in these files")
    training = [r for r in rows.values() if r.match["part"] == "train"]
    show(TRAINING, training)
    show(MEMORY, training)
    show(INFERENCE, [r for r in rows.values() if r.match["part"] != "train"])


if __name__ == "__main__":
    main()
