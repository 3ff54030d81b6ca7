"""From measurements to medians, ratios, a table and a page."""

import statistics
from dataclasses import dataclass, field

from load import Cell, Figure
from machine import Failed

OURS = ("coco-3", "coco-1")
BEGIN, END = "<!-- compare: begin -->", "<!-- compare: end -->"


@dataclass
class Measured:
    """One peer under one load: a figure a round, or None where it could not be measured."""

    setting: str
    rounds: list[Figure | None] = field(default_factory=list)

    def median(self, what):
        values = [getattr(figure, what) for figure in self.rounds if figure]
        return statistics.median(values) if values else None


# By load, then by the peer's name.
Results = dict[Cell, dict[str, Measured]]


def ratios(ours, theirs):
    """Ours over theirs in each round that has both: what the machine did meanwhile it did to both."""
    return [mine.per_second / other.per_second for mine, other in zip(ours.rounds, theirs.rounds) if mine and other]


def summary(results):
    """A row for each load and peer, in numbers."""
    rows = []
    for cell, peers in results.items():
        for name, measured in peers.items():
            row = {
                "load": cell.name, "workload": cell.workload, "batch": cell.batch, "connections": cell.connections, "peer": name,
                "setting": measured.setting, "rounds": [figure and figure.as_json() for figure in measured.rounds],
                "per_second": measured.median("per_second"), "mean_ms": measured.median("mean_ms"),
                "cpu_us": measured.median("cpu_us"), "ratios": {},
            }
            for own in OURS:
                if own in peers and name not in OURS and (each := ratios(peers[own], measured)):
                    row["ratios"][own] = {"each": each, "median": statistics.median(each)}
            rows.append(row)
    return rows


COLUMNS = ("load", "peer", "tx/s", "Coco, 3 nodes", "Coco, one node", "mean ms", "CPU µs/tx", "setting")


def cells(rows, titles):
    """The rows as text; a load is named once."""
    lines, before = [], None
    for row in rows:
        load, before = ("" if row["load"] == before else row["load"]), row["load"]
        lines.append((load, titles[row["peer"]], number(row["per_second"]), *(ratio(row["ratios"].get(own)) for own in OURS),
                      number(row["mean_ms"], 1), number(row["cpu_us"]), row["setting"]))
    return lines


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(found):
    """The median, and between what the rounds were."""
    if not found:
        return ""
    low, high = min(found["each"]), max(found["each"])
    return f"{found['median']:.2f}×" + (f" ({low:.2f}-{high:.2f})" if len(found["each"]) > 1 else "")


def table(lines):
    """For a terminal."""
    lines = [COLUMNS, *lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    left = (0, 1, len(COLUMNS) - 1)
    pad = lambda line: "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths)))
    return "\n".join(pad(line).rstrip() for line in lines)


def markdown(report):
    """What stands between the markers of the page."""
    machine, sync = report["machine"], report["machine"]["fdatasync"]
    peers = report["peers"]
    lines = cells(report["results"], {name: peer["title"] for name, peer in peers.items()})
    text = [
        f"Measured {report['when']} on {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; "
        f"{machine['file_system']}, where 4 KiB are on disk after {sync['p50_ms']:.2f} ms (median; 99 of 100 within {sync['p99_ms']:.2f}). "
        f"Rounds: {report['rounds']} of {report['seconds']} s. Load average before: {machine['load_average_before']}.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---|---|--:|--:|--:|--:|--:|---|",
        *("| " + " | ".join(line) + " |" for line in lines),
        "",
        "| peer | does | does not |",
        "|---|---|---|",
        *(f"| {peer['title']} | {peer['does']} | {peer['does_not']} |" for peer in peers.values()),
    ]
    if report["tried"]:
        text += ["", "Tried for a moment each, to find the fastest setting (transfers):", ""]
        text += [f"* {peers[tried['peer']]['title']}, {tried['load']}: {tried['setting']}: {outcome(tried)}" for tried in report["tried"]]
    return "\n".join(text)


def outcome(tried):
    return f"{tried['per_second']:,.0f}/s" if tried["per_second"] else f"no figure ({tried['problem']})"


def put_between_markers(page, text):
    """The page with another text between the markers."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise Failed(f"the page must have one line {BEGIN} and after it one line {END}")
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"
