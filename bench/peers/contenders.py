"""Those who compete: each starts, measures for some seconds when asked, and rests in between.

A Worker is a process that stays (statera_worker.cpp, torch_worker.py); Llama starts llama.cpp's own llama-bench each time. A contender may
have several variants (settings); heats() keeps the fastest.
"""
import json
import os
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

from shapes import BUILD, ROOT

HERE = Path(__file__).resolve().parent
STATERA = ROOT / "build" / "release" / "bin" / "peers_worker"
PYTHON = BUILD / "venv" / "bin" / "python"
LLAMA_BENCH = BUILD / "llama" / "bin" / "llama-bench"

# glibc's allocator gives large blocks back after each use and meets them again page by page; `kept` keeps them, in huge pages.
MALLOC = {"malloc default": {},
          "malloc kept": {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1099511627776:glibc.malloc.top_pad=67108864"
                                            ":glibc.malloc.hugetlb=1"}}


class Failed(Exception):
    pass


def median(values):
    values = sorted(values)
    n = len(values)
    return (values[n // 2] + values[(n - 1) // 2]) / 2


class Worker:
    """One process. seconds(): of a call, the median of what fits into the time."""

    def __init__(self, setting, command, env=None):
        self.setting, self.command, self.env, self.process, self.peak = setting, [str(c) for c in command], env or {}, None, 0

    def start(self):
        """Seconds from the start of the process to the end of its first call."""
        self.errors = tempfile.TemporaryFile("w+")
        begin = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=HERE,
                                        env={**os.environ, **self.env})
        self.info = self.read()
        return time.monotonic() - begin

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            lines = [text for text in self.errors.read().splitlines() if text.strip()] or ["it said nothing"]
            raise Failed(f"exit code {self.process.returncode}: {lines[-1]}")
        return json.loads(line)

    def ask(self, line):
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # read() says why
        return self.read()

    def seconds(self, budget):
        answer = self.ask(budget)
        self.peak = max(self.peak, answer["peak_bytes"])
        return median(answer["seconds"])

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


class Llama:
    """llama-bench; loading and its warm-up are not timed."""
    peak = 0

    def __init__(self, setting, command, calls, prepare):
        self.setting, self.command, self.calls, self.prepare, self.once = setting, [str(c) for c in command], calls, prepare, None
        self.info = {}

    def start(self):
        self.prepare()
        begin = time.monotonic()
        self.once = self.run(1)
        return time.monotonic() - begin

    def run(self, repetitions):
        done = subprocess.run([*self.command, "-r", str(repetitions), "-o", "json"], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"exit code {done.returncode}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
        row = json.loads(done.stdout)[0]
        self.info = {"version": f"build {row['build_commit']}", "threads": row["n_threads"], "parameters": row["model_n_params"]}
        return median(row["samples_ns"]) / 1e9 / self.calls

    def seconds(self, budget):
        self.once = self.run(max(1, round(budget / (self.once * self.calls))))
        return self.once

    def close(self):
        pass


class Contender:
    def __init__(self, name, variants, cold=False):  # cold: later variants find what the first has compiled
        self.name, self.variants, self.cold, self.start_seconds, self.peak, self.times = name, variants, cold, [], 0, []

    def first_call(self):
        return self.start_seconds[0] if self.cold else min(self.start_seconds)

    def heats(self, budget, note):
        """Starts all variants one by one, keeps the fastest. Throws Failed when none runs."""
        best, best_seconds, why = None, 0, "no variants"
        for variant in self.variants:
            try:
                self.start_seconds.append(variant.start())
                taken = variant.seconds(budget) if len(self.variants) > 1 or isinstance(variant, Worker) else variant.once
            except Failed as failure:
                why = f"{variant.setting}: {failure}"
                note(f"  {self.name}, {why}")
                continue
            note(f"  {self.name}, {variant.setting}: first call after {self.start_seconds[-1]:.1f} s, then {taken * 1e3:.3g} ms")
            if variant.peak:
                self.peak = min(self.peak or variant.peak, variant.peak)
            if best is None or taken < best_seconds:
                loser, best, best_seconds = best, variant, taken
            else:
                loser = variant
            if loser:
                loser.close()
        if best is None:
            raise Failed(why)
        self.chosen = best

    def measure(self, budget):
        self.times.append(self.chosen.seconds(budget))

    def close(self):
        for variant in self.variants:
            variant.close()


def statera(match, weights, checkpoint=False):
    command = [STATERA, match.part, match.config, match.batch, match.length, match.threads, weights, *(["checkpoint"] if checkpoint else [])]
    return Contender("Statera checkpoint" if checkpoint else f"Statera {weights}",
                     [Worker(f"weights {weights}{', blocks recomputed in backward' if checkpoint else ''}", command)])


def torch(match, how, bf16=False):
    command = [PYTHON, HERE / "torch_worker.py", match.part, match.config, match.batch, match.length, match.threads, how, *(["bf16"] if bf16 else [])]
    env = {"OMP_NUM_THREADS": str(match.threads), "CUDA_VISIBLE_DEVICES": ""}
    if how == "compiled":
        env["TORCHINDUCTOR_CACHE_DIR"] = str(match.cache)
    if match.part == "train":
        variants = [Worker(f"{'autocast, ' if bf16 else ''}AdamW fused, {name}", command, {**env, **extra}) for name, extra in MALLOC.items()]
    elif how == "compiled":
        variants = [Worker(setting, [*command, word], env) for word, setting in (("plain", "weights as they are"), ("freezing", "frozen weights"))]
    else:
        variants = [Worker("no_grad", command, env)]
    return Contender(f"PyTorch {how}{' bf16' if bf16 else ''}", variants, cold=how == "compiled")


def llama(match, weights):
    """Keys and values are f16, llama.cpp's default."""
    content = zlib.crc32(Path(match.config).read_bytes())  # a preset that changes gets a new file
    path = BUILD / "gguf" / f"{Path(match.config).stem}-{content:08x}-{weights}.gguf"

    def prepare():
        if path.exists():
            return
        path.parent.mkdir(exist_ok=True)
        if not PYTHON.exists() or subprocess.run([PYTHON, HERE / "write_gguf.py", match.config, f"{path}.part", weights]).returncode:
            raise Failed("no GGUF file: it takes Python with gguf, which bench/peers/run.sh --install brings")
        os.replace(f"{path}.part", path)
    common = [LLAMA_BENCH, "-m", path, "-t", match.threads, "-ngl", 0]
    flash = ("off", "on") if match.kind == "attention" else ("auto",)
    variants = []
    for fa in flash:
        named = [] if fa == "auto" else [f"-fa {fa}"]
        if match.part == "prefill":
            for slice_ in (512, 128, 2048):
                setting = ["-p", match.length, "-n", 0, "-b", 2048, "-ub", slice_, "-fa", fa]
                variants.append(Llama(", ".join([f"-ub {slice_}", *named]), [*common, *setting], 1, prepare))
        else:
            steps = 32  # around the place where the others step
            setting = ["-p", 0, "-n", steps, "-d", max(0, match.length - 1 - steps // 2), "-fa", fa]
            variants.append(Llama(", ".join(named or ["defaults"]), [*common, *setting], steps, prepare))
    return Contender(f"llama.cpp {weights}", variants)
