#!/usr/bin/env python3
"""usage: count_tests.py FOLDER ok|FAILED     prints "PASSED FAILED SKIPPED" for one stage of ./test

Counts the tests inside each GoogleTest program (its JSON), each other entry of ctest as one, and a stage without either as one.
A program that crashed, or that failed without a failed test (a sanitizer), counts as one failure more. So does a suite in which
every test was skipped, and a law that was skipped for every case: they are named on standard error.
"""
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def all_skipped(report):
    """The suites in which nothing ran, and the laws (tests of several cases, named Law/case) of the others."""
    for suite in report["testsuites"]:
        laws = {}
        for test in suite["testsuite"]:
            if test.get("status") != "NOTRUN":  # disabled
                laws.setdefault(test.get("name", "").split("/")[0], []).append(test.get("result") == "SKIPPED")
        if laws and all(map(all, laws.values())):
            yield suite["name"]
            continue
        for law, skipped in laws.items():
            if len(skipped) > 1 and all(skipped):
                yield f"{suite['name']}.{law}"


def count(folder, verdict):
    passed = failed = skipped = 0
    reports, idle = {}, []
    for file in sorted(folder.glob("*.json")):
        try:
            report = json.loads(file.read_text())
        except ValueError:
            continue
        here = sum(t.get("result") == "SKIPPED" for suite in report["testsuites"] for t in suite["testsuite"])
        reports[file.stem] = report["failures"]
        passed += report["tests"] - report["failures"] - report["disabled"] - here
        failed += report["failures"]
        skipped += here
        idle += [f"{file.stem}: {name}" for name in all_skipped(report)]
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
    for name in idle:
        print(f"Error: {name}: every test of it was skipped", file=sys.stderr)
    return passed, failed + len(idle), skipped


if __name__ == "__main__":
    print(*count(Path(sys.argv[1]), sys.argv[2]))
