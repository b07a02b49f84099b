"""That the PyTorch models are what they should be; run by hand in the environment of the peers (bench/peers/run.sh --check).

Parameters equal to Statera's within 3 %, chunked forms equal to the recurrence in double, gradients of both forms of the selective scan
equal to those of a plain loop, prefill and steps equal to forward, a loss that goes down.
"""
import json
import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

import selective_scan as S
import shapes
from torch_models import Model, ssd


def same(what, a, b, most):
    error = float((a - b).norm() / b.norm())
    print(f"  {what}: relative error {error:.1e}")
    if not error <= most:
        sys.exit(f"error: {what}: {error:.1e} is more than {most:.0e}")


def check_ssd():
    b, T, H, P, N = 2, 96, 3, 5, 7
    x, dt, A = torch.randn(b, T, H, P), F.softplus(torch.randn(b, T, H)), -torch.rand(H) * 8
    B, C = torch.randn(b, T, N), torch.randn(b, T, N)
    h, ys = torch.zeros(b, N, H, P), []
    for t in range(T):
        h = (dt[:, t] * A).exp()[:, None, :, None] * h + B[:, t, :, None, None] * (dt[:, t, :, None] * x[:, t])[:, None]
        ys.append((h * C[:, t, :, None, None]).sum(1))
    for chunk in (16, 32, 96):
        y, last = ssd(x, dt, A, B, C, chunk)
        same(f"ssd in chunks of {chunk}", y, torch.stack(ys, 1), 1e-12)
        same("its last state", last, h, 1e-12)


def check_scan(compiled):
    S.compiled = compiled
    b, T, D, N = 2, 40, 6, 4
    inputs = [torch.randn(b, T, D), F.softplus(torch.randn(b, T, D)), -torch.rand(D, N) * 8, torch.randn(b, T, N), torch.randn(b, T, N)]
    inputs = [x.requires_grad_() for x in inputs]
    u, dt, A, B, C = inputs
    h, ys = torch.zeros(b, D, N), []
    for t in range(T):
        h = torch.exp(dt[:, t, :, None] * A) * h + (dt[:, t] * u[:, t])[..., None] * B[:, t, None]
        ys.append((h * C[:, t, None]).sum(-1))
    weight = torch.randn(b, T, D)
    expected = torch.autograd.grad((torch.stack(ys, 1) * weight).sum(), inputs)
    y, last = S.selective_scan(*inputs)
    name = "unrolled" if compiled else "bulk"
    same(f"selective scan, {name}", y.detach(), torch.stack(ys, 1).detach(), 1e-12)
    same("its last state", last.detach(), h.detach().transpose(1, 2), 1e-12)
    for what, got, wanted in zip(("u", "dt", "A", "B", "C"), torch.autograd.grad((y * weight).sum(), inputs), expected):
        same(f"its gradient of {what}", got, wanted, 1e-12)
    S.compiled = False


def check_inference(kind):
    model = Model(shapes.config("small", kind), 64).double()
    ids = torch.randint(0, 256, (2, 64))
    with torch.no_grad():
        whole = model(ids)
        logits, _ = model.prefill(ids)
        same(f"{kind}: prefill against forward", logits, whole[:, -1], 1e-12)
        if kind == "attention":  # its step reads a cache that is full
            states = model.prefill(ids[:, :63])[1]
            states = [tuple(F.pad(s, (0, 0, 0, 1)) for s in layer[:2]) + layer[2:] for layer in states]
            same(f"{kind}: a step against forward", model.step(ids[:, 63], states), whole[:, 63], 1e-12)
            return
        states = model.new_states(2, 1)
        states = [tuple(s.double() for s in pair) for pair in states]
        for t in range(64):
            logits = model.step(ids[:, t], states)
        same(f"{kind}: 64 steps against forward", logits, whole[:, -1], 1e-10)


def check_learning(kind):
    torch.manual_seed(1)
    model = Model(shapes.config("small", kind), 128)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    text = torch.tensor(list(Path(__file__).read_bytes()))
    losses = []
    for step in range(12):
        begin = torch.randint(0, len(text) - 129, (4,))
        batch = torch.stack([text[i:i + 129] for i in begin])
        loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"  {kind}: loss {losses[0]:.2f} -> {losses[-1]:.2f} in {len(losses)} steps")
    if not losses[-1] < losses[0] - 1:
        sys.exit(f"error: {kind} does not learn")


def check_parameters(worker):
    for size in shapes.SIZES:
        for kind in shapes.KINDS:
            path = shapes.write_config(size, kind)
            with torch.device("meta"):
                ours = Model(shapes.config(size, kind), 8).parameter_count()
            if not worker:
                continue
            ready = json.loads(subprocess.run([worker, "prefill", path, "1", "8", "1", "f32"], input="", capture_output=True, text=True,
                                              check=True).stdout.splitlines()[0])
            print(f"  {size} {kind}: {ours:,} here, {ready['parameters']:,} in Statera")
            if abs(ours / ready["parameters"] - 1) > 0.03:
                sys.exit(f"error: {size} {kind}: the numbers of parameters differ by more than 3 %")


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    check_ssd()
    for form in (False, True):
        check_scan(form)
    for mixer in shapes.KINDS:
        check_inference(mixer)
    torch.set_default_dtype(torch.float32)
    for mixer in shapes.KINDS:
        check_learning(mixer)
    check_parameters(sys.argv[1] if len(sys.argv) > 1 else None)
    print("ok")
