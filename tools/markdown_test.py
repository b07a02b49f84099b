#!/usr/bin/env python3
"""The Markdown files of the repository: prose lines of at most 100 columns, links and paths that lead somewhere, and none of a few phrases.

Code and tables may be wider, and so may a line that cannot be broken. Each rule must also find a violation that is planted for it, and a tree
in which a rule has nothing to look at is an error.
"""
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from planted_tree import planted_tree  # noqa: E402

WIDTH = 100
SKIPPED = {"build", "out"}  # and folders whose names begin with a dot
WRITTEN_BY_A_RUN = "docs/test-full.md"  # by ./test --full, as a whole; there is none before the first run that passed
A_RUN = r"# The last \./test --full\n\nCommit [0-9a-f]{40},\n[^\n]*\.\n\n```\n(?:(?!FAILED|```).)*, 0 failed\n```\n"
QUANTITY = r"bits|nats|bytes|FLOPs|us|ms|s|positions|seconds|minutes|steps|tokens|numbers|products"
PHRASES = [  # what not to write, and what to write instead
    (r"\bmend(s|ed|ing)?\b", "fix"),
    (r"\bfile a verb\b", "file per verb"),
    (rf"\b(?:{QUANTITY}) (?:a|an) (?:byte|character|position|head|channel|candidate|second|training|step|sequence|row|minute|layer)\b", "per"),
    (r"\bone (?:a|an) (?:head|channel|layer|sequence|position|row|field|tensor)\b", "one per"),
    (r"\banew\b", "again"),
    (r"\bdearer\b", "more expensive"),
]
PATH = re.compile(r"(?:apps|bench|cmake|configs|docs|include|src|tests|tools)/[\w./-]+")


class Document:
    """A Markdown file without its code blocks: its lines with their numbers, its headings, and its text without what stands in backquotes."""

    def __init__(self, path):
        self.path, self.lines = path, []
        fence, indented, item, blank = None, False, 0, True
        for number, line in enumerate(path.read_text().splitlines(), 1):
            indent = len(line) - len(line.lstrip())
            mark = re.match(r"\s*(```+|~~~+)", line)
            if fence:
                fence = None if mark and mark[1].startswith(fence) else fence
                continue
            if mark:
                fence = mark[1]
                continue
            if not line.strip():
                self.lines.append((number, ""))
                blank = True
                continue
            item = 0 if indent == 0 and blank else item  # columns that the text of the list item stands in
            indented = indent >= item + 4 and (blank or indented)
            blank = False
            if indented:
                continue
            bullet = re.match(r"\s*(?:[-*+]|\d+\.)\s+", line)
            item = len(bullet[0]) if bullet else item
            self.lines.append((number, line))
        text = "\n".join(line for _, line in self.lines)
        self.headings = [line.lstrip("#").strip() for _, line in self.lines if line.startswith("#")]
        spans = re.compile(r"`((?:[^`\n]|\n(?!\n))+)`")
        self.paths = [span for span in spans.findall(text) if PATH.fullmatch(span)]
        self.text = spans.sub("`", text)

    def anchors(self):
        found = {}
        for heading in self.headings:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
            anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            found[anchor] = found.get(anchor, -1) + 1
            if found[anchor]:
                found[f"{anchor}-{found[anchor]}"] = 0
        return set(found)


