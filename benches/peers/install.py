"""What the peers need, installed when it is missing."""

import hashlib
import os
import shutil
from pathlib import Path

from machine import Failed, run

HERE = Path(__file__).resolve().parent
NODE_MODULES = HERE / "node_modules"
POSTGRES = Path("/usr/lib/postgresql/15/bin")


def npm_packages():
    """anvil and Hardhat, in the versions of the lock file."""
    stamp = NODE_MODULES / ".installed"
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print("installing anvil and Hardhat from npm", flush=True)
    hint = "Node.js 20 or later with npm, and a reachable npm registry, are needed."
    # No package needs its install script: what is native comes prebuilt.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run(command, 600, "npm ci", hint, cwd=HERE)
    stamp.write_text(wanted)


def postgres():
    """The folder of PostgreSQL 15's programs."""
    wanted = ("initdb", "postgres", "pgbench", "psql")
    if all((POSTGRES / name).is_file() for name in wanted):
        return POSTGRES
    by_hand = "Debian 12 has it: `apt-get install postgresql-15` as root."
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Failed(f"PostgreSQL 15 is not in {POSTGRES}, and only root can install it. {by_hand}")
    print("installing postgresql-15 with apt", flush=True)
    run(["apt-get", "install", "--yes", "--no-install-recommends", "postgresql-15"], 600, "apt-get install postgresql-15",
        f"{by_hand} It may need `apt-get update` first.", env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
    # Debian makes a server of its own and may start it. It is not ours, and it would take its share of the machine.
    run(["sh", "-c", "pg_lsclusters --no-header | grep -q '^15 *main .* online' && pg_ctlcluster 15 main stop || true"], 60,
        "stopping the server that Debian made")
    if missing := [name for name in wanted if not (POSTGRES / name).is_file()]:
        raise Failed(f"postgresql-15 is installed and {', '.join(missing)} is not in {POSTGRES}")
    return POSTGRES
