"""The arithmetic behind the tables of bench/, on figures made up for the purpose."""
import array
import math
import re
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

import duration
import interaction
import lengths
import robustness
import shapes
import units


class Interaction(unittest.TestCase):
    def costs(self, bits_by_candidate):
        """A store in which a candidate costs so many bits per byte with each seed, on two blocks of text that differ by a tenth of a bit."""
        with tempfile.TemporaryDirectory() as folder:
            database = sqlite3.connect(Path(folder) / "compare.sqlite")
            database.execute("CREATE TABLE costs (candidate TEXT, seed INTEGER, nats BLOB)")
            for candidate, seeds in bits_by_candidate.items():
                for seed, bits in enumerate(seeds, 1):
                    nats = [(bits + shift) * math.log(2) for shift in (-0.05, 0.05) for _ in range(interaction.BLOCK)]
                    database.execute("INSERT INTO costs VALUES (?, ?, ?)", (candidate, seed, array.array("f", nats).tobytes()))
            database.commit()
            return interaction.costs_of(folder)

    def test_the_term_is_how_much_more_mamba_gains_without_a_tokenizer(self):
        costs, sizes = self.costs({"mamba2": [2.0], "attention": [2.5], "mamba2:bpe": [1.9], "attention:bpe": [2.1]})
        value, text, seed, count = interaction.combined(costs, sizes, {"attention": 1, "mamba2": -1, "attention:bpe": -1, "mamba2:bpe": 1})
        self.assertAlmostEqual(value, 0.5 - 0.2, 5)
        self.assertAlmostEqual(text, 0, 5)  # the blocks are as hard for each
        self.assertEqual((seed, count), (0, 1))

    def test_seeds_are_paired(self):
        costs, sizes = self.costs({"mamba2": [2.0, 3.0], "attention": [2.1, 3.3]})
        value, _, seed, count = interaction.combined(costs, sizes, {"attention": 1, "mamba2": -1})
        self.assertAlmostEqual(value, 0.2, 5)
        self.assertAlmostEqual(seed, 0.1, 5)  # of differences of 0.1 and 0.3
        self.assertEqual(count, 2)


class Robustness(unittest.TestCase):
    TEXT = "The quick brown fox jumps over the lazy dog. " * 200

    def test_the_share_of_characters_is_what_was_asked_for(self):
        for share in (0.05, 0.1):
            dropped, repeated = (robustness.spoiled(self.TEXT, kind, share) for kind in ("drop", "repeat"))
            self.assertAlmostEqual(1 - len(dropped) / len(self.TEXT), share, delta=0.01)
            self.assertAlmostEqual(len(repeated) / len(self.TEXT) - 1, share, delta=0.01)
            swapped = robustness.spoiled(self.TEXT, "swap", share)
            self.assertEqual(sorted(swapped), sorted(self.TEXT))
            self.assertNotEqual(swapped, self.TEXT)
            cased = robustness.spoiled(self.TEXT, "case", share)
            self.assertEqual(cased.lower(), self.TEXT.lower())
            letters = sum(one.isalpha() for one in self.TEXT)
            self.assertAlmostEqual(sum(a != b for a, b in zip(cased, self.TEXT)) / letters, share, delta=0.01)

    def test_the_same_text_is_spoiled_in_the_same_way(self):
        self.assertEqual(robustness.spoiled(self.TEXT, "drop", 0.1), robustness.spoiled(self.TEXT, "drop", 0.1))
        self.assertNotEqual(robustness.spoiled(self.TEXT, "drop", 0.1), robustness.spoiled(self.TEXT, "drop", 0.1, seed=2))


class Units(unittest.TestCase):
    CURVE = [{"flops": 100.0, "bits_per_byte": 3.0}, {"flops": 200.0, "bits_per_byte": 2.0}]

    def test_a_curve_is_read_between_its_points_and_nowhere_else(self):
        self.assertAlmostEqual(units.at_flops(self.CURVE, 200), 2.0)
        self.assertTrue(2 < units.at_flops(self.CURVE, 150) < 3)
        self.assertIsNone(units.at_flops(self.CURVE, 300))


