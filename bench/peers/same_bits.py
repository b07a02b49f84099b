"""That a preset learns in PyTorch what it learns in Statera: the same model, bytes, steps, rate, schedule and optimizer, several seeds of each.

usage: bench/peers/run.sh --same-bits FILE [--kinds attention,mamba2] [--size tiny] [--steps 1250] [--seeds 3] [--lr 0.004] [--batch 2] [--length 512]

PyTorch starts from random weights and batches of its own, so results can agree up to the luck of a seed and no further. All models, those that
Statera trained too (their last weights, read into the PyTorch model), are judged by one function: windows of `length` bytes of the last tenth of
FILE, each from an empty state. Prints a table in Markdown.
"""
import argparse
import json
import math
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F

import shapes
from torch_models import Attention, Model

BEGIN, BEGIN_EVERY = 256, 16  # the id before a document; one window in so many starts with it (include/statera/data.hpp)


def held_out_bits(model, held_out, length):
    windows = torch.tensor(list(held_out), dtype=torch.long)
    count = (len(windows) - 1) // length
    inputs, targets = (windows[i:i + count * length].view(count, length) for i in (0, 1))
    nats = 0.0
    with torch.no_grad():
        for a, b in zip(inputs.split(16), targets.split(16)):
            nats += F.cross_entropy(model(a).flatten(0, 1), b.flatten(), reduction="sum").item()
    return nats / math.log(2) / (count * length)


def rate(step, steps, lr, warmup, floor=0.1):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    return lr * (floor + (1 - floor) * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2)


def torch_bits(config, text, held_out, o, seed):
    torch.manual_seed(seed)
    model = Model(config, o.length)
    kept = {name for name, p in model.named_parameters() if p.ndim < 2 or name.endswith("A_log") or name == "embedding.weight"}  # from weight decay
    kept |= {f"blocks.{i}.mixer.conv.weight" for i, block in enumerate(model.blocks) if isinstance(block.mixer, Attention)}
    groups = [{"params": [p for name, p in model.named_parameters() if (name in kept) == still], "weight_decay": 0.0 if still else 0.1} for still in (False, True)]
    optimizer = torch.optim.AdamW(groups, lr=o.lr, betas=(0.9, 0.95), eps=1e-8)
    warmup = min(200, max(1, o.steps // 20))
    ids = torch.tensor(list(text), dtype=torch.long)
    for step in range(o.steps):
        at = torch.randint(0, len(ids) - o.length - 1, (o.batch,))
        windows = torch.stack([ids[i:i + o.length + 1] for i in at])
        inputs, targets = windows[:, :-1].clone(), windows[:, 1:]
        inputs[torch.rand(o.batch) < 1 / BEGIN_EVERY, 0] = BEGIN
        for group in optimizer.param_groups:
            group["lr"] = rate(step, o.steps, o.lr, warmup)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return held_out_bits(model, held_out, o.length)


def read_weights(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    tensors = {}
    for name, t in header.items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32).view(t["shape"])
    return tensors


def statera_bits(statera, config_path, config, file, held_out, o, seed):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([statera, "train", file, "--config", config_path, "--steps", str(o.steps), "--lr", str(o.lr), "--batch", str(o.batch), "--length",
                        str(o.length), "--seed", str(seed), "--no-baselines", "--out", folder + "/model"], check=True, capture_output=True)
        tensors = read_weights(folder + "/model/last/model.safetensors")
    model = Model(config, o.length)
    names = {name: name.replace("blocks.", "layers.").replace(".conv.", ".conv1d.") for name, _ in model.named_parameters()}
    model.load_state_dict({name: tensors.pop(theirs) for name, theirs in names.items()})
    if tensors:
        sys.exit(f"error: the PyTorch model has no {', '.join(tensors)}")
    return held_out_bits(model, held_out, o.length)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("statera")
    parser.add_argument("file")
    parser.add_argument("--kinds", default="attention,mamba2")
    parser.add_argument("--size", default="tiny")
    for name, default in (("steps", 1250), ("seeds", 3), ("batch", 2), ("length", 512)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--lr", type=float, default=0.004)
    o = parser.parse_args()
    data = Path(o.file).read_bytes()
    cut = len(data) - (len(data) + 9) // 10
    print(f"| {o.size}, {o.steps} steps of {o.batch} x {o.length} bytes at a rate of {o.lr} | PyTorch, seeds 1 to {o.seeds} | Statera | difference | its standard error |")
    print("|---|---|---|---|---|", flush=True)
    for kind in o.kinds.split(","):
        path = str(shapes.ROOT / "configs" / f"{o.size}-{kind}.json")
        config = json.loads(Path(path).read_text())
        def over_seeds(who, bits_of):
            all_bits = []
            for seed in range(1, o.seeds + 1):
                all_bits.append(bits_of(seed))
                print(f"{kind}, {who}, seed {seed}: {all_bits[-1]:.4f} bits per byte", file=sys.stderr, flush=True)
            return all_bits

        ours = over_seeds("Statera", lambda seed: statera_bits(o.statera, path, config, o.file, data[cut:], o, seed))
        theirs = over_seeds("PyTorch", lambda seed: torch_bits(config, data[:cut], data[cut:], o, seed))
        error = math.sqrt(sum(statistics.variance(x) / len(x) for x in (theirs, ours))) if o.seeds > 1 else math.nan
        shown = [", ".join(f"{b:.4f}" for b in x) for x in (theirs, ours)]
        print(f"| {kind} | {shown[0]} | {shown[1]} | {statistics.mean(ours) - statistics.mean(theirs):+.4f} | {error:.4f} |", flush=True)


if __name__ == "__main__":
    main()
