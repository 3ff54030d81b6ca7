#!/usr/bin/env python3
"""The life of a network, governed with CCF's own client tools and curl.

usage: life.py NETWORK_FILE

Runs in an environment that has the package `ccf` (see crates/ledger/tests/python/python-env.sh); NETWORK_FILE is what
`coco up --bare --ready-file` writes, of a network on which nothing was decided yet. Every case is one thing that must hold; the last
line says how many did.
"""

import base64
import datetime
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ccf.receipt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

if hasattr(ccf.receipt, "verify_cose"):  # 7.x
    verify_cose = ccf.receipt.verify_cose
else:
    from ccf.cose import verify_receipt as verify_cose

TOOLS = Path(sys.executable).parent
YES = "export function vote (proposal, proposerId) { return true; }"
NO = "export function vote (proposal, proposerId) { return false; }"
CASES = []


def pem(text):
    return load_pem_x509_certificate(text.encode())


def case(function):
    """A case is told by its name and runs in the order in which it stands here."""
    CASES.append(function)
    return function


def run(*command, stdin=None):
    done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"{Path(str(command[0])).name} failed: {done.stderr.decode(errors='replace')[-600:]}")
    return done.stdout


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.raw, self.text = status, headers, body, body.decode(errors="replace")

    @property
    def body(self):
        return json.loads(self.text)

    def must(self, status, code=None):
        told = f"{self.status} {self.text[:300]}"
        assert self.status == status, f"want {status}, got {told}"
        if code is not None:
            assert self.body["error"]["code"] == code, f"want {code}, got {told}"
            assert self.headers["x-ms-error-code"] == code, f"the header does not say {code}"
        return self


class Network:
    def __init__(self, file):
        described = json.loads(Path(file).read_text())
        self.service = described["service_certificate"]
        self.doors = [node["governance"] for node in described["nodes"]]
        self.status = [node["http"] + "/node/status" for node in described["nodes"]]
        self.account = described["accounts"][9]["address"]
        self.genesis = Path(self.service).with_name("genesis.json")

    def curl(self, path, *options, node=0, stdin=None, version="2024-07-01"):
        separator = "&" if "?" in path else "?"
        url = f"{self.doors[node]}{path}{separator}api-version={version}" if version else f"{self.doors[node]}{path}"
        raw = run("curl", "--silent", "--show-error", "--cacert", self.service, "--include", *options, url, stdin=stdin)
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        return Answer(int(lines[0].split()[1]), headers, body)

    def post(self, path, envelope, node=0, content_type="application/cose"):
        options = ("--header", f"Content-Type: {content_type}", "--data-binary", "@-")
        return self.curl(path, *options, node=node, stdin=envelope)

    def ethereum(self, node, method, *params):
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        options = ("--header", "Content-Type: application/json", "--data-binary", "@-")
        return json.loads(run("curl", "--silent", "--show-error", *options, self.ledger(node), stdin=request))

    def ledger(self, node):
        """Where a node serves the Ethereum ledger, once members have opened it."""
        told = json.loads(run("curl", "--silent", "--show-error", self.status[node]))["ledgers"]
        doors = [door["address"] for ledger in told if ledger["name"] == "ethereum" for door in ledger["listeners"]]
        assert doors, f"node {node} serves no ledger called ethereum: {told}"
        return f"http://{doors[0]}"

    def transfer(self, node=0):
        """The error of a transfer that the node signs itself, if there is one."""
        me = self.account
        return self.ethereum(node, "eth_sendTransaction", {"from": me, "to": me, "value": "0x1"}).get("error")

    def members(self, node=0):
        listed = self.curl("/gov/service/members", node=node).must(200).body["value"]
        return {member["memberId"]: member for member in listed}


