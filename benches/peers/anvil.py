"""anvil, foundry's development node."""

import contextlib
import platform
import socket

from install import NODE_MODULES, npm_packages
from load import bench, serves
from machine import Failed, process, until

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# Fees are off as they are in Coco, blocks may be as large as they want, and states of the past are not kept.
ALWAYS = ["--silent", "--block-base-fee-per-gas", "0", "--gas-limit", "1000000000000", "--prune-history", "--chain-id", "1337"]
MINING = {
    "a block every 20 ms": ["--block-time", "0.02"],
    "a block every 5 ms": ["--block-time", "0.005"],
    "a block every 100 ms": ["--block-time", "0.1"],
    "a block for each transaction (auto-mine)": [],
    "auto-mine and a block every 100 ms (mixed)": ["--block-time", "0.1", "--mixed-mining"],
}


class Anvil:
    name = "anvil"
    title = "anvil"
    does = "signatures checked, Ethereum roots"
    does_not = "keep anything on disk, replicate, encrypt, sign what it did"

    def __init__(self, coco):
        self.coco = coco

    def prepare(self):
        npm_packages()
        if not self.program().is_file():
            raise Failed(f"npm has no anvil for this machine ({platform.machine()})")

    def program(self):
        # The program itself: the package's wrapper around it would be one more process to stop.
        machine = MACHINES.get(platform.machine(), platform.machine())
        return NODE_MODULES / f"@foundry-rs/anvil-linux-{machine}" / "bin" / "anvil"

    def settings(self, _cell):
        return list(MINING)

    def measure(self, setting, cell, seconds, place):
        with self.running(setting, place) as (child, url):
            return bench(self.coco, ["--rpc", url], child.pid, cell, seconds)

    @contextlib.contextmanager
    def running(self, setting, place):
        port, log = free_port(), place / "anvil.log"
        url = f"http://127.0.0.1:{port}"
        command = [self.program(), "--port", str(port), "--cache-path", place, *ALWAYS, *MINING[setting]]
        with process(command, log, cwd=place) as child:
            until(lambda: serves(url), child, log, self.title)
            yield child, url


def free_port():
    """A port that nobody listened on a moment ago; whoever takes it says so if it is gone."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]
