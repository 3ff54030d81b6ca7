"""Runs web3.py's own module tests against the network in COCO_NETWORK_FILE and counts.

    python run.py [--summary FILE] [pytest's own arguments]

Some of these tests cannot pass on any node that makes a block at once (they need a transaction that stays pending), or
need another chain than they find, so the run is judged by how many pass: expected.json has the least number for each
file. The summary is {"passed", "failed", "skipped", "failures": [names], "files": {file: passed}}.
"""

import argparse
import collections
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


class Tally:
    """A pytest plugin that keeps the last word on each test: passed, failed or skipped."""

    def __init__(self):
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        # A test reports its set-up, its call and its clean-up; failing in any of them is failing.
        if report.when == "call" or report.outcome != "passed":
            if self.outcomes.get(report.nodeid) != "failed":
                self.outcomes[report.nodeid] = report.outcome

    def summary(self):
        counts = collections.Counter(self.outcomes.values())
        passed = (name for name, outcome in self.outcomes.items() if outcome == "passed")
        return {
            "passed": counts["passed"],
            "failed": counts["failed"],
            "skipped": counts["skipped"],
            "failures": sorted(name for name, outcome in self.outcomes.items() if outcome == "failed"),
            "files": dict(collections.Counter(name.split("::")[0].split("/")[-1] for name in passed)),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summary", type=Path, help="write the summary here, as JSON")
    options, pytest_arguments = parser.parse_known_args()

    tally = Tally()
    pytest.main(["-q", "--no-summary", "--rootdir", str(HERE), str(HERE), *pytest_arguments], plugins=[tally])
    summary = tally.summary()
    if options.summary:
        options.summary.write_text(json.dumps(summary, indent=1) + "\n")

    for name in summary["failures"]:
        print(f"  failed: {name}")
    few = False
    for file, least in json.loads((HERE / "expected.json").read_text()).items():
        passed = summary["files"].get(file, 0)
        few |= passed < least
        print(f"{file}: {passed} passed, expected at least {least}{'  << too few' if passed < least else ''}")
    print(f"{summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped")
    return 1 if few else 0


if __name__ == "__main__":
    sys.exit(main())
