"""Coco itself, as a user starts it: everything on."""

import contextlib
import json
from dataclasses import replace

from load import bench
from machine import process, run, until

# Callers at a time.
MANY = 64


class Coco:
    def __init__(self, nodes, programs):
        self.nodes = nodes
        self.name = f"coco-{nodes}"
        self.title = f"Coco, {nodes} nodes" if nodes > 1 else "Coco, one node"
        self.program = programs
        self.does = (
            "signatures checked, Ethereum roots, sealed and signed ledger, synced to disk"
            + (", on a majority of three nodes over mutual TLS" if nodes > 1 else "")
        )
        self.does_not = "protect from whoever owns the machine yet (virtual TEE)" + ("" if nodes > 1 else "; replicate")

    def prepare(self):
        pass

    def settings(self, cell):
        """As many connections as others have, and for batches as many as single calls have: nodes answer once all is on disk,
        so more callers at a time are no burden to them."""
        return list(dict.fromkeys(f"{connections} connections" for connections in (cell.connections, MANY)))

    def measure(self, setting, cell, seconds, place):
        cell = replace(cell, connections=int(setting.split()[0]))
        with self.running(place) as child:
            return bench(self.program, ["--dir", place / "network"], child.pid, cell, seconds)

    @contextlib.contextmanager
    def running(self, place):
        ready, log = place / "ready.json", place / "coco.log"
        command = [self.program, "up", "--quiet", "--dir", place / "network", "--nodes", str(self.nodes), "--rpc-port", "0",
                   "--ready-file", ready]
        try:
            with process(command, log) as child:
                until(lambda: read(ready), child, log, self.title)
                yield child
        finally:
            # Nodes outlive a `coco up` that was killed. It is no error if none runs.
            run([self.program, "down", "--quiet", "--dir", place / "network"], 60, "coco down")


def read(ready):
    """The ready file, once it is written in full."""
    try:
        return json.loads(ready.read_text())
    except (OSError, ValueError):
        return None
