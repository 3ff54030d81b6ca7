// Conditions under which an action needs no votes. They are written into a policy, and hold or do not hold by rows alone.

const CONDITIONS = {
  // A member brings a node of its own, which runs approved code in an approved kind of TEE; up to so many nodes a member.
  own_node: {
    fields: { nodes_max: integer(1, 1000) },
    holds({ nodes_max }, action, proposer, claimed) {
      if (action.name !== "transition_node_to_trusted" || (action.args.owner ?? proposer) !== proposer) return false;
      const node = ofCcf("nodes.info").get(action.args.node_id);
      if (node?.status !== "Pending" || !isApproved(node)) return false;
      // A proposal may bring several: those before this one count too.
      claimed.nodes.add(action.args.node_id);
      return trustedNodesOf(proposer) + claimed.nodes.size <= nodes_max;
    },
  },
  // A member changes its own certificate.
  own_key: {
    fields: {},
    holds: (_, action, proposer) => action.name === "rotate_member_certificate" && action.args.member_id === proposer,
  },
  // The owner of an organisation takes in one of its people, as a member or a user; up to so many of them at a time.
  own_organisation: {
    fields: { people_max: integer(1, 1000000) },
    holds({ people_max }, action, proposer, claimed) {
      if (!["set_member", "set_user"].includes(action.name)) return false;
      const { cert, organisation } = action.args;
      if (!organisation || ofCoco("organisations").get(organisation)?.owner !== proposer) return false;
      const person = ccf.pemToId(cert);
      // Whoever is there already is not written anew this way.
      if (ofCcf("members.info").has(person) || ofCcf("users.certs").has(person) || !isVouchedFor(action.args)) return false;
      claimed.people.add(`${organisation} ${person}`);
      const more = [...claimed.people].filter((one) => one.startsWith(`${organisation} `)).length;
      return peopleOf(organisation).length + more <= people_max;
    },
  },
  // One of these members proposes it.
  proposer_in: {
    fields: { members: listOf(id) },
    holds: ({ members }, _, proposer) => members.includes(proposer),
  },
  // A member whose data says that it provisions adds or removes one whose data says what such members are: operators, say.
  provisions: {
    fields: { field: text, gives: text },
    holds({ field, gives }, action, proposer) {
      const dataOf = (member) => ofCcf("members.info").get(member)?.member_data;
      if (dataOf(proposer)?.[field] !== true) return false;
      if (action.name === "remove_member") return dataOf(action.args.member_id)?.[gives] === true;
      // Whoever is a member already, and is none of those, is not made one of them this way.
      if (action.name !== "set_member" || action.args.member_data?.[gives] !== true) return false;
      const known = ofCcf("members.info").get(ccf.pemToId(action.args.cert));
      return known === undefined || known.member_data?.[gives] === true;
    },
  },
  // A member proposes it whose data has this field with this value: an operator, say.
  proposer_data: {
    fields: { field: text, value: anything },
    holds: ({ field, value }, _, proposer) => ofCcf("members.info").get(proposer)?.member_data?.[field] === value,
  },
};

function condition(value, name) {
  object(value, name);
  const known = Object.hasOwn(CONDITIONS, value.when) ? CONDITIONS[value.when] : fail(`${name}.when is no known condition`);
  shape({ when: text, ...known.fields })(value, name);
}

// Nothing is automatic for whoever left or was suspended after it proposed.
const isAutomatic = (policy, action, proposer, claimed) =>
  policy.automatic?.length > 0 &&
  ofCcf("members.info").get(proposer)?.status === "Active" &&
  policy.automatic.some((one) => CONDITIONS[one.when].holds(one, action, proposer, claimed));

const TEE_OF_FORMAT = {
  OE_SGX_v1: "sgx",
  AMD_SEV_SNP_v1: "snp",
  Insecure_Virtual: "virtual",
  "sev-snp": "snp",
  "arm-cca": "cca",
  "azure-vtpm": "vtpm",
};
const codeKey = (tee, measurement) => `${tee}:${measurement}`;

function isApproved(node) {
  const now = Date.now();
  const stands = (row) => row !== undefined && (row.expires === undefined || row.expires > now);
  const tee = TEE_OF_FORMAT[node.quote_info?.format] ?? node.quote_info?.format;
  return stands(ofCoco("manifest.tee").get(`${tee}`)) && stands(ofCoco("manifest.code").get(codeKey(tee, node.code_digest)));
}

function trustedNodesOf(owner) {
  const nodes = ofCcf("nodes.info");
  return ofCoco("nodes.owners").rows().filter(([node, row]) => row.owner === owner && nodes.get(node)?.status === "Trusted")
    .length;
}