class Member:
    def __init__(self, certificate, key):
        self.certificate, self.key = Path(certificate), Path(key)
        pem = self.certificate.read_text()
        self.pem = pem
        self.id = hashlib.sha256(base64.b64decode(re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", pem, re.S)[1])).hexdigest()

    def sign(self, kind, content=b"", proposal=None, created=None, key=None):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content if isinstance(content, bytes) else json.dumps(content).encode())
            file.flush()
            options = [] if proposal is None else ["--ccf-gov-msg-proposal_id", proposal]
            return run(
                TOOLS / "ccf_cose_sign1", "--content", file.name, "--signing-key", key or self.key,
                "--signing-cert", self.certificate, "--ccf-gov-msg-type", kind,
                "--ccf-gov-msg-created_at", created or now(), *options,
            )

    def acknowledge(self, network, node=0):
        place = f"/gov/members/state-digests/{self.id}"
        digest = network.post(f"{place}:update", self.sign("state_digest"), node=node).must(200).body
        assert digest["memberId"] == self.id
        assert network.curl(place, node=node).must(200).body == digest
        return network.post(f"{place}:ack", self.sign("ack", {"stateDigest": digest["stateDigest"]}), node=node)

    def propose(self, network, *actions, node=0, **more):
        body = {"actions": [{"name": name, "args": args} for name, args in actions]}
        return network.post("/gov/members/proposals:create", self.sign("proposal", body, **more), node=node)

    def vote(self, network, proposal, script=YES, node=0):
        envelope = self.sign("ballot", {"ballot": script}, proposal)
        return network.post(f"/gov/members/proposals/{proposal}/ballots/{self.id}:submit", envelope, node=node)

    def withdraw(self, network, proposal, node=0):
        return network.post(f"/gov/members/proposals/{proposal}:withdraw", self.sign("withdrawal", b"", proposal), node=node)


LAST = [datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)]


def now():
    """A second later at each call: requests of one second are told apart by chance only, and the window looks back."""
    LAST[0] = max(datetime.datetime.now(datetime.timezone.utc), LAST[0] + datetime.timedelta(seconds=1))
    return LAST[0].strftime("%Y-%m-%dT%H:%M:%SZ")


def generated(name, *options):
    """A new member with keys of CCF's own generator."""
    where = tempfile.mkdtemp()
    subprocess.run([TOOLS / "keygenerator.sh", "--name", name, *options], cwd=where, check=True, capture_output=True)
    return Member(Path(where, f"{name}_cert.pem"), Path(where, f"{name}_privk.pem"))


def opened(answer):
    assert answer.must(200).body["proposalState"] == "Open", answer.text
    return answer.body["proposalId"]


def decided(network, people, *actions):
    """Proposed by the first and agreed to by all; its state then."""
    answer = people[0].propose(network, *actions).must(200)
    for member in people:
        if answer.body["proposalState"] == "Open":
            answer = member.vote(network, answer.body["proposalId"]).must(200)
    return answer.body["proposalState"]


def settled(network, proposal):
    """The state of a proposal that time decides."""
    for _ in range(150):
        state = network.curl(f"/gov/members/proposals/{proposal}").must(200).body["proposalState"]
        if state != "Open":
            break
        time.sleep(0.1)
    return state


def seen(network, node, look):
    """What a node shows, once it has what is committed: a backup may be a moment behind."""
    for _ in range(100):
        try:
            return look(node)
        except AssertionError:
            time.sleep(0.02)
    return look(node)


@case
def founders_do_not_count_before_they_have_signed_the_state(network, people):
    assert {member["status"] for member in network.members().values()} == {"Accepted"}
    people[0].propose(network, ("set_member_data", {"member_id": people[0].id, "member_data": {}})).must(401, "InvalidAuthenticationInfo")


@case
def a_digest_is_signed_as_it_was_given(network, people):
    first, second = people[:2]
    place = f"/gov/members/state-digests/{first.id}"
    network.curl(place).must(404, "ResourceNotFound")
    network.post(f"{place}:ack", first.sign("ack", {"stateDigest": "00" * 32})).must(403, "AuthorizationFailed")
    network.post(f"{place}:update", first.sign("state_digest")).must(200)
    network.post(f"{place}:ack", first.sign("ack", {"stateDigest": "00" * 32})).must(400, "StateDigestMismatch")
    network.post(f"{place}:update", second.sign("state_digest")).must(401, "InvalidAuthenticationInfo")


@case
def who_has_signed_the_state_is_active(network, people):
    for node, member in enumerate(people):
        member.acknowledge(network, node=node % len(network.doors)).must(204)

    def all_active(node):
        assert {member["status"] for member in network.members(node).values()} == {"Active"}

    seen(network, 0, all_active)


