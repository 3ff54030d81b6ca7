"""The load that all Ethereum peers get: `coco bench ethereum`, with the same accounts and connections for all."""

import json
import urllib.request
from dataclasses import asdict, dataclass
from urllib.error import URLError

from machine import Failed, Watch, run

# The first account of every development tool; it pays for the others.
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ACCOUNTS = 1000
WARM_UP = 2


@dataclass(frozen=True)
class Cell:
    """One kind of load."""

    workload: str
    batch: int
    connections: int

    @property
    def name(self):
        what = {"transfer": "transfers", "erc20": "ERC-20 transfers"}[self.workload]
        return f"{what}, " + ("single calls" if self.batch == 1 else f"batches of {self.batch}")


CELLS = [Cell("transfer", 100, 8), Cell("transfer", 1, 64), Cell("erc20", 100, 8), Cell("erc20", 1, 64)]


@dataclass(frozen=True)
class Figure:
    """What one measurement gave."""

    transactions: int
    per_second: float
    mean_ms: float
    cpu_us: float

    def as_json(self):
        return asdict(self)


def bench(coco, target, root, cell, seconds):
    """Measures what serves at `target` (arguments of the generator) and runs as the process tree under `root`."""
    command = [coco, "bench", "ethereum", *target, "--key", KEY, "--workload", cell.workload, "--batch", cell.batch,
               "--load", "full", "--connections", cell.connections, "--seconds", seconds, "--warm-up", WARM_UP, "--accounts", ACCOUNTS, "--json"]
    # A peer that is far behind its own answers is given up.
    limit = 40 + 3 * (seconds + WARM_UP)
    with Watch(root) as watch:
        output = run([str(word) for word in command], limit, "the load")
    return figure(output, watch.busiest)


def figure(output, cpu_within):
    """The one measurement in the generator's JSON."""
    try:
        (row,) = json.loads(output)["measurements"]
        transactions, failed = row["transactions"], row["failed"]
        per_second, seconds, mean = row["transactions_per_second"], row["seconds"], row["receipt_ms"]["mean"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"`coco bench ethereum --json` prints something else than it did: {error!r}") from None
    if failed or not transactions:
        raise Failed(f"{failed} of {transactions} transactions failed: this measures nothing")
    return Figure(transactions, per_second, mean, cpu_within(seconds) * 1e6 / transactions)


def serves(url):
    """A JSON-RPC server's chain id, or None while there is none."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return json.load(answer).get("result")
    except (URLError, OSError, ValueError):
        return None
