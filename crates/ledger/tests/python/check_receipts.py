"""Has the Python package `ccf` verify receipts, and shows that it refuses changed ones.

check_receipts.py FOLDER SERVICE_CERTIFICATE

A file is named by its transaction and its form: 2.17.json, 2.17.cose.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import cbor2
import ccf.receipt
from cryptography.x509 import load_pem_x509_certificate

if hasattr(ccf.receipt, "verify_cose"):  # 7.x
    verify_cose = ccf.receipt.verify_cose
else:
    from ccf.cose import verify_receipt as verify_cose


def pem(text):
    return load_pem_x509_certificate(text.encode())


def digest(data):
    return hashlib.sha256(data).digest()


def leaf_of(receipt):
    """The leaf, and what it says is claimed. A signature's receipt has the root in place of it."""
    if "leaf" in receipt:
        assert receipt["proof"] == []
        return receipt["leaf"], None
    parts = receipt["leaf_components"]
    claims = bytes.fromhex(parts["claims_digest"])
    evidence = digest(parts["commit_evidence"].encode())
    return digest(bytes.fromhex(parts["write_set_digest"]) + evidence + claims).hex(), claims


def check_json(receipt, service):
    leaf, claims = leaf_of(receipt)
    node = pem(receipt["cert"])
    ccf.receipt.verify(ccf.receipt.root(leaf, receipt["proof"]), receipt["signature"], node)
    ccf.receipt.check_endorsements(node, service, [pem(text) for text in receipt.get("service_endorsements", [])])
    return claims


def refused(check):
    try:
        check()
    except Exception:
        return
    raise AssertionError("a changed receipt was accepted")


def check_changed_json(receipt, service):
    for field in receipt.get("leaf_components", {}):
        changed = json.loads(json.dumps(receipt))
        text = changed["leaf_components"][field]
        changed["leaf_components"][field] = text[:-1] + ("0" if text[-1] != "0" else "1")
        refused(lambda: check_json(changed, service))
    for step in range(len(receipt["proof"])):
        changed = json.loads(json.dumps(receipt))
        del changed["proof"][step]
        refused(lambda: check_json(changed, service))


def check_changed_cose(receipt, key, claims, rng):
    refused(lambda: verify_cose(receipt, key, bytes(32) if any(claims) else b"\1" * 32))
    for place in rng.sample(range(len(receipt)), 12):
        changed = bytearray(receipt)
        changed[place] ^= 1 << rng.randrange(8)
        # The package takes anything that is true for `true`: the side on which a sibling stands.
        if receipt[place] not in (0xF4, 0xF5):
            refused(lambda: verify_cose(bytes(changed), key, claims))


def shown_claims(receipt):
    """What its leaf says."""
    proofs = cbor2.loads(receipt).value[1][396][-1]
    return cbor2.loads(proofs[0])[1][2]


def main():
    folder, certificate = Path(sys.argv[1]), Path(sys.argv[2])
    service = pem(certificate.read_text())
    claims_of, counted, rng = {}, {"json": 0, "cose": 0}, random.Random(7)
    for file in sorted(folder.glob("*.json")):
        receipt = json.loads(file.read_text())
        claims_of[file.stem] = check_json(receipt, service)
        check_changed_json(receipt, service)
        counted["json"] += 1
    for file in sorted(folder.glob("*.cose")):
        receipt = file.read_bytes()
        claims = shown_claims(receipt)
        assert claims_of.get(file.stem, claims) == claims, file
        verify_cose(receipt, service.public_key(), claims)
        check_changed_cose(receipt, service.public_key(), claims, rng)
        counted["cose"] += 1
    assert counted["cose"] > 10, counted
    print(f"ccf {'7' if hasattr(ccf.receipt, 'verify_cose') else '6'}: {counted['json']} receipts in JSON, {counted['cose']} in COSE")


if __name__ == "__main__":
    main()
