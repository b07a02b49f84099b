#!/usr/bin/env python3
"""The same work as bench/token_speed.cpp by Hugging Face's tokenizers, and both as a table. Run by bench/token_speed.sh.

usage: token_speed.py PROGRAM TOKENIZER THREADS VOCABULARY TEXT...
"""
import json
import lzma
import os
import subprocess
import sys
import time
from pathlib import Path

program, path, threads, vocabulary, texts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
os.environ["RAYON_NUM_THREADS"] = str(threads)
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402: it reads the variable


def least_seconds(work):
    least = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - begun)
    return least


def train(text):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    # lines, so that it can use its threads
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)


print(f"| text | MB | encoding it whole, MB/s | tokenizers | its lines, {threads} threads | tokenizers | "
      f"training to {vocabulary} ids, s | tokenizers |")
print("|---|---|---|---|---|---|---|---|")
for name in texts:
    data = lzma.open(name).read() if name.endswith(".xz") else Path(name).read_bytes()
    text, megabytes = data.decode(), len(data) / 1e6
    lines = text.split("\n")
    lines = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    tokenizer = Tokenizer.from_file(path)
    ids = len(tokenizer.encode(text).ids)
    of_lines = sum(len(e.ids) for e in tokenizer.encode_batch_fast(lines))
    theirs = [least_seconds(lambda: tokenizer.encode(text)), least_seconds(lambda: tokenizer.encode_batch_fast(lines)),
              least_seconds(lambda: train(text))]
    ours = json.loads(subprocess.run([program, path, name, str(threads), str(vocabulary)], check=True, capture_output=True).stdout)
    assert (ours["ids"], ours["ids_of_lines"]) == (ids, of_lines), f"{name}: other ids"
    row = [f"{megabytes / ours['whole']:.1f}", f"{megabytes / theirs[0]:.1f}", f"{megabytes / ours['lines']:.1f}",
           f"{megabytes / theirs[1]:.1f}", f"{ours['train']:.2f}", f"{theirs[2]:.2f}"]
    print(f"| {Path(name).name} | {megabytes:.2f} | " + " | ".join(row) + " |", flush=True)
