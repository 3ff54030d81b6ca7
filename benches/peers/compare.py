#!/usr/bin/env python3
"""Measures Coco beside other systems: one command, one run, one machine, the same load.

    cargo xtask compare                                       everything, three rounds
    cargo xtask compare --seconds 3 --rounds 1 --no-tuning    a quick look
    cargo xtask compare --only anvil --only postgres          these, and Coco
    cargo xtask compare --json figures.json --write           for machines, and into docs/performance.md

First each peer shows for a moment which of its settings is its fastest. Then in each round every peer is started anew for every
load, measured until its last receipt was served, stopped and removed. Ratios are taken within a round: what else the machine
does in that minute it does to all of them.
"""

import argparse
import contextlib
import datetime
import json
import shutil
import sys
import tempfile
from pathlib import Path

from anvil import Anvil
from coco import Coco
from hardhat_node import Hardhat
from load import CELLS
from machine import SIGNALS, Failed, Stopped, describe
from postgres_server import Postgres
from results import Measured, cells, markdown, put_between_markers, summary, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
OTHERS = ("anvil", "hardhat", "postgres", "postgres-hash", "postgres-hash-replicated")
LOADS = {"transfer": "transfer", "erc20": "erc20"}
TUNING_SECONDS = 3


def options():
    parser = argparse.ArgumentParser(prog="cargo xtask compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=positive, default=10, help="how long each measurement sends (default %(default)s)")
    parser.add_argument("--rounds", type=positive, default=3, help="how often all is measured (default %(default)s)")
    parser.add_argument("--only", action="append", choices=OTHERS, help="measure only this peer beside Coco (again for more)")
    parser.add_argument("--workload", choices=LOADS, help="only this workload (default: both)")
    parser.add_argument("--no-tuning", action="store_true", help="take each peer's first setting instead of trying all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--write", action="store_true", help="write the comparison into docs/performance.md")
    return parser.parse_args()


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


class Comparison:
    def __init__(self, peers, loads, chosen, root):
        self.peers, self.loads, self.chosen, self.root = peers, loads, chosen, root
        self.tried, self.problems = [], []

    def run(self):
        settings = {cell: self.settings(cell) for cell in self.loads}
        results = {cell: {name: Measured(setting) for name, setting in settings[cell].items()} for cell in self.loads}
        for number in range(self.chosen.rounds):
            for cell in self.loads:
                # There and back, so that nobody always comes after the same one.
                order = list(results[cell]) if number % 2 == 0 else list(reversed(results[cell]))
                for name in order:
                    measured = results[cell][name]
                    figure, problem = self.measure(name, measured.setting, cell, self.chosen.seconds, f"round {number + 1}")
                    measured.rounds.append(figure)
                    if problem:
                        self.problems.append(f"{name}, {cell.name}: {problem}")
        return results

    def settings(self, cell):
        """The fastest setting of each peer that can bear this load. What is best for transfers is taken for tokens too."""
        best = {}
        for name, peer in self.peers.items():
            known = peer.settings(cell)
            if not known:
                continue
            best[name] = known[0]
            if len(known) > 1 and not self.chosen.no_tuning:
                best[name] = self.fastest(name, known, cell)
        return best

    def fastest(self, name, known, cell):
        alike = [tried for tried in self.tried if (tried["peer"], tried["batch"]) == (name, cell.batch)]
        if not alike:
            for setting in known:
                figure, problem = self.measure(name, setting, cell, min(TUNING_SECONDS, self.chosen.seconds), "tuning")
                alike.append({"peer": name, "batch": cell.batch, "load": cell.name, "setting": setting,
                              "per_second": figure and figure.per_second, "problem": problem})
            self.tried += alike
        return max(alike, key=lambda tried: tried["per_second"] or 0)["setting"]

    def measure(self, name, setting, cell, seconds, when):
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))
        try:
            figure, problem = self.peers[name].measure(setting, cell, seconds, place), None
        except Failed as failure:
            figure, problem = None, str(failure)
        finally:
            remove(place)
        told = f"{figure.per_second:,.0f}/s" if figure else problem
        print(f"{when}: {cell.name}: {name} ({setting}): {told}", flush=True)
        return figure, problem


def all_peers(chosen):
    coco = chosen.coco.resolve()
    peers = [Coco(3, coco), Coco(1, coco), Anvil(coco), Hardhat(coco), Postgres(), Postgres(by_hash=True), Postgres(by_hash=True, standbys=2)]
    return {peer.name: peer for peer in peers if peer.name not in OTHERS or peer.name in (chosen.only or OTHERS)}


@contextlib.contextmanager
def workplace():
    """Where all peers keep what they write: the folder for temporary files, so one disk for all."""
    root = Path(tempfile.mkdtemp(prefix="coco-compare-"))
    try:
        # PostgreSQL's user must get through, and need not look around.
        root.chmod(0o711)
        yield root
    finally:
        remove(root)


def remove(folder):
    with SIGNALS.held():
        shutil.rmtree(folder, ignore_errors=True)


def main():
    chosen = options()
    SIGNALS.listen()
    peers = all_peers(chosen)
    for peer in peers.values():
        peer.prepare()
    loads = [cell for cell in CELLS if chosen.workload in (None, cell.workload)]
    with workplace() as root:
        machine = describe(root)
        comparison = Comparison(peers, loads, chosen, root)
        results = comparison.run()
    report = {
        "when": datetime.date.today().isoformat(), "machine": machine, "seconds": chosen.seconds, "rounds": chosen.rounds,
        "peers": {peer.name: {"title": peer.title, "does": peer.does, "does_not": peer.does_not} for peer in peers.values()},
        "tried": comparison.tried, "results": summary(results), "problems": comparison.problems,
    }
    print("\n" + table(cells(report["results"], {peer.name: peer.title for peer in peers.values()})))
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if chosen.write:
        PAGE.write_text(put_between_markers(PAGE.read_text(), markdown(report)))
    for problem in comparison.problems:
        print(f"not measured: {problem}", file=sys.stderr)
    return 1 if comparison.problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"error: {failure}")
    except Stopped as stopped:
        print(f"stopped by {stopped}; nothing is left running", file=sys.stderr)
        sys.exit(130)
