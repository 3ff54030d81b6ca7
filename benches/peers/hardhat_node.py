"""Hardhat's in-process node."""

import contextlib
import os

from install import HERE, npm_packages
from load import KEY, bench, serves
from machine import process, until

MINING = {
    "a block every 2 s": "2000",
    "a block every 500 ms": "500",
    "a block every 100 ms": "100",
    "a block for each transaction (auto-mine)": "auto",
}


class Hardhat:
    name = "hardhat"
    title = "Hardhat"
    does = "signatures checked, Ethereum roots"
    does_not = "keep anything on disk, replicate, encrypt, sign what it did"

    def __init__(self, coco):
        self.coco = coco

    def prepare(self):
        npm_packages()

    def settings(self, _cell):
        return list(MINING)

    def measure(self, setting, cell, seconds, place):
        with self.running(setting, place) as (child, url):
            return bench(self.coco, ["--rpc", url], child.pid, cell, seconds)

    @contextlib.contextmanager
    def running(self, setting, place):
        log = place / "hardhat.log"
        variables = dict(os.environ, PEERS_KEY=KEY, PEERS_MINE=MINING[setting], HARDHAT_CONFIG=str(HERE / "hardhat/hardhat.config.cjs"),
                         HARDHAT_DISABLE_TELEMETRY_PROMPT="true", NODE_ENV="production")
        # In its own folder, since Hardhat takes the folder it runs in for a project.
        with process(["node", "server.cjs"], log, cwd=HERE / "hardhat", env=variables) as child:
            url = until(lambda: address(log), child, log, self.title)
            until(lambda: serves(url), child, log, self.title)
            yield child, url


def address(log):
    """What the server printed, once it serves."""
    lines = log.read_text().splitlines()
    return next((line for line in lines if line.startswith("http://")), None)
