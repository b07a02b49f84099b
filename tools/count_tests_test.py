#!/usr/bin/env python3
"""count_tests.py: a failure is never lost, whichever way a program fails, and no suite is skipped as a whole."""
import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from count_tests import count  # noqa: E402

REPORT = {"tests": 5, "failures": 0, "disabled": 1, "testsuites": [{"name": "Ops", "testsuite": [{"result": "SKIPPED"}, {"result": "COMPLETED"}]}]}


class CountTests(unittest.TestCase):
    def counted(self, verdict, report, cases, program="test_ops"):
        with tempfile.TemporaryDirectory() as folder:
            if report:
                Path(folder, program + ".json").write_text(json.dumps(report))
            if cases:
                Path(folder, "ctest.xml").write_text(
                    "<testsuite>" + "".join(f'<testcase name="{n}" status="{s}"/>' for n, s in cases) + "</testsuite>")
            return count(Path(folder), verdict)

    def test_counts(self):
        self.assertEqual(self.counted("ok", REPORT, [("ops", "run"), ("readme", "run")]), (4, 0, 1))
        self.assertEqual(self.counted("ok", REPORT, [("cli", "run")], "cli"), (3, 0, 1))
        self.assertEqual(self.counted("FAILED", REPORT | {"failures": 2}, [("ops", "fail")]), (1, 2, 1))
        self.assertEqual(self.counted("FAILED", None, [("ops", "fail"), ("io", "run")]), (1, 1, 0))   # crashed: no JSON
        self.assertEqual(self.counted("FAILED", REPORT, [("ops", "fail")]), (3, 1, 1))                # a sanitizer at exit
        self.assertEqual(self.counted("FAILED", REPORT, [("ops", "run")]), (3, 1, 1))                 # ctest itself failed
        self.assertEqual(self.counted("ok", None, None), (1, 0, 0))
        self.assertEqual(self.counted("FAILED", None, None), (0, 1, 0))

    def test_what_was_skipped_as_a_whole_has_failed(self):
        def skipped(*results):  # a suite of tests called NAME or LAW/CASE
            tests = [{"name": name, "status": "RUN", "result": result} for name, result in results]
            report = {"tests": len(tests), "failures": 0, "disabled": 0, "testsuites": [{"name": "Laws", "testsuite": tests}]}
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                counts = self.counted("ok", report, [("ops", "run")])
            return counts, said.getvalue()

        suite, law = "test_ops: Laws: every test", "test_ops: Laws.A: every test"
        good = ("B", "COMPLETED")
        self.assertEqual(skipped(("A", "SKIPPED"), good), ((1, 0, 1), ""))   # one test of its own may be
        self.assertEqual(skipped(("A/x", "SKIPPED"), ("A/y", "COMPLETED")), ((1, 0, 1), ""))
        for expected, of, results in (((0, 1, 1), suite, [("A", "SKIPPED")]), ((0, 1, 2), suite, [("A/x", "SKIPPED"), ("B/x", "SKIPPED")]),
                                      ((1, 1, 2), law, [("A/x", "SKIPPED"), ("A/y", "SKIPPED"), good])):
            counts, said = skipped(*results)
            self.assertEqual(counts, expected)
            self.assertIn(of, said)


if __name__ == "__main__":
    unittest.main()
