#!/usr/bin/env python3
"""What a node serves is what its OpenAPI documents say: Schemathesis asks everything that they describe, rightly and wrongly.

usage: run.py NETWORK_FILE

Runs in an environment with the packages of requirements.txt; NETWORK_FILE is what `coco up --ready-file` writes, of a network on
which nothing was decided yet. Requests are generated, the same ones each time; hooks.py signs a part of them as members do. The last
line says how many operations held.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

from network import NO, YES, Network

HERE = Path(__file__).resolve().parent
SEED = "1"
# On which node each document is tried: a backup takes members' requests like the primary.
TRIED = [("/gov/api", 1), ("/node/api", 0)]
# A node is one of these and not the other, and says so.
MAY_FAIL = [f"{method} /node/{role}" for method in ("GET", "HEAD") for role in ("primary", "backup")]
# The service is nobody's recovery and waits for none, its members hold no shares, and no node has an application.
MAY_FAIL += ["GET /node/service/previous_identity", "GET /gov/service/javascript-modules/{module}"]
MAY_FAIL += ["GET /gov/recovery/encrypted-shares/{member}", "POST /gov/recovery/members/{member}:recover"]
# Requests here show no certificate, and nodes are not let go: both are refused, as they are described.
MAY_FAIL += ["POST /node/join", "DELETE /node/network/nodes/{node}"]
FILES = ("ledger_chunk", "ledger_chunk/{file}", "snapshot", "snapshot/{file}")
MAY_FAIL += [f"{method} /node/{path}" for method in ("GET", "HEAD") for path in FILES]


def prepare(network):
    """There is something of everything to be asked for: members that count, proposals in several states, a user."""
    for member in network.members:
        network.acknowledge(member)
    first, second, *_ = network.members
    user = network.propose(first, ("set_user", {"cert": first.pem, "user_data": {"desk": 7}}))
    for member in network.members:
        if network.vote(member, user, YES)["proposalState"] == "Accepted":
            break
    waiting = network.propose(first, ("set_member_data", {"member_id": first.id, "member_data": {"name": "first"}}))
    network.vote(second, waiting, NO)
    return waiting


def tried(network, file, document, node, waiting):
    """How many operations held and did not."""
    with tempfile.TemporaryDirectory() as reports:
        report, answers = Path(reports, "junit.xml"), Path(reports, "answers")
        command = [
            Path(sys.executable).with_name("schemathesis"), "run", network.doors[node] + document, "--seed", SEED,
            "--tls-verify", network.service_certificate, "--report", "junit", "--report-junit-path", report,
        ]
        variables = dict(
            os.environ, PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1", HYPOTHESIS_STORAGE_DIRECTORY=reports,
            COCO_NETWORK_FILE=str(Path(file).resolve()), COCO_PROPOSAL=waiting, COCO_ANSWERS=str(answers),
        )
        done = subprocess.run([str(part) for part in command], cwd=HERE, env=variables)
        if not report.is_file():
            sys.exit(f"Schemathesis wrote no report on {document}")
        cases = list(xml.parse(report).iter("testcase"))
        bad = {case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None}
        succeeded = {line.rsplit(" ", 1)[0] for line in answers.read_text().splitlines() if line.rsplit(" ", 1)[1] < "300"}
    names = {case.get("name") for case in cases}
    for name in sorted(names - succeeded - set(MAY_FAIL)):
        print(f"FAILED  {name}: never did what it is for")
        bad.add(name)
    return len(names - bad), max(len(bad), int(done.returncode != 0))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    network = Network(sys.argv[1])
    waiting = prepare(network)
    passed = failed = 0
    for document, node in TRIED:
        print(f"--- {document} of node {node + 1}", flush=True)
        held, did_not = tried(network, sys.argv[1], document, node, waiting)
        passed, failed = passed + held, failed + did_not
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
