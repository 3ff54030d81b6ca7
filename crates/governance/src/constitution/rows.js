// Rows of tables, as the rest of this constitution reads and writes them.

// The key of a table that has one row.
const ONE = new ArrayBuffer(8);

function table(name) {
  const map = ccf.kv[name];
  const key = (id) => (typeof id === "string" ? ccf.strToBuf(id) : id);
  return {
    has: (id) => map.has(key(id)),
    get(id) {
      const row = map.get(key(id));
      return row === undefined ? undefined : ccf.bufToJsonCompatible(row);
    },
    getText(id) {
      const row = map.get(key(id));
      return row === undefined ? undefined : ccf.bufToStr(row);
    },
    set: (id, row) => map.set(key(id), ccf.jsonCompatibleToBuf(row)),
    setText: (id, text) => map.set(key(id), ccf.strToBuf(text)),
    remove: (id) => map.delete(key(id)),
    count: () => map.size,
    rows() {
      const found = [];
      map.forEach((row, id) => found.push([ccf.bufToStr(id), ccf.bufToJsonCompatible(row)]));
      return found;
    },
    ids() {
      const found = [];
      map.forEach((_, id) => found.push(ccf.bufToStr(id)));
      return found;
    },
  };
}

const ofCcf = (name) => table(`public:ccf.gov.${name}`);
const ofCoco = (name) => table(`public:coco.gov.${name}`);

function fail(why) {
  throw new Error(why);
}

// A row that must be there.
function existing(from, id, what) {
  return from.get(id) ?? fail(`${what} ${typeof id === "string" ? id : ""} does not exist`);
}

const activeMembers = () => ofCcf("members.info").rows().filter(([, info]) => info.status === "Active").map(([id]) => id);

// Who votes knows the rules that it votes under: other proposals that wait for votes are dropped when rules change.
function dropOthers(proposalId) {
  const proposals = ofCcf("proposals_info");
  for (const [id, info] of proposals.rows()) {
    if (id !== proposalId && info.state === "Open") proposals.set(id, { ...info, state: "Dropped" });
  }
}
