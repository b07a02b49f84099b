#!/usr/bin/env python3
"""Trainings of a plan, each once: what is done is kept in SQLite, so a later method is judged without training again.

usage: bench/sweep.py PLAN.json [--store out/sweeps.sqlite] [--jobs 2] [--statera build/release/bin/statera]

A plan is a list of objects: {"data": FILE, "config": PRESET or FILE.json, "lr": 0.002, "seed": 1, "steps": 1250, "batch": 2, "length": 512}
and, if wanted, "flags": [...] for `statera train`. `--jobs` trainings run at once, each on one thread (the bits are the same for any number of
threads). Ctrl-C loses the trainings under way and nothing else. Other scripts import `Store` and `run`.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

FIELDS = ("data", "config", "lr", "seed", "steps", "batch", "length", "flags")


def file_hash(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Store:
    """trials(key, value): key says everything that decides a bit, value what came out."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        self.database = sqlite3.connect(path, check_same_thread=False)
        self.database.execute("CREATE TABLE IF NOT EXISTS trials (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self.lock = threading.Lock()
        self.hashes, self.configs = {}, {}

    def config_text(self, config, statera):
        """The JSON of a preset or a file, in one form."""
        if config not in self.configs:
            if os.path.exists(config):
                with open(config) as file:
                    text = file.read()
            else:
                with open(os.path.join(os.path.dirname(__file__), "..", "configs", config + ".json")) as file:
                    text = file.read()
            self.configs[config] = json.dumps(json.loads(text), sort_keys=True)
        return self.configs[config]

    def key(self, job, statera):
        with self.lock:
            if job["data"] not in self.hashes:
                self.hashes[job["data"]] = file_hash(job["data"])
            decides = dict(job, data=self.hashes[job["data"]], config=self.config_text(job["config"], statera), flags=job.get("flags", []))
        return json.dumps({name: decides[name] for name in FIELDS}, sort_keys=True)

    def get(self, key):
        with self.lock:
            row = self.database.execute("SELECT value FROM trials WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, key, value):
        with self.lock, self.database:
            self.database.execute("INSERT OR REPLACE INTO trials VALUES (?, ?)", (key, json.dumps(value)))


def train(job, statera):
    """One training; {"bits", "curve": [[step, bits], ...], "seconds", "losses"} or {"error"} for one that diverged."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "model")
        command = [statera, "train", job["data"], "--config", job["config"], "--lr", repr(job["lr"]), "--seed", str(job["seed"]), "--steps", str(job["steps"]),
                   "--batch", str(job["batch"]), "--length", str(job["length"]), "--threads", "1", "--no-baselines", "--json", "--checkpoint-every", "600",
                   "--out", out, *job.get("flags", [])]
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            if any("not finite" in line or "NaN" in line or "inf" in line for line in lines[-1:]):
                return {"error": lines[-1]}
            raise SystemExit(f"error: {' '.join(command)} ended with {done.returncode}: {lines[-1] if lines else ''}")
        result = json.loads(done.stdout)
        curve, losses = [], []
        with open(os.path.join(out, "metrics.jsonl")) as file:
            for line in file:
                point = json.loads(line)
                losses.append(point["loss"])
                if "held_out" in point:
                    curve.append([point["step"], round(point["held_out"], 5)])
        fifty = max(1, len(losses) // 50)
        means = [round(sum(losses[i:i + fifty]) / len(losses[i:i + fifty]), 4) for i in range(0, len(losses), fifty)]
        return {"bits": result["held_out_bits_per_byte"], "parameters": result["parameters"], "curve": curve, "losses": means,
                "best_step": result["best_step"], "seconds": round(time.monotonic() - begin, 1)}


def run(plan, store, statera, jobs, say=lambda line: print(line, file=sys.stderr, flush=True)):
    """Results in the order of the plan."""
    keys = [store.key(job, statera) for job in plan]
    missing = [i for i, key in enumerate(keys) if store.get(key) is None]
    say(f"{len(plan)} trainings, {len(missing)} to do")
    done = 0

    def one(i):
        nonlocal done
        value = train(plan[i], statera)
        store.put(keys[i], value)
        done += 1
        job = plan[i]
        say(f"[{done}/{len(missing)}] {os.path.basename(job['data'])} {os.path.basename(job['config'])} lr {job['lr']} seed {job['seed']} "
            f"{job['steps']} steps: {value.get('bits', value.get('error'))}")

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(one, i) for i in missing]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [store.get(key) for key in keys]


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="out/sweeps.sqlite", help="where trainings are kept (default: out/sweeps.sqlite)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trainings at once, each on one thread (default: one for each core)")
    parser.add_argument("--statera", default="build/release/bin/statera", help="the command")
    return parser


def main():
    parser = arguments(__doc__)
    parser.add_argument("plan", metavar="PLAN.json")
    options = parser.parse_args()
    with open(options.plan) as file:
        plan = json.load(file)
    for job, value in zip(plan, run(plan, Store(options.store), options.statera, options.jobs)):
        print(json.dumps({**job, **value}))


if __name__ == "__main__":
    main()