@case
def a_member_is_invited_voted_in_and_counts_once_it_signed(network, people):
    newcomer = generated("newcomer")
    proposal = opened(people[0].propose(network, ("set_member", {"cert": newcomer.pem, "member_data": {"name": "Newcomer"}})))
    newcomer.vote(network, proposal).must(401, "InvalidAuthenticationInfo")
    assert people[1].vote(network, proposal, node=1).must(200).body["proposalState"] == "Open"
    accepted = people[2].vote(network, proposal, node=2).must(200).body
    assert accepted["proposalState"] == "Accepted" and accepted["ballotCount"] == 2
    assert accepted["finalVotes"] == {people[1].id: True, people[2].id: True}
    told = network.members(node=2)[newcomer.id]  # the node that was asked shows what it answered
    assert told["status"] == "Accepted" and told["memberData"] == {"name": "Newcomer"} and told["certificate"] == newcomer.pem
    newcomer.acknowledge(network, node=1).must(204)
    assert network.members(node=1)[newcomer.id]["status"] == "Active"
    people.append(newcomer)


@case
def a_proposal_that_cannot_pass_any_more_is_rejected(network, people):
    proposal = opened(people[0].propose(network, ("remove_member", {"member_id": people[1].id})))
    for member in people[1:]:
        if (answer := member.vote(network, proposal, NO)).must(200).body["proposalState"] != "Open":
            break
    assert answer.body["proposalState"] == "Rejected"
    assert people[1].id in network.members()
    people[0].vote(network, proposal).must(400, "ProposalNotOpen")


@case
def a_proposal_is_taken_back_by_who_made_it(network, people):
    proposal = opened(people[0].propose(network, ("remove_member", {"member_id": people[1].id})))
    people[1].withdraw(network, proposal).must(403, "AuthorizationFailed")
    assert people[0].withdraw(network, proposal).must(200).body["proposalState"] == "Withdrawn"
    assert people[0].withdraw(network, proposal).must(200).body["proposalState"] == "Withdrawn"
    people[0].withdraw(network, "00" * 32).must(204)
    people[1].vote(network, proposal).must(400, "ProposalNotOpen")
    people[1].vote(network, "00" * 32).must(404, "ProposalNotFound")


@case
def a_ballot_is_cast_once(network, people):
    proposal = opened(people[0].propose(network, ("remove_member", {"member_id": people[3].id})))
    for _ in range(2):
        assert people[0].vote(network, proposal).must(200).body["ballotCount"] == 1
    people[0].vote(network, proposal, NO).must(400, "VoteAlreadyExists")
    assert network.curl(f"/gov/members/proposals/{proposal}/ballots/{people[0].id}").must(200).text == YES
    network.curl(f"/gov/members/proposals/{proposal}/ballots/{people[1].id}").must(404, "VoteNotFound")
    foreign = people[0].sign("ballot", {"ballot": YES}, proposal)
    network.post(f"/gov/members/proposals/{proposal}/ballots/{people[1].id}:submit", foreign).must(400, "InvalidResourceName")
    network.post(f"/gov/members/proposals/{'00' * 32}/ballots/{people[0].id}:submit", foreign).must(400, "InvalidResourceName")
    people[0].withdraw(network, proposal).must(200)


@case
def a_request_counts_once_and_not_much_later(network, people):
    body = {"actions": [{"name": "set_member_data", "args": {"member_id": people[0].id, "member_data": {"replayed": True}}}]}
    envelope = people[0].sign("proposal", body)
    first = opened(network.post("/gov/members/proposals:create", envelope))
    again = network.post("/gov/members/proposals:create", envelope, node=1).must(400, "ProposalReplay")
    assert first in again.text
    old = people[0].sign("proposal", body, created="2020-01-01T00:00:00Z")
    network.post("/gov/members/proposals:create", old).must(400, "ProposalCreatedTooLongAgo")
    people[0].withdraw(network, first).must(200)


@case
def who_is_not_who_it_says_is_refused(network, people):
    action = {"actions": [{"name": "set_member_data", "args": {"member_id": people[0].id, "member_data": {}}}]}
    create = "/gov/members/proposals:create"
    forged = people[0].sign("proposal", action, key=people[1].key)
    answer = network.post(create, forged).must(401, "InvalidAuthenticationInfo")
    assert answer.headers["www-authenticate"].startswith("COSE-SIGN1")
    stranger = generated("stranger")
    network.post(create, stranger.sign("proposal", action)).must(401, "InvalidAuthenticationInfo")
    network.post(create, people[0].sign("ballot", {"ballot": YES}, "00" * 32)).must(401, "InvalidAuthenticationInfo")
    good = people[0].sign("proposal", action)
    for bad in (b"", good[1:], good[:-1], good + b"\0", b"\xd3" + good[1:]):
        network.post(create, bad).must(401, "InvalidAuthenticationInfo")
    network.post(create, good, content_type="application/json").must(401, "InvalidAuthenticationInfo")
    for place in range(0, len(good), 11):
        flipped = bytearray(good)
        flipped[place] ^= 1
        assert network.post(create, bytes(flipped)).status in (400, 401), f"accepted with byte {place} changed"