class HowLong(unittest.TestCase):
    def said(self, script, *arguments):
        """What a script says of its duration, in minutes, from the budget and the numbers in its own words."""
        ran = subprocess.run(["bash", Path(__file__).parent / script, "--how-long", *arguments], capture_output=True, text=True, check=True)
        hours, minutes = re.search(r": (?:(\d+) h)? ?(?:(\d+) min)? in all", ran.stderr).groups()
        return ran.stderr, 60 * int(hours or 0) + int(minutes or 0)

    def test_a_duration_is_that_of_all_comparisons(self):
        self.assertEqual(duration.seconds("1h30m"), 5400)
        self.assertEqual(duration.text(2 * duration.seconds("100m")), "3 h 20 min")
        self.assertEqual((duration.text(7200), duration.text(90), duration.text(0)), ("2 h", "2 min", "0 min"))
        for wrong in ("", "5", "m", "5x", "1h 3m"):
            with self.assertRaisesRegex(SystemExit, "is not like"):
                duration.seconds(wrong)

    def test_it_follows_from_what_is_asked_for(self):
        text, minutes = self.said("interaction.sh", "text", "small", "2h", "8192", "3")
        self.assertEqual(minutes, 240)
        self.assertIn("2 comparisons of 2h, with 8 candidates each and 3 seeds", text)
        self.assertEqual(self.said("interaction.sh", "--match", "flops", "text", "small", "2h")[1], 120)
        text, minutes = self.said("units.sh", "text", "file", "small", "20", "2")
        self.assertEqual(minutes, round(14 * 2 * 20 * 5 / 3))
        self.assertIn("14 candidates, about 20 minutes a training, and 2 seeds", text)

    def test_the_defaults_fit_in_a_night(self):
        """Ten hours, of which two and a half are for the litmus test and for robustness, for English and for Chinese."""
        self.assertLessEqual(self.said("interaction.sh")[1] + 2 * self.said("units.sh")[1], 7.5 * 60)


class Lengths(unittest.TestCase):
    def test_lines_cross_where_their_logarithms_do(self):
        lines = {"attention": {1000: 200.0, 4000: 50.0}, "mamba2": {1000: 100.0, 4000: 100.0}}
        self.assertEqual(lengths.crossings(lines), ["mamba2 trains faster than attention from about 2,000 bytes on"])
        self.assertEqual(lengths.crossings({"attention": {1000: 200.0, 4000: 150.0}, "mamba2": lines["mamba2"]}), [])


class Shapes(unittest.TestCase):
    def test_heads_stay_as_wide_where_they_fit(self):
        preset = {"d_model": 72, "layers": "m2 A m", "mlp": {"d_ff": 8},
                  "mixers": {"m": {"type": "mamba2", "headdim": 36}, "A": {"type": "attention", "n_heads": 4, "headdim": 32}}}
        same, other = shapes.shaped(preset, 72, "m2 A m", 2, 0), shapes.shaped(preset, 96, "m A m", 3, 64)
        self.assertEqual((same["mixers"]["m"]["headdim"], same["mixers"]["A"]["n_heads"]), (36, 2))
        self.assertEqual((other["mixers"]["m"]["headdim"], other["mixers"]["A"]["headdim"]), (64, 64))
        self.assertEqual(shapes.shaped(preset, 96, "m A m", 3, 0)["mixers"]["m"]["headdim"], 48)
        self.assertEqual((other["d_model"], other["layers"], preset["d_model"]), (96, "m A m", 72))

    def test_the_mlps_take_what_parameters_are_left(self):
        config = {"d_model": 10, "layers": "A2", "mlp": {}}
        filled = shapes.fill(config, 1000, lambda c: 100 + 60 * c["mlp"]["d_ff"])
        self.assertEqual(filled["mlp"]["d_ff"], 16)  # 15, as a multiple of 4
        with self.assertRaisesRegex(SystemExit, "without MLPs"):
            shapes.fill(config, 90, lambda c: 100 + 60 * c["mlp"]["d_ff"])

    def test_the_usual_rate_is_the_mean_over_the_layers(self):
        def rate(layers):
            config = {"d_model": 72, "layers": layers, "mixers": {"m": {"type": "mamba2"}, "A": {"type": "attention"}}}
            return math.log2(shapes.usual_rate(config, 1250, 1024))

        self.assertAlmostEqual(rate("m2 A m"), 0.75 * rate("m") + 0.25 * rate("A"))
        self.assertNotAlmostEqual(rate("m"), rate("A"))

    def test_speeds_are_measured_again_when_a_shape_has_changed(self):
        with tempfile.TemporaryDirectory() as folder:
            config, kept = Path(folder) / "a.json", Path(folder) / "speeds"
            config.write_text('{"d_model": 72}')
            self.assertEqual(shapes.kept_speeds({"a": config}, kept, lambda paths: {"a": 5.0}), {"a": 5.0})
            self.assertEqual(shapes.kept_speeds({"a": config}, kept, lambda paths: {"a": 6.0}), {"a": 5.0})
            config.write_text('{"d_model": 80}')
            self.assertEqual(shapes.kept_speeds({"a": config}, kept, lambda paths: {"a": 7.0}), {"a": 7.0})

    def test_every_kind_has_shapes_at_both_sizes(self):
        kinds = {kind for kind, _ in shapes.SHAPES}
        self.assertEqual(kinds, {"attention", "mamba1", "mamba2", "hybrid"})
        for kind in kinds:
            for size in ("tiny", "small"):
                self.assertGreaterEqual(len(shapes.SHAPES[kind, size]), 2)


if __name__ == "__main__":
    unittest.main()
