"""delete_mixer.py on a small tree: what goes, what stays, and what it refuses; and what reuse_object.py takes."""
import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from delete_mixer import DeleteError, Tree
from planted_tree import planted_tree

TOOLS = Path(__file__).resolve().parent

TREE = {
    "src/mixers/registry.cpp": '#include "mixers/a/a.hpp"\n#include "mixers/b/b.hpp"\n#include "mixers/mlp/mlp.hpp"\n'
                               '      entry<A, AConfig>("a", 1),\n      entry<B, BConfig>("b", 1),\n      entry<Glu, GluConfig>("glu", 2),\n'
                               'std::string_view default_mlp_type() { return "glu"; }\n',
    "src/mixers/a/a.hpp": '#include "ops/own/own.hpp"\n#include "ops/shared/shared.hpp"\nclass A : public Mixer {\n};\n',
    "src/mixers/a/a_golden.cpp": 'const bool added = add_golden("ALayer", a_case);\n',
    "src/mixers/b/b.hpp": '#include "ops/shared/shared.hpp"\nclass A;\nclass B : public Mixer {\n};\n',
    "src/mixers/mlp/mlp.hpp": "struct Glu : Mixer {\n};\n",
    "src/ops/op_cases.cpp": '#include "ops/inner/inner.hpp"\n#include "ops/own/own.hpp"\n#include "ops/shared/shared.hpp"\n'
                            "           inner_cases,\n           own_cases,\n           shared_cases,\n",
    "src/ops/own/own.hpp": '#include "ops/inner/inner.hpp"\n',
    "src/ops/own/own_golden.cpp": 'const bool added = add_golden("own", own_case);\n',
    "src/ops/inner/inner.hpp": "",
    "src/ops/shared/shared.hpp": "",
    "configs/tiny-a.json": '{"mixers": {"m": {"type": "a"}}, "layers": "m"}',
    "configs/tiny-b.json": '{"mixers": {"m": {"type": "b"}}, "layers": "m"}',
    "configs/tiny-both.json": '{"blocks": {"x": [{"mixer": {"type": "a"}}, {"mixer": {"type": "b"}}]}, "layers": "x"}',
    "configs/usual/kinds.json": '["a", "both", "b"]',
    "tests/instructions/accepted.json": '{"instructions": {"own/long": 1, "shared/long": 2}}',
    "tests/CMakeLists.txt": "add_subdirectory(headers)\nadd_subdirectory(readme)\n",
    "tests/readme/CMakeLists.txt": "set(documents README.md docs/b.md)  # both\n",
    "tools/mutants.py": '    ("src/ops/own/own_cpu.cpp", "", "x", "y"),\n    ("src/ops/shared/shared_cpu.cpp", "", "x", "y"),\n',
    "README.md": '```cpp\nload("tiny-b");\n```\n',
    "docs/b.md": 'In prose "tiny-a" does no harm.\n',
}


def golden(root, path, kind):
    header = json.dumps({"__metadata__": kind}).encode()
    file = Path(root, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(header)) + header)


class Deleting(unittest.TestCase):
    def delete(self, name, changes=None):
        """What is left, {path: text}, and what was said."""
        with planted_tree({**TREE, **(changes or {})}) as root:
            golden(root, "tests/golden/ops/own.safetensors", {"op": "own"})
            golden(root, "tests/golden/ops/shared.safetensors", {"op": "shared"})
            golden(root, "tests/golden/layers/a.safetensors", {"module": "ALayer"})
            said = Tree(root).delete(name)
            return {p.relative_to(root).as_posix(): p.read_bytes().decode(errors="replace") for p in root.rglob("*") if p.is_file()}, said

    def test_all_of_it_goes_and_nothing_else(self):
        left, _ = self.delete("a")
        gone = {"src/mixers/a/a.hpp", "src/mixers/a/a_golden.cpp", "src/ops/own/own.hpp", "src/ops/own/own_golden.cpp", "src/ops/inner/inner.hpp",
                "configs/tiny-a.json", "configs/tiny-both.json"}
        self.assertEqual(set(left), set(TREE) - gone | {"tests/golden/ops/shared.safetensors", "deleted-mixers.txt"})
        self.assertEqual(left["src/mixers/registry.cpp"], '#include "mixers/b/b.hpp"\n#include "mixers/mlp/mlp.hpp"\n      entry<B, BConfig>("b", 1),\n'
                         '      entry<Glu, GluConfig>("glu", 2),\nstd::string_view default_mlp_type() { return "glu"; }\n')
        self.assertEqual(left["src/ops/op_cases.cpp"], '#include "ops/shared/shared.hpp"\n           shared_cases,\n')
        self.assertEqual(json.loads(left["configs/usual/kinds.json"]), ["b"])
        self.assertEqual(json.loads(left["tests/instructions/accepted.json"]), {"instructions": {"shared/long": 2}})
        self.assertEqual(left["tools/mutants.py"], '    ("src/ops/shared/shared_cpu.cpp", "", "x", "y"),\n')
        self.assertEqual(left["deleted-mixers.txt"], "a\n")
        self.assertEqual(left["tests/CMakeLists.txt"], TREE["tests/CMakeLists.txt"])

    def test_programs_of_documents_that_name_it_are_left_out_and_that_is_said(self):
        left, said = self.delete("b", {"configs/usual/kinds.json": '["a"]'})
        self.assertEqual(left["tests/CMakeLists.txt"], "add_subdirectory(headers)\n")
        self.assertTrue(any("left out" in line and "README.md names 'tiny-b'" in line for line in said), said)
        self.assertIn("src/ops/shared/shared.hpp", left)

    def test_what_it_cannot_do_is_an_error(self):
        for name, changes, what in [
                ("glu", {}, "'glu' cannot be deleted"),
                ("c", {}, "no mixer 'c'; known: a, b, glu"),
                ("a", {"src/mixers/registry.cpp": "return make(type);"}, "no mixer found"),
                ("a", {"configs/usual/kinds.json": '["a"]'}, "none of its kinds has a preset"),
                ("a", {"src/models/stack.cpp": '#include "mixers/a/a.hpp"\n'}, "src/models/stack.cpp includes src/mixers/a"),
                ("a", {"src/ops/op_cases.cpp": "shared_cases,\n"}, "no line for own")]:
            with self.subTest(what), self.assertRaises(DeleteError) as raised:
                self.delete(name, changes)
            self.assertIn(what, str(raised.exception))


class Reusing(unittest.TestCase):
    def test_an_object_is_taken_if_its_command_is_the_same_and_made_else(self):
        with tempfile.TemporaryDirectory() as folder:
            stored, table, made = Path(folder, "stored.o"), Path(folder, "table.json"), Path(folder, "a.o")
            stored.write_text("stored")
            command = [sys.executable, "-c", f"open({str(made)!r}, 'w').write('made')", "-o", str(made), "-c", "a.cpp"]
            for known, expected in [(command, "stored"), (command[:-1] + ["b.cpp"], "made"), (None, "made")]:
                made.unlink(missing_ok=True)
                table.write_text(json.dumps({str(made): [str(stored), known]} if known else {}))
                subprocess.run([sys.executable, str(TOOLS / "reuse_object.py"), str(table), *command, "-MD", "-MT", str(made), "-MF", f"{made}.d"], check=True)
                self.assertEqual(made.read_text(), expected)
            self.assertFalse(Path(f"{made}.d").read_text().strip() == "")


if __name__ == "__main__":
    unittest.main()
