#!/usr/bin/env python3
"""Holds the include graph to the design: which room may see which, who may see SIMD or a mixer's name, who may touch
the elements of a View, who may write to standard output and error, and that arguments of kernels are filled by name.
A rule that finds nothing to search is an error, and so is an exception that no file needs.

usage: include_graph.py [ROOT]      one line a violation; exit 1 if there is any
"""
import re
import sys
from pathlib import Path

RANK = {room: rank for rank, rooms in enumerate([
    ["core"], ["io", "text", "kernels"], ["counts", "autograd", "tokenizers"], ["ops", "data"], ["nn"], ["mixers"], ["models"], ["train", "infer"], ["online", "import"], ["lab"],
    ["apps", "bench"]]) for room in rooms}

# The room of each public header (include/statera/X.hpp). The umbrella stands on top of the library.
PUBLIC = {"error": "core", "dtype": "core", "tensor": "core", "device": "core", "fields": "core", "random": "core", "tokens": "core", "units": "text", "tokenizer": "tokenizers", "tape": "autograd", "data": "data",
          "loss": "ops", "parameter": "nn", "config": "models", "model": "models", "optimizer": "train", "carry": "train", "train": "train", "sampler": "infer",
          "session": "infer", "online": "online", "statera": "apps"}

FOLDERS = {"ops", "mixers"}  # rooms made of folders that do not know each other

SIMD_HOME = re.compile(r"(_cpu\.cpp|-inl\.hpp|_test\.cpp)$")
SIMD_FILES = {"src/core/simd.hpp", "src/core/isa.cpp", "src/core/thread_pool.cpp"}  # beside those; thread_pool: flush-to-zero
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
KERNEL_FILE = re.compile(r"(_cpu|_ref|_test|_fuzz)\.cpp$|-inl\.hpp$")
VIEW_ROOMS = {"kernels", "autograd", "ops", "nn", "mixers", "models", "train", "infer", "online", "import"}
# Copies between a file or the caller and host memory, and checks of what a file holds: where a View lies in the memory of
# another device, it is copied first. Fingerprints of weights read such copies too.
HOST_COPIES = {"src/train/checkpoint.cpp", "src/infer/session.cpp", "src/infer/snapshot_file.cpp", "src/online/online_file.cpp", "src/import/import.cpp",
               "src/import/examples.cpp", "src/models/model.cpp"}
POINTER = r"(?:\b(?:template )?as<\w+>\(\)|static_cast<(?:const )?\w+\*>\([^()]*(?:\([^()]*\))?[^()]*\.data\))"
ALGORITHM = r"(?:mem(?:cpy|cmp|set|move)|copy(?:_n|_if)?|fill(?:_n)?|(?:all|any|none)_of|find(?:_if)?|accumulate|transform|for_each|(?:min|max)_element|equal|sort|iota|assign)"
ELEMENT = re.compile(r"\bas<\w+>\(\)\[|\*[\w.]+(?:->|\.)as<\w+>\(\)"
                     rf"|\b(?:std::(?:ranges::)?|[\w.]+\.)?{ALGORITHM}\([^;]*?(?:\bas<\w+>|\.data\b(?!\())"
                     r"|\{[\w.>-]*\bas<\w+>\(\), static_cast<size_t>"  # a span over them
                     r"|^ *(?:return )?[a-z]\w*\((?:[^;={}]*, )?[\w.>-]*\bas<\w+>\(\)\)"  # a function gets the pointer
                     r"|\b(?!poison\b)\w+\([\w.>-]*\.data, [\w.>-]*\bbytes\(\)\)", re.M)
POINTER_NAMED = re.compile(rf"\*\s*(?:const )?(\w+) = [^;=]*{POINTER}")  # T* p = v.as<T>()
POINTER_INFERRED = re.compile(rf"\bauto (\w+) = [\w.>-]*{POINTER}")

# Kernel tables and the structs of arguments are filled by name: two fields of one type are easily swapped.
NAMED_ROOMS = {"kernels", "ops", "mixers", "train"}
TABLE = re.compile(r"\b\w*Kernels<[^;{}]*>\s+\w+\s*\{")
DISPATCH = re.compile(r"\bHWY_DYNAMIC_DISPATCH\([^)]*\)\((?=[^;]*?\{)|\bkernels\.\w+\((?=[^;]*?\{)")
BY_PLACE = re.compile(r"\b\w*Kernels<[^;{}]*>\s+\w+\s*\{(?!\s*\.)"
                      r"|\b(?:HWY_DYNAMIC_DISPATCH\([^)]*\)|kernels\.\w+)\((?:[^;{}]*,)?\s*(?:\w+(?:<[^;{}()]*>)?)?\s*\{(?!\s*[.}])")

# What these rooms compute has the same bits on all machines with KernelChoice::portable; std::sqrt is exact. Mixers are
# not among them, since they take logarithms for initial weights.
COMMENT = re.compile(r"//[^\n]*")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
PORTABLE_ROOMS = {"kernels", "autograd", "ops", "nn", "models", "train", "online"}
LIBRARY_FUNCTION = re.compile(r"\b(?:std::|(?<![\w:.>]))(?:exp2?f?|expm1f?|log(?:2|10|1p)?f?|powf?|a?sinf?|a?cosf?|a?tan2?f?|sinhf?|coshf?|tanhf?|erfc?f?|[lt]gammaf?|cbrtf?|hypotf?|fmaf?|(?:transform_)?reduce)\(")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
CASES = "src/ops/op_cases.cpp"
CASES_DECLARED = re.compile(r"^std::vector<OpCase> (\w+_cases)\(\);", re.M)
REGISTRY = "src/mixers/registry.cpp"
REGISTRY_NAME = re.compile(r'\bentry<\w+, *\w+>\("(\w+)", \d+\)')


