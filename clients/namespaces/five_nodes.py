#!/usr/bin/env python3
"""Five nodes in five network namespaces, each with an address of its own: nodes join, retire, let their lease run out and are
replaced by newer code, under load and with partitions in between. Nothing that was acknowledged is lost, and no client sees more
than a request that it sends again.

usage: five_nodes.py COCO COCO_NODE DIRECTORY      as root; needs `ip` (iproute2)

Each case is one thing that must hold; the last line says how many did.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from load import Load, missing
from namespaces import Namespaces, address, possible

CASES = []
PATIENCE = 60


def case(function):
    """A case is told by its name and runs in the order in which it stands here."""
    CASES.append(function)
    return function


def until(holds, what, patience=PATIENCE):
    """Waits for something that is to become true; what it gives is given."""
    end = time.monotonic() + patience
    while True:
        try:
            found = holds()
        except (AssertionError, OSError, KeyError, ValueError) as error:
            found, last = None, error
        else:
            last = None
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not after {patience} s" + (f" ({last})" if last else "")
        time.sleep(0.2)


def alive(process):
    """Whether it runs; whoever started it may not have noticed its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Consortium:
    """What the cases share: the namespaces, the programs, and which node is where."""

    def __init__(self, coco, coco_node, directory):
        self.coco, self.coco_node, self.directory = Path(coco), Path(coco_node), Path(directory)
        self.spaces = Namespaces(6)
        self.network = self.directory / "founder"
        self.ready, self.ids, self.load = {}, {}, None

    def run(self, place, *command, fails=False, env=None):
        """A command of `coco` in the namespace of node `place`."""
        command = [str(part) for part in command]
        inside = self.spaces.inside(place) if place else []
        done = subprocess.run([*inside, str(self.coco), *command], capture_output=True, text=True,
                              env={**os.environ, **(env or {})}, timeout=120)
        told = f"coco {' '.join(command)}: {done.stdout[-400:]} {done.stderr[-600:]}"
        assert (done.returncode != 0) == fails, told
        return done.stderr if fails else done.stdout

    def found(self):
        ready = self.directory / "ready1.json"
        self.run(1, "up", "--quiet", "--detach", "--nodes", 1, "--rpc-port", 0, "--listen", address(1),
                 "--dir", self.network, "--ready-file", ready)
        self.ready[1] = json.loads(ready.read_text())
        self.ids[1] = self.ready[1]["nodes"][0]["id"]
        self.run(None, "member", "ack", "--all", "--dir", self.network)

    @property
    def certificate(self):
        return self.network / "service_cert.pem"

    def door(self, place):
        return self.ready[place]["nodes"][0]["governance"]

    def join(self, place, through=1, node=None, fails=False):
        """A new node in the namespace `place`, which waits for members. Gives its id, or what was said if it is to fail."""
        directory = self.directory / f"node{place}"
        env = {"COCO_NODE": str(node)} if node else None
        told = self.run(place, "node", "join", "--quiet", "--network", self.door(through), "--service-certificate",
                        self.certificate, "--dir", directory, "--listen", address(place), "--detach", fails=fails, env=env)
        return told if fails else json.loads((directory / "joining.json").read_text())["id"]

    def serve(self, place, node=None):
        """A node that members trust: until it votes."""
        directory, ready = self.directory / f"node{place}", self.directory / f"ready{place}.json"
        env = {"COCO_NODE": str(node)} if node else None
        self.run(place, "node", "join", "--quiet", "--dir", directory, "--detach", "--ready-file", ready, env=env)
        self.ready[place] = json.loads(ready.read_text())

    def bring(self, place, through, node=None):
        """A new node, until it votes and clients know it."""
        self.go_on(place, self.join(place, through, node), through, node)

    def go_on(self, place, joined, through=1, node=None):
        """A node that waits for members."""
        self.trust(joined, through)
        self.serve(place, node)
        self.votes(joined, through)
        self.ids[place] = joined
        self.load.use([self.ledger(here) for here in self.ready])

    def nodes(self, through=1):
        told = self.run(None, "node", "list", "--json", *self.at(through))
        return {node["id"]: node for node in json.loads(told)["nodes"]}

    def at(self, through, member=None):
        """Where a command talks to, and who signs."""
        options = ["--url", self.door(through), "--service-certificate", self.certificate]
        if member:
            keys = self.network / "members"
            options += ["--certificate", keys / f"{member}_cert.pem", "--key", keys / f"{member}_privk.pem"]
        return options

    def decide(self, actions, through=1):
        """All three members want it."""
        file = self.directory / "proposal.json"
        file.write_text(json.dumps({"actions": actions}))
        proposal = json.loads(self.run(None, "proposal", "new", file, "--json", *self.at(through, "member0")))
        for member in ("member0", "member1", "member2"):
            if proposal["state"].lower() != "open":
                break
            vote = ("proposal", "vote", proposal["id"], "--yes", "--json", *self.at(through, member))
            proposal = json.loads(self.run(None, *vote))
        assert proposal["state"] .lower() == "accepted", proposal

    def trust(self, node, through=1):
        now = time.strftime("%y%m%d%H%M%SZ", time.gmtime())
        self.decide([{"name": "transition_node_to_trusted", "args": {"node_id": node, "valid_from": now}}], through)

    def votes(self, node, through=1):
        until(lambda: self.nodes(through)[node]["counted"] == "voter", f"node {node[:8]} votes")

    def ledger(self, place):
        """Where a node serves the key-value ledger."""
        return self.ready[place]["nodes"][0]["ledgers"]["keyvalue"]

    def status(self, place):
        with urllib.request.urlopen(self.ready[place]["nodes"][0]["http"] + "/node/status", timeout=3) as answer:
            return json.load(answer)

    def secret(self, place):
        """From which entry on the newest ledger secret is in force that a node has."""
        with urllib.request.urlopen(self.ready[place]["nodes"][0]["http"] + "/node/metrics", timeout=3) as answer:
            told = answer.read().decode()
        return next(int(float(line.split()[1])) for line in told.splitlines() if line.startswith("coco_ledger_secret_seqno "))

    def primary(self, among=None):
        """The place of the node that leads, as the others say."""
        def leader():
            for place in among or self.ready:
                status = self.status(place)
                if status["role"] == "primary":
                    return place
            return None
        return until(leader, "a primary")

    def backups(self):
        primary = self.primary()
        return [place for place in self.ready if place != primary]

    def backup(self):
        return self.backups()[0]

    def some(self):
        """A node that is there."""
        return next(iter(self.ready))

    def level(self, place):
        """The node has all that was acknowledged until now."""
        due = max(self.status(other)["seqno"] for other in self.ready if other != place)
        until(lambda: self.status(place)["seqno"] >= due, f"node {place} catches up")

    def retire(self, place):
        """Members let a node go, and it ends by itself. Clients need not send anything more than twice for that."""
        others = [other for other in self.ready if other != place]
        self.load.use([self.ledger(other) for other in others])
        time.sleep(0.5)
        since, node = self.load.mark(), self.ids[place]
        self.decide([{"name": "remove_node", "args": {"node_id": node}}], others[0])
        until(lambda: self.nodes(others[0])[node]["retired_committed"], f"node {place} is let go")
        until(lambda: not alive(self.ready[place]["nodes"][0]["pid"]), f"node {place} ends")
        del self.ready[place]
        directory = self.directory / f"node{place}"
        if directory.exists():
            directory.rename(self.directory / f"gone{place}-{node[:8]}")
        assert self.load.most_tries(since) <= 2, self.load.problems[-5:]

    def another_version(self, name):
        """The same program with another measurement: bytes behind the end of an executable are of no account to the system."""
        program = self.directory / f"coco-node-{name}"
        program.write_bytes(self.coco_node.read_bytes() + name.encode())
        program.chmod(0o755)
        return program

    def close(self):
        if self.load:
            self.load.stop()
        for directory in [self.network, *sorted(self.directory.glob("node*"))]:
            subprocess.run([self.coco, "down", "--quiet", "--dir", directory], capture_output=True)
        self.spaces.close()


