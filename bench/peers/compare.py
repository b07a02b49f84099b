"""Statera beside its peers: the same work on the same machine in the same minute; see `run.sh --help`.

Every round runs each contender once, one after the other; a ratio is taken within its round, and the table has the median of the rounds.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import contenders
import shapes
from contenders import Failed, median

PARTS = ("train", "prefill", "step")


class Match:
    """One piece of work. Sizes: `train` and `prefill` of `length` positions; `step` at position `length` - 1."""

    def __init__(self, part, size, kind, batch, length, args, cache):
        self.part, self.size, self.kind, self.batch, self.length, self.threads, self.cache = part, size, kind, batch, length, args.threads, cache
        self.bf16 = part == "train" and args.bf16
        self.config = shapes.write_config(size, kind, blocks_of_32=part != "train")

    def __str__(self):
        return f"{self.part} {self.size} {self.kind}, " + (
            f"batch {self.batch} at position {self.length - 1}" if self.part == "step" else f"batch {self.batch} x {self.length}")

    def positions(self):
        return self.batch * (1 if self.part == "step" else self.length)

    def contenders(self, peers):
        """Statera first."""
        yield contenders.statera(self, "f32")
        if self.part != "train":
            yield contenders.statera(self, "int8")
        else:
            yield contenders.statera(self, "f32", checkpoint=True)
        if self.bf16:
            yield contenders.statera(self, "bf16")
        for bf16 in (False, True) if self.bf16 else (False,):
            for how in ("eager", "compiled"):
                if f"torch-{how}" in peers and self.size != "130m":
                    yield contenders.torch(self, how, bf16)
        if "llama" in peers and self.part != "train" and self.batch == 1:
            for weights in ("f32", "q8_0"):
                yield contenders.llama(self, weights)


def load():
    return [round(x, 2) for x in os.getloadavg()]


def note(line):
    print(line, file=sys.stderr, flush=True)


def matches(args, cache):
    """The usual work, as far as the flags do not say otherwise."""
    usual = {"train": ("small", "base"), "prefill": ("base", "130m"), "step": ("base", "130m")}
    for part in PARTS:
        if part not in args.parts:
            continue
        for size in args.size or usual[part]:
            if part == "train" and size == "130m":
                continue
            length = args.length or {"train": 1024, "prefill": 512 if size == "130m" else 2048, "step": 256}[part]
            batches = args.batch or {"train": [max(1, 2048 // length)], "prefill": [1], "step": [1] if size == "130m" else [1, 8, 64]}[part]
            if part == "prefill":
                batches = [1]
            for kind in args.kind:
                for batch in batches:
                    yield Match(part, size, kind, batch, length, args, cache)


def ratios(match, taken):
    """Ratios of a peer's time to Statera's, round by round: {row: [ratio]}."""
    ours = {name: c.times for name, c in taken.items() if name.startswith("Statera")}
    peers = {name: c.times for name, c in taken.items() if not name.startswith("Statera")}
    for precision in ("", " bf16"):
        both = [c for name, c in peers.items() if name in (f"PyTorch eager{precision}", f"PyTorch compiled{precision}")]
        if len(both) > 1:
            peers[f"the faster PyTorch{precision}"] = [min(pair) for pair in zip(*both)]

    def fair(our, peer):
        return our.endswith("bf16") == peer.endswith("bf16") and (our != "Statera int8" or peer.endswith("q8_0"))
    pairs = [(our, peer) for peer in peers for our in ours if fair(our, peer)]
    if "Statera bf16" in ours:
        peers["Statera f32"] = ours["Statera f32"]
        pairs.append(("Statera bf16", "Statera f32"))
    return {f"{our} against {peer}": [t / m for t, m in zip(peers[peer], ours[our])] for our, peer in pairs}


def compete(match, args):
    note(f"{match}: load {load()[0]}")
    report = {"match": str(match), "part": match.part, "size": match.size, "kind": match.kind, "batch": match.batch, "length": match.length,
              "config": str(Path(match.config).relative_to(shapes.ROOT)), "load_before": load(), "contenders": [], "ratios": [], "failed": []}
    taken = {}
    try:
        for c in match.contenders(args.peers):
            try:
                taken[c.name] = c
                c.heats(args.seconds, note)
            except Failed as failure:
                c.close()
                del taken[c.name]
                report["failed"].append({"name": c.name, "why": str(failure)})
        if "Statera f32" not in taken:
            raise SystemExit(f"error: Statera did not run: {report['failed'][0]['why']}")
        eager = taken.get("PyTorch eager")
        counted = eager.chosen.ask("flops")["flops_per_position"] if eager else 0
        for number in range(args.rounds):
            for c in list(taken.values()):
                try:
                    c.measure(args.seconds)
                except Failed as failure:  # killed for memory, say
                    c.close()
                    del taken[c.name]
                    report["failed"].append({"name": c.name, "why": f"in round {number + 1}: {failure}"})
            note(f"  round {number + 1}: " + ", ".join(f"{c.name} {c.times[-1] * 1e3:.4g} ms" for c in taken.values()))
        if "Statera f32" not in taken:
            raise SystemExit(f"error: Statera stopped: {report['failed'][-1]['why']}")
        for name, c in taken.items():
            row = {"name": name, "setting": c.chosen.setting, **c.chosen.info, "positions_per_s": match.positions() / median(c.times),
                   "seconds": c.times}
            if match.part == "train":
                row["first_call_seconds"] = c.first_call()
                row["peak_bytes"] = max(c.peak, c.chosen.peak) if c.name.startswith("Statera") else c.peak
            if counted and name.startswith("PyTorch"):
                row["counted_flops_per_position"] = counted
            report["contenders"].append(row)
        for name, values in ratios(match, taken).items():
            report["ratios"].append({"what": name, "median": median(values), "least": min(values), "most": max(values)})
    finally:
        for c in taken.values():
            c.close()
    if match.part == "train":
        peers = [r["peak_bytes"] for r in report["contenders"] if r["name"] in ("PyTorch eager", "PyTorch compiled")]
        if peers:
            report["peak_memory_over_the_leaner_pytorch"] = {r["name"]: r["peak_bytes"] / min(peers) for r in report["contenders"]
                                                           if r["name"] in ("Statera f32", "Statera checkpoint")}
            sooner = min(r["first_call_seconds"] for r in report["contenders"] if r["name"] in ("PyTorch eager", "PyTorch compiled"))
            report["first_step_against_the_sooner_pytorch"] = sooner / report["contenders"][0]["first_call_seconds"]
    report["load_after"] = load()
    return report


def show(report):
    print(f"\n{report['match']}   ({report['config']}; load {report['load_before'][0]} before, {report['load_after'][0]} after)")
    for c in report["contenders"]:
        facts = [f"{c['parameters']:,} parameters", c["setting"]]
        if "flops_per_position" in c:
            facts.insert(1, f"{c['flops_per_position'] / 1e6:.2f} MFLOP a position")
        if "counted_flops_per_position" in c:
            facts.insert(1, f"{c['counted_flops_per_position'] / 1e6:.2f} MFLOP a position in products")
        if "first_call_seconds" in c:
            facts += [f"first step after {c['first_call_seconds']:.2f} s", f"peak {c['peak_bytes'] / 1e9:.3f} GB"]
        print(f"  {c['name']:<18} {c['positions_per_s']:>10,.0f} positions/s   {', '.join(facts)}")
    for f in report["failed"]:
        print(f"  {f['name']:<18} left out: {f['why']}")
    for r in report["ratios"]:
        print(f"  {r['what']:<47} {r['median']:6.2f} x   ({r['least']:.2f} to {r['most']:.2f})")
    if "peak_memory_over_the_leaner_pytorch" in report:
        for name, share in report["peak_memory_over_the_leaner_pytorch"].items():
            print(f"  {f'peak memory, {name} over PyTorch':<47} {share:6.2f} x")
        print(f"  {'first gradient step, against the sooner PyTorch':<47} {report['first_step_against_the_sooner_pytorch']:6.2f} x")
    sys.stdout.flush()


def output_of(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def installed(args):
    """Keeps the peers that are there, says which are not, and returns versions."""
    versions = {"statera": output_of("git", "-C", shapes.ROOT, "describe", "--always", "--dirty")}
    torch = output_of(contenders.PYTHON, "-c", "import torch; print(torch.__version__)") if contenders.PYTHON.exists() else ""
    llama = ""
    if contenders.LLAMA_BENCH.exists():
        stamp = shapes.BUILD / "llama.txt"  # what install.sh built
        llama = stamp.read_text().strip() if stamp.exists() else "unknown version"
    skipped = []
    for peer, version in (("torch", torch), ("llama", llama)):
        versions[peer] = version or "not installed"
        if not version and any(p.startswith(peer) for p in args.peers):
            skipped.append({"name": peer, "why": "not installed; bench/peers/run.sh --install does it"})
            args.peers = [p for p in args.peers if not p.startswith(peer)]
    return versions, skipped


def multiplies_bf16():
    return any(line.startswith("flags") and " avx512_bf16 " in line + " " for line in open("/proc/cpuinfo"))


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_bytes": memory, "load": load()}


def parse():
    def some(known):
        def split(text):
            names = text.split(",")
            for name in names:
                if name not in known:
                    raise argparse.ArgumentTypeError(f"'{name}' is not one of {', '.join(known)}")
            return names
        return split

    def numbers(text):
        values = [int(x) for x in text.split(",")]
        if min(values) < 1:
            raise argparse.ArgumentTypeError("at least 1")
        return values
    known = ("torch-eager", "torch-compiled", "llama")
    p = argparse.ArgumentParser(prog="bench/peers/run.sh", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__.strip(), epilog=(
        "Beside these: --install builds an environment for the peers in build/peers (PyTorch, llama.cpp; a download of some GB), --check tests\n"
        "the PyTorch models against Statera's numbers of parameters and their own recurrences, --tables FILE... prints tables in Markdown of what\n"
        "--json wrote. A peer that is not installed is skipped, with a line that says so. Figures mean something on an idle machine only: the load\n"
        "stands beside each.\n\n"
        "  bench/peers/run.sh --train --size small               training steps of the small presets\n"
        "  bench/peers/run.sh --prefill --step --size 130m       inference of 130M shapes against llama.cpp\n"
        "  bench/peers/run.sh --json > peers.json                everything (about an hour)"))
    for part, what in (("train", "training steps, memory, time to the first step"), ("prefill", "reading a prompt"),
                       ("step", "one id at a time, for 1, 8 and 64 sequences")):
        p.add_argument(f"--{part}", action="store_true", help=what + " (without a choice: all three)")
    p.add_argument("--size", type=some(shapes.SIZES),
                   help="small, base, 130m, several with commas (default: small,base in training, base,130m in inference)")
    p.add_argument("--kind", type=some(shapes.KINDS), default=list(shapes.KINDS), help="attention, mamba1, mamba2 (default: all)")
    p.add_argument("--peers", type=some(known), default=list(known), help=f"{', '.join(known)} (default: all; 130m: llama alone)")
    p.add_argument("--batch", type=numbers,
                   help="sequences at once (default: as many as make 2,048 positions in training; 1,8,64 in steps)")
    p.add_argument("--length", type=int, help="positions (default: training 1024, prefill 2048 or 512 of 130m, steps at 256)")
    p.add_argument("--no-bf16", dest="bf16", action="store_false", default=multiplies_bf16(),
                   help="training in fp32 alone (where the CPU multiplies bf16, both are measured)")
    p.add_argument("--rounds", type=int, default=7, help="(default: %(default)s)")
    p.add_argument("--seconds", type=float, default=3, help="of a contender in a round, about (default: %(default)s)")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: all cores)")
    p.add_argument("--json", action="store_true", help="print one JSON object")
    args = p.parse_args()
    if args.rounds < 1 or args.seconds <= 0 or args.threads < 1 or (args.length is not None and args.length < 2):
        p.error("--rounds and --threads are at least 1, --seconds above 0, --length at least 2")
    args.parts = [part for part in PARTS if getattr(args, part)] or list(PARTS)
    return args


def main():
    args = parse()
    versions, skipped = installed(args)
    report = {"machine": machine(), "threads": args.threads, "rounds": args.rounds, "seconds": args.seconds, "versions": versions, "skipped": skipped,
              "matches": []}
    say = note if args.json else print
    place = report["machine"]
    say(f"{place['cpu']}, {place['cores']} cores, {args.threads} threads, load {place['load'][0]}; {args.rounds} rounds of {args.seconds:g} s")
    say("; ".join(f"{name} {version}" for name, version in versions.items()))
    if place["load"][0] > 0.5:
        say("the machine is not idle: what follows shows that the benchmark runs, and no more")
    for s in skipped:
        say(f"skipped: {s['name']}: {s['why']}")
    cache = Path(tempfile.mkdtemp(prefix="inductor-", dir=shapes.BUILD))  # a new one: a first step includes compilation
    try:
        for match in matches(args, cache):
            report["matches"].append(compete(match, args))
            if not args.json:
                show(report["matches"][-1])
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    if args.json:
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
