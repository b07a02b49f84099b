"""The mutants of the fast paths: small wrong edits that a test must notice, made mechanically from the source.

mutants(ROOT) is a list in a fixed order: at most PER_FILE of each *_cpu.cpp and *-inl.hpp. Which ones depends only on the text of the
mutated lines, so an edit elsewhere in a file keeps them.
"""
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

PER_FILE = 12

# Mutants that change no result, or none that a test may demand: (file, rule or "", pattern in the mutated line, reason).
EQUIVALENT = [
    ("src/core/lanes-inl.hpp", "", r"lanes\[i\] = p\[i\]|p\[i\] = lanes\[i\]", "for ARM alone: no part of a program for x86"),
    ("src/core/transpose-inl.hpp", "", r"= hn::Concat(LowerLower|UpperUpper)\(d, b, a\)", "for vectors of 8 lanes: no part of the program for wider ones"),
    ("src/core/transpose-inl.hpp", "bound", r"j < 4; \+\+j\) hn::StoreU", "one column more, of what lies behind a local array: undefined, and GCC leaves it out"),
    ("src/core/roof_cpu.cpp", "", r"chains|0\.999f|n < iterations|volatile float used|0x3c00", "arithmetic to be timed: its result is thrown away"),
    ("src/ops/attention/attention_cpu.cpp", "constant", r"fill_n\(t\.acc", "the first block's correction exp(-inf) = 0 multiplies it away"),
    ("src/ops/attention/attention_cpu.cpp", "constant", r"keep != 1\.0f", "a factor of 1 is left out: speed, not bits"),
    ("src/ops/attention/attention_cpu.cpp", "sign", r"pairs \+= own", "how work is shared: speed, not bits"),
    ("src/ops/causal_conv1d/causal_conv1d_cpu.cpp", "bound", r"r < count; \+\+r\) sum", "one sum more, thrown away; a write behind a local array, for ASan to see"),
    ("src/ops/matmul/integer_tile-inl.hpp", "bound", r"dot\[i\]\[v\] = hn::Set\(di", "one sum more, thrown away; a write behind a local array, for ASan to see"),
    ("src/ops/matmul/integer_tile-inl.hpp", "constant", r"\? up : 0\.0f", "a tiny block rounds to zeros by 1 too, and the values of one that is not finite are of no account"),
    ("src/ops/matmul/integer_tile-inl.hpp", "bound", r"dot_(rows|vectors) = ", "how wide a register block is: speed, not bits"),
    ("src/ops/matmul/matmul_cpu.cpp", "bound", r"const bool once =", "what is fetched ahead: speed, not bits"),
    ("src/ops/matmul/matmul_cpu.cpp", "bound", r"row_streams =", "how many panels one row reads at a time: speed, not bits"),
    ("src/ops/matmul/matmul_cpu.cpp", "bound", r"row < p\.rows; row \+= depth", "one block more, of no rows"),
    ("src/ops/matmul/quantised_cpu.cpp", "bound", r"b < p\.w\.blocks\(\); b \+= depth", "one part more, of no blocks"),
    ("src/ops/matmul/quantised_cpu.cpp", "bound", r"dot_streams = ", "how many panels one row reads at a time: speed, not bits"),
    ("src/kernels/tile-inl.hpp", "bound", r"tile_vectors = HWY_TARGET", "how wide a register block is: speed, not bits"),
    ("src/ops/selective_scan/selective_scan_cpu.cpp", "", r"hwy::Prefetch|FetchStep\(k", "what is fetched ahead: speed, not bits"),
    ("src/ops/selective_scan/selective_scan_cpu.cpp", "bound", r"n < d_state; .*start \+ n \* stride", "one state more, overwritten by the first step"),
    ("src/ops/ssd/ssd_cpu.cpp", "bound", r"t < q; t \+= row_block", "one block more, of no rows"),
    ("src/ops/ssd/ssd_cpu.cpp", "bound", r"u < k; u \+= lanes", "the sums at and behind k are masked out"),
]


@dataclass
class Mutant:
    path: str  # from the root
    rule: str
    begin: int
    end: int
    text: str  # what stands there instead
    line: int
    before: str
    after: str

    def apply(self, source):
        return source[:self.begin] + self.text + source[self.end:]

    def diff(self):
        return f"{self.path}:{self.line}  ({self.rule})\n-{self.before}\n+{self.after}"