@case
def keys_may_stay_off_the_machine(network, people):
    action = {"actions": [{"name": "set_member_data", "args": {"member_id": people[0].id, "member_data": {"signed": "elsewhere"}}}]}
    with tempfile.TemporaryDirectory() as where:
        content, digest, signature = (Path(where, name) for name in ("content", "digest", "signature"))
        content.write_text(json.dumps(action))
        options = (
            "--content", content, "--signing-cert", people[0].certificate, "--ccf-gov-msg-type", "proposal",
            "--ccf-gov-msg-created_at", now(),
        )
        prepared = json.loads(run(TOOLS / "ccf_cose_sign1_prepare", *options))
        digest.write_bytes(base64.b64decode(prepared["value"]))
        der = run("openssl", "pkeyutl", "-sign", "-inkey", people[0].key, "-in", digest)
        signature.write_text(json.dumps({"value": base64.urlsafe_b64encode(fixed(der)).decode()}))
        envelope = run(TOOLS / "ccf_cose_sign1_finish", *options, "--signature", signature)
    proposal = opened(network.post("/gov/members/proposals:create", envelope))
    people[0].withdraw(network, proposal).must(200)


def fixed(der):
    """An ECDSA signature for P-384, of two integers in DER, as two numbers of 48 bytes."""
    at, numbers = 2, []
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + length], "big").to_bytes(48, "big"))
        at += 2 + length
    return b"".join(numbers)


@case
def scripts_that_misbehave_fail_alone(network, people):
    proposal = opened(people[0].propose(network, ("set_member_data", {"member_id": people[0].id, "member_data": {"calm": True}})))
    hostile = [
        "export function vote () { for (;;) {} }",
        "export function vote () { const all = []; for (;;) all.push(new Array(1e5).fill(all)); }",
    ]
    for member, script in zip(people, hostile):
        assert member.vote(network, proposal, script).must(200).body["proposalState"] == "Open"
    assert people[2].vote(network, proposal).must(200).body["proposalState"] == "Open"
    accepted = people[3].vote(network, proposal).must(200).body
    # Two of four do not vote, and two are no majority.
    assert accepted["proposalState"] == "Open", accepted
    people[0].withdraw(network, proposal).must(200)
    throwing = opened(people[0].propose(network, ("set_member_data", {"member_id": people[0].id, "member_data": {"calm": True}})))
    assert people[0].vote(network, throwing, "export function vote () { throw new Error('no mood') }").must(200)
    for member in people[1:]:
        accepted = member.vote(network, throwing).must(200).body
    assert accepted["proposalState"] == "Accepted" and "no mood" in accepted["voteFailures"][people[0].id]["reason"]
    assert network.members()[people[0].id]["memberData"] == {"calm": True}


@case
def nonsense_is_not_proposed(network, people):
    for actions in ([("no_such_action", {})], [("set_member", {"cert": "no certificate"})], [("set_constitution", {"constitution": "export"})]):
        people[0].propose(network, *actions).must(400, "ProposalFailedToValidate")
    envelope = people[0].sign("proposal", b"not json")
    network.post("/gov/members/proposals:create", envelope).must(500, "InternalError")


@case
def rules_are_changed_by_the_rules_as_they_were(network, people):
    everyone = {"agree": "unanimous"}
    assert decided(network, people, ("set_policy", {"action": "set_member_data", "policy": everyone})) == "Accepted"
    proposal = opened(people[0].propose(network, ("set_member_data", {"member_id": people[0].id, "member_data": {"all": "agreed"}})))
    for member in people[:-1]:
        assert member.vote(network, proposal).must(200).body["proposalState"] == "Open"
    assert people[-1].vote(network, proposal).must(200).body["proposalState"] == "Accepted"
    # To loosen the rule takes what the rule takes.
    loosen = opened(people[0].propose(network, ("remove_policy", {"action": "set_member_data"})))
    for member in people[:-1]:
        assert member.vote(network, loosen).must(200).body["proposalState"] == "Open"
    assert people[-1].vote(network, loosen).must(200).body["proposalState"] == "Accepted"


