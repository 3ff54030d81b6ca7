#!/usr/bin/env python3
"""Runs the outside-client suites against an Ethereum node and prints one table.

    clients/run.py all --network-file ready.json
    clients/run.py ethers viem --network-file ready.json --http http://127.0.0.1:9545 --ws ws://127.0.0.1:9545
    clients/run.py --list

What a suite needs (npm packages in its folder, a Python environment under target/) is installed first, when it is
missing or older than its lock file. Every line a suite prints is shown as it comes.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent
TARGET = CLIENTS.parent / "target"

# How each test runner closes: patterns for the counts of passed, failed and skipped.
NODE_TEST = (r"^ℹ pass (\d+)", r"^ℹ (?:fail|cancelled) (\d+)", r"^ℹ skipped (\d+)")
MOCHA = (r"^\s*(\d+) passing", r"^\s*(\d+) failing", r"^\s*(\d+) pending")
PLAIN = (r"(\d+) passed", r"(\d+) failed", r"(\d+) skipped")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Suite:
    name: str
    about: str
    command: tuple  # {python} and {http} are filled in
    counts: tuple = NODE_TEST
    requirements: str | None = None  # of its Python environment, a path below clients/
    network: str = "any"  # or "none", "fresh", "imported"
    tolerant: bool = False  # it has cases that may fail, and says itself by a list or a number when too many do


NPM_TEST = ("npm", "test", "--silent")
WEB3 = "web3py/requirements.txt"
SUITES = {
    suite.name: suite
    for suite in (
        Suite("contracts", "the committed artifacts are what the Solidity sources compile to", NPM_TEST, network="none"),
        Suite("jsonrpc", "frames, error codes, limits, methods, subscriptions, without a library", NPM_TEST),
        Suite("ethereumjs", "block hashes, roots, blooms and proofs, recomputed", NPM_TEST),
        Suite("ethers", "ethers 6", NPM_TEST),
        Suite("viem", "viem 2", NPM_TEST),
        Suite("web3py", "web3.py 8", ("{python}", "-m", "pytest"), PLAIN, WEB3),
        Suite("hardhat", "Hardhat 2 with OpenZeppelin's ERC-20, ERC-721 and Governor", NPM_TEST, MOCHA),
        Suite("cast", "foundry's cast", NPM_TEST),
        Suite("web3py-module-tests", "web3.py's own module tests", ("{python}", "run.py"), PLAIN, WEB3, "fresh", True),
        Suite("rpc-compat", "the recorded cases of execution-apis", ("{python}", "run.py", "--url", "{http}"), PLAIN,
              "rpc-compat/requirements.txt", "imported", True),
    )
}
NETWORKS = {
    "none": "needs no network",
    "any": "any network",
    "fresh": "a network on which nothing has happened yet, best with chain id 131277322940537",
    "imported": "a network that has imported the suite's genesis.json and chain.rlp",
}


class Failed(Exception):
    """Something that keeps a suite from running; the text says what to do."""


def digest(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def up_to_date(stamp, wanted):
    return stamp.is_file() and stamp.read_text() == wanted


def must(command, cwd, hint):
    """Runs an installing command, quiet unless it fails."""
    if shutil.which(command[0]) is None:
        raise Failed(f"{command[0]} is not installed: {hint}")
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise Failed(f"{' '.join(map(str, command))} failed in {cwd}: {hint}")


def install_npm(folder):
    stamp = folder / "node_modules" / ".installed"
    wanted = digest((folder / "package-lock.json").read_text())
    if up_to_date(stamp, wanted):
        return
    print(f"  npm packages of {folder.name} …", flush=True)
    # No package needs its install script: what is native comes prebuilt.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    must(command, folder, "the suites need Node.js 20 or later with npm, and a reachable npm registry")
    stamp.write_text(wanted)


def python_of(suite):
    """The interpreter of the suite's environment; suites with the same requirements share one."""
    return TARGET / f"venv-{suite.requirements.split('/')[0]}" / "bin" / "python"


def install_python(suite):
    python, requirements = python_of(suite), CLIENTS / suite.requirements
    environment = python.parents[1]
    stamp = environment / ".installed"
    wanted = digest(requirements.read_text(), sys.version)
    if up_to_date(stamp, wanted):
        return
    print(f"  Python packages of {suite.name} …", flush=True)
    hint = "the suites need Python 3.11 or later with venv (Debian: python3-venv), and a reachable package index"
    must([sys.executable, "-m", "venv", "--clear", environment], CLIENTS, hint)
    must([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements], CLIENTS, hint)
    stamp.write_text(wanted)


def install(suite):
    if suite.requirements:
        install_python(suite)
    if (CLIENTS / suite.name / "package-lock.json").is_file():
        install_npm(CLIENTS / suite.name)


def environment(options):
    variables = dict(os.environ, HARDHAT_DISABLE_TELEMETRY_PROMPT="true", PYTHONUNBUFFERED="1")
    for name in ("COCO_NETWORK_FILE", "COCO_ETHEREUM_HTTP", "COCO_ETHEREUM_WS", "COCO_FOREIGN_NODE"):
        variables.pop(name, None)
    if options.network_file:
        variables["COCO_NETWORK_FILE"] = str(options.network_file.resolve())
    if options.http:
        variables["COCO_ETHEREUM_HTTP"] = options.http
    if options.ws:
        variables["COCO_ETHEREUM_WS"] = options.ws
    if options.foreign:
        variables["COCO_FOREIGN_NODE"] = "1"
    return variables


