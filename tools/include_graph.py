#!/usr/bin/env python3
"""Holds the include graph to the design: which room may see which, who may see SIMD or a mixer's name, who may touch
the elements of a View, and who may write to standard output and error.

usage: include_graph.py [ROOT]      one line a violation; exit 1 if there is any
"""
import re
import sys
from pathlib import Path

RANK = {room: rank for rank, rooms in enumerate([
    ["core"], ["io", "text", "kernels"], ["counts", "autograd", "tokenizers"], ["ops", "data"], ["nn"], ["mixers"], ["models"], ["train", "infer"], ["online", "import"], ["lab", "serve"],
    ["apps", "bench"]]) for room in rooms}

# The room of each public header (include/statera/X.hpp). The umbrella stands on top of the library.
PUBLIC = {"error": "core", "dtype": "core", "tensor": "core", "device": "core", "fields": "core", "random": "core", "tokens": "core", "units": "text", "tokenizer": "tokenizers", "tape": "autograd", "data": "data",
          "loss": "ops", "parameter": "nn", "config": "models", "model": "models", "optimizer": "train", "carry": "train", "train": "train", "sampler": "infer",
          "session": "infer", "generate": "infer", "online": "online", "statera": "apps"}

FOLDERS = {"ops", "mixers"}  # rooms made of folders that do not know each other

SIMD_HOME = re.compile(r"(_cpu\.cpp|-inl\.hpp|_test\.cpp)$|^src/core/(simd\.hpp|isa\.cpp|thread_pool\.cpp)$")  # thread_pool: flush-to-zero
SIMD_HEADER = re.compile(r"^(hwy/|arm_neon|\w*mmintrin|immintrin)")
NAMELESS = {"core", "kernels", "autograd", "nn", "models", "train", "infer"}  # rooms that must not name a mixer
TEST_ENDS = ("_test.cpp", "_fuzz.cpp", "_fuzz.hpp", "_golden.cpp")
MAX_LINES = 600
# printf's and strtod's numbers have the point of the host program's locale: src/text/number.hpp writes and reads them instead.
LOCALE_NUMBER = re.compile(r'"[^"\n]*%[-+#0-9.*]*[aefgAEFG][^"\n]*"|\b(?:strto(?:d|f|ld)|sto(?:d|f|ld)|atof|setprecision)\b(?=\()')

# What writes to the standard output or error of the program that the library is a part of: it may do so, src/ and include/ may not.
STANDARD_STREAM = re.compile(r"(?<!/)\b(?:std(?:out|err)|cout|cerr|clog)\b"
                             r"|\b(?:v?[fd]?printf|f?put[cs]|putchar|perror|psignal|assert|HWY_(?:ABORT|D?ASSERT(?:_M)?|WARN))\s*\("
                             r"|\bwrite\s*\(\s*(?:[12]|STD(?:OUT|ERR)_FILENO)\s*,")

# Only kernels touch the elements of a View (src/kernels/kernels.hpp): elsewhere in these rooms pointers are handed on.
KERNEL_FILE = re.compile(r"(_cpu|_ref|_test)\.cpp$|-inl\.hpp$|^src/kernels/view_kernels\.cpp$|^src/mixers/state\.cpp$")
VIEW_ROOMS = {"kernels", "autograd", "ops", "nn", "mixers"}
ELEMENT = re.compile(r"\bas<\w+>\(\)\[|\*[\w.]+(?:->|\.)as<\w+>\(\)|\b(?:memcpy|memset|copy_n|fill_n)\([^;]*(?:\bas<|\.data\b[^(])")

# What these rooms compute has the same bits on all machines with KernelChoice::portable; std::sqrt is exact. Mixers are
# not among them, since they take logarithms for initial weights.
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
PORTABLE_ROOMS = {"kernels", "autograd", "ops", "nn", "models", "train", "online"}
LIBRARY_FUNCTION = re.compile(r"\b(?:std::|(?<![\w:.>]))(?:exp2?f?|expm1f?|log(?:2|10|1p)?f?|powf?|a?sinf?|a?cosf?|a?tan2?f?|sinhf?|coshf?|tanhf?|erfc?f?|[lt]gammaf?|cbrtf?|hypotf?|fmaf?|(?:transform_)?reduce)\(")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
CASES = "src/ops/op_cases.cpp"
CASES_DECLARED = re.compile(r"^std::vector<OpCase> (\w+_cases)\(\);", re.M)
REGISTRY = "src/mixers/registry.cpp"
REGISTRY_NAME = re.compile(r'\bentry<\w+, *\w+>\("(\w+)"\)')