@case
def a_delay_passes_before_the_deed(network, people):
    policy = {"agree": "majority", "delay_seconds": 2}
    assert decided(network, people, ("set_policy", {"action": "set_member_data", "policy": policy})) == "Accepted"
    proposal = opened(people[0].propose(network, ("set_member_data", {"member_id": people[0].id, "member_data": {"late": True}})))
    for member in people[:3]:
        assert member.vote(network, proposal).must(200).body["proposalState"] == "Open"
    assert settled(network, proposal) == "Accepted"
    assert network.members()[people[0].id]["memberData"] == {"late": True}
    loosen = opened(people[0].propose(network, ("remove_policy", {"action": "set_member_data"})))
    for member in people[:3]:
        assert member.vote(network, loosen).must(200).body["proposalState"] == "Open"
    assert settled(network, loosen) == "Accepted"


@case
def who_was_ejected_has_no_say(network, people):
    gone = people.pop()
    assert decided(network, people, ("remove_member", {"member_id": gone.id})) == "Accepted"

    def gone_from(node):
        assert gone.id not in network.members(node=node)

    seen(network, 1, gone_from)
    gone.propose(network, ("set_member_data", {"member_id": people[0].id, "member_data": {}})).must(401, "InvalidAuthenticationInfo")


@case
def who_decides_at_the_same_time_is_put_in_a_row(network, people):
    def update(turn):
        member = people[turn % len(people)]
        place = f"/gov/members/state-digests/{member.id}:update"
        return network.post(place, member.sign("state_digest"), node=turn % len(network.doors)).status

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(update, range(36))) == {200}


@case
def users_are_told_apart(network, people):
    user = generated("user")
    assert decided(network, people, ("set_user", {"cert": user.pem, "user_data": {"desk": 7}})) == "Accepted"
    shown = seen(network, 1, lambda node: network.curl(f"/gov/service/users/{user.id.upper()}", node=node).must(200))
    assert shown.body["userData"] == {"desk": 7}
    assert decided(network, people, ("remove_user", {"user_id": user.id})) == "Accepted"
    network.curl(f"/gov/service/users/{user.id}").must(404, "ResourceNotFound")


class Newcomer:
    """A node that asks to join, made of openssl and curl; it has a key and the evidence of a virtual TEE, and does nothing else."""

    def __init__(self, measurement):
        self.where = Path(tempfile.mkdtemp())
        openssl = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-subj", "/CN=newcomer")
        run(*openssl, "-x509", "-days", "1", "-keyout", self.where / "key.pem", "-out", self.where / "certificate.pem")
        self.request = run("openssl", "req", "-new", "-sha384", "-key", self.where / "key.pem", "-subj", "/CN=newcomer",
                           "-addext", "subjectAltName=IP:127.0.0.1").decode()
        public = run("openssl", "pkey", "-in", self.where / "key.pem", "-pubout", "-outform", "DER")
        self.id = hashlib.sha256(public).hexdigest()
        bound = hashlib.sha256(public).digest() + bytes(32)
        self.quote = b"coco virtual evidence 1\n" + bytes.fromhex(measurement) + bound + b"\0"

    def join(self, network, node=0, request=None):
        body = {
            "node_info_network": {"node_to_node_interface": {"bind_address": "127.0.0.1:1"}},
            "quote_info": {"format": "Insecure_Virtual", "quote": base64.b64encode(self.quote).decode(), "endorsements": ""},
            "certificate_signing_request": request or self.request,
        }
        options = ("--cert", self.where / "certificate.pem", "--key", self.where / "key.pem",
                   "--header", "Content-Type: application/json", "--data-binary", "@-")
        return network.curl("/node/join", *options, node=node, stdin=json.dumps(body).encode(), version=None)


