"""What the comparison reads, computes and renders. No network, no peers, no npm: `python3 -m unittest benches/peers/tests.py`."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import load
import machine
import postgres_server
import results
from load import CELLS, Figure
from machine import Failed
from results import BEGIN, END, Measured

PGBENCH = """\
pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: load.sql
scaling factor: 1
query mode: prepared
number of clients: 32
number of transactions actually processed: 400
number of failed transactions: 0 (0.000%)
latency average = 3.920 ms
initial connection time = 41.121 ms
tps = 81.715000 (without initial connection time)
"""


def figures(*rates):
    return [rate and Figure(1000, rate, 5.0, 100.0) for rate in rates]


class Pgbench(unittest.TestCase):
    def test_its_closing_lines_are_read_and_a_run_is_a_batch(self):
        one = postgres_server.figure(PGBENCH, 1, 0.08)
        self.assertEqual(one, Figure(400, 81.715, 3.92, 200.0))
        many = postgres_server.figure(PGBENCH, 100, 0.08)
        self.assertEqual((many.transactions, many.per_second, many.cpu_us), (40000, 8171.5, 2.0))

    def test_failures_and_foreign_words_are_no_figure(self):
        for wrong in ("", PGBENCH.replace("failed transactions: 0", "failed transactions: 3"), PGBENCH.replace("tps = ", "tps: ")):
            with self.assertRaises(Failed):
                postgres_server.figure(wrong, 1, 1.0)

    def test_a_pipeline_chooses_first_and_commits_each_transfer(self):
        script = (postgres_server.SQL / "transfer.sql").read_text()
        self.assertEqual(postgres_server.pipeline(script, 1), script)
        lines = postgres_server.pipeline(script, 3).splitlines()
        self.assertEqual([line.split()[0] for line in lines[:7]], ["\\set"] * 6 + ["\\startpipeline"])
        self.assertEqual(lines[7:10], ["begin;", "select transfer(:sender0, :receiver0, 1);", "commit;"])
        self.assertEqual((lines.count("commit;"), lines[-1]), (3, "\\endpipeline"))


class Generator(unittest.TestCase):
    def row(self, **changes):
        row = {"load": "full", "transactions": 5000, "failed": 0, "transactions_per_second": 2500.0, "seconds": 2.0, "receipt_ms": {"mean": 9.5}}
        return row | changes

    def test_its_one_measurement_is_read(self):
        output = json.dumps({"measurements": [self.row()]})
        self.assertEqual(load.figure(output, lambda seconds: seconds / 4), Figure(5000, 2500.0, 9.5, 100.0))

    def test_failed_transactions_and_another_format_are_no_figure(self):
        for wrong in ("nothing", "{}", json.dumps({"measurements": []}), json.dumps({"measurements": [self.row()] * 2}), json.dumps({"measurements": [self.row(failed=1)]})):
            with self.assertRaises(Failed):
                load.figure(wrong, lambda _: 1.0)


class Machine(unittest.TestCase):
    def test_the_busiest_span_is_found_between_looks(self):
        idle_busy_idle = [(0, 0.0), (1, 0.1), (2, 1.1), (3, 2.1), (4, 2.2)]
        self.assertAlmostEqual(machine.busiest(idle_busy_idle, 2), 2.0)
        self.assertAlmostEqual(machine.busiest(idle_busy_idle, 1.5), 1.5)
        self.assertAlmostEqual(machine.busiest(idle_busy_idle, 9), 2.2)
        self.assertEqual(machine.busiest([(0, 5.0)], 1), 0.0)

    def test_a_program_and_what_it_started_end_with_the_block(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            with machine.process(["sh", "-c", "sleep 600 & echo started; wait"], log) as child:
                machine.until(lambda: log.read_text() or None, child, log, "a shell")
                family = machine.tree(child.pid)
                self.assertEqual(len(family), 2)
                self.assertIn("sh", Path(f"/proc/{child.pid}/comm").read_text())
            for pid in family:
                self.assertFalse(machine.alive(pid), pid)

    def test_a_signal_is_heard_once_and_not_amid_cleaning_up(self):
        signals = machine.Signals()
        cleaned = []
        with self.assertRaises(machine.Stopped):
            with signals.held():
                signals.heard(15, None)
                cleaned.append("all of it")
        signals.heard(2, None)
        with signals.held():
            cleaned.append("and what is outside of that")
        self.assertEqual(len(cleaned), 2)
        with self.assertRaises(machine.Stopped):
            machine.Signals().heard(2, None)

    def test_errors_say_what_is_missing_or_what_was_told(self):
        with self.assertRaisesRegex(Failed, "no-such-program is not installed. apt has it"):
            machine.run(["no-such-program"], 1, "it", "apt has it")
        with self.assertRaisesRegex(Failed, "it failed: error: disk full"):
            machine.run(["sh", "-c", "echo error: disk full >&2; echo hint >&2; exit 1"], 9, "it")


class Results(unittest.TestCase):
    def setUp(self):
        self.results = {
            CELLS[0]: {
                "coco-3": Measured("as it comes", figures(1000, 3000, 2000)),
                "anvil": Measured("a block every 20 ms", figures(500, 1000, None)),
                "postgres": Measured("64 connections", figures(None, None, None)),
            }
        }
        self.rows = results.summary(self.results)

    def test_ratios_are_taken_within_rounds_that_have_both(self):
        coco, anvil, postgres = self.rows
        self.assertEqual(coco["per_second"], 2000)
        self.assertEqual(coco["ratios"], {})
        self.assertEqual(anvil["ratios"], {"coco-3": {"each": [2.0, 3.0], "median": 2.5}})
        self.assertEqual((postgres["per_second"], postgres["ratios"]), (None, {}))

    def test_the_markdown_names_a_load_once_and_what_peers_do_not_do(self):
        titles = ("coco-3", "anvil", "postgres")
        text = results.markdown({
            "when": "2026-01-02", "seconds": 10, "rounds": 3, "results": self.rows,
            "machine": {"cpu": "Some CPU", "cores": 2, "memory_gib": 8, "system": "Debian", "file_system": "ext4",
                        "fdatasync": {"p50_ms": 0.5, "p99_ms": 2.0}, "load_average_before": 0.1},
            "peers": {name: {"title": name.title(), "does": "much", "does_not": "replicate"} for name in titles},
            "tried": [{"peer": "anvil", "load": "transfers", "setting": "auto", "per_second": None, "problem": "it hung"}],
        })
        self.assertEqual(text.count("transfers, batches of 100"), 1)
        self.assertIn("|  | Anvil | 750 | 2.50× (2.00-3.00) |  | 5.0 | 100 | a block every 20 ms |", text)
        self.assertIn("|  | Postgres | - |  |  | - | - | 64 connections |", text)
        self.assertIn("| Anvil | much | replicate |", text)
        self.assertIn("* Anvil, transfers: auto: no figure (it hung)", text)

    def test_only_what_is_between_the_markers_is_rewritten(self):
        page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
        self.assertEqual(results.put_between_markers(page, "new"), f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n")
        for wrong in ("", BEGIN, f"{END}{BEGIN}", page + BEGIN):
            with self.assertRaises(Failed):
                results.put_between_markers(wrong, "new")


if __name__ == "__main__":
    unittest.main()
