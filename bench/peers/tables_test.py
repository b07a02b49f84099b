"""Each figure stands in its own column: a table once held another one's figures, and nobody saw it."""
import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import tables


def contender(name, rate, peak=None):
    return {"name": name, "positions_per_s": rate} | ({"peak_bytes": peak} if peak else {})


def ratio(what, median):
    return {"what": what, "median": median, "least": median - 0.1, "most": median + 0.1}


TRAIN = {"match": "train small mamba1, batch 2 x 1024", "part": "train",
         "contenders": [contender("Statera f32", 17001, 166e6), contender("Statera checkpoint", 13002, 112e6), contender("Statera bf16", 21003, 140e6),
                        contender("PyTorch compiled", 7004, 449e6)],
         "ratios": [ratio("Statera f32 against PyTorch compiled", 2.27), ratio("Statera checkpoint against PyTorch compiled", 1.72),
                    ratio("Statera bf16 against PyTorch compiled bf16", 1.53), ratio("Statera bf16 against Statera f32", 1.28)],
         "peak_memory_over_the_leaner_pytorch": {"Statera f32": 0.37, "Statera checkpoint": 0.25}, "first_step_against_the_sooner_pytorch": 15.314}
STEP = {"match": "step base mamba2, batch 1 at position 255", "part": "step",
        "contenders": [contender("Statera f32", 2309), contender("Statera int8", 5546), contender("llama.cpp f32", 957), contender("llama.cpp q8_0", 1717)],
        "ratios": [ratio("Statera f32 against llama.cpp f32", 2.41), ratio("Statera int8 against llama.cpp q8_0", 3.25)]}


class Tables(unittest.TestCase):
    def shown(self, *reports):
        out = io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{i}.json" for i in range(len(reports))]
            for file, matches in zip(files, reports):
                file.write_text(json.dumps({"machine": {"cpu": "x"}, "versions": {}, "rounds": 5, "seconds": 2, "matches": matches}))
            with mock.patch.object(sys, "argv", ["tables", *map(str, files)]), contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                tables.main()
        return out.getvalue().strip().split("\n")

    def test_each_figure_stands_in_its_own_column(self):
        lines = self.shown([TRAIN], [STEP])
        self.assertEqual(lines[2], "| small mamba1, batch 2 x 1024 | 17,001 | - | 7,004 | 2.27 (2.17 to 2.37) | 1.72 (1.62 to 1.82) | 1.53 (1.43 to 1.63) "
                                   "| 1.28 (1.18 to 1.38) |")
        self.assertEqual(lines[6], "| small mamba1, batch 2 x 1024 | 166 MB | 112 MB | - | 449 MB | 0.37 | 0.25 | 15.31 |")
        self.assertEqual(lines[10], "| step base mamba2, batch 1 at position 255 | 2,309 | 5,546 | - | - | 957 | 1,717 | - | 2.41 (2.31 to 2.51) "
                                    "| 3.25 (3.15 to 3.35) |")
        for at in (0, 4, 8):
            self.assertEqual(lines[at].count("|"), lines[at + 2].count("|"))

    def test_the_last_of_two_runs_counts(self):
        lines = self.shown([STEP], [STEP | {"contenders": [contender("Statera f32", 9999)]}])
        self.assertEqual(len(lines), 3)
        self.assertIn("| 9,999 |", lines[2])

    def test_no_match_is_an_error(self):
        with self.assertRaises(SystemExit):
            self.shown([])


if __name__ == "__main__":
    unittest.main()
