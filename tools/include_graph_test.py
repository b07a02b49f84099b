#!/usr/bin/env python3
"""Each rule of include_graph.py finds a violation that is planted for it, and finds nothing in a sound tree; a rule with
nothing to search and an exception that no file needs are errors."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import include_graph  # noqa: E402
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
    "src/ops/ssd/ssd_cpu.cpp": '#include "kernels/tile-inl.hpp"\nnamespace statera::HWY_NAMESPACE {\nnamespace {\n'
                               'const SsdKernels<float> ssd_cpu{.forward = f};\nvoid f(const A& a) { HWY_DYNAMIC_DISPATCH(F)(a, {.x = a.y[T{1}]}); }\n',
    "src/ops/rope/rope.cpp": '#include "kernels/kernels.hpp"\n',
    "src/mixers/registry.cpp": '#include "mixers/mamba2/mamba2.hpp"\n      entry<AttentionMixer, AttentionConfig>("attention", 1),\n      entry<Mamba2, Mamba2Config>("mamba2", 1),\n',
    "src/mixers/mamba2/mamba2.hpp": '#include "nn/linear.hpp"\n',
    "src/mixers/attention/attention.hpp": "",
    "src/nn/linear.hpp": '#include "ops/matmul/matmul.hpp"\n',
    "src/models/block.cpp": '#include "nn/linear.hpp"\n// a mixer, whatever its name; nothing for std::cerr\n'
                            'const char* path = "/dev/stdout"; std::snprintf(text, 9, "%d", n); file.write(2); static_assert(true);\n',
    "src/models/block_test.cpp": '#include "support/near.hpp"\nconst char* config = "mamba2"; perror(config);\n',
    "src/ops/ssd/ssd.cpp": "const T* x = v.as<T>();\nint n = 2 * x;\nkernels.forward({.x = x + 1, .y = y.as<T>(), .rate = T{1}}, exec);\n",
    "src/autograd/tape.cpp": "", "src/train/trainer.cpp": "", "src/online/online.cpp": "", "src/infer/generate.cpp": "", "src/import/read.cpp": "",
    "src/infer/session.cpp": "std::ranges::copy(row, logits.as<float>());\n",
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
    "training_pass.cpp:1: touches": ("src/train/training_pass.cpp", "*view.as<double>() = value;\n"),
    "online.cpp:3: touches": ("src/online/online.cpp", "const auto* at = to.as<int32_t>();\n\nint x = at[3];\n"),
    "online.cpp:2: touches": ("src/online/online.cpp", "auto at = to.as<int32_t>();\nint x = 1 + (*at);\n"),
    "stack.cpp:2: touches": ("src/models/stack.cpp", "T *from = x.as<T>(), *to = y.as<T>() + 2;\nfrom[0] = 1;\n"),
    "read.cpp:2: touches": ("src/import/read.cpp", "const auto* p = static_cast<const uint16_t*>(raw.view().data);\nuse(p[i]);\n"),
    "generate.cpp:2: touches": ("src/infer/generate.cpp", "const auto* x = v.as<float>();\ngood = std::all_of(x, x + n, f);\n"),
    "generate.cpp:1: touches": ("src/infer/generate.cpp", "each({row.as<float>(), static_cast<size_t>(vocab)});\n"),
    "tape.cpp:1: touches": ("src/autograd/tape.cpp", "copy_of.assign(\n  row.as<float>(), end);\n"),
    "generate.cpp:3: touches": ("src/infer/generate.cpp", "void f(View v) {\n  g(v.rows());\n  set_all(n, v.as<int64_t>());\n}\n"),
    "tape.cpp:2: touches": ("src/autograd/tape.cpp", "void f(View v) {\n  hash(v.data, v.bytes());\n}\n"),
    "rope_cpu.cpp:1: arguments or kernels by place": ("src/ops/rope/rope_cpu.cpp", "const RopeKernels<float> rope_cpu{rotate};\n"),
    "rope_cpu.cpp:2: arguments or kernels by place": ("src/ops/rope/rope_cpu.cpp", "\nHWY_DYNAMIC_DISPATCH(Rotate)(\n  {x, y});\n"),
    "rope.cpp:1: arguments or kernels by place": ("src/ops/rope/rope.cpp", "kernels.rotate(exec, {x, y});\n"),
    "rope.cpp:3: arguments or kernels by place": ("src/ops/rope/rope.cpp", "\n\nkernels.rotate(RopeRotate<T>{x, y}, exec);\n"),
    "no table of kernels found": ("src/ops/ssd/ssd_cpu.cpp", "HWY_DYNAMIC_DISPATCH(F)({.x = 1});\n"),
    "src/: no call of a kernel": ("src/ops/ssd/ssd_cpu.cpp", "const SsdKernels<float> ssd_cpu{.forward = f};\n", "src/ops/ssd/ssd.cpp", ""),
    "src/: no *_cpu.cpp with a namespace": ("src/ops/ssd/ssd_cpu.cpp", ""),
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
        def without(begin):
            return violations({path: text for path, text in SOUND.items() if not path.startswith(begin)})

        for gone in ("src/", "include/", "apps/"):
            found = without(gone)
            self.assertTrue(any(violation.startswith(gone + ": no file found") for violation in found), found)
        for room in sorted(include_graph.VIEW_ROOMS):
            self.assertIn(f"src/{room}: no file found in it, so none can be searched for elements of Views", without(f"src/{room}/"))
        for room in sorted(include_graph.FOLDERS):
            self.assertIn(f"src/{room}: no folder found in it, so none can include another", without(f"src/{room}/"))
        found = violations({path: text.replace("hwy/", "") for path, text in SOUND.items()})
        self.assertTrue(any("no SIMD header is included" in violation for violation in found), found)

    def test_an_exception_that_no_file_needs_is_named(self):
        def idle(files):
            with planted_tree(files) as root:
                graph = Graph(root)
                graph.check()
                return [line.split(": no file needs ") for line in graph.idle()]

        copy = "std::ranges::copy(row, logits.as<float>());\n"
        needed = SOUND | {f"src/{room}/a.hpp": "" for room in include_graph.RANK} | {f"include/statera/{name}.hpp": "" for name in include_graph.PUBLIC}
        needed |= {"src/core/a" + end: "" for end in include_graph.TEST_ENDS} | {path: copy for path in include_graph.HOST_COPIES}
        needed |= {path: '#include "hwy/highway.h"\n' for path in include_graph.SIMD_FILES}
        needed = {path: text for path, text in needed.items() if not path.startswith(("src/apps", "src/bench"))} | {"bench/a.hpp": ""}
        self.assertEqual(idle(needed), [])
        for table, entry, path in (("RANK", "io", "src/io/"), ("PUBLIC", "loss", "include/statera/loss.hpp"), ("TEST_ENDS", "_golden.cpp", "src/core/a_golden.cpp"),
                                   ("SIMD_FILES", "src/core/isa.cpp", "src/core/isa.cpp"), ("HOST_COPIES", "src/train/checkpoint.cpp", "src/train/checkpoint.cpp")):
            gone = {name: text for name, text in needed.items() if not name.startswith(path)}
            self.assertIn(["tools/include_graph.py: " + table, repr(entry)], idle(gone))
        self.assertIn(["tools/include_graph.py: HOST_COPIES", repr("src/infer/session.cpp")], idle(needed | {"src/infer/session.cpp": "copy(row, logits);\n"}))
        for table in ("NAMELESS", "PORTABLE_ROOMS", "NAMED_ROOMS", "FOLDERS", "VIEW_ROOMS"):
            getattr(include_graph, table).add("attic")
            try:
                self.assertIn(["tools/include_graph.py: " + table, repr("attic")], idle(needed))
            finally:
                getattr(include_graph, table).remove("attic")


if __name__ == "__main__":
    unittest.main()
