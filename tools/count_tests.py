#!/usr/bin/env python3
"""usage: count_tests.py FOLDER ok|FAILED     prints "PASSED FAILED" for one stage of ./test

Counts the tests inside each GoogleTest program (its JSON), each other entry of ctest as one, and a stage without either as one.
A program that crashed, or that failed without a failed test (a sanitizer), counts as one failure more.
"""
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count(folder, verdict):
    passed = failed = 0
    reports = {}
    for file in folder.glob("*.json"):
        try:
            report = json.loads(file.read_text())
        except ValueError:
            continue
        skipped = sum(t.get("result") == "SKIPPED" for suite in report["testsuites"] for t in suite["testsuite"])
        reports[file.stem] = report["failures"]
        passed += report["tests"] - report["failures"] - report["disabled"] - skipped
        failed += report["failures"]
    ctest = folder / "ctest.xml"
    if ctest.exists():
        for case in ElementTree.parse(ctest).getroot().iter("testcase"):
            good = case.get("status") == "run"
            program = reports.get("test_" + case.get("name"), reports.get(case.get("name")))  # a room's program, or one of tests/
            if program is None:
                passed, failed = passed + good, failed + (not good)
            elif not good and program == 0:
                failed += 1
    elif not reports:
        passed, failed = int(verdict == "ok"), int(verdict != "ok")
    if verdict != "ok" and failed == 0:
        failed = 1
    return passed, failed


if __name__ == "__main__":
    print(*count(Path(sys.argv[1]), sys.argv[2]))