@case
def one_node_begins(world):
    world.found()
    world.load = Load()
    world.load.start([world.ledger(1)])
    until(lambda: len(world.load.acknowledged) > 50, "clients write")


@case
def a_node_whose_code_nobody_approved_gets_nothing(world):
    told = world.join(2, node=world.another_version("unknown"), fails=True)
    assert "manifest" in told or "InvalidQuote" in told, told
    assert len(world.nodes()) == 1, "it left a row"
    shutil.rmtree(world.directory / "node2")


@case
def four_nodes_join_while_clients_write(world):
    node = world.join(2)
    pending = world.nodes()[node]
    assert (pending["status"], pending["counted"]) == ("pending", None), pending
    assert not (world.directory / "node2" / "virtual-tee" / "service_key.sealed").exists(), "it has secrets already"
    for place in (2, 3, 4, 5):
        world.bring(place, max(1, place - 1)) if place > 2 else world.go_on(2, node)
    assert sorted(world.status(5)["voters"]) == sorted(node["number"] for node in world.nodes().values())


@case
def a_node_that_is_cut_off_keeps_nobody_waiting_and_catches_up(world):
    place = world.backup()
    world.load.use([world.ledger(here) for here in world.ready if here != place])
    before = len(world.load.acknowledged)
    world.spaces.cut_off(place)
    until(lambda: len(world.load.acknowledged) > before + 200, "the others go on")
    world.spaces.connect(place)
    world.level(place)
    world.load.use([world.ledger(here) for here in world.ready])


