"""Writes the safetensors files of this folder with the reference implementation (pip install safetensors==0.5.3 numpy), version 0.5.3.

src/io/safetensors_test.cpp reads them, compares every value, and writes them again: the bytes must be equal.
Element i of a tensor is i - 3 (booleans: i % 2; unsigned: i); the bits of bf16 and f16 are i * 257.
"""
import os
import numpy as np
import safetensors

here = os.path.dirname(os.path.abspath(__file__))


def tensor(dtype, shape):
    n = int(np.prod(shape, dtype=np.int64))
    i = np.arange(n)
    if dtype in ("bfloat16", "float16"):
        data = (i * 257).astype("<u2")
    elif dtype == "bool":
        data = (i % 2).astype("u1")
    elif dtype == "uint8":
        data = i.astype("u1")
    else:
        data = (i - 3).astype(np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "shape": list(shape), "data": data.tobytes()}


every = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
files = {
    "types": ({f"{d}.{k}": tensor(d, s) for d in every for k, s in {"odd": (3, 1, 5), "one": (7,)}.items()}, {"format": "pt"}),
    "shapes": (
        {"scalar": tensor("float32", ()), "nothing": tensor("float32", (4, 0, 3)), "five": tensor("int8", (1, 2, 1, 3, 1)),
         'a name with "quotes", a \\ and ä': tensor("uint8", (9,)), "layers.0.mixer.A_log": tensor("float64", (2, 2))},
        None),
    "nothing": ({}, None),
}
for name, (tensors, metadata) in files.items():
    with open(os.path.join(here, name + ".safetensors"), "wb") as f:
        f.write(safetensors.serialize(tensors, metadata))
