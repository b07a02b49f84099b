#!/usr/bin/env python3
"""Shows that a refactoring changed no bit: two programs train every preset for 20 steps and generate text from it, and all of it is equal.

usage: equal_bits.py OLD NEW [--steps 20] [--presets NAME,NAME]    OLD, NEW: the command, build/release/bin/statera before and after

Trains on data/tinyshakespeare.txt.xz, with carried states and activation checkpointing besides, and compares the weights as bytes, the losses as
they were printed, and 300 bytes of text from one seed. A file that is read must have been written by the same program. Exits with 1 if anything
differs, and names it.
"""
import argparse
import hashlib
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WAYS = {"plain": [], "carry": ["--carry"], "checkpoint": ["--checkpoint-activations"]}


def run(command):
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout


def tensors(path):
    """{name: digest of its bytes}; what else stands in the file may differ."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    if not header:
        raise SystemExit(f"error: {path} holds no tensor")
    return {name: hashlib.sha256(data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]]).hexdigest() for name, t in header.items()}


def results(program, preset, flags, steps):
    """What a program makes of a preset, by name."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        run([program, "train", ROOT / "data/tinyshakespeare.txt.xz", "--config", preset, "--steps", str(steps), "--batch", "2", "--length", "96", "--seed", "3",
             "--evaluate-every", str(steps), "--no-baselines", "--out", model, *flags])
        found = {f"weight {name}": digest for name, digest in tensors(model / "last/model.safetensors").items()}
        for line in (model / "metrics.jsonl").read_text().splitlines():
            point = json.loads(line)
            found[f"loss of step {point['step']}"] = repr(point["loss"])
        found["text"] = run([program, "generate", model, "--prompt", "ROMEO:", "--max-bytes", "300", "--seed", "1", "--raw"]).hex()
        return found


def differences(old, new):
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--presets", help="(default: all)")
    o = parser.parse_args()
    presets = o.presets.split(",") if o.presets else sorted(path.stem for path in (ROOT / "configs").glob("*.json"))
    if not presets:
        raise SystemExit("error: no preset to compare")
    bad = 0
    for preset in presets:
        for way, flags in WAYS.items():
            old, new = (results(program, preset, flags, o.steps) for program in (o.old, o.new))
            wrong = differences(old, new)
            bad += len(wrong)
            print(f"{preset}, {way}: {'equal' if not wrong else f'{len(wrong)} differ, {wrong[0]} first'} ({len(old)} compared)", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