class Graph:
    def __init__(self, root):
        self.root, self.found = root, []
        self.files = {p.relative_to(root).as_posix(): p.read_text(errors="replace")
                      for top in ("include", "src", "apps", "bench", "tests", "tools") for p in sorted((root / top).rglob("*"))
                      if p.suffix in (".cpp", ".hpp", ".h", ".py", ".sh") and p.is_file()}
        self.edges = {}

    def report(self, path, what):
        self.found.append(f"{path}: {what}")

    def room(self, path):
        """The room of a file; None for tests and tools, which may see everything."""
        parts = path.split("/")
        if parts[0] == "src":
            if parts[1] not in RANK:
                self.report(path, f"room '{parts[1]}' has no rank in tools/include_graph.py")
            return parts[1]
        if parts[0] == "include":
            name = path.removeprefix("include/statera/").removesuffix(".hpp")
            if name not in PUBLIC:
                self.report(path, "public header has no room in tools/include_graph.py")
            return PUBLIC.get(name)
        return parts[0] if parts[0] in RANK else None

    def resolve(self, path, target):
        """The file that an #include means, or None for one outside the tree."""
        for candidate in (f"include/{target}", f"src/{target}", str(Path(path).parent / target), f"tests/{target}"):
            if candidate in self.files:
                return candidate
        return None

    def check_edge(self, path, target):
        # a test may use what stands in tests/, nothing else may
        if target.startswith("tests/"):
            if not path.endswith(TEST_ENDS):
                self.report(path, f"includes {target}, which belongs to the tests")
            return
        if path.startswith("include/") and not target.startswith("include/"):
            self.report(path, f"public header includes {target}")
        here, there = self.room(path), self.room(target)
        if here is None or there is None or here not in RANK or there not in RANK:
            return
        if here != there and RANK[here] <= RANK[there]:
            self.report(path, f"{here} includes {there} ({target}): {'upward' if RANK[here] < RANK[there] else 'sibling'} edge")
        a, b = self.folder(path), self.folder(target)
        if here == there and a and b and a != b:
            self.report(path, f"{a} includes {b} ({target}): sibling edge")

    @staticmethod
    def folder(path):
        parts = path.split("/")
        return f"{parts[1]}/{parts[2]}" if parts[0] == "src" and parts[1] in FOLDERS and len(parts) > 3 else None

    def check_file(self, path, text):
        if text.count("\n") > MAX_LINES:
            self.report(path, f"{text.count(chr(10))} lines, at most {MAX_LINES}")
        if not path.endswith((".cpp", ".hpp", ".h")):
            return
        room = self.room(path)
        self.edges[path] = set()
        for bracket, target in INCLUDE.findall(text):
            resolved = self.resolve(path, target)
            if resolved:
                self.edges[path].add(resolved)
                if room is not None:
                    self.check_edge(path, resolved)
            elif path.startswith("include/") and (bracket == '"' or "/" in target or target.endswith(".h")):
                self.report(path, f"third-party or unknown header {target} in a public header")
            if SIMD_HEADER.match(target) and not SIMD_HOME.search(path):
                self.report(path, f"SIMD header {target} outside *_cpu.cpp and *-inl.hpp")

        if path.startswith(("include/", "src/", "apps/")) and not path.endswith(TEST_ENDS):
            for number, line in enumerate(text.split("\n"), 1):
                if LOCALE_NUMBER.search(line):
                    self.report(f"{path}:{number}", "a number that depends on the locale; see src/text/number.hpp")
        if path.endswith("_cpu.cpp") and re.search(r"namespace statera::HWY_NAMESPACE \{\n(?!namespace \{)", text):
            self.report(path, "kernels outside an unnamed namespace: two files with a function of one name and signature would share one of them")

    def check_quiet(self):
        library = {path: text for path, text in self.files.items()
                   if path.startswith(("src/", "include/")) and path.endswith((".cpp", ".hpp", ".h")) and not path.endswith(TEST_ENDS)}
        for top in ("src/", "include/"):
            if not any(path.startswith(top) for path in library):
                self.report(top, "no file found in it, so none can be searched for writes to standard output and error")
        for path, text in library.items():
            for number, line in enumerate(text.split("\n"), 1):
                if match := STANDARD_STREAM.search(line.split("//")[0]):
                    self.report(f"{path}:{number}", f"the library writes to standard output or error ('{match.group()}'); give the program a callback, or throw")

    def check_elements(self):
        searched = {path: text for path, text in self.files.items()
                    if path.startswith("src/") and path.split("/")[1] in VIEW_ROOMS and path.endswith((".cpp", ".hpp")) and not KERNEL_FILE.search(path)}
        if not searched:
            return self.report("src/", "no file of " + ", ".join(sorted(VIEW_ROOMS)) + " found, so none can be searched for elements of Views")
        for path, text in searched.items():
            for number, line in enumerate(text.split("\n"), 1):
                if ELEMENT.search(line.split("//")[0]):
                    self.report(f"{path}:{number}", "touches the elements of a View; only kernels do, in *_ref.cpp and *_cpu.cpp")

    def check_references(self):
        references = {path: text for path, text in self.files.items()
                      if path.startswith("src/") and path.split("/")[1] in PORTABLE_ROOMS and path.endswith(".cpp") and not path.endswith(TEST_ENDS + ("_cpu.cpp",))}
        if not any(path.endswith("_ref.cpp") for path in references):
            return self.report("src/", "no *_ref.cpp found, so none can be searched for functions of the C library")
        for path, text in references.items():
            for number, line in enumerate(text.split("\n"), 1):
                if match := LIBRARY_FUNCTION.search(STRING.sub('""', line.split("//")[0])):
                    self.report(f"{path}:{number}", f"calls {match.group()}), whose last bits differ between machines; core/plain_math.hpp has it")

    def check_cycles(self):
        state = {}

        def visit(path, trail):
            state[path] = "open"
            for target in sorted(self.edges.get(path, ())):
                if target != path and state.get(target) == "open":
                    self.report(path, "cycle: " + " -> ".join(trail[trail.index(target):] + [target]))
                elif target not in state:
                    visit(target, trail + [target])
            state[path] = "done"

        for path in sorted(self.edges):
            if path not in state:
                visit(path, [path])

    def check_names(self):
        names = REGISTRY_NAME.findall(self.files.get(REGISTRY, ""))
        if not names:
            return self.report(REGISTRY, "no mixer's name found in it, so no file can be checked for them; see REGISTRY_NAME in tools/include_graph.py")
        words = re.compile(r"\b(" + "|".join(sorted({n for m in names for n in (m, m.capitalize())}, key=len, reverse=True)) + r")\b")
        for path, text in self.files.items():
            if not path.startswith(("src/", "include/")) or path.endswith(TEST_ENDS) or self.room(path) not in NAMELESS:
                continue
            for number, line in enumerate(text.split("\n"), 1):
                if match := words.search(line):
                    self.report(f"{path}:{number}", f"names the mixer '{match.group(1)}'")

    def check_cases(self):
        """Each operation's table of cases is in the one that the laws run over: a table that is not is never run."""
        declared = {(path, name) for path, text in self.files.items() if self.folder(path) and path.startswith("src/ops/") and path.endswith(".hpp")
                    for name in CASES_DECLARED.findall(text)}
        if not declared:
            return self.report("src/ops", "no table of cases found, so none can be missed; see CASES_DECLARED in tools/include_graph.py")
        listed = set(re.findall(r"^\s*(\w+_cases),$", self.files.get(CASES, ""), re.M))
        for path, name in sorted(declared):
            if name not in listed:
                self.report(path, f"{name}() is not listed in {CASES}")

    def check(self):
        for path, text in self.files.items():
            self.check_file(path, text)
        self.check_cycles()
        self.check_names()
        self.check_cases()
        self.check_quiet()
        self.check_elements()
        self.check_references()
        return sorted(set(self.found))


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    graph = Graph(root)
    found = graph.check()
    print("\n".join(found) if found else f"{len(graph.edges)} files, {sum(map(len, graph.edges.values()))} includes: the graph is as designed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
