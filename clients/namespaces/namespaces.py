"""Network namespaces on one bridge: each is a machine with an address of its own, and any of them can be cut off."""

import subprocess

BRIDGE = "coco-br"
NETWORK = "10.77.0"


def address(place):
    return f"{NETWORK}.{place}"


def ip(*command, check=True):
    done = subprocess.run(["ip", *[str(part) for part in command]], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise OSError(f"ip {' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.returncode == 0


def possible():
    """Whether this machine lets us have namespaces, links into them and a bridge."""
    space, here, bridge = "coco-probe", "coco-probe0", "coco-probebr"
    steps = [
        ("netns", "add", space),
        ("link", "add", bridge, "type", "bridge"),
        ("link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", space),
        ("link", "set", here, "master", bridge, "up"),
        ("netns", "exec", space, "ip", "link"),
    ]
    try:
        return all(ip(*step, check=False) for step in steps)
    except FileNotFoundError:
        return False
    finally:
        for undo in ("link", "delete", here), ("link", "delete", bridge), ("netns", "delete", space):
            try:
                ip(*undo, check=False)
            except FileNotFoundError:
                break


class Namespaces:
    """Places 1 to `count`; who runs the test is on the bridge, too, and reaches them all."""

    def __init__(self, count):
        self.count = count
        self.close()
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("address", "add", f"{address(254)}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for place in range(1, count + 1):
            space, here = f"coco-{place}", f"coco-v{place}"
            ip("netns", "add", space)
            ip("link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", here, "master", BRIDGE, "up")
            ip("-n", space, "address", "add", f"{address(place)}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "link", "set", "lo", "up")

    def inside(self, place):
        """What a command begins with that is to run in a place."""
        return ["ip", "netns", "exec", f"coco-{place}"]

    def cut_off(self, place):
        ip("link", "set", f"coco-v{place}", "down")

    def connect(self, place):
        ip("link", "set", f"coco-v{place}", "up")

    def part(self, one, other):
        """These two cannot talk with each other any more; both reach everybody else."""
        for here, there in ((one, other), (other, one)):
            ip("-n", f"coco-{here}", "route", "replace", "blackhole", f"{address(there)}/32")

    def mend(self, one, other):
        for here, there in ((one, other), (other, one)):
            ip("-n", f"coco-{here}", "route", "delete", "blackhole", f"{address(there)}/32")

    def close(self):
        for place in range(1, self.count + 1):
            ip("link", "delete", f"coco-v{place}", check=False)
            ip("netns", "delete", f"coco-{place}", check=False)
        ip("link", "delete", BRIDGE, check=False)