@case
def a_node_is_let_in_by_vote_and_let_go(network, people):
    code = network.curl("/gov/service/join-policy").must(200).body["manifests"]["code"]
    approved = next(entry["measurement"] for entry in code if entry["tee"] == "virtual")
    Newcomer("00" * 32).join(network).must(403, "InvalidQuote")
    newcomer = Newcomer(approved)
    newcomer.join(network, request=Newcomer(approved).request).must(400, "CSRPublicKeyInvalid")
    waits = newcomer.join(network).must(200).body
    assert waits == {"node_status": "Pending", "node_id": newcomer.id}, "whoever waits gets no secrets"
    valid_from = datetime.datetime.now(datetime.timezone.utc).strftime("%y%m%d%H%M%SZ")
    trust = ("transition_node_to_trusted", {"node_id": newcomer.id, "valid_from": valid_from})
    assert decided(network, people, trust) == "Accepted"

    def secrets(node):
        answer = newcomer.join(network, node).must(200).body
        assert answer["node_status"] == "Trusted", answer
        return answer["network_info"]

    told = seen(network, 1, secrets)
    assert told["identity"]["cert"] == Path(network.service).read_text()
    assert len(base64.b64decode(next(iter(told["ledger_secrets"].values()))["raw_key"])) == 32
    Path(newcomer.where, "endorsed.pem").write_text(told["endorsed_certificate"])
    run("openssl", "verify", "-CAfile", network.service, newcomer.where / "endorsed.pem")
    assert decided(network, people, ("remove_node", {"node_id": newcomer.id})) == "Accepted"
    newcomer.join(network).must(400, "InvalidNodeState")

    def let_go(node):
        told = network.curl("/node/network/removable_nodes", node=node, version=None).must(200).body["nodes"]
        assert newcomer.id in [node["node_id"] for node in told], told

    seen(network, 0, let_go)
    network.curl(f"/node/network/nodes/{newcomer.id}", "--request", "DELETE", version=None).must(200)


@case
def a_script_of_members_keeps_nodes_out(network, people):
    code = network.curl("/gov/service/join-policy").must(200).body["manifests"]["code"]
    newcomer = Newcomer(next(entry["measurement"] for entry in code if entry["tee"] == "virtual"))
    policies = [
        ("return `no ${node.evidence.kind} nodes`;", "no virtual nodes"),
        ("throw new Error('no mood');", "no mood"),
        ("for (;;) {}", "too long"),
        ("const all = []; for (;;) all.push(new Array(1e5).fill(all));", "let the node in"),
        ("return 1;", "not true"),
    ]
    for body, reason in policies:
        policy = f"export function apply (statements, node) {{ {body} }}"
        assert decided(network, people, ("set_node_join_policy", {"policy": policy})) == "Accepted"
        told = newcomer.join(network).must(403, "InvalidQuote").body["error"]["message"]
        assert "node_join_policy" in told and reason in told, told
    assert decided(network, people, ("set_node_join_policy", {"policy": "export function apply () { return true; }"})) == "Accepted"
    assert newcomer.join(network).must(200).body["node_status"] == "Pending"
    assert decided(network, people, ("remove_node_join_policy", None), ("remove_node", {"node_id": newcomer.id})) == "Accepted"


def receipt_of(network, transaction, node=0, media="application/json"):
    """The answer, once the node has the transaction in its ledger file."""
    path = f"/node/receipt?transaction_id={transaction}"
    for _ in range(100):
        answer = network.curl(path, "--header", f"Accept: {media}", node=node, version=None)
        if answer.status not in (202, 404) or (answer.status == 404 and "PendingOrUnknown" not in answer.text):
            break
        time.sleep(0.05)
    return answer


@case
def a_receipt_proves_a_decision_to_who_knows_the_service_alone(network, people):
    data = {"member_id": people[0].id, "member_data": {"receipt": True}}
    made = people[0].propose(network, ("set_member_data", data)).must(200)
    transaction, service = made.headers["x-ms-ccf-transaction-id"], pem(Path(network.service).read_text())
    for node in range(len(network.doors)):
        binary = receipt_of(network, transaction, node, "application/cose").must(200).raw
        verify_cose(binary, service.public_key(), bytes(32))
        flipped = bytearray(binary)
        flipped[-1] ^= 1
        try:
            verify_cose(bytes(flipped), service.public_key(), bytes(32))
        except Exception:
            continue
        raise AssertionError("a changed receipt was accepted")
    answer = receipt_of(network, transaction)
    if answer.status == 404:
        assert "service alone signs" in answer.must(404, "ResourceNotFound").text
    else:
        shown = answer.must(200).body
        parts = shown["leaf_components"]
        assert parts["commit_evidence"].startswith(f"ce:{transaction}:") and parts["claims_digest"] == "00" * 32
        check_json(shown, service)
        # An old entry, and one that closes a batch.
        check_json(receipt_of(network, "2.1", node=1).must(200).body, service)
    people[0].withdraw(network, made.body["proposalId"]).must(200)
    network.curl("/node/receipt?transaction_id=1.1", version=None).must(404, "TransactionInvalid")
    network.curl("/node/receipt?transaction_id=999.99999999", version=None).must(404, "TransactionPendingOrUnknown")
    network.curl("/node/receipt?transaction_id=1", version=None).must(400, "InvalidQueryParameterValue")