@case
def a_primary_that_is_cut_off_is_replaced(world):
    primary = world.primary()
    others = [here for here in world.ready if here != primary]
    world.load.use([world.ledger(here) for here in others])
    world.spaces.cut_off(primary)
    until(lambda: world.primary(others) != primary, "another node leads")
    before = len(world.load.acknowledged)
    until(lambda: len(world.load.acknowledged) > before + 100, "clients write")
    world.spaces.connect(primary)
    world.level(primary)


@case
def two_backups_that_cannot_reach_each_other_disturb_nobody(world):
    one, other = world.backups()[:2]
    world.spaces.part(one, other)
    before = len(world.load.acknowledged)
    until(lambda: len(world.load.acknowledged) > before + 200, "clients write")
    world.spaces.mend(one, other)


@case
def a_backup_retires_and_no_client_notices(world):
    world.retire(world.backups()[-1])


@case
def the_primary_retires_and_no_client_notices(world):
    world.retire(world.primary())


@case
def a_node_whose_lease_runs_out_does_not_vote_until_it_attests_again(world):
    world.decide([{"name": "set_lease", "args": {"seconds": 60}}], world.some())
    place = world.backup()
    node = world.ids[place]
    until(lambda: all(row["counted"] == "voter" for row in world.nodes(world.some()).values() if row["status"] == "trusted"), "all renew")
    world.load.use([world.ledger(here) for here in world.ready if here != place])
    world.spaces.cut_off(place)
    others = [here for here in world.ready if here != place]
    until(lambda: world.nodes(others[0])[node]["counted"] != "voter", "the lease of the node that is cut off runs out", 2 * PATIENCE)
    # The ledger gets a new secret, which is not for it: it is handed that once it has attested.
    before = world.secret(others[0])
    world.decide([{"name": "trigger_ledger_rekey", "args": None}], others[0])
    until(lambda: world.secret(others[0]) > before, "a new ledger secret")
    world.spaces.connect(place)
    until(lambda: world.nodes(others[0])[node]["counted"] == "voter", "it comes back by attesting again")
    world.level(place)
    assert world.secret(place) == world.secret(others[0])


@case
def new_code_takes_over_under_load(world):
    newer = world.another_version("newer")
    measurement = hashlib.sha256(newer.read_bytes()).hexdigest()
    old = hashlib.sha256(world.coco_node.read_bytes()).hexdigest()
    world.decide([{"name": "add_code", "args": {"tee": "virtual", "measurement": measurement, "version": "newer"}}], world.some())
    since = world.load.mark()
    before = list(world.ready)
    free = [place for place in range(1, 7) if place not in world.ready]
    for place in free[: len(before)]:
        world.bring(place, world.some(), newer)
        if before:
            world.retire(before.pop())
    while len(before) > 1:
        world.retire(before.pop())
    world.decide([{"name": "remove_code", "args": {"tee": "virtual", "measurement": old}}], world.some())
    assert world.load.most_tries(since) <= 2, world.load.problems[-5:]


@case
def nothing_that_was_acknowledged_is_lost(world):
    world.load.stop()
    assert len(world.load.acknowledged) > 1000, len(world.load.acknowledged)
    for place in world.ready:
        world.level(place)
        lacking = missing(world.ledger(place), world.load.acknowledged)
        assert not lacking, f"node {place} lacks {lacking[:5]}"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    if not possible():
        print("SKIPPED: this machine does not let us have network namespaces (root and iproute2 are needed)\n0 passed, 0 failed")
        return
    directory = Path(sys.argv[3])
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    world, passed = Consortium(sys.argv[1], sys.argv[2], directory), 0
    try:
        for function in CASES:
            begun = time.monotonic()
            try:
                function(world)
                passed += 1
                print(f"ok      {function.__name__.replace('_', ' ')} ({time.monotonic() - begun:.0f} s)", flush=True)
            except Exception as error:
                print(f"FAILED  {function.__name__.replace('_', ' ')}: {error}", flush=True)
                break
    finally:
        world.close()
    print(f"{passed} passed, {len(CASES) - passed} failed")
    sys.exit(passed != len(CASES))


if __name__ == "__main__":
    main()
