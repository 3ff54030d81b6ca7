"""Reading the suite: `.io` files of comments, `>>` requests and `<<` answers, and the OpenRPC document's result schemas."""

import json
from dataclasses import dataclass
from pathlib import Path

import zstandard
from jsonschema import Draft7Validator


def parse(text):
    """JSON with every number a float, as the suite compares them."""
    return json.loads(text, parse_int=float)


@dataclass(frozen=True)
class Case:
    name: str  # METHOD/FILE, without .io
    method: str
    exchanges: tuple  # of (request as it is sent, expected answer parsed)
    spec_only: bool


def read_case(path):
    method = path.parent.name
    requests, answers, spec_only = [], [], False
    for line in path.read_text().splitlines():
        if line.startswith(">>"):
            requests.append(line[2:].strip())
        elif line.startswith("<<"):
            answers.append(parse(line[2:]))
        elif line.startswith("//") and line[2:].strip().startswith("speconly:") and not requests:
            spec_only = True
    if len(requests) != len(answers):
        raise ValueError(f"{path}: {len(requests)} requests, {len(answers)} answers")
    return Case(f"{method}/{path.stem}", method, tuple(zip(requests, answers)), spec_only)


def read_cases(suite: Path):
    """All cases in the order of their paths, except that those which send transactions come last: on a chain that is
    final at once they would move `latest` under the others."""
    cases = [read_case(path) for path in sorted((suite / "cases").glob("*/*.io"))]
    return sorted(cases, key=lambda case: case.method == "eth_sendRawTransaction")


def read_schemas(suite: Path):
    """method → validator of its result"""
    with (suite / "openrpc.json.zst").open("rb") as file:
        document = json.load(zstandard.ZstdDecompressor().stream_reader(file))
    return {method["name"]: Draft7Validator(method["result"]["schema"]) for method in document["methods"]}
