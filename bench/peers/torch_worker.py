"""PyTorch as one contender: the protocol of statera_worker.cpp.

  torch_worker.py train|prefill|step CONFIG BATCH LENGTH THREADS eager|compiled [freezing|plain|bf16]

The first line is about the model, after the first call. A line with a number of seconds is answered by one with the seconds of each call that
fit into them, after one that is not timed (`bf16`: the forward pass of a training step under autocast); the line `flops` by what PyTorch's own counter counts in a call (products only).
"""
import ctypes
import gc
import json
import sys
import time

import torch
import torch.nn.functional as F

import selective_scan
from torch_models import Model


def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def rest():
    """Gives memory back, so that contenders do not stand in each other's way, and resets the peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")


def training(model, ids, compile, bf16):
    targets = ids.flip(0, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1, betas=(0.9, 0.95), fused=True)

    def loss():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            return F.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
    loss_of = compile(loss)

    def call():
        loss_of().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return call


def inference(model, mode, ids, batch, length, compile):
    model.eval()
    states = model.new_states(batch, length)
    run = compile(model.prefill if mode == "prefill" else model.step)

    def call():
        with torch.no_grad():
            return run(ids) if mode == "prefill" else run(ids[:, 0], states)
    return call


def main(mode, config, batch, length, threads, how, setting="plain"):
    batch, length, compiled = int(batch), int(length), how == "compiled"
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    selective_scan.compiled = compiled
    if setting == "freezing":
        import torch._inductor.config as inductor
        inductor.freezing = True
    with open(config) as file:
        config = json.load(file)
    before = status("VmRSS")
    model = Model(config, length)
    ids = torch.randint(0, config.get("vocab_size", 256), (batch, length))

    def compile(f):
        return torch.compile(f, dynamic=False) if compiled else f
    call = training(model, ids, compile, setting == "bf16") if mode == "train" else inference(model, mode, ids, batch, length, compile)
    call()
    print(json.dumps({"parameters": model.parameter_count(), "version": torch.__version__, "threads": torch.get_num_threads(),
                      "device": torch.backends.cpu.get_cpu_capability()}), flush=True)
    for line in sys.stdin:
        if line.strip() == "flops":
            from torch.utils.flop_counter import FlopCounterMode
            with FlopCounterMode(display=False) as counter:
                call()
            print(json.dumps({"flops_per_position": counter.get_total_flops() / batch / (1 if mode == "step" else length)}), flush=True)
            continue
        rest()
        call()
        times, begin = [], time.perf_counter()
        while not times or time.perf_counter() - begin < float(line):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        peak = status("VmHWM") - before
        rest()
        print(json.dumps({"seconds": times, "peak_bytes": peak}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
