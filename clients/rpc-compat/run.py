"""Holds a node's answers against the recorded ones of the execution-apis suite (rpc-compat).

    python run.py --url URL [--summary FILE] [--only TEXT] [--min N] [--update]

The node must have imported the suite's genesis.json and chain.rlp and nothing else: `coco up --genesis … --import …`.
The suite is looked for in $COCO_VECTORS/ethereum/rpc-compat, else in ../shared/vectors beside the repository.
passing.txt names the cases that must pass; a case on it that fails fails the run, and `--update` rewrites it from what
passed. The exit code is 0 if all of those pass and there are at least --min in all.
"""

import argparse
import collections
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from cases import parse, read_cases, read_schemas
from rules import judge

HERE = Path(__file__).resolve().parent
PASSING = HERE / "passing.txt"
SECONDS = 5
BLOCKS = 54  # in chain.rlp


def post(url, text):
    """The body of the answer, whatever its HTTP status."""
    request = urllib.request.Request(url, text.encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return response.read()
    except urllib.error.HTTPError as refused:
        return refused.read()


def run(case, url, schemas):
    """None if the node passes the case, else what is wrong."""
    schema = schemas[case.method] if case.spec_only else None
    for request, expected in case.exchanges:
        try:
            body = post(url, request)
        except OSError as error:
            return f"no answer: {error}"
        try:
            answer = parse(body)
        except ValueError:
            return f"the answer is no JSON: {body[:60]!r}"
        if problem := judge(answer, expected, schema):
            return problem
    return None


def head(url):
    """The number of the node's newest block."""
    try:
        answer = json.loads(post(url, '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'))
        return int(answer["result"], 16)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"error: {url} does not tell its newest block ({error}): is the node up?")


def find_suite():
    vectors = os.environ.get("COCO_VECTORS") or HERE.parents[2] / "shared" / "vectors"
    return Path(vectors) / "ethereum" / "rpc-compat"


def read_passing():
    lines = PASSING.read_text().splitlines() if PASSING.exists() else []
    return {line for line in lines if line and not line.startswith("#")}


def write_passing(names):
    head = "# The cases that must pass, written by `run.py --update`. A case is only taken off with a reason.\n"
    PASSING.write_text(head + "".join(f"{name}\n" for name in sorted(names)))


def print_table(cases, problems):
    total = collections.Counter(case.method for case in cases)
    failed = collections.Counter(case.method for case in cases if case.name in problems)
    for method, count in total.items():
        print(f"  {method:<42} {count - failed[method]:>3} of {count:>3}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the node's JSON-RPC address")
    parser.add_argument("--summary", type=Path, help="write passed, failed and why here, as JSON")
    parser.add_argument("--only", default="", help="only the cases with this text in their METHOD/NAME")
    parser.add_argument("--min", type=int, default=0, help="fail if fewer cases pass")
    parser.add_argument("--update", action="store_true", help="rewrite passing.txt from what passes")
    parser.add_argument("--any-chain", action="store_true", help="go on though the node has not imported the chain")
    options = parser.parse_args()

    suite = find_suite()
    if not (suite / "cases").is_dir():
        print(f"SKIPPED: no rpc-compat suite at {suite}; set COCO_VECTORS to the folder of vectors")
        return 0
    cases = [case for case in read_cases(suite) if options.only in case.name]
    schemas = read_schemas(suite)
    if not options.any_chain and (newest := head(options.url)) != BLOCKS:
        sys.exit(f"error: the node is at block {newest}, not {BLOCKS}: it must have imported {suite}/chain.rlp and no more")

    problems = {}
    for case in cases:
        if problem := run(case, options.url, schemas):
            problems[case.name] = problem
            print(f"  failed: {case.name}: {problem}", flush=True)
    print_table(cases, problems)

    passed = [case.name for case in cases if case.name not in problems]
    lost = sorted((read_passing() & {case.name for case in cases}) - set(passed))
    if options.update:
        write_passing(passed)
    if options.summary:
        summary = {"passed": len(passed), "failed": len(problems), "passing": passed, "failures": problems, "lost": lost}
        options.summary.write_text(json.dumps(summary, indent=1) + "\n")

    for name in lost:
        print(f"REGRESSION: {name} is in passing.txt and fails: {problems[name]}")
    if len(passed) < options.min:
        print(f"too few: {len(passed)} of {len(cases)} cases pass, at least {options.min} must")
    print(f"{len(passed)} passed, {len(problems)} failed")
    return 1 if (lost and not options.update) or len(passed) < options.min else 0


if __name__ == "__main__":
    sys.exit(main())
