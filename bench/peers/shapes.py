"""The models that are compared: shapes/ (the presets as they were until 2026-11-29, which docs/performance.md has figures of), and published 130M
shapes, as configs that every contender reads."""
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "peers"
KINDS = ("attention", "mamba1", "mamba2")
SIZES = ("small", "base", "130m")

# 768 wide over the vocabulary of GPT-NeoX: Mamba-130m, Mamba2-130m, and a Transformer of as many parameters. Outputs are tied.
_130m = {"format_version": 1, "d_model": 768, "vocab_size": 50288, "begin": False}
SHAPES_130M = {
    "attention": {**_130m, "mixers": {"A": {"type": "attention", "n_heads": 12}}, "mlp": {"type": "swiglu", "d_ff": 2240}, "layers": "A12"},
    "mamba1": {**_130m, "mixers": {"m": {"type": "mamba1"}}, "layers": "m24"},
    "mamba2": {**_130m, "mixers": {"m": {"type": "mamba2", "d_state": 128, "headdim": 64}}, "layers": "m24"},
}


def config(size, kind, blocks_of_32=False):
    """blocks_of_32: d_ff rounded up to a multiple of 32, which the 8-bit blocks of llama.cpp need; then for every contender alike."""
    c = SHAPES_130M[kind] if size == "130m" else json.loads((Path(__file__).resolve().parent / "shapes" / f"{size}-{kind}.json").read_text())
    c = json.loads(json.dumps(c))
    if blocks_of_32 and "mlp" in c:
        c["mlp"]["d_ff"] = -(-c["mlp"]["d_ff"] // 32) * 32
    return c


def write_config(size, kind, blocks_of_32=False):
    """Returns the path of the config's file."""
    folder = BUILD / "configs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{size}-{kind}{'-32' if blocks_of_32 else ''}.json"
    path.write_text(json.dumps(config(size, kind, blocks_of_32), indent=1) + "\n")
    return str(path)
