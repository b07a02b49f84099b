#!/usr/bin/env python3
"""Each rule of include_graph.py finds a violation that is planted for it, and finds nothing in a sound tree."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from include_graph import Graph  # noqa: E402
from planted_tree import planted_tree  # noqa: E402

SOUND = {
    "src/ops/ssd/ssd_ref.cpp": "double y = plain::exp(std::sqrt(x));\n",
    "include/statera/tensor.hpp": "#include <vector>\n",
    "include/statera/tape.hpp": '#include "statera/tensor.hpp"\n',
    "src/core/arena.hpp": '#include "statera/tensor.hpp"\n',
    "src/core/exec.hpp": "",
    "src/core/simd.hpp": '#include "hwy/highway.h"\n',
    "src/io/file.hpp": '#include "core/arena.hpp"\n',
    "src/data/stream.hpp": "",
    "src/kernels/kernels.hpp": "",
    "src/ops/matmul/matmul.hpp": '#include "kernels/kernels.hpp"\nstd::vector<OpCase> matmul_cases();\n',
    "src/ops/op_cases.cpp": "           matmul_cases,\n",
    "src/kernels/tile-inl.hpp": '#include "hwy/highway.h"\n',
    "src/ops/ssd/ssd_cpu.cpp": '#include "kernels/tile-inl.hpp"\nnamespace statera::HWY_NAMESPACE {\nnamespace {\n',
    "src/ops/rope/rope.cpp": '#include "kernels/kernels.hpp"\n',
    "src/mixers/registry.cpp": '#include "mixers/mamba2/mamba2.hpp"\n      entry<AttentionMixer, AttentionConfig>("attention"),\n      entry<Mamba2, Mamba2Config>("mamba2"),\n',
    "src/mixers/mamba2/mamba2.hpp": '#include "nn/linear.hpp"\n',
    "src/mixers/attention/attention.hpp": "",
    "src/nn/linear.hpp": '#include "ops/matmul/matmul.hpp"\n',
    "src/models/block.cpp": '#include "nn/linear.hpp"\n// a mixer, whatever its name; nothing for std::cerr\n'
                            'const char* path = "/dev/stdout"; std::snprintf(text, 9, "%d", n); file.write(2); static_assert(true);\n',
    "src/models/block_test.cpp": '#include "support/near.hpp"\nconst char* config = "mamba2"; perror(config);\n',
    "apps/statera/main.cpp": "std::printf(line);\n",
    "tests/support/near.hpp": "",
}

PLANTED = {
    "upward edge": ("src/core/arena.hpp", '#include "kernels/kernels.hpp"\n'),
    "io includes data": ("src/io/file.hpp", '#include "data/stream.hpp"\n'),
    "ops/rope includes ops/matmul": ("src/ops/rope/rope.cpp", '#include "ops/matmul/matmul.hpp"\n'),
    "mixers/mamba2 includes mixers/attention": ("src/mixers/mamba2/mamba2.hpp", '#include "mixers/attention/attention.hpp"\n'),
    "cycle": ("src/core/arena.hpp", '#include "core/exec.hpp"\n', "src/core/exec.hpp", '#include "core/arena.hpp"\n'),
    "public header includes src": ("include/statera/tensor.hpp", '#include "core/exec.hpp"\n'),
    "third-party": ("include/statera/tensor.hpp", "#include <nlohmann/json.hpp>\n"),
    "public header has no room": ("include/statera/novel.hpp", ""),
    "SIMD header": ("src/nn/linear.hpp", '#include "hwy/highway.h"\n'),
    "names the mixer 'mamba2'": ("src/models/block.cpp", "// mamba2 is special\n"),
    "names the mixer 'attention'": ("src/train/trainer.cpp", 'if (type == "attention") lr /= 2;\n'),
    "rope_cases() is not listed": ("src/ops/rope/rope.hpp", "std::vector<OpCase> rope_cases();\n"),
    "matmul_cases() is not listed": ("src/ops/op_cases.cpp", "// matmul_cases, stood here\n"),
    "no table of cases found": ("src/ops/matmul/matmul.hpp", '#include "kernels/kernels.hpp"\nCases matmul_cases();\n'),
    "no mixer's name found": ("src/mixers/registry.cpp", '    {"mamba2", make},\n'),
    "belongs to the tests": ("src/models/block.cpp", '#include "support/near.hpp"\n'),
    "outside an unnamed namespace": ("src/ops/ssd/ssd_cpu.cpp", "namespace statera::HWY_NAMESPACE {\nvoid Transpose();\n"),
    "depends on the locale": ("src/models/block.cpp", 'const char* format = "%s: %+.3f";\n'),
    "block.cpp:1: a number": ("src/models/block.cpp", "double x = std::strtod(text, nullptr);\n"),
    "block.cpp:2: the library writes to standard output or error ('stderr')": ("src/models/block.cpp", '\nstd::fputws(L"slow", stderr);\n'),
    "('cerr')": ("include/statera/tensor.hpp", '  std::cerr << "slow" << std::endl;  // says so\n'),
    "('perror(')": ("src/io/file.hpp", 'perror(path);\n'),
    "('printf(')": ("src/models/block.cpp", 'std::printf("%s", text);\n'),
    "('assert(')": ("src/models/block.cpp", "static_assert(true); assert(good);\n"),
    "('HWY_ASSERT(')": ("src/ops/ssd/ssd_cpu.cpp", "HWY_ASSERT(n > 0);\n"),
    "('write(2,')": ("src/models/block.cpp", "::write(2, text, size);\n"),
    "ssd_ref.cpp:1: calls std::exp()": ("src/ops/ssd/ssd_ref.cpp", "y = std::exp(x);\n"),
    "rope.cpp:1: touches the elements": ("src/ops/rope/rope.cpp", "y.as<float>()[0] = 1;\n"),
    "linear.hpp:1: touches the elements": ("src/nn/linear.hpp", "std::memcpy(to.data, from.data, n);\n"),
    "601 lines": ("src/models/block.cpp", "\n" * 601),
    "has no rank": ("src/attic/old.cpp", ""),
}


def violations(files):
    with planted_tree(files) as root:
        return Graph(root).check()


class IncludeGraph(unittest.TestCase):
    def test_sound_tree(self):
        self.assertEqual(violations(SOUND), [])

    def test_planted(self):
        for expected, edit in PLANTED.items():
            with self.subTest(expected):
                files = SOUND | dict(zip(edit[::2], edit[1::2]))
                self.assertTrue(any(expected in found for found in violations(files)), violations(files))

    def test_nothing_to_search_is_a_violation(self):
        for gone in ("src/", "include/"):
            found = violations({path: text for path, text in SOUND.items() if not path.startswith(gone)})
            self.assertTrue(any(violation.startswith(gone + ": no file found") for violation in found), found)


if __name__ == "__main__":
    unittest.main()
