"""The models of Statera's configs in plain PyTorch: pre-norm blocks over a sequence mixer and an optional SwiGLU MLP (docs/design.md).

Model(config) takes the JSON object of a config. forward() is training, prefill() gives the logits of the last position and the states,
step() moves the states on by one position in place. Attention is scaled_dot_product_attention; Mamba-1 is `selective_scan.py`; Mamba-2 is
the chunked form in matrix products (Dao and Gu, 2024, section 6).
"""
import math
import re

import torch
import torch.nn as nn
import torch.nn.functional as F

from selective_scan import selective_scan


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):  # [..., width]
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotated(x, cos, sin):
    """x [B, H, T, D], cos and sin [T, D / 2]: the two halves of a head turn together."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class ShortConv(nn.Module):
    """A causal filter of `taps` positions per channel, as shifted products: one pass once it is compiled. bare: at first nearly the identity, with
    neither bias nor activation; else silu of it."""

    def __init__(self, width, taps, bare=False):
        super().__init__()
        weight = torch.empty(width, taps).uniform_(-1, 1) / math.sqrt(taps)
        if bare:
            weight[:, -1] += 1
        self.weight = nn.Parameter(weight)
        self.bias = None if bare else nn.Parameter(torch.empty(width).uniform_(-1, 1) / math.sqrt(taps))

    def ended(self, y):
        return y if self.bias is None else F.silu(y + self.bias)

    def forward(self, x):  # [B, T, C]
        taps, T = self.weight.shape[1], x.shape[1]
        padded = F.pad(x, (0, 0, taps - 1, 0))
        return self.ended(sum(padded[:, k:k + T] * self.weight[:, k] for k in range(taps)))

    def last(self, x):  # [B, T, C] -> [B, taps - 1, C]
        return F.pad(x, (0, 0, max(0, self.weight.shape[1] - 1 - x.shape[1]), 0))[:, 1 - self.weight.shape[1]:].clone()

    def step(self, x, before):  # [B, C], [B, taps - 1, C]
        window = torch.cat([before, x[:, None]], 1)
        y = self.ended((window * self.weight.T).sum(1))
        before.copy_(window[:, 1:])
        return y


class Attention(nn.Module):
    def __init__(self, c, d_model, n_layers, positions):
        super().__init__()
        self.heads = c["n_heads"]
        self.kv_heads = c.get("n_kv_heads") or self.heads
        self.width = c.get("headdim") or d_model // self.heads
        self.qkv_proj = nn.Linear(d_model, (self.heads + 2 * self.kv_heads) * self.width, bias=False)
        self.conv = ShortConv((self.heads + 2 * self.kv_heads) * self.width, c["d_conv"], bare=True) if c.get("d_conv") else None
        self.o_proj = nn.Linear(self.heads * self.width, d_model, bias=False)
        turns = c.get("rope_theta", 10000) ** (-torch.arange(0, self.width, 2, dtype=torch.float64) / self.width)
        angles = torch.arange(positions, dtype=torch.float64)[:, None] * turns
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def qkv(self, projected, begin):  # [B, T, (Hq + 2 Hkv) D] -> [B, H, T, D] each, of positions begin to begin + T
        B, T, _ = projected.shape
        q, k, v = projected.view(B, T, -1, self.width).transpose(1, 2).split([self.heads, self.kv_heads, self.kv_heads], 1)
        cos, sin = self.cos[begin:begin + T], self.sin[begin:begin + T]
        return rotated(q, cos, sin), rotated(k, cos, sin), v

    def attend(self, q, k, v, causal):
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=self.heads != self.kv_heads)
        return self.o_proj(y.transpose(1, 2).reshape(q.shape[0], q.shape[2], -1))

    def prefill(self, x):
        before = self.qkv_proj(x)
        q, k, v = self.qkv(self.conv(before) if self.conv else before, 0)
        return self.attend(q, k, v, True), (k, v) + ((self.conv.last(before),) if self.conv else ())

    def state(self, batch, context):  # keys and values, of which the last position is the one that a step writes; rows for the filter
        keys_values = tuple(torch.zeros(batch, self.kv_heads, context, self.width) for _ in range(2))
        return keys_values + ((torch.zeros(batch, self.conv.weight.shape[1] - 1, self.conv.weight.shape[0]),) if self.conv else ())

    def step(self, x, state):  # [B, d_model]
        keys, values = state[:2]
        projected = self.qkv_proj(x)
        if self.conv:
            projected = self.conv.step(projected, state[2])
        q, k, v = self.qkv(projected[:, None], keys.shape[2] - 1)
        keys[:, :, -1:] = k
        values[:, :, -1:] = v
        return self.attend(q, keys, values, False)[:, 0]


def inverse_softplus(dt):
    return dt + torch.log(-torch.expm1(-dt))


def log_uniform_dt(n):
    return inverse_softplus(torch.exp(torch.empty(n).uniform_(math.log(0.001), math.log(0.1))))


class Mamba1(nn.Module):
    def __init__(self, c, d_model, n_layers, positions):
        super().__init__()
        self.inner, self.n = c.get("expand", 2) * d_model, c.get("d_state", 16)
        self.rank = c.get("dt_rank") or math.ceil(d_model / 16)
        self.in_proj = nn.Linear(d_model, 2 * self.inner, bias=False)
        self.conv = ShortConv(self.inner, c.get("d_conv", 4))
        self.x_proj = nn.Linear(self.inner, self.rank + 2 * self.n, bias=False)
        self.dt_proj = nn.Linear(self.rank, self.inner)
        self.dt_proj.bias = nn.Parameter(log_uniform_dt(self.inner))
        self.A_log = nn.Parameter(torch.arange(1.0, self.n + 1).log().repeat(self.inner, 1))
        self.D = nn.Parameter(torch.ones(self.inner))
        self.out_proj = nn.Linear(self.inner, d_model, bias=False)

    def parts(self, u):  # what the scan reads, of [..., d_inner]
        dt, B, C = self.x_proj(u).split([self.rank, self.n, self.n], -1)
        return F.softplus(self.dt_proj(dt)), B, C

    def run(self, x):
        u, z = self.in_proj(x).chunk(2, -1)
        before, u = u, self.conv(u)
        dt, B, C = self.parts(u)
        y, last = selective_scan(u, dt, -self.A_log.exp(), B, C)
        return self.out_proj((y + self.D * u) * F.silu(z)), before, last

    def prefill(self, x):
        y, before, last = self.run(x)
        return y, (self.conv.last(before), last)

    def state(self, batch, context):
        return torch.zeros(batch, self.conv.weight.shape[1] - 1, self.inner), torch.zeros(batch, self.n, self.inner)

    def step(self, x, state):  # [B, d_model]
        before, h = state  # h [B, N, d_inner]
        u, z = self.in_proj(x).chunk(2, -1)
        u = self.conv.step(u, before)
        dt, B, C = self.parts(u)
        h.copy_(torch.exp(dt[:, None] * -self.A_log.exp().T) * h + (dt * u)[:, None] * B[..., None])
        return self.out_proj(((h * C[..., None]).sum(1) + self.D * u) * F.silu(z))


def ssd(x, dt, A, B, C, chunk):
    """y_t = C_t h_t with h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t. x [b, T, H, P], dt [b, T, H], A [H], B and C [b, T, N] (one group),
    T a multiple of `chunk` or less. Returns y [b, T, H, P] and the last state [b, N, H, P]. Products over all heads where they share a
    factor; decays are differences of sums within a chunk."""
    b, T, H, P = x.shape
    N, Q = B.shape[-1], min(chunk, T)
    c = T // Q
    x, dt = (x * dt[..., None]).view(b, c, Q, H, P), dt.view(b, c, Q, H)
    B, C = B.reshape(b, c, Q, N), C.reshape(b, c, Q, N)
    sums = (dt * A).cumsum(2).transpose(2, 3)  # [b, c, H, Q]
    later = torch.ones(Q, Q, dtype=torch.bool, device=x.device).triu(1)
    decay = (sums[..., :, None] - sums[..., None, :]).masked_fill(later, -torch.inf).exp()  # [b, c, H, Q, Q]
    near = ((C @ B.transpose(2, 3))[:, :, None] * decay) @ x.transpose(2, 3)  # [b, c, H, Q, P]
    to_end = (sums[..., -1:] - sums).exp().transpose(2, 3)  # [b, c, Q, H]
    made = (B.transpose(2, 3) @ (x * to_end[..., None]).view(b, c, Q, H * P)).view(b, c, N, H, P)
    whole = sums[..., -1].exp()  # [b, c, H]
    h, entering = torch.zeros_like(made[:, 0]), []
    for i in range(c):
        entering.append(h)
        h = whole[:, i, None, :, None] * h + made[:, i]
    far = (C @ torch.stack(entering, 1).view(b, c, N, H * P)).view(b, c, Q, H, P) * sums.exp().transpose(2, 3)[..., None]
    return (near.transpose(2, 3) + far).reshape(b, T, H, P), h


class Mamba2(nn.Module):
    def __init__(self, c, d_model, n_layers, positions):
        super().__init__()
        self.inner, self.n, self.p = c.get("expand", 2) * d_model, c.get("d_state", 64), c.get("headdim", 64)
        if c.get("n_groups", 1) != 1:
            raise ValueError("this model has one group")
        self.heads, self.chunk, self.eps = self.inner // self.p, c.get("chunk_size", 64), c.get("norm_eps", 1e-5)
        self.in_proj = nn.Linear(d_model, 2 * self.inner + 2 * self.n + self.heads, bias=False)
        self.conv = ShortConv(self.inner + 2 * self.n, c.get("d_conv", 4))
        self.dt_bias = nn.Parameter(log_uniform_dt(self.heads))
        self.A_log = nn.Parameter(torch.empty(self.heads).uniform_(1, 16).log())
        self.D = nn.Parameter(torch.ones(self.heads))
        self.norm = RMSNorm(self.inner, self.eps)
        self.out_proj = nn.Linear(self.inner, d_model, bias=False)

    def split(self, x):
        return self.in_proj(x).split([self.inner, self.inner + 2 * self.n, self.heads], -1)  # z, x | B | C, dt

    def run(self, u):
        z, before, dt = self.split(u)
        x, B, C = self.conv(before).split([self.inner, self.n, self.n], -1)
        x = x.unflatten(-1, (self.heads, self.p))
        y, last = ssd(x, F.softplus(dt + self.dt_bias), -self.A_log.exp(), B, C, self.chunk)
        y = (y + self.D[:, None] * x).flatten(-2)
        return self.out_proj(self.norm(y * F.silu(z))), before, last

    def prefill(self, u):
        y, before, last = self.run(u)
        return y, (self.conv.last(before), last)

    def state(self, batch, context):
        return torch.zeros(batch, self.conv.weight.shape[1] - 1, self.inner + 2 * self.n), torch.zeros(batch, self.n, self.heads, self.p)

    def step(self, u, state):  # [B, d_model]
        before, h = state  # h [B, N, H, P]
        z, x, dt = self.split(u)
        x, B, C = self.conv.step(x, before).split([self.inner, self.n, self.n], -1)
        x, dt = x.unflatten(-1, (self.heads, self.p)), F.softplus(dt + self.dt_bias)
        h.copy_((dt * -self.A_log.exp()).exp()[:, None, :, None] * h + B[:, :, None, None] * (dt[..., None] * x)[:, None])
        y = (h * C[:, :, None, None]).sum(1) + self.D[:, None] * x
        return self.out_proj(self.norm(y.flatten(-2) * F.silu(z)))


class Mlp(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.gate_up = nn.Linear(d_model, 2 * d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.down(F.silu(gate) * up)


MIXERS = {"attention": Attention, "mamba1": Mamba1, "mamba2": Mamba2}


class Block(nn.Module):
    def __init__(self, config, mixer, n_layers, positions):
        super().__init__()
        d_model, d_ff, eps = config["d_model"], config.get("mlp", {}).get("d_ff", 0), config.get("norm_eps", 1e-5)
        self.norm = RMSNorm(d_model, eps)
        self.mixer = MIXERS[mixer["type"]](mixer, d_model, n_layers, positions)
        self.mlp_norm = RMSNorm(d_model, eps) if d_ff else None
        self.mlp = Mlp(d_model, d_ff) if d_ff else None
        scale = {"plain": 1, "zero": 0, "scaled": 1 / math.sqrt((2 if d_ff else 1) * n_layers)}[config.get("residual_init", "scaled")]
        outputs = [self.mixer.o_proj if hasattr(self.mixer, "o_proj") else self.mixer.out_proj] + ([self.mlp.down] if d_ff else [])
        for output in outputs:
            bound = scale / math.sqrt(output.in_features)
            nn.init.uniform_(output.weight, -bound, bound)

    def second(self, x):
        return x + self.mlp(self.mlp_norm(x)) if self.mlp else x

    def prefill(self, x):
        y, state = self.mixer.prefill(self.norm(x))
        return self.second(x + y), state

    def step(self, x, state):
        return self.second(x + self.mixer.step(self.norm(x), state))


class Model(nn.Module):
    """positions: the longest sequence, for the table of rotary angles."""

    def __init__(self, config, positions):
        super().__init__()
        self.vocab = config.get("vocab_size", 256)
        names = [n for name, count in re.findall(r"([A-Za-z_]+)(\d*)", config["layers"]) for n in [name] * int(count or 1)]
        self.embedding = nn.Embedding(self.vocab + bool(config.get("begin", True)), config["d_model"])
        self.blocks = nn.ModuleList(Block(config, config["mixers"][n], len(names), positions) for n in names)
        self.norm = RMSNorm(config["d_model"], config.get("norm_eps", 1e-5))
        self.output = None if config.get("tied", True) else nn.Linear(config["d_model"], self.vocab, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def logits(self, x):
        return F.linear(self.norm(x), self.embedding.weight[:self.vocab] if self.output is None else self.output.weight)

    def forward(self, ids):  # [B, T] -> [B, T, vocab]
        x = self.embedding(ids)
        for block in self.blocks:
            x = block.prefill(x)[0]
        return self.logits(x)

    def prefill(self, ids):  # [B, T] -> [B, vocab], states
        x, states = self.embedding(ids), []
        for block in self.blocks:
            x, state = block.prefill(x)
            states.append(state)
        return self.logits(x[:, -1]), states

    def new_states(self, batch, context):
        return [block.mixer.state(batch, context) for block in self.blocks]

    def step(self, ids, states):  # [B] -> [B, vocab]; the states change
        x = self.embedding(ids)
        for block, state in zip(self.blocks, states):
            x = block.step(x, state)
        return self.logits(x)

    def parameter_count(self):
        return sum(p.numel() for p in self.parameters())
