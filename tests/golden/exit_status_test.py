#!/usr/bin/env python3
"""usage: exit_status_test.py GOLDEN FILE    a golden file that was tampered with, is of an unknown kind, or is none, through the program."""
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

golden, good = sys.argv[1], Path(sys.argv[2]).read_bytes()
length = struct.unpack("<Q", good[:8])[0]
header = json.loads(good[8:8 + length])


def packed(changed):
    text = json.dumps(changed).encode()
    return struct.pack("<Q", len(text)) + text + good[8 + length:]


def one_number_off(name):
    at = 8 + length + header[name]["data_offsets"][0]
    return good[:at] + struct.pack("<d", struct.unpack("<d", good[at:at + 8])[0] + 1e-6) + good[at + 8:]


def expect(data, status, word):
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        ran = subprocess.run([golden, file.name], capture_output=True, text=True)
    if ran.returncode != status or word not in ran.stdout:
        sys.exit(f"error: expected exit status {status} and {word!r}, got {ran.returncode}\n{ran.stdout}{ran.stderr}")


expect(good, 0, "1 passed")
for name in header:
    if name.startswith(("out.", "grad.")):
        expect(one_number_off(name), 1, "FAILED")
end = len(good) - 8 - length
more = {"dtype": "F64", "shape": [1], "data_offsets": [end, end + 8]}
expect(packed(header | {"out.extra": more}) + bytes(8), 1, "the adapter reads no out.extra")
meta = header["__metadata__"]
expect(packed(header | {"__metadata__": meta | {"op": "warp_drive"}}), 3, "unsupported: warp_drive")
expect(packed(header | {"__metadata__": meta | {"config": "{"}}), 1, "error")
expect(good[:-8], 1, "error")
expect(b"", 1, "error")
