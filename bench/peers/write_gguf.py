"""A config's shape with random weights as a GGUF file for llama.cpp.

  write_gguf.py CONFIG FILE f32|q8_0

q8_0: matrices in 8 bits where a row is a whole number of blocks of 32, as llama.cpp's own quantiser does it; norms, filters, decays and the
narrow dt_proj of Mamba-1 stay f32.
"""
import json
import math
import re
import sys

import gguf
import numpy as np

random = np.random.default_rng(1)


class Writer:
    def __init__(self, path, arch, eight_bits):
        self.file, self.eight_bits = gguf.GGUFWriter(path, arch), eight_bits

    def plain(self, name, array):
        self.file.add_tensor(name, np.ascontiguousarray(array, dtype=np.float32))

    def matrix(self, name, rows, columns):
        values = (random.standard_normal((rows, columns), dtype=np.float32) / math.sqrt(columns)).astype(np.float32)
        if self.eight_bits and columns % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            self.file.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            self.plain(name, values)

    def close(self):
        self.file.write_header_to_file()
        self.file.write_kv_data_to_file()
        self.file.write_tensors_to_file()
        self.file.close()


def attention(w, c, d, i):
    heads, kv = c["n_heads"], c.get("n_kv_heads") or c["n_heads"]
    width = c.get("headdim") or d // heads
    for name, rows in (("q", heads), ("k", kv), ("v", kv)):
        w.matrix(f"blk.{i}.attn_{name}.weight", rows * width, d)
    w.matrix(f"blk.{i}.attn_output.weight", d, heads * width)


def attention_keys(f, c, d):
    heads = c["n_heads"]
    f.add_head_count(heads)
    f.add_head_count_kv(c.get("n_kv_heads") or heads)
    f.add_rope_dimension_count(c.get("headdim") or d // heads)
    f.add_rope_freq_base(c.get("rope_theta", 10000.0))


def ssm_keys(f, inner, state, conv, rank):
    f.add_head_count(0)
    f.add_feed_forward_length(0)
    f.add_ssm_inner_size(inner)
    f.add_ssm_state_size(state)
    f.add_ssm_conv_kernel(conv)
    f.add_ssm_time_step_rank(rank)


def mamba1_sizes(c, d):
    return c.get("expand", 2) * d, c.get("d_state", 16), c.get("d_conv", 4), c.get("dt_rank") or math.ceil(d / 16)


def mamba1(w, c, d, i):
    inner, n, conv, rank = mamba1_sizes(c, d)
    w.matrix(f"blk.{i}.ssm_in.weight", 2 * inner, d)
    w.plain(f"blk.{i}.ssm_conv1d.weight", random.standard_normal((inner, conv)) / 2)
    w.plain(f"blk.{i}.ssm_conv1d.bias", np.zeros(inner))
    w.matrix(f"blk.{i}.ssm_x.weight", rank + 2 * n, inner)
    w.matrix(f"blk.{i}.ssm_dt.weight", inner, rank)
    w.plain(f"blk.{i}.ssm_dt.bias", np.full(inner, -4.6))
    w.plain(f"blk.{i}.ssm_a", -np.tile(np.arange(1.0, n + 1), (inner, 1)))
    w.plain(f"blk.{i}.ssm_d", np.ones(inner))
    w.matrix(f"blk.{i}.ssm_out.weight", d, inner)


def mamba2_sizes(c, d):
    inner = c.get("expand", 2) * d
    return inner, c.get("d_state", 64), c.get("d_conv", 4), inner // c.get("headdim", 64)


def mamba2(w, c, d, i):
    inner, n, conv, heads = mamba2_sizes(c, d)
    w.matrix(f"blk.{i}.ssm_in.weight", 2 * inner + 2 * n + heads, d)
    w.plain(f"blk.{i}.ssm_conv1d.weight", random.standard_normal((inner + 2 * n, conv)) / 2)
    w.plain(f"blk.{i}.ssm_conv1d.bias", np.zeros(inner + 2 * n))
    w.plain(f"blk.{i}.ssm_dt.bias", np.full(heads, -4.6))
    w.plain(f"blk.{i}.ssm_a", -np.linspace(1, 16, heads)[:, None])
    w.plain(f"blk.{i}.ssm_d", np.ones((heads, 1)))
    w.plain(f"blk.{i}.ssm_norm.weight", np.ones((1, inner)))
    w.matrix(f"blk.{i}.ssm_out.weight", d, inner)


ARCH = {"attention": "llama", "mamba1": "mamba", "mamba2": "mamba2"}
LAYER = {"attention": attention, "mamba1": mamba1, "mamba2": mamba2}


def main(config, path, kind):
    with open(config) as file:
        c = json.load(file)
    (name, mixer), d = next(iter(c["mixers"].items())), c["d_model"]
    layers = int(re.fullmatch(re.escape(name) + r"(\d+)", c["layers"]).group(1))
    if not c.get("tied", True):
        sys.exit("error: the output is the embedding in these files")
    w = Writer(path, ARCH[mixer["type"]], kind == "q8_0")
    f, eps = w.file, c.get("norm_eps", 1e-5)
    vocab = c.get("vocab_size", 256) + bool(c.get("begin", True))
    f.add_context_length(1 << 20)
    f.add_embedding_length(d)
    f.add_block_count(layers)
    f.add_layer_norm_rms_eps(eps)
    f.add_vocab_size(vocab)
    f.add_tokenizer_model("no_vocab")
    f.add_file_type(7 if kind == "q8_0" else 0)
    if mixer["type"] == "attention":
        attention_keys(f, mixer, d)
        f.add_feed_forward_length(c["mlp"]["d_ff"])
    else:
        ssm_keys(f, *(mamba1_sizes if mixer["type"] == "mamba1" else mamba2_sizes)(mixer, d))
        f.add_ssm_group_count(1)
    w.matrix("token_embd.weight", vocab, d)
    w.plain("output_norm.weight", np.ones(d))
    for i in range(layers):
        w.plain(f"blk.{i}.attn_norm.weight", np.ones(d))
        LAYER[mixer["type"]](w, mixer, d, i)
        if "mlp" in c:
            w.plain(f"blk.{i}.ffn_norm.weight", np.ones(d))
            w.matrix(f"blk.{i}.ffn_gate.weight", c["mlp"]["d_ff"], d)
            w.matrix(f"blk.{i}.ffn_up.weight", c["mlp"]["d_ff"], d)
            w.matrix(f"blk.{i}.ffn_down.weight", d, c["mlp"]["d_ff"])
    w.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
