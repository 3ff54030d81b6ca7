"""Has the Python package `ccf` verify a ledger that we wrote, and shows that it finds flipped bits in it.

check_ledger.py 7|6 cose|dual LEDGER CERTIFICATE
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

import ccf.ledger
import ccf.receipt
from cryptography.x509 import load_pem_x509_certificate


def verify(version, directory):
    """The whole ledger, open chunk included, as strictly as the package can. Gives what it counted."""
    strict = {} if version == "6" else {"verification_level": ccf.ledger.VerificationLevel.FULL}
    ledger = ccf.ledger.Ledger([directory], committed_only=False, **strict)
    validator = ccf.ledger.LedgerValidator(accept_deprecated_entry_types=False, **strict)
    transactions = 0
    for chunk in ledger:
        for transaction in chunk:
            validator.add_transaction(transaction)
            transactions += 1
    if version == "6":
        last = f"{validator.last_verified_view}.{validator.last_verified_seqno}"
    else:
        last = str(validator.last_verified_txid())
    return transactions, validator.signature_count, last


def layout(directory):
    """Every entry: file, offset, size, length of its public part; and the last transaction's id."""
    entries, last = [], None
    for chunk in ccf.ledger.Ledger([directory], committed_only=False):
        for transaction in chunk:
            offset, size = transaction.get_offsets()
            public = size - 44 - transaction.get_private_domain_size()
            entries.append((chunk.filename(), offset, size, public))
            last = f"{transaction.gcm_header.view}.{transaction.gcm_header.seqno}"
    return entries, last


def check_public_state(directory, certificate):
    """What the public tables say, as the package reads them."""
    state, _ = ccf.ledger.Ledger([directory], committed_only=False).get_latest_public_state()
    service = json.loads(state["public:ccf.gov.service.info"][bytes(8)])
    assert service["status"] == "Open", service
    assert service["cert"] == open(certificate, encoding="ascii").read()
    nodes = state["public:ccf.gov.nodes.info"]
    assert [json.loads(node)["status"] for node in nodes.values()] == ["Trusted"], nodes
    certificates = state["public:ccf.gov.nodes.endorsed_certificates"]
    assert set(nodes) == set(certificates)
    for pem in certificates.values():
        ccf.receipt.check_endorsements(
            load_pem_x509_certificate(pem), load_pem_x509_certificate(service["cert"].encode()), []
        )


def check_command_line(version, mode, directory):
    """The package's own command, which reads closed chunks."""
    tool = os.path.join(os.path.dirname(sys.executable), "read_ledger.py")
    done = subprocess.run([sys.executable, tool, "-q", directory], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Ledger verification complete" in done.stdout, done.stdout + done.stderr
    if version == "7":
        assert "Verified FULL" in done.stdout, done.stdout
        codes = subprocess.run(
            [sys.executable, tool.replace("read_ledger", "ledger_code"), directory], capture_output=True, text=True, check=False
        )
        assert codes.returncode == 0 and "Insecure_Virtual" in codes.stdout, codes.stdout + codes.stderr
    return done.stdout.strip().splitlines()[-1]


def places(entries, rng):
    """A byte in every part of entries that a later signature covers: the package checks nothing of the last one's own bytes."""
    for file, offset, size, public in rng.sample(entries[:-1], 12):
        yield "version", file, offset
        yield "flags", file, offset + 1
        yield "size", file, offset + 2
        yield "tag", file, offset + 8 + rng.randrange(16)
        yield "IV", file, offset + 24 + rng.randrange(12)
        yield "public length", file, offset + 36
        yield "public part", file, offset + 44 + rng.randrange(public)
        if size > 44 + public:
            yield "private part", file, offset + 44 + public + rng.randrange(size - 44 - public)
    for file in sorted({file for file, *_ in entries if file.endswith(".committed")})[:3]:
        table = int.from_bytes(open(file, "rb").read(8), "little")
        yield "table offset", file, rng.randrange(4)
        yield "position table", file, table + 4 * rng.randrange((os.path.getsize(file) - table) // 4)


def check_flips(version, directory):
    """Flips bits in a copy, one at a time."""
    rng = random.Random(7)
    entries, _ = layout(directory)
    found = 0
    for what, file, at in places(entries, rng):
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(directory, copy, dirs_exist_ok=True)
            with open(os.path.join(copy, os.path.basename(file)), "r+b") as changed:
                changed.seek(at)
                byte = changed.read(1)[0]
                changed.seek(at)
                changed.write(bytes([byte ^ (1 << rng.randrange(8))]))
            try:
                verify(version, copy)
            except Exception:
                found += 1
                continue
            raise AssertionError(f"a flipped bit in {what} of {file} at {at} was not found")
    return found


def main():
    version, mode, directory, certificate = sys.argv[1:]
    entries, last = layout(directory)
    transactions, signatures, verified = verify(version, directory)
    assert (transactions, verified) == (len(entries), last), (transactions, verified, last)
    assert signatures > 10, signatures
    check_public_state(directory, certificate)
    summary = check_command_line(version, mode, directory)
    found = check_flips(version, directory)
    print(f"ccf {version}, {mode}: {transactions} entries, {signatures} signatures, until {verified}; {found} flips found; {summary}")


if __name__ == "__main__":
    main()