def check_json(receipt, service):
    parts = receipt["leaf_components"]
    evidence = hashlib.sha256(parts["commit_evidence"].encode()).digest()
    leaf = bytes.fromhex(parts["write_set_digest"]) + evidence + bytes.fromhex(parts["claims_digest"])
    node = pem(receipt["cert"])
    ccf.receipt.verify(ccf.receipt.root(hashlib.sha256(leaf).hexdigest(), receipt["proof"]), receipt["signature"], node)
    ccf.receipt.check_endorsements(node, service, [])


@case
def a_node_says_what_it_is_and_whether_it_is_ready(network, people):
    for node in range(len(network.doors)):
        def told(path):
            return network.curl(f"/node/{path}", node=node, version=None).must(200).body

        me = told("state")["node_id"]
        quotes = {quote["node_id"]: quote for quote in told("quotes")["quotes"]}
        assert len(quotes) == len(network.doors) and told("attestations")["attestations"] == list(quotes.values())
        assert told("quotes/self") == told("attestations/self") == quotes[me]
        public = pem(told("self_signed_certificate")["self_signed_certificate"]).public_key()
        assert hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest() == me
        for who in "gov", "app":
            network.curl(f"/node/ready/{who}", node=node, version=None).must(204)
        sessions = told("metrics")["sessions"]
        assert 1 <= sessions["active"] <= sessions["peak"] <= sessions["interfaces"]["governance"]["hard_cap"]
        network.curl("/node/service/previous_identity", node=node, version=None).must(404, "ResourceNotFound")
    assert network.curl("/gov/service/javascript-app").must(200).body == {"endpoints": {}}
    assert network.curl("/gov/service/javascript-modules").must(200).body == {"value": []}
    network.curl("/gov/service/javascript-modules/%2Fmain.js").must(404, "ResourceNotFound")


@case
def a_constitution_is_replaced_by_vote(network, people):
    old = network.curl("/gov/service/constitution").must(200).text
    new = old + "\n// amended\n"
    assert decided(network, people, ("set_constitution", {"constitution": new})) == "Accepted"

    def amended(node):
        assert network.curl("/gov/service/constitution", node=node).must(200).text == new

    seen(network, 2, amended)


@case
def ledgers_are_opened_by_vote(network, people):
    assert network.curl("/gov/coco/ledgers").must(200).body["value"] == []
    for unheard in {"kind": "bitcoin"}, {"kind": "ethereum"}, {"kind": "keyvalue", "policy": {"read": ["us"]}}:
        people[0].propose(network, ("open_ledger", {"name": "second", **unheard})).must(400, "ProposalFailedToValidate")
    ethereum = {"name": "ethereum", "kind": "ethereum", "genesis": json.loads(network.genesis.read_text())}
    notes = {"name": "keyvalue", "kind": "keyvalue"}
    assert decided(network, people, ("open_ledger", ethereum), ("open_ledger", notes)) == "Accepted"
    for node in range(len(network.doors)):
        assert seen(network, node, lambda node: network.ethereum(node, "eth_chainId"))["result"] == "0x539"
    told = {row["name"]: (row["kind"], row["status"]) for row in network.curl("/gov/coco/ledgers").must(200).body["value"]}
    assert told == {"ethereum": ("ethereum", "Open"), "keyvalue": ("keyvalue", "Open")}


@case
def who_may_connect_is_decided(network, people):
    def connect(*networks):
        return decided(network, people, ("set_ledger_policy", {"name": "ethereum", "policy": {"connect": networks}}))

    def shut(node):
        try:
            network.ethereum(node, "eth_chainId")
        except AssertionError:
            return
        raise AssertionError(f"node {node} lets in whom it should not")

    assert connect("10.255.0.0/16") == "Accepted"
    for node in range(len(network.doors)):
        seen(network, node, shut)
    assert connect("127.0.0.0/8", "::1/128") == "Accepted"
    for node in range(len(network.doors)):
        seen(network, node, lambda node: network.ethereum(node, "eth_chainId"))


@case
def a_hosted_ledger_pauses_and_goes_on(network, people):
    assert network.transfer() is None
    assert decided(network, people, ("pause_ledger", {"name": "ethereum"})) == "Accepted"
    for node in range(len(network.doors)):
        assert "paused" in network.transfer(node)["message"]
    assert network.ethereum(1, "eth_blockNumber")["result"], "reads go on"
    assert decided(network, people, ("resume_ledger", {"name": "ethereum"})) == "Accepted"
    assert network.transfer(1) is None


