"""Clients that write without pause, each to any node, and send again what was not acknowledged."""

import http.client
import threading
import time
from urllib.parse import urlsplit

PATIENCE = 5.0


class Load:
    """Writers of a key-value ledger. What was acknowledged is remembered, and how often a request had to be sent."""

    def __init__(self, writers=4, pause=0.02):
        self.doors, self.acknowledged, self.sent, self.problems = [], {}, {}, []
        self.lock, self.stopping, self.number = threading.Lock(), threading.Event(), 0
        self.pause = pause
        self.threads = [threading.Thread(target=self.write, args=(writer,), daemon=True) for writer in range(writers)]

    def start(self, doors):
        self.use(doors)
        for thread in self.threads:
            thread.start()

    def use(self, doors):
        """From now on the clients know these nodes."""
        self.doors = list(doors)

    def write(self, writer):
        connections, turn = {}, writer
        while not self.stopping.is_set():
            with self.lock:
                self.number += 1
                number = self.number
            key, value, begun, tries = f"k{number}", f"v{number}", time.monotonic(), 0
            while True:
                doors = self.doors
                door = doors[turn % len(doors)]
                turn, tries = turn + 1, tries + 1
                try:
                    connection = connections.get(door) or http.client.HTTPConnection(urlsplit(door).netloc, timeout=PATIENCE)
                    connections[door] = connection
                    connection.request("PUT", f"/kv/{key}", value)
                    answer = connection.getresponse()
                    told = answer.read()
                    if 200 <= answer.status < 300:
                        break
                    trouble = f"{door} {answer.status} {told[:120]}"
                except (OSError, http.client.HTTPException) as error:
                    connections.pop(door, None)
                    trouble = f"{door} {type(error).__name__} {error}"
                with self.lock:
                    self.problems.append((time.time(), number, trouble))
                if self.stopping.is_set() and time.monotonic() - begun > 2 * PATIENCE:
                    return
                time.sleep(0.05)
            with self.lock:
                self.acknowledged[key] = value
                self.sent[number] = tries
            time.sleep(self.pause)

    def mark(self):
        """Where the requests stand now."""
        with self.lock:
            return self.number

    def most_tries(self, since):
        """How often the most unlucky request since then had to be sent."""
        with self.lock:
            return max((tries for number, tries in self.sent.items() if number > since), default=0)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join(4 * PATIENCE)


def missing(door, written):
    """What of that a node does not have."""
    connection = http.client.HTTPConnection(urlsplit(door).netloc, timeout=30)
    lacking = []
    for key, value in written.items():
        connection.request("GET", f"/kv/{key}")
        answer = connection.getresponse()
        if answer.read().decode() != value or answer.status != 200:
            lacking.append(key)
    return lacking
