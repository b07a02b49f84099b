#!/usr/bin/env python3
"""Takes the C++ and JSON blocks out of the documents, so that they compile and run as tests.

usage: extract.py DOCUMENT.md... FOLDER

Writes FOLDER/<name>.cpp for each name of PROGRAMS, in the order of the documents and of the blocks in them, FOLDER/config.json and a text to
train on. A block without main() gets one around it, after its includes. SHORTER says what is shortened; nothing else is changed.
"""
import re
import sys
from pathlib import Path

PROGRAMS = ["first", "train", "carry", "generate", "stream", "streams", "tokens"]
SHORTER = {  # program -> what the document says, what the test does
    "first": [('"out/quickstart/winner"', '"out/"'), (".max_bytes = 400", ".max_bytes = 40")],
    "train": [("step < 1000", "step < 3"), ("cosine(step, 1000,", "cosine(step, 3,"), ("/*warmup=*/100", "/*warmup=*/1"),
              (".batch = 8, .length = 1024", ".batch = 2, .length = 64")],
    "carry": [("step < 500", "step < 3"), ("cosine(step, 500,", "cosine(step, 3,"), ("/*warmup=*/50", "/*warmup=*/1"), ("length = 256", "length = 32")],
    "generate": [(".max_bytes = 400", ".max_bytes = 40")],
    "stream": [("session.position() < 4096", "session.position() < 64")],
    "streams": [("i < 200", "i < 20")],
    "tokens": [(".batch = 8, .length = 256", ".batch = 2, .length = 16")],
}


def program(name, block):
    for old, new in SHORTER[name]:
        if block.count(old) != 1:
            sys.exit(f"the program '{name}' of the documents should say `{old}` once; correct it, or SHORTER in tests/readme/extract.py")
        block = block.replace(old, new)
    if "int main()" in block:
        return block
    lines = block.splitlines()
    includes = [line for line in lines if line.startswith("#include")]
    body = [line for line in lines if line and not line.startswith("#include")]
    return "\n".join(includes + ["", "using namespace statera;", "", "int main() {"] + ["  " + line for line in body] + ["}", ""])


def main():
    *documents, folder = [Path(argument) for argument in sys.argv[1:]]
    text = "".join(document.read_text() for document in documents)
    folder.mkdir(parents=True, exist_ok=True)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.S | re.M)
    cpp = [block for language, block in blocks if language == "cpp"]
    json = [block for language, block in blocks if language == "json"]
    if len(cpp) != len(PROGRAMS) or len(json) != 1:
        names = ", ".join(document.name for document in documents)
        sys.exit(f"{names}: {len(cpp)} C++ and {len(json)} JSON blocks; expected {len(PROGRAMS)} and 1 (tests/readme/extract.py)")
    for name, block in zip(PROGRAMS, cpp):
        (folder / f"{name}.cpp").write_text(program(name, block))
    (folder / "config.json").write_text(json[0])
    (folder / "war-and-peace.txt").write_text("Well, Prince, so Genoa and Lucca are now just family estates of the Buonapartes.\n" * 50)


if __name__ == "__main__":
    main()