@dataclass
class Result:
    suite: str
    problem: str | None  # None: it passed
    counts: tuple = (0, 0, 0)
    seconds: float = 0
    skipped: str | None = None  # why the suite as a whole did not run, in its own words


def count(lines, patterns):
    """Passed, failed, skipped; of several closing lines the last one of each wording counts."""
    totals = []
    for pattern in patterns:
        found = {}
        for line in lines:
            for match in re.finditer(pattern, line):
                found[re.sub(r"\d+", "", match.group(0))] = int(match.group(1))
        totals.append(sum(found.values()))
    return tuple(totals)


def run(suite, options, http):
    command = [part.format(python=python_of(suite) if suite.requirements else "", http=http) for part in suite.command]
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=CLIENTS / suite.name, env=environment(options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )
    late = threading.Event()

    def stop():
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(options.timeout, stop)
    timer.start()
    lines = []
    try:
        for line in process.stdout:
            print(f"  {line}", end="", flush=True)
            lines.append(COLOUR.sub("", line))
        code = process.wait()
    except KeyboardInterrupt:
        stop()
        raise
    finally:
        timer.cancel()

    # Node prints its counts before the details of failures, the others last; a suite's own output is before both.
    counts = count(lines, suite.counts)
    skipped = next((line.strip() for line in lines if line.startswith("SKIPPED")), None)
    if late.is_set():
        problem = f"stopped after {options.timeout} s"
    elif code != 0:
        problem = f"exit code {code}"
    elif counts[0] == 0 and suite.network != "none" and not skipped:
        problem = "no test passed"
    else:
        problem = None
    return Result(suite.name, problem, counts, time.monotonic() - started, skipped)


def print_table(results):
    width = max(len(result.suite) for result in results)
    print(f"\n{'suite':<{width}}  passed  failed  skipped  seconds")
    for result in results:
        passed, failed, skipped = result.counts
        verdict = f"FAILED: {result.problem}" if result.problem else result.skipped or "ok"
        print(f"{result.suite:<{width}}  {passed:>6}  {failed:>6}  {skipped:>7}  {result.seconds:>7.1f}  {verdict}")


def print_total(results):
    """The failures of a tolerant suite count only if it failed as a whole."""
    tolerated = [result for result in results if SUITES[result.suite].tolerant and not result.problem and not result.skipped]
    for result in tolerated:
        print(f"{result.suite} has {result.counts[1]} cases that fail and may")
    passed, failed, skipped = (sum(result.counts[index] for result in results) for index in range(3))
    print(f"{passed} passed, {failed - sum(result.counts[1] for result in tolerated)} failed, {skipped} skipped")


def print_list():
    width = max(map(len, SUITES))
    for suite in SUITES.values():
        print(f"{suite.name:<{width}}  {suite.about}; {NETWORKS[suite.network]}")
    print(f"{'all':<{width}}  those that any network will do for, and contracts")


def chosen(names):
    everything = [name for name, suite in SUITES.items() if suite.network in ("any", "none")]
    wanted = [each for name in names for each in (everything if name == "all" else [name])]
    if unknown := [name for name in wanted if name not in SUITES]:
        raise Failed(f"there is no suite {', '.join(unknown)}; clients/run.py --list names them")
    return [SUITES[name] for name in dict.fromkeys(wanted)]


def http_address(options):
    if options.http or not options.network_file:
        return options.http or ""
    return json.loads(options.network_file.read_text())["ethereum"]["http"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="suites to run, or all (see --list)")
    parser.add_argument("--network-file", type=Path, help="the ready file of the network (coco up --ready-file)")
    parser.add_argument("--http", help="another node's JSON-RPC address instead of the ready file's")
    parser.add_argument("--ws", help="another node's WebSocket address instead of the ready file's")
    parser.add_argument("--foreign", action="store_true", help="the node is not Coco: skip what only Coco promises")
    parser.add_argument("--install-only", action="store_true", help="install what the suites need and stop")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a suite may take (default %(default)s)")
    parser.add_argument("--list", action="store_true", help="list the suites")
    options = parser.parse_args()

    if options.list:
        print_list()
        return 0
    suites = chosen(options.suites)
    if not suites:
        raise Failed("name the suites to run, or all; clients/run.py --list names them")
    if not options.install_only and not options.network_file and any(suite.network != "none" for suite in suites):
        raise Failed("--network-file is missing: it is the file that `coco up --ready-file` writes")
    if options.network_file and not options.network_file.is_file():
        raise Failed(f"there is no file {options.network_file}: is the network up?")

    results = []
    for suite in suites:
        print(f"\n== {suite.name}: {suite.about}", flush=True)
        try:
            install(suite)
            if not options.install_only:
                results.append(run(suite, options, http_address(options)))
        except Failed as failure:
            results.append(Result(suite.name, str(failure)))
    if results:
        print_table(results)
        print_total(results)
    return 1 if any(result.problem for result in results) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"error: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
