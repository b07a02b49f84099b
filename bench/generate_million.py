#!/usr/bin/env python3
"""Streams from a model and watches what it costs on the way: seconds for each part of the bytes, and the memory of the process after it.

usage: bench/generate_million.py PROGRAM MODEL [BYTES]      PROGRAM: build/release/bin/statera; BYTES: 1,000,000 unless said otherwise
"""
import re
import subprocess
import sys
import time
from pathlib import Path

PARTS = 10


def resident_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def main():
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    total = int(sys.argv[3]) if len(sys.argv) == 4 else 1_000_000
    command = [sys.argv[1], "generate", sys.argv[2], "--max-bytes", str(total), "--seed", "1", "--raw"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    done, begin, mark = 0, time.monotonic(), total // PARTS
    print("| bytes | us a byte | process |\n|---|---|---|")
    while piece := process.stdout.read1(4096):
        done += len(piece)
        if done >= mark:
            memory = resident_kb(process.pid) if done < total else None  # at the end there may be no process any more
            now = time.monotonic()
            print(f"| {done:,} | {1e6 * (now - begin) / (total // PARTS):.1f} | {'' if memory is None else f'{memory:,} KB'} |", flush=True)
            begin, mark = now, mark + total // PARTS
    if process.wait() != 0:
        raise SystemExit(f"error: {' '.join(command)} ended with {process.returncode}")
    if done != total:
        raise SystemExit(f"error: {done} bytes came, not {total}")


if __name__ == "__main__":
    main()
