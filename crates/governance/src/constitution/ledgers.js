// Hosted ledgers: opened, paused, closed. What a kind is, and what its genesis means, is known to the node.

const ledgers = () => ofCoco("ledgers");

define(
  "open_ledger",
  { name, kind: name, genesis: optional(anything), listeners: optional(object), policy: optional(object) },
  ({ name, ...ledger }) => {
    // A name is never used twice: its tables are still there.
    if (ledgers().has(name)) fail(`there is, or was, a ledger ${name}`);
    ledgers().set(name, { ...ledger, status: "Open" });
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

define("set_ledger_policy", { name, policy: object }, ({ name, policy }) =>
  ledgers().set(name, { ...existing(ledgers(), name, "ledger"), policy }));
