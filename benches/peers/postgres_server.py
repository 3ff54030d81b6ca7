"""PostgreSQL 15: the same transfers, each a durable transaction."""

import contextlib
import os
import pwd
import re
import shutil
import signal

from install import HERE, postgres
from load import ACCOUNTS, WARM_UP, Figure
from machine import Failed, cpu_of, process, run, tree, until

SQL = HERE / "postgres"
# What is not at its default. Durability is, and is written down all the same; the rest is in PostgreSQL's favour.
CONFIGURATION = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "wal_buffers": "64MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "max_connections": "300",
    "listen_addresses": "",  # a socket in its own folder, which costs it less than TCP
}
# More than the load's connections for Ethereum: a connection does one transaction at a time, so only many fill a sync.
SINGLE = {f"{clients} connections": (1, clients) for clients in (64, 32, 128, 16)}
PIPELINED = {f"{clients} connections, {batch} transactions a round trip": (batch, clients)
             for batch, clients in ((10, 32), (100, 8), (100, 32))}


class Postgres:
    def __init__(self, by_hash=False, standbys=0):
        self.programs = None
        self.by_hash, self.standbys = by_hash, standbys
        self.name = "-".join(["postgres", *["hash"] * by_hash, *["replicated"] * bool(standbys)])
        self.title = ", ".join(["PostgreSQL 15", *["by hash"] * by_hash, *[f"{1 + standbys} nodes"] * bool(standbys)])
        self.does = ("each transfer synced to disk " + ("here and on a standby " if standbys else "") + "before it is answered, and found "
                     + ("by a hash, as in a ledger" if by_hash else "by a number"))
        self.does_not = ("check signatures, " + ("" if standbys else "replicate here, ")
                         + "encrypt, sign what it did; no Ethereum, no roots")

    def prepare(self):
        self.programs = postgres()

    def settings(self, cell):
        """Batches may be answered by single calls too, if those are faster."""
        if cell.workload != "transfer":
            return []
        return list(SINGLE) if cell.batch == 1 else list(SINGLE | PIPELINED)

    def measure(self, setting, _cell, seconds, place):
        batch, clients = (SINGLE | PIPELINED)[setting]
        with self.running(place) as (servers, connect):
            script = place / "load.sql"
            script.write_text(pipeline((SQL / "transfer.sql").read_text(), batch))
            command = [*connect("pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2",
                       f"--define=accounts={ACCOUNTS}", f"--file={script}"]
            run([*command, f"--time={WARM_UP}"], 60, "pgbench")
            before = cpu_of_all(servers)
            output = run([*command, f"--time={seconds}"], seconds + 60, "pgbench")
            # What connections used that are closed by now counts for the server, which waited for them.
            used = cpu_of_all(servers) - before
            self.check(connect)
            return figure(output, batch, used)

    @contextlib.contextmanager
    def running(self, place):
        data = place / "data"
        become = as_somebody_else(place)
        # Only the superuser of this server, over a socket in a folder of its own.
        initdb = [*become, self.programs / "initdb", f"--pgdata={data}", "--username=bench", "--auth=trust", "--encoding=UTF8",
                  "--no-locale"]
        run(initdb, 120, "initdb", "The folder for temporary files (TMPDIR) must be open to that user.", cwd=place)
        options = [word for name, value in CONFIGURATION.items() for word in ("-c", f"{name}={value}")]
        client = ["env", "PGDATABASE=postgres", f"PGHOST={place}", "PGUSER=bench"]

        def connect(program):
            return [*client, self.programs / program]

        def server(data, socket):
            log = place / f"{data.name}.log"
            command = [*become, self.programs / "postgres", "-D", data, "-k", socket, *options]
            # SIGINT: connections are closed, then it ends.
            child = stack.enter_context(process(command, log, signal.SIGINT, cwd=place))
            until(lambda: (socket / ".s.PGSQL.5432").exists() or None, child, log, self.title)
            return child, log

        with contextlib.ExitStack() as stack:
            child, log = server(data, place)
            until(lambda: self.answers(connect), child, log, self.title)
            run([*connect("psql"), "--quiet", "-v", "ON_ERROR_STOP=1", "-v", f"accounts={ACCOUNTS}",
                 "-v", f"by_hash={int(self.by_hash)}", "-f", SQL / "schema.sql"], 60, "psql")
            servers = [child]
            for name in (f"standby{number + 1}" for number in range(self.standbys)):
                source = f"host={place} user=bench application_name={name}"
                run([*become, self.programs / "pg_basebackup", "--pgdata", place / name, "--write-recovery-conf", "--dbname", source,
                     "--checkpoint=fast"], 120, "pg_basebackup", cwd=place)
                # Its socket is in its own folder, which is there now.
                servers.append(server(place / name, place / name)[0])
            if self.standbys:
                # On the disk of any one of them, which with this node's is a majority of three.
                names = ", ".join(f"standby{number + 1}" for number in range(self.standbys))
                for statement in (f"alter system set synchronous_standby_names = 'ANY 1 ({names})'", "select pg_reload_conf()"):
                    run([*connect("psql"), "--quiet", f"--command={statement}"], 10, "psql")
                until(lambda: self.follow(connect), child, log, self.title)
            yield servers, connect

    def follow(self, connect):
        """Whether all standbys count for a commit."""
        query = "select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'quorum'"
        return run([*connect("psql"), "--tuples-only", "--no-align", f"--command={query}"], 10, "psql").strip() == str(self.standbys) or None

    def answers(self, connect):
        with contextlib.suppress(Failed):
            return run([*connect("psql"), "--command=select 1"], 10, "psql")
        return None

    def check(self, connect):
        """Money was moved and not made, and each transfer was written down."""
        query = "select (select sum(balance) from accounts), (select sum(nonce) from accounts), (select count(*) from transfers)"
        output = run([*connect("psql"), "--tuples-only", "--no-align", f"--command={query}"], 60, "psql")
        balances, nonces, transfers = map(int, output.strip().split("|"))
        if balances != ACCOUNTS * 10**12 or nonces != transfers:
            raise Failed(f"PostgreSQL's books do not add up: {balances} in all, {nonces} nonces used, {transfers} transfers")


def cpu_of_all(servers):
    return sum(cpu_of(tree(server.pid)) for server in servers)


def as_somebody_else(place):
    """PostgreSQL does not run as root; Debian's package makes a user for it."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Failed("PostgreSQL does not run as root, and there is no user postgres: run this as another user") from None
    if shutil.which("setpriv") is None:
        raise Failed("setpriv is not installed: apt-get install util-linux")
    os.chown(place, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]


def pipeline(script, batch):
    """The script for one call, or for many that are sent without waiting in between; each is a transaction all the same."""
    if batch == 1:
        return script
    lines = script.splitlines()
    numbered = [[re.sub(r"\b(sender|receiver)\b", rf"\g<1>{i}", line) for line in lines] for i in range(batch)]
    choose = [line for lines in numbered for line in lines if line.startswith("\\set")]
    calls = [f"begin;\n{line}\ncommit;" for lines in numbered for line in lines if not line.startswith("\\set")]
    return "\n".join([*choose, "\\startpipeline", *calls, "\\endpipeline"]) + "\n"


def figure(output, batch, cpu_seconds):
    """What pgbench prints at its end. Its transaction is a run of the script."""

    def number(pattern):
        found = re.search(pattern, output, re.MULTILINE)
        if not found:
            raise Failed(f"pgbench prints something else than it did: nothing like {pattern!r}")
        return float(found.group(1))

    runs = number(r"^number of transactions actually processed: (\d+)")
    failed = number(r"^number of failed transactions: (\d+)")
    if failed or not runs:
        raise Failed(f"{failed:.0f} of {runs + failed:.0f} runs of pgbench's script failed")
    transactions = int(runs) * batch
    per_second = number(r"^tps = ([\d.]+) \(without initial connection time\)") * batch
    return Figure(transactions, per_second, number(r"^latency average = ([\d.]+) ms"), cpu_seconds * 1e6 / transactions)