@case
def the_ledger_has_a_new_secret(network, people):
    assert decided(network, people, ("trigger_ledger_rekey", None)) == "Accepted"
    assert decided(network, people, ("set_epoch", {"seconds": 86400})) == "Accepted"
    assert network.transfer() is None


@case
def a_share_is_for_who_recovers(network, people):
    holder = generated("holder", "--gen-enc-key")
    public, private = (holder.key.with_name(f"holder_enc_{part}.pem") for part in ("pubk", "privk"))
    key = public.read_text()
    assert decided(network, people, ("set_member", {"cert": holder.pem, "encryption_pub_key": key})) == "Accepted"
    network.curl(f"/gov/recovery/encrypted-shares/{holder.id}").must(404, "ResourceNotFound")
    seen(network, 0, lambda node: network.curl(f"/gov/service/members/{holder.id}", node=node).must(200))
    holder.acknowledge(network).must(204)

    def share(node):
        told = network.curl(f"/gov/recovery/encrypted-shares/{holder.id}", node=node).must(200).body
        assert told["memberId"] == holder.id
        options = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256")
        return run("openssl", "pkeyutl", "-decrypt", "-inkey", private, *options, stdin=base64.b64decode(told["encryptedShare"]))

    given = seen(network, 1, share)
    assert len(given) == 44 and given[:4] == (1).to_bytes(4, "little"), given
    submitted = holder.sign("recovery_share", {"share": base64.b64encode(given).decode()})
    place = f"/gov/recovery/members/{holder.id}:recover"
    network.post(place, submitted).must(403, "ServiceNotWaitingForRecoveryShares")
    network.post(f"/gov/recovery/members/{people[0].id}:recover", submitted).must(401, "InvalidAuthenticationInfo")


@case
def what_the_node_cannot_do_is_not_decided(network, people):
    for action in [("set_jwt_issuer", {"issuer": "https://issuer.example"})]:
        answer = people[0].propose(network, action).must(200)
        for member in people:
            answer = member.vote(network, answer.body["proposalId"])
            if answer.status != 200:
                break
        answer.must(501, "NotImplemented")
    assert {told["status"] for told in network.curl("/gov/service/nodes").must(200).body["value"]} == {"Trusted"}


@case
def reads_have_their_shapes(network, people):
    info = network.curl("/gov/service/info").must(200).body
    assert info["status"] == "Open" and info["certificate"] == Path(network.service).read_text()
    assert info["configuration"]["recentCoseProposalsWindowSize"] == 100
    nodes = network.curl("/gov/service/nodes").must(200).body["value"]
    assert len(nodes) == len(network.doors) and {node["status"] for node in nodes} == {"Trusted"}
    assert nodes[0] == network.curl(f"/gov/service/nodes/{nodes[0]['nodeId']}").must(200).body
    assert set(network.curl("/gov/service/join-policy").must(200).body) == {"sgx", "virtual", "snp", "manifests"}
    primary = network.curl("/node/network/nodes/primary", version=None).must(200).body
    assert primary["primary"] and network.curl("/node/network", version=None).must(200).body["primary_id"] == primary["node_id"]
    assert sorted(network.curl("/node/primary", node=node, version=None).status for node in range(len(network.doors))) == [200, 404, 404]
    assert re.fullmatch(r"\d+\.\d+", network.curl("/node/commit", version=None).must(200).body["transaction_id"])
    written = people[0].propose(network, ("set_user_data", {"user_id": "00" * 32, "user_data": {}}))
    assert re.fullmatch(r"\d+\.\d+", written.headers.get("x-ms-ccf-transaction-id", "")) or written.status != 200


@case
def paths_and_versions_that_are_not_there_are_errors(network, people):
    network.curl("/gov/service/info", version="1999-01-01").must(400, "UnsupportedApiVersionValue")
    network.curl("/gov/service/info", version=None).must(200)
    network.curl("/gov/nothing").must(404, "ResourceNotFound")
    network.curl("/gov/service/info", "--request", "DELETE").must(405, "UnsupportedHttpVerb")
    network.post("/gov/members/proposals:destroy", people[0].sign("state_digest")).must(404, "ResourceNotFound")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    network = Network(sys.argv[1])
    described = json.loads(Path(sys.argv[1]).read_text())["members"]
    people = [Member(member["certificate"], member["key"]) for member in described]
    failed = 0
    for function in CASES:
        name = function.__name__.replace("_", " ")
        try:
            function(network, people)
            print(f"ok      {name}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
