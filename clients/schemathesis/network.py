"""A network as its members see it: the file that `coco up --ready-file` writes, and requests that members sign with CCF's own package."""

import hashlib
import json
import time
import warnings
from pathlib import Path

import requests
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ccf.cose import create_cose_sign1

YES = "export function vote (proposal, proposerId) { return true; }"
NO = "export function vote (proposal, proposerId) { return false; }"


class Clock:
    """A second later at each call: requests of one second are told apart by chance only, and the window looks back."""

    last = 0

    @classmethod
    def now(cls):
        cls.last = max(int(time.time()), cls.last + 1)
        return cls.last


class Member:
    def __init__(self, certificate, key):
        self.pem, self.key = Path(certificate).read_text(), Path(key).read_text()
        der = load_pem_x509_certificate(self.pem.encode()).public_bytes(Encoding.DER)
        self.id = hashlib.sha256(der).hexdigest()

    def sign(self, kind, payload=b"", proposal=None):
        header = {"ccf.gov.msg.type": kind, "ccf.gov.msg.created_at": Clock.now()}
        if proposal is not None:
            header["ccf.gov.msg.proposal_id"] = proposal
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return create_cose_sign1(content, self.key, self.pem, header)


class Network:
    def __init__(self, file):
        told = json.loads(Path(file).read_text())
        self.doors = [node["governance"] for node in told["nodes"]]
        self.service_certificate = told["service_certificate"]
        self.members = [Member(member["certificate"], member["key"]) for member in told["members"]]
        self.session = requests.Session()
        self.session.verify = self.service_certificate
        # Nothing in the environment says whom to trust, or whom to ask.
        self.session.trust_env = False

    def get(self, path):
        return self.told(self.session.get(self.doors[0] + path, timeout=70))

    def post(self, path, envelope):
        headers = {"Content-Type": "application/cose"}
        return self.told(self.session.post(self.doors[0] + path, envelope, headers=headers, timeout=70))

    @staticmethod
    def told(answer):
        if not answer.ok:
            raise SystemExit(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def acknowledge(self, member):
        place = f"/gov/members/state-digests/{member.id}"
        digest = self.post(f"{place}:update", member.sign("state_digest"))["stateDigest"]
        self.post(f"{place}:ack", member.sign("ack", {"stateDigest": digest}))

    def propose(self, member, *actions):
        body = {"actions": [{"name": name, "args": args} for name, args in actions]}
        return self.post("/gov/members/proposals:create", member.sign("proposal", body))["proposalId"]

    def vote(self, member, proposal, script):
        path = f"/gov/members/proposals/{proposal}/ballots/{member.id}:submit"
        return self.post(path, member.sign("ballot", {"ballot": script}, proposal))
