#!/usr/bin/env python3
"""count_tests.py: a failure is never lost, whichever way a program fails."""
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from count_tests import count  # noqa: E402

REPORT = {"tests": 5, "failures": 0, "disabled": 1, "testsuites": [{"testsuite": [{"result": "SKIPPED"}, {"result": "COMPLETED"}]}]}


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
        self.assertEqual(self.counted("ok", REPORT, [("ops", "run"), ("readme", "run")]), (4, 0))
        self.assertEqual(self.counted("ok", REPORT, [("cli", "run")], "cli"), (3, 0))
        self.assertEqual(self.counted("FAILED", REPORT | {"failures": 2}, [("ops", "fail")]), (1, 2))
        self.assertEqual(self.counted("FAILED", None, [("ops", "fail"), ("io", "run")]), (1, 1))   # crashed: no JSON
        self.assertEqual(self.counted("FAILED", REPORT, [("ops", "fail")]), (3, 1))                # a sanitizer at exit
        self.assertEqual(self.counted("FAILED", REPORT, [("ops", "run")]), (3, 1))                 # ctest itself failed
        self.assertEqual(self.counted("ok", None, None), (1, 0))
        self.assertEqual(self.counted("FAILED", None, None), (0, 1))


if __name__ == "__main__":
    unittest.main()
