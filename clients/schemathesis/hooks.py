"""What Schemathesis cannot know: which ids there are, and how a member signs.

Most requests that are meant to be right name something that is there, and are signed by a member; the others stay as they were
generated. What is meant to be wrong stays so. Everything is drawn from one seed.
"""

import os
import random

import schemathesis

from network import NO, YES, Network

NETWORK = Network(os.environ["COCO_NETWORK_FILE"])
DRAW = random.Random(1)
SCRIPTS = [YES, YES, NO, "export function vote () { throw new Error('no mood'); }", "nothing", ""]
PROPOSALS = [os.environ["COCO_PROPOSAL"]]
DIGESTS = {}
# What was answered, a line each: the runner wants to know that everything was reached.
ANSWERS = open(os.environ["COCO_ANSWERS"], "w")
USER = NETWORK.members[0]


def known(name):
    """Something that is there, by the name of a path's parameter."""
    there = {
        "proposal": lambda: PROPOSALS[-8:],
        "member": lambda: [member.id for member in NETWORK.members],
        "user": lambda: [USER.id],
        "node": lambda: [node["nodeId"] for node in NETWORK.get("/gov/service/nodes")["value"]],
        "file": lambda: ["ledger_1", "snapshot_1"],
        "module": lambda: ["main.js"],
        "transaction": lambda: ["2.1", "2.3", NETWORK.get("/gov/service/transactions/commit")["transactionId"], "1.2"],
    }
    return DRAW.choice(there[name]() or [None])


def proposal(member):
    """Sometimes what the constitution knows, sometimes not."""
    number = DRAW.randrange(1000)
    actions = [
        {"name": "set_member_data", "args": {"member_id": member.id, "member_data": {"number": number}}},
        {"name": "set_user", "args": {"cert": USER.pem, "user_data": {"number": number}}},
        {"name": "set_policy", "args": {"action": "set_user_data", "policy": DRAW.choice([{"agree": {"count": 2}}, {"agree": "unanimous", "delay_seconds": 1}])}},
        {"name": "trigger_snapshot"},
        {"name": "set_member_data", "args": {"member_id": number}},
        {"name": "set_member", "args": {"cert": "none", "unknown": None}},
        {"name": "x" * number, "args": {"deep": [[[[number]]]]}},
    ]
    return {"actions": DRAW.sample(actions, DRAW.choice([1, 1, 1, 2]))}


def payload(kind, member):
    return {
        "proposal": lambda: proposal(member),
        "ballot": lambda: {"ballot": DRAW.choice(SCRIPTS)},
        "ack": lambda: {"stateDigest": DIGESTS.get(member.id, "00" * 32)},
    }.get(kind, lambda: b"")()


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation
    meant_right = case.meta is not None and case.meta.generation.mode.is_positive
    if not meant_right or case.method.upper() != operation.method.upper() or DRAW.random() < 0.2:
        return
    for name in case.path_parameters or {}:
        thing = known(name)
        if thing is not None:
            case.path_parameters[name] = DRAW.choice([thing, thing, thing.upper()])
    if "transaction_id" in (case.query or {}):
        case.query["transaction_id"] = known("transaction")
    kind = operation.definition.raw.get("requestBody", {}).get("x-ccf-message-type")
    if kind is None:
        return
    member = DRAW.choice(NETWORK.members)
    # Others may have decided, by now, whatever was there to be taken back.
    if kind == "withdrawal" and DRAW.random() < 0.5:
        case.path_parameters["proposal"] = NETWORK.propose(member, ("set_member_data", {"member_id": member.id, "member_data": {}}))
    about = (case.path_parameters or {}).get("proposal")
    if "member" in (case.path_parameters or {}) and DRAW.random() < 0.9:
        case.path_parameters["member"] = member.id
    if DRAW.random() < 0.1:
        kind = DRAW.choice(["proposal", "ballot", "recovery_share"])
    # What was generated stays with the case, which is judged by it; this goes out instead.
    kwargs["data"] = member.sign(kind, payload(kind, member), about)


@schemathesis.serializer("application/cose")
def as_it_is(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.hook
def after_call(context, case, response):
    if case.method.upper() == case.operation.method.upper():
        print(case.operation.label, response.status_code, file=ANSWERS, flush=True)
    if response.status_code != 200:
        return
    if case.path == "/gov/members/proposals:create":
        PROPOSALS.append(response.json()["proposalId"])
    if case.path.endswith(":update"):
        digest = response.json()
        DIGESTS[digest["memberId"]] = digest["stateDigest"]