def blank(source):
    """The source with comments, strings and preprocessor lines blanked out, every character in its place."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|^[ \t]*#[^\n]*(?:\\\n[^\n]*)*', spaces, source, flags=re.S | re.M)


def closing(code, open_at):
    depth = 0
    for at in range(open_at, len(code)):
        depth += (code[at] in "([{") - (code[at] in ")]}")
        if depth == 0:
            return at
    return -1


def arguments(code, open_at):
    """The spans of the arguments of the call whose bracket opens at open_at, and the place behind it."""
    end, depth, begin, spans = closing(code, open_at), 0, open_at + 1, []
    for at in range(open_at + 1, end):
        depth += (code[at] in "([{") - (code[at] in ")]}")
        if code[at] == "," and depth == 0:
            spans.append((begin, at))
            begin = at + 1
    return spans + [(begin, end)], end + 1


FLIP = {"Add": "Sub", "Sub": "Add", "MulAdd": "NegMulAdd", "NegMulAdd": "MulAdd", "MulSub": "MulAdd", "NegMulSub": "MulSub"}
KEPT = {"Add": 0, "Sub": 0, "Mul": 0, "MulAdd": 2, "NegMulAdd": 2}  # the argument that stays when a term is dropped


def signs(code):
    for m in re.finditer(r"\bhn::(Add|Sub|MulAdd|NegMulAdd|MulSub|NegMulSub)(?=\()", code):
        yield m.start(1), m.end(1), FLIP[m.group(1)]
    for m in re.finditer(r"\bhn::Neg(?=\()", code):
        yield m.start(), m.end(), ""
    for m in re.finditer(r"^(?!\s*for\b).*?[\w\])] ([+-])= [^;\n]*;", code, re.M):
        yield m.start(1), m.end(1), "-" if m.group(1) == "+" else "+"


def terms(code):
    for m in re.finditer(r"\bhn::(Add|Sub|Mul|MulAdd|NegMulAdd)\(", code):
        spans, end = arguments(code, m.end() - 1)
        keep = KEPT[m.group(1)]
        if keep < len(spans):
            yield m.start(), end, "(" + code[slice(*spans[keep])].strip() + ")"
    for m in re.finditer(r"(?:^[ \t]*|\) )([\w.\->\[\]* +]+ [+-]= [^;\n]*);", code, re.M):
        yield m.start(1), m.end(1), "(void)0"


def indices(code):
    for m in re.finditer(r"\b(?:\w*[lL]oad\w*|\w*[sS]tore\w*)\(", code):  # a load or store moves on by one element
        spans, _ = arguments(code, m.end() - 1)
        begin, end = spans[-1]
        if re.search(r"\w \+ \w", code[begin:end]):
            yield end, end, " + 1"
    for m in re.finditer(r"(?<=[\w\])])\[([\w.]+(?: [*+] [\w.]+)*)\]", code):
        line = code[code.rfind("\n", 0, m.start()) + 1:m.start()]
        if not re.search(r"\b(?:V|\w+Vec|auto|float|double|int\w*|hn::Vec<\w+>)\s+[\w\[\]*, ]*$", line):  # no declaration
            yield m.end(1), m.end(1), " + 1"
    for m in re.finditer(r"([\w.]+) \* ([\w.]+) \+ ([\w.]+)", code):  # i * n + j
        if m.group(1) != m.group(3) and not m.group(3)[0].isdigit():
            yield m.start(), m.end(), f"{m.group(3)} * {m.group(2)} + {m.group(1)}"


def constants(code):
    for m in re.finditer(r"(?<![\w.])\d+\.\d*(?:e[+-]?\d+)?f\b", code):
        yield m.start(), m.end(), "1.0f" if float(m.group()[:-1]) == 0 else f"(1.5f * {m.group()})"
    for m in re.finditer(r"\bhn::Zero(?=\((\w+)\))", code):
        yield m.start(), m.end() + len(m.group(1)) + 2, f"hn::Set({m.group(1)}, 1)"


def bounds(code):
    for m in re.finditer(r"\bfor \([^;]*; [\w.\[\]]+ (<) ", code):  # one round more
        yield m.start(1), m.end(1), "<="
    for m in re.finditer(r" (==|!=) ", code):
        yield m.start(1), m.end(1), "!=" if m.group(1) == "==" else "=="
    for m in re.finditer(r"\bhn::(Max|Min|Lt|Gt|IfThenElseZero|IfThenZeroElse)(?=\()", code):
        yield m.start(1), m.end(1), {"Max": "Min", "Min": "Max", "Lt": "Gt", "Gt": "Lt", "IfThenElseZero": "IfThenZeroElse",
                                     "IfThenZeroElse": "IfThenElseZero"}[m.group(1)]


RULES = {"sign": signs, "term": terms, "index": indices, "constant": constants, "bound": bounds}


def equivalent(path, rule, line):
    return any(p == path and r in ("", rule) and re.search(pattern, line) for p, r, pattern, _ in EQUIVALENT)


def candidates(path, source, every=False):
    """All mutants of a file by rule, each list in an order that only the text of their lines decides; with `every` the equivalent ones too."""
    code = blank(source)
    for rule, find in RULES.items():
        seen, found = {}, []
        for begin, end, text in find(code):
            if begin == end and text == "":
                continue
            first, last = source.rfind("\n", 0, begin) + 1, source.find("\n", end)
            before = source[first:last]
            after = source[first:begin] + text + source[end:last]
            if before == after or not every and equivalent(path, rule, before):
                continue
            key = f"{path}|{rule}|{before.strip()}|{after.strip()}"
            seen[key] = seen.get(key, 0) + 1
            order = hashlib.sha1(f"{key}|{seen[key]}".encode()).hexdigest()
            found.append((order, Mutant(path, rule, begin, end, text, source.count("\n", 0, begin) + 1, before, after)))
        yield [mutant for _, mutant in sorted(found, key=lambda pair: pair[0])]


def idle_exceptions(root):
    """Entries of EQUIVALENT that excuse no mutant: the code has moved on, and they would excuse the wrong one one day."""
    return [(path, pattern) for path, rule, pattern, _ in EQUIVALENT
            if not any(rule in ("", m.rule) and re.search(pattern, m.before)
                       for found in candidates(path, Path(root, path).read_text(), every=True) for m in found)]


def mutants(root, per_file=PER_FILE):
    """Of each file in turn the first of every rule, then the second, until there are enough."""
    chosen = []
    for file in sorted(f for f in Path(root, "src").rglob("*") if f.name.endswith(("_cpu.cpp", "-inl.hpp"))):
        path, by_rule = file.relative_to(root).as_posix(), []
        by_rule = [found for found in candidates(path, file.read_text()) if found]
        turn = [found[i] for i in range(max(map(len, by_rule), default=0)) for found in by_rule if i < len(found)][:per_file]
        chosen += sorted(turn, key=lambda m: (m.begin, m.rule))
    return chosen
