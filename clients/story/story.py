#!/usr/bin/env python3
"""Does what a page tells its readers to do, in one shell, and compares what comes with what the page shows.

usage: story.py PAGE BIN DIRECTORY [--fresh FILE]

BIN has `coco` and `coco-node`; DIRECTORY is made anew, and is where it happens. How a page is read: page.py. Each block of commands
is one thing that must hold; the last line says how many did. With --fresh, FILE gets the page with all that came in place of what
it shows, for whoever writes it.
"""

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from page import Names, blocks, difference

PATIENCE = 60
# The shell takes blocks from descriptor 3 and says after each how many of its commands failed. What it runs reads nothing.
SHELL = r"""
trap 'failed=$((failed + 1))' ERR
while IFS= read -r -d '' block <&3; do
    failed=0
    eval "$block
:" </dev/null 3<&-
    printf '\n%s %d\n' "$END" "$failed"
done
"""


class Shell:
    """A reader's terminal."""

    def __init__(self, programs, directory):
        self.end = f"end-{os.urandom(8).hex()}"
        ours, theirs = os.pipe()
        # Nothing of whoever runs the test: a reader's shell knows where the programs are, and where it is.
        environment = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
        environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "END": self.end}
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", f"exec 3<&{ours}\n{SHELL}"], cwd=directory, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[ours],
        )
        os.close(ours)
        self.script, self.lines = os.fdopen(theirs, "w"), queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def type(self, text):
        """The lines that come, and how many commands failed."""
        self.script.write(f"{text}\0")
        self.script.flush()
        told, until = [], time.monotonic() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError("\n".join([f"no end of it after {PATIENCE} s; so far:", *told])) from None
            if line is None:
                raise AssertionError("\n".join(["the shell ended:", *told]))
            if line.startswith(self.end):
                # The line break before the end is the shell's.
                return told[:-1] if told[-1:] == [""] else told, int(line.split()[1])
            told.append(line)

    def close(self):
        self.script.close()
        self.process.kill()
        self.process.wait()


def stop_nodes(programs, directory):
    """Whatever the page has left running."""
    for home in sorted({file.parent for name in ("network.json", "node.toml") for file in directory.glob(f"*/{name}")}):
        subprocess.run([programs / "coco", "down", "--quiet", "--dir", home], capture_output=True)


def fresh(text, told):
    """The page, with what was typed, and with what came for blocks that show something."""
    lines, page, at = text.splitlines(), [], 0
    for block, typed, came in told:
        page += lines[at : block.line] + typed.splitlines()
        at = block.line + len(block.typed)
        if block.shown is not None:
            begin = lines.index("```text", at) + 1
            page += lines[at:begin] + came
            at = begin + len(block.shown)
    return "\n".join(page + lines[at:]) + "\n"


def main():
    arguments = sys.argv[1:]
    into = Path(arguments.pop()) if arguments[-2:-1] == ["--fresh"] else None
    if into:
        arguments.pop()
    if len(arguments) != 3:
        sys.exit(__doc__)
    page, programs, directory = (Path(argument).resolve() for argument in arguments)
    if missing := [program for program in ("bash", "curl", "jq") if shutil.which(program) is None]:
        sys.exit(f"error: the page needs {', '.join(missing)}, which this machine does not have")
    stop_nodes(programs, directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    text = page.read_text()
    todo = blocks(text)
    shell, names, passed, told = Shell(programs, directory), Names(), 0, []
    try:
        for block in todo:
            begun = time.monotonic()
            try:
                typed = names.typed("\n".join(block.typed))
                came, failures = shell.type(typed)
                told.append((block, typed, came))
                wrong = difference(block.shown, came, names) if block.shown is not None else []
                if failures != block.failures:
                    wrong += [f"{failures} commands failed, and the page has {block.failures}"]
            except (AssertionError, ValueError) as error:
                came, wrong = [], str(error).splitlines()
            if wrong:
                print(f"FAILED  {page.name}:{block.line}: {block.name}", flush=True)
                print("\n".join(f"        {line}" for line in wrong + ["all that came:", *came]), flush=True)
                if not into:
                    break
            else:
                passed += 1
                print(f"ok      {page.name}:{block.line}: {block.name} ({time.monotonic() - begun:.1f} s)", flush=True)
    finally:
        shell.close()
        stop_nodes(programs, directory)
    if into:
        into.write_text(fresh(text, told))
    print(f"{passed} passed, {len(todo) - passed} failed")
    sys.exit(passed != len(todo))


if __name__ == "__main__":
    main()
