"""A page whose commands can be typed: its blocks, and whether what comes is what it shows.

A block ```sh is typed; a block ```text that comes next is what it prints, to both outputs. In what is shown

    …               in a line is any text; a line of nothing else is any number of lines
    3f2a1c04        hexadecimal, eight digits or more, is an id: another one each time, but the same one wherever the page has it
    127.0.0.1:4711  has another port each time, in the same way
    several spaces  are as good as one: columns are as wide as they must be; and lines that only say that one waits are passed over

and an id or a port that a command has is the one that was shown for it, as a reader would type it. A command fails exactly if the
page shows a line that begins with `error:`.
"""

import re
from dataclasses import dataclass, field

ANY = "…"
# How much of an id tells it from the others of a page.
TELLING = 8
NAME = re.compile(r"(?P<id>\b[0-9a-f]{8,}\b)|(?<=127\.0\.0\.1:)(?P<port>[0-9]+)")
# What `coco` says when the machine is slow.
WAITING = re.compile(r"the service takes its time …|(still )?waiting for .*")
FENCE = re.compile(r"^```(\w*)$")


@dataclass
class Block:
    line: int
    typed: list = field(default_factory=list)
    shown: list | None = None

    @property
    def name(self):
        return self.typed[0] if len(self.typed) == 1 else f"{self.typed[0]} … ({len(self.typed)} lines)"

    @property
    def failures(self):
        """How many of its commands are to fail."""
        return sum(line.startswith("error:") for line in self.shown or [])


def blocks(text):
    """What a page wants typed, in order, with what it shows of each."""
    found, lines = [], iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        fence = FENCE.match(line)
        if not fence:
            continue
        inside = []
        for _, line in lines:
            if line == "```":
                break
            inside.append(line)
        else:
            raise ValueError(f"line {number}: the block is not closed")
        if fence[1] == "sh":
            found.append(Block(number, inside))
        elif fence[1] == "text" and found and found[-1].shown is None:
            found[-1].shown = inside
    return found


class Names:
    """Which id or port of this run stands for which one of the page."""

    def __init__(self):
        # Ids by how they begin on the page; ports by all of it.
        self.ids, self.ports = {}, {}

    def typed(self, command):
        """What a reader would type for a command of the page."""
        return NAME.sub(lambda found: self.real_port(found[0]) if found["port"] else self.real_id(found[0]), command)

    def real_id(self, shown):
        real = self.ids.get(shown[:TELLING], "")
        if len(real) < len(shown):
            raise ValueError(f"the page types {shown}, and has not shown so much of it before")
        return real[: len(shown)]

    def real_port(self, shown):
        if shown not in self.ports:
            raise ValueError(f"the page types port {shown}, and has not shown it before")
        return self.ports[shown]

    def learn_id(self, shown, real):
        """Whether it may be so, by all that was learnt before."""
        known = self.ids.setdefault(shown[:TELLING], real)
        self.ids[shown[:TELLING]] = max(known, real, key=len)
        of_one = [name for name, other in self.ids.items() if same(other, real)]
        return of_one == [shown[:TELLING]]

    def learn_port(self, shown, real):
        self.ports.setdefault(shown, real)
        return [name for name, other in self.ports.items() if other == real] == [shown]

    def match(self, shown, told):
        """Whether a line is what the page shows; what it teaches is remembered then."""
        pattern, at, meant = "", 0, []
        shown, told = squeeze(shown), squeeze(told)
        for name in NAME.finditer(shown):
            digits = "[0-9]+" if name["port"] else f"[0-9a-f]{{{len(name[0])}}}"
            # The page may leave out the rest of an id.
            pattern += f"{literal(shown[at : name.start()])}({digits})" + ("" if shown.startswith(ANY, name.end()) else r"\b")
            meant.append((self.learn_port if name["port"] else self.learn_id, name[0]))
            at = name.end()
        found = re.fullmatch(pattern + literal(shown[at:]), told)
        if not found:
            return False
        before = dict(self.ids), dict(self.ports)
        if all(learn(name, real) for (learn, name), real in zip(meant, found.groups())):
            return True
        self.ids, self.ports = before
        return False


def same(one, other):
    """One of them may be the beginning of the other."""
    return one.startswith(other) or other.startswith(one)


def squeeze(line):
    return re.sub(r"\s+", " ", line).strip()


def literal(text):
    return ".*?".join(re.escape(part) for part in text.split(ANY))


def difference(shown, told, names):
    """Nothing if what was told is what the page shows; else where it is not, in a few lines."""
    told = [line for line in told if not WAITING.fullmatch(line)]
    at, skipping = 0, False
    for line in shown:
        if line.strip() == ANY:
            skipping = True
            continue
        start = at
        while at < len(told) and not names.match(line, told[at]):
            if not skipping:
                return [f"shown  {line}", f"came   {told[at]}"]
            at += 1
        if at == len(told):
            rest = told[start:] if skipping else []
            return [f"shown  {line}", "came   nothing of it" + ("; but:" if rest else "")] + [f"       {line}" for line in rest]
        at, skipping = at + 1, False
    if at < len(told) and not skipping:
        return [f"came   {told[at]}", "shown  nothing any more"]
    return []