class Graph:
    def __init__(self, root):
        self.root, self.found = root, []
        self.searched, self.needed = set(), set()  # rules that had something to look at; files that need their exception
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
            if SIMD_HEADER.match(target):
                self.searched.add("simd")
                if path in SIMD_FILES:
                    self.needed.add(path)
                elif not SIMD_HOME.search(path):
                    self.report(path, f"SIMD header {target} outside *_cpu.cpp and *-inl.hpp")
        if folder := self.folder(path):
            self.searched.add("sibling " + folder.split("/")[0])

        if path.startswith(("include/", "src/", "apps/")) and not path.endswith(TEST_ENDS):
            self.searched.add("locale " + path.split("/")[0])
            for number, line in enumerate(text.split("\n"), 1):
                if LOCALE_NUMBER.search(line):
                    self.report(f"{path}:{number}", "a number that depends on the locale; see src/text/number.hpp")
        if path.endswith("_cpu.cpp") and "namespace statera::HWY_NAMESPACE {" in text:
            self.searched.add("unnamed")
            if re.search(r"namespace statera::HWY_NAMESPACE \{\n(?!namespace \{)", text):
                self.report(path, "kernels outside an unnamed namespace: two files with a function of one name and signature would share one of them")

    def check_searched(self):
        """Each rule of check_file has had something to look at."""
        rules = {"simd": ("src/", "no SIMD header is included, so none can be in a wrong place; see SIMD_HEADER"),
                 "unnamed": ("src/", "no *_cpu.cpp with a namespace statera::HWY_NAMESPACE, so none can lack an unnamed one inside")}
        rules |= {"sibling " + room: ("src/" + room, "no folder found in it, so none can include another") for room in FOLDERS}
        rules |= {"locale " + top: (top + "/", "no file found in it, so none can be searched for numbers that depend on the locale")
                  for top in ("include", "src", "apps")}
        for rule, (place, what) in rules.items():
            if rule not in self.searched:
                self.report(place, what)

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

    def sources(self, rooms):
        """{path: text without comments, in as many lines} of these rooms."""
        return {path: COMMENT.sub("", text) for path, text in self.files.items()
                if path.startswith("src/") and path.split("/")[1] in rooms and path.endswith((".cpp", ".hpp"))}

    @staticmethod
    def touched(text):
        """The lines that touch elements of a View."""
        line_of = lambda at: text.count("\n", 0, at) + 1  # noqa: E731
        lines = {line_of(match.start()) for match in ELEMENT.finditer(text)}
        for declared in list(POINTER_NAMED.finditer(text)) + list(POINTER_INFERRED.finditer(text)):
            name = declared.group(1)
            end = text.find("\n}", declared.end())  # of the function
            body = text[declared.end():end if end >= 0 else len(text)]
            use = re.compile(rf"\b{name}\[|(?<![\w\s)\]])\s?\*{name}\b|\b{ALGORITHM}\((?:[^;()]*, )?{name}\b")
            lines |= {line_of(declared.end() + match.start()) for match in use.finditer(body)}
        return sorted(lines)

    def check_elements(self):
        searched = {path: text for path, text in self.sources(VIEW_ROOMS).items() if not KERNEL_FILE.search(path) and not path.endswith(TEST_ENDS)}
        for room in sorted(VIEW_ROOMS):
            if not any(path.startswith(f"src/{room}/") for path in searched):
                self.report("src/" + room, "no file found in it, so none can be searched for elements of Views")
        for path, text in searched.items():
            for number in self.touched(text):
                if path in HOST_COPIES:
                    self.needed.add(path)
                else:
                    self.report(f"{path}:{number}", "touches the elements of a View; only kernels do, in *_ref.cpp and *_cpu.cpp")

    def check_named(self):
        searched = {path: text for path, text in self.sources(NAMED_ROOMS).items() if not path.endswith(TEST_ENDS)}
        for what, rule in (("table of kernels", TABLE), ("call of a kernel with a struct", DISPATCH)):
            if not any(rule.search(text) for text in searched.values()):
                self.report("src/", f"no {what} found, so none can be filled by place")
        for path, text in searched.items():
            for match in BY_PLACE.finditer(text):
                self.report(f"{path}:{text.count(chr(10), 0, match.start()) + 1}", "arguments or kernels by place; name them: {.x = x, ...}")

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
        self.check_searched()
        self.check_elements()
        self.check_named()
        self.check_references()
        return sorted(set(self.found))

    def idle(self):
        """Entries of the tables above that no file needs; after check()."""
        tables = {"RANK": {room: any(path.startswith((f"src/{room}/", f"{room}/")) for path in self.files) for room in RANK},
                  "PUBLIC": {name: f"include/statera/{name}.hpp" in self.files for name in PUBLIC},
                  "TEST_ENDS": {end: any(path.endswith(end) for path in self.files) for end in TEST_ENDS},
                  "SIMD_FILES": {path: path in self.needed for path in SIMD_FILES},
                  "HOST_COPIES": {path: path in self.needed for path in HOST_COPIES}}
        for name, rooms in (("NAMELESS", NAMELESS), ("PORTABLE_ROOMS", PORTABLE_ROOMS), ("NAMED_ROOMS", NAMED_ROOMS), ("FOLDERS", FOLDERS), ("VIEW_ROOMS", VIEW_ROOMS)):
            tables[name] = {room: room in RANK for room in rooms}
        return sorted(f"tools/include_graph.py: {name}: no file needs {entry!r}" for name, entries in tables.items() for entry, needed in entries.items() if not needed)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    graph = Graph(root)
    found = graph.check() + graph.idle()
    print("\n".join(found) if found else f"{len(graph.edges)} files, {sum(map(len, graph.edges.values()))} includes: the graph is as designed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