class Documents:
    def __init__(self, root):
        self.root = root
        paths = [path for path in sorted(root.rglob("*.md"))
                 if not any(part in SKIPPED or part.startswith(".") for part in path.relative_to(root).parts)]
        self.documents = {path.resolve(): Document(path) for path in paths}

    def violations(self):
        found, seen = [], {"lines": 0, "links": 0, "anchors": 0, "paths": 0}
        for document in self.documents.values():
            name, text = document.path.relative_to(self.root), document.text
            for number, line in document.lines:
                seen["lines"] += bool(line)
                if len(line) > WIDTH and not line.lstrip().startswith("|") and not self.unbreakable(line):
                    found.append(f"{name}:{number}: {len(line)} columns; prose has at most {WIDTH}")
            for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:href|src)="([^"]+)"', text):
                if not re.match(r"[a-z]+:", target):
                    seen["links"] += 1
                    seen["anchors"] += "#" in target
                    found += self.broken(document, name, target)
            for path in document.paths:
                ours = (self.root / path).parent.exists()  # or a path of another repository
                seen["paths"] += ours
                if ours and document.path.name != "log.md" and not (self.root / path).exists():  # a log names what has been
                    found.append(f"{name}: `{path}` does not exist")
            if str(name) == WRITTEN_BY_A_RUN and not re.fullmatch(A_RUN, document.path.read_text(), flags=re.DOTALL):
                found.append(f"{name}: not as a run that passed writes it; run ./test --full")
            words = re.sub(r"\s+", " ", text)
            for phrase, better in PHRASES:
                found += [f"{name}: '{match[0]}'; write '{better}'" for match in re.finditer(phrase, words, flags=re.I)]
        return found + [f"no {what} found in {self.root}: this check looks at nothing" for what, count in seen.items() if not count]

    def unbreakable(self, line):
        """One link, one tag or one word, which no line break can make shorter."""
        return bool(re.fullmatch(r"\s*(?:[-*] )?(?:!?\[[^]]*\]\([^)]*\)|<.*>|\S+)[.,]?", line))

    def broken(self, document, name, target):
        path, _, anchor = target.partition("#")
        file = (document.path.parent / path).resolve() if path else document.path.resolve()
        if not file.exists():
            return [f"{name}: the link '{target}' leads to no file"]
        if anchor and (file not in self.documents or anchor not in self.documents[file].anchors()):
            return [f"{name}: the link '{target}' leads to no heading"]
        return []


SOUND = {
    "README.md": "# A tool\n\nSee [the docs](docs/a.md#two-words-2-1) and [below](#more), or `tools/x.py`.\n\n    " + "code " * 30 +
                 "\n\n| " + "table " * 30 + "|\n\n```\n" + "code " * 30 + "\n```\n\n## More\n\n[" + "a link " * 20 + "](docs/a.md)\n",
    "docs/a.md": "# Two words (2)\n\n- an item\n  goes on\n\n      " + "code " * 30 + "\n\n## Two words (2)!\n",
    "tools/x.py": "",
    "build/b.md": "long " * 50,
}

PLANTED = {
    "105 columns": "\n" + "words " * 17 + "end\n",
    "106 columns": "\n- item\n\n  " + "words " * 17 + "go\n",
    "leads to no file": "\n[gone](gone.md)\n",
    "leads to no heading": "\n[gone](docs/a.md#gone)\n",
    "'#less' leads to no heading": "\n[gone](#less)\n",
    "'gone.png' leads to no file": '\n<img src="gone.png">\n',
    "does not exist": "\nSee `tools/gone.py`.\n",
    "write 'fix'": "\nWe will\nmend it.\n",
    "write 'per'": "\nIt costs two bits\na byte.\n",
    "write 'one per'": "\nOne a head.\n",
    "write 'file per verb'": "\nIt has one\nfile a verb.\n",
    "write 'again'": "\nMeasure it anew.\n",
    "write 'more expensive'": "\nIt is dearer.\n",
}


def violations(files):
    with planted_tree(files) as root:
        return Documents(root).violations()


class MarkdownTest(unittest.TestCase):
    maxDiff = None

    def test_the_repository_has_no_violation(self):
        self.assertEqual(Documents(Path(__file__).resolve().parent.parent).violations(), [])

    def test_a_sound_tree_has_none(self):
        self.assertEqual(violations(SOUND), [])

    def test_what_is_planted_is_found(self):
        self.assertEqual([better for _, better in PHRASES if f"write '{better}'" not in PLANTED], [])
        for expected, text in PLANTED.items():
            with self.subTest(expected):
                found = violations({**SOUND, "README.md": SOUND["README.md"] + text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])

    def test_a_run_stands_as_it_was_written(self):
        run = f"# The last ./test --full\n\nCommit {'0' * 40},\n2026-01-01, a CPU, 2 cores, 60 minutes.\n\n```\nbuild ok 1 passed\n\n1 passed, 0 failed\n```\n"
        for text, count in [(run, 0), (run + "\nBut one was red.\n", 1), (run.replace("build ok", "build FAILED"), 1), (run.replace(", 0 failed", ", 1 failed"), 1)]:
            self.assertEqual(len(violations({**SOUND, WRITTEN_BY_A_RUN: text})), count, text)

    def test_nothing_to_look_at_is_an_error(self):
        self.assertEqual(len(violations({"tools/x.py": ""})), 4)


if __name__ == "__main__":
    unittest.main()
