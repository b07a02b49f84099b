"""The selective scan of Mamba-1 in plain PyTorch: h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t, y_t = C_t h_t (Gu and Dao, 2023, eq. 2).

Chunks of positions, one after the other; only the states between them are kept and backward runs each chunk again. A chunk has two forms:
`bulk` (eager: a few operations over all its positions, and one multiply-add for each position) and `unrolled` (for torch.compile, which
fuses the positions of a chunk into one loop nest with the channels as vectors).
"""
import torch

CHUNK = 16
compiled = False  # set before the first call: which form runs


def bulk_states(h, u, dt, A, B):
    """Decays and states [b, q, N, D] of a chunk that starts from h [b, N, D]. u, dt [b, q, D], A [N, D], B [b, q, N]."""
    decay = torch.mul(dt[:, :, None], A).exp_()
    states = torch.mul((dt * u)[:, :, None], B[..., None])
    for t in range(u.shape[1]):
        h = states[:, t].addcmul_(decay[:, t], h)
    return decay, states


def bulk_forward(h, u, dt, A, B, C):
    _, states = bulk_states(h, u, dt, A, B)
    return (C[:, :, None] @ states)[:, :, 0], states[:, -1].clone()


def bulk_backward(h, u, dt, A, B, C, dy, dh):
    """Gradients of u, dt, A, B, C and of the state before the chunk. dh: gradient of the state after it."""
    decay, states = bulk_states(h, u, dt, A, B)
    dC = (states @ dy[..., None])[..., 0]
    ds = torch.mul(dy[:, :, None], C[..., None])
    ds[:, -1] += dh
    for t in range(u.shape[1] - 1, 0, -1):
        ds[:, t - 1].addcmul_(decay[:, t], ds[:, t])
    dh = decay[:, 0] * ds[:, 0]
    dB = (ds @ (dt * u)[..., None])[..., 0]
    through = (B[:, :, None] @ ds)[:, :, 0]  # to dt u
    decay *= ds
    decay[:, 1:] *= states[:, :-1]
    decay[:, 0] *= h
    ddt = (decay * A).sum(2) + through * u
    dA = (decay * dt[:, :, None]).sum((0, 1))
    return through * dt, ddt, dA, dB, dC, dh


def unrolled_forward(h, u, dt, A, B, C):
    ys = []
    for t in range(u.shape[1]):
        h = torch.exp(dt[:, t, None] * A) * h + (dt[:, t] * u[:, t])[:, None] * B[:, t, :, None]
        ys.append((h * C[:, t, :, None]).sum(1))
    return torch.stack(ys, 1), h


def unrolled_backward(h, u, dt, A, B, C, dy, dh):
    q, states = u.shape[1], [h]
    for t in range(q):
        states.append(torch.exp(dt[:, t, None] * A) * states[-1] + (dt[:, t] * u[:, t])[:, None] * B[:, t, :, None])
    dus, ddts, dB, dC, dA = [None] * q, [None] * q, [None] * q, [None] * q, torch.zeros_like(h)
    for t in range(q - 1, -1, -1):
        dC[t] = (states[t + 1] * dy[:, t, None]).sum(2)
        dh = dh + dy[:, t, None] * C[:, t, :, None]
        dB[t] = (dh * (dt[:, t] * u[:, t])[:, None]).sum(2)
        through = (dh * B[:, t, :, None]).sum(1)
        dh = dh * torch.exp(dt[:, t, None] * A)
        to_exponent = dh * states[t]
        ddts[t] = (to_exponent * A).sum(1) + through * u[:, t]
        dA = dA + to_exponent * dt[:, t, None]
        dus[t] = through * dt[:, t]
    return torch.stack(dus, 1), torch.stack(ddts, 1), dA.sum(0), torch.stack(dB, 1), torch.stack(dC, 1), dh


_forms = {}


def form(name):
    if (name, compiled) not in _forms:
        f = globals()[("unrolled_" if compiled else "bulk_") + name]
        _forms[name, compiled] = torch.compile(f, fullgraph=True, dynamic=False) if compiled else f
    return _forms[name, compiled]


def chunks(T):
    return [slice(i, min(i + CHUNK, T)) for i in range(0, T, CHUNK)]


@torch.library.custom_op("peers::selective_scan", mutates_args=())
def scan(u: torch.Tensor, dt: torch.Tensor, A: torch.Tensor, B: torch.Tensor, C: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """u, dt [b, T, D], A [N, D], B, C [b, T, N] -> y [b, T, D] and the states [chunks + 1, b, N, D] between the chunks."""
    forward = form("forward")
    y = torch.empty_like(u, memory_format=torch.contiguous_format)
    states = u.new_zeros(len(chunks(u.shape[1])) + 1, u.shape[0], *A.shape)
    with torch.no_grad():
        for i, s in enumerate(chunks(u.shape[1])):
            y[:, s], states[i + 1] = forward(states[i], u[:, s], dt[:, s], A, B[:, s], C[:, s])
    return y, states


@scan.register_fake
def _(u, dt, A, B, C):
    return (torch.empty_like(u, memory_format=torch.contiguous_format),
            u.new_empty(len(chunks(u.shape[1])) + 1, u.shape[0], *A.shape))


@torch.library.custom_op("peers::selective_scan_backward", mutates_args=())
def scan_backward(dy: torch.Tensor, u: torch.Tensor, dt: torch.Tensor, A: torch.Tensor, B: torch.Tensor, C: torch.Tensor,
                  states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    backward = form("backward")
    du, ddt, dB, dC = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (u, dt, B, C))
    dA, dh = torch.zeros_like(A), torch.zeros_like(states[0])
    with torch.no_grad():
        for i, s in reversed(list(enumerate(chunks(u.shape[1])))):
            du[:, s], ddt[:, s], dA_part, dB[:, s], dC[:, s], dh = backward(states[i], u[:, s], dt[:, s], A, B[:, s], C[:, s], dy[:, s], dh)
            dA += dA_part
    return du, ddt, dA, dB, dC


@scan_backward.register_fake
def _(dy, u, dt, A, B, C, states):
    return tuple(torch.empty_like(x, memory_format=torch.contiguous_format) for x in (u, dt, A, B, C))


def _keep(ctx, inputs, output):
    ctx.save_for_backward(*inputs, output[1])


def _gradients(ctx, dy, dstates):  # the states are for inference: no gradient goes through them
    return scan_backward(dy.contiguous(), *ctx.saved_tensors)


scan.register_autograd(_gradients, setup_context=_keep)


def selective_scan(u, dt, A, B, C):
    """u, dt [b, T, D] (dt after softplus), A [D, N] (negative), B, C [b, T, N] -> y [b, T, D], the last state [b, N, D]."""
    y, states = scan(u, dt, A.T.contiguous(), B, C)
    return y, states[-1]
