"""Processes on this machine, what they take of it, and what the machine is."""

import contextlib
import os
import platform
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STOP_PATIENCE = 20


class Failed(Exception):
    """Something that keeps a peer from being measured; the text says what to do."""


class Stopped(BaseException):
    """Somebody asked this program to end. Not an Exception, so that nothing takes it for a peer's failure."""


class Signals:
    """Turns the signals that end a program into an exception, so that every `with` on the way out does its duty."""

    ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self.came = None
        self.cleaning = 0

    def listen(self):
        for each in self.ENDING:
            signal.signal(each, self.heard)

    def heard(self, number, _frame):
        first, self.came = self.came is None, signal.Signals(number).name
        # A second one changes nothing, and what is being cleaned up is cleaned up first.
        if first and not self.cleaning:
            raise Stopped(self.came)

    @contextlib.contextmanager
    def held(self):
        """For cleaning up: a signal that comes meanwhile is heard at the end."""
        before, self.cleaning = self.came, self.cleaning + 1
        try:
            yield
        finally:
            self.cleaning -= 1
        if self.came and not before and not self.cleaning:
            raise Stopped(self.came)


SIGNALS = Signals()


@contextlib.contextmanager
def process(command, log, stop_signal=signal.SIGTERM, **options):
    """A program that runs as long as the block. Its output goes to the file `log`, whose end is told when it fails."""
    with open(log, "ab") as output:
        # A session of its own: Ctrl-C at the terminal is ours to pass on, in good order.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **options)
    try:
        yield child
    finally:
        stop(child, stop_signal)


def stop(child, stop_signal):
    """In good order if it can, else with everything that it started. All of it is gone afterwards."""
    with SIGNALS.held():
        end(child, stop_signal)


def end(child, stop_signal):
    family = tree(child.pid)
    if child.poll() is None:
        child.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_PATIENCE)
    # A number that was given to another process meanwhile is in another session.
    left = [pid for pid, its_session in family.items() if alive(pid) and session(pid) == its_session]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.wait()
    while any(map(alive, left)):
        time.sleep(0.01)


def session(pid):
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None


def alive(pid):
    """Running, and not merely waiting for a parent that asks how it ended."""
    fields = stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def run(command, timeout, what, hint="", **options):
    """A program's output. It is ended when it takes too long, and when we are."""
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            start_new_session=True, **options,
        )
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not installed. {hint}".strip()) from None
    try:
        output, errors = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failed(f"{what} was not done after {timeout:.0f} s") from None
    finally:
        if child.poll() is None:
            stop(child, signal.SIGTERM)
    if child.returncode != 0:
        raise Failed(f"{what} failed: {last_line(errors) or last_line(output) or f'exit code {child.returncode}'}. {hint}".strip())
    return output


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[-1]


def until(ready, child, log, what, seconds=60):
    """Waits for a program that was just started. `ready` gives what it has found, or None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = ready()
        if found is not None:
            return found
        if child.poll() is not None:
            break
        time.sleep(0.05)
    told = last_line(Path(log).read_text(errors="replace"))
    raise Failed(f"{what} did not start{': ' + told if told else ''}")


def stat(pid):
    """What Linux tells of a process, from its state on. None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The program's name stands in brackets and may hold anything.
    return text[text.rindex(")") + 2 :].split()


def parent_and_cpu(pid):
    """Parent, and seconds of CPU of the process and of its children that it has waited for. None if it is gone."""
    fields = stat(pid)
    return fields and (int(fields[1]), sum(map(int, fields[11:15])) / TICKS)


def tree(root):
    """The process and all that it started: pid and session."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (found := parent_and_cpu(entry)):
            children.setdefault(found[0], []).append(int(entry))
    family, queue = {}, [root]
    while queue:
        pid = queue.pop()
        if (its_session := session(pid)) is not None:
            family[pid] = its_session
        queue.extend(children.get(pid, []))
    return family


def cpu_of(pids):
    return sum(found[1] for pid in pids if (found := parent_and_cpu(pid)))


class Watch:
    """Looks at a process tree five times a second.

    The load generator gets ready, measures, and reads back, and does not say when. So a measurement is taken to be the busiest
    span of its length: what comes before and after asks little of a node, and this errs against nobody by more than that.
    """

    PERIOD = 0.2

    def __init__(self, root):
        self.root = root
        self.seen = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def look(self):
        family, turn = {}, 0
        while True:
            # Who belongs to it changes rarely, and finding out costs more than looking.
            family = tree(self.root) if turn % 10 == 0 else family
            turn += 1
            self.seen.append((time.monotonic(), cpu_of(family)))
            if self.done.wait(self.PERIOD):
                return

    def busiest(self, seconds):
        """CPU seconds used in the busiest span of this length."""
        return busiest(self.seen, seconds)


def busiest(seen, seconds):
    """`seen` are times and what was used until then."""
    if len(seen) < 2:
        return 0.0
    most = 0.0
    for start, used in seen:
        if start + seconds > seen[-1][0] and most > 0:
            break
        most = max(most, at(seen, start + seconds) - used)
    return most


def at(seen, moment):
    """What was used until a moment between two looks."""
    for (before, used), (after, more) in zip(seen, seen[1:]):
        if moment <= after:
            return used + (more - used) * max(0.0, moment - before) / (after - before)
    return seen[-1][1]


def sync_latency(folder, rounds=200):
    """Milliseconds that a write of 4 KiB at a file's end takes until it is on disk: median and the slowest of a hundred."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(rounds):
            os.write(file.fileno(), b"\0" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1e3)
    return {"p50_ms": statistics.median(times), "p99_ms": sorted(times)[int(rounds * 0.99) - 1]}


def file_system(folder):
    """Kind of the file system that a folder is on."""
    folder, best = Path(folder).resolve(), ("", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        mount = mount.replace("\\040", " ")
        if folder.is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def describe(folder):
    info = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / (1 << 20)
    release = Path("/etc/os-release").read_text()
    names = [line.split("=", 1)[1].strip('"') for line in release.splitlines() if line.startswith("PRETTY_NAME=")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory),
        "system": f"{names[0] if names else platform.system()}, Linux {platform.release()}",
        "file_system": file_system(folder),
        "fdatasync": sync_latency(folder),
        "load_average_before": round(os.getloadavg()[0], 2),
    }
