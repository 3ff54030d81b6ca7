// Hosted ledgers: opened, paused, closed, and from where clients may connect. What a kind is, and what its genesis means, is known to
// the node, which refuses what it could not host.

const ledgers = () => ofCoco("ledgers");
const port = integer(1, 65535);
// What nodes enforce, and nothing else: nobody shall believe in a rule that no node keeps.
const ledgerPolicy = shape({ connect: optional(listOf(text)) });

define(
  "open_ledger",
  {
    name,
    kind: name,
    genesis: optional(anything),
    base_fee: optional(integer(0, Number.MAX_SAFE_INTEGER)),
    blobs: optional(flag),
    listeners: optional(mapOf(port)),
    policy: optional(ledgerPolicy),
  },
  ({ name, ...ledger }) => {
    // A name is never used twice: its tables are still there.
    if (ledgers().has(name)) fail(`there is, or was, a ledger ${name}`);
    // No row ever goes, so a number is not used twice either. Nodes know the ledger by it.
    ledgers().set(name, { ...ledger, number: ledgers().count() + 1, status: "Open" });
  },
);

function move(action, from, to) {
  define(action, { name }, ({ name }) => {
    const ledger = existing(ledgers(), name, "ledger");
    if (!from.includes(ledger.status)) fail(`ledger ${name} is ${ledger.status}`);
    ledgers().set(name, { ...ledger, status: to });
  });
}

move("pause_ledger", ["Open"], "Paused");
move("resume_ledger", ["Paused"], "Open");
move("close_ledger", ["Open", "Paused"], "Closed");

define("set_ledger_policy", { name, policy: ledgerPolicy }, ({ name, policy }) =>
  ledgers().set(name, { ...existing(ledgers(), name, "ledger"), policy }));
