// Nodes: trusted, removed, certified.

const validity = { valid_from: text, validity_period_days: days };

function endorse(node_id, node, from, days) {
  if (!node.certificate_signing_request) return;
  const most = ofCcf("service.config").get(ONE)?.maximum_node_certificate_validity_days ?? 365;
  if (days > most) fail(`a node's certificate is valid for ${most} days at most`);
  const endorsed = ccf.network.generateEndorsedCertificate(node.certificate_signing_request, from, days ?? most);
  ofCcf("nodes.endorsed_certificates").setText(node_id, endorsed);
}

// `owner` is the member or participant whose node it is; the proposer, if nobody is named.
define(
  "transition_node_to_trusted",
  { node_id: id, ...validity, owner: optional(id) },
  ({ node_id, valid_from, validity_period_days, owner }, proposalId) => {
    const nodes = ofCcf("nodes.info");
    const node = existing(nodes, node_id, "node");
    if (node.status !== "Pending") return;
    if (owner) checkParty(owner);
    nodes.set(node_id, { ...node, status: "Trusted", ledger_secret_seqno: ccf.network.getLatestLedgerSecretSeqno() });
    endorse(node_id, node, valid_from, validity_period_days);
    ofCoco("nodes.owners").set(node_id, { owner: owner ?? ofCcf("proposals_info").get(proposalId)?.proposer_id });
  },
);

define("remove_node", { node_id: id }, ({ node_id }) => {
  const nodes = ofCcf("nodes.info");
  const node = nodes.get(node_id);
  if (node === undefined) return;
  node.status === "Pending" ? nodes.remove(node_id) : nodes.set(node_id, { ...node, status: "Retired" });
  if (node.status === "Trusted") changeLedgerSecret();
});

define("set_node_data", { node_id: id, node_data: anything }, ({ node_id, node_data }) => {
  const nodes = ofCcf("nodes.info");
  nodes.set(node_id, { ...existing(nodes, node_id, "node"), node_data });
});

define(
  "set_node_certificate_validity",
  { node_id: id, ...validity },
  ({ node_id, valid_from, validity_period_days }) => {
    const node = existing(ofCcf("nodes.info"), node_id, "node");
    if (node.status !== "Trusted") fail(`node ${node_id} is not trusted`);
    endorse(node_id, node, valid_from, validity_period_days);
  },
);

define("set_all_nodes_certificate_validity", validity, ({ valid_from, validity_period_days }) => {
  for (const [node_id, node] of ofCcf("nodes.info").rows()) {
    if (node.status === "Trusted") endorse(node_id, node, valid_from, validity_period_days);
  }
});

define("set_service_certificate_validity", validity, ({ valid_from, validity_period_days }) => {
  const most = ofCcf("service.config").get(ONE)?.maximum_service_certificate_validity_days ?? 365;
  if (validity_period_days > most) fail(`the service's certificate is valid for ${most} days at most`);
  const info = existing(ofCcf("service.info"), ONE, "service information");
  const cert = ccf.network.generateNetworkCertificate(valid_from, validity_period_days ?? most);
  ofCcf("service.info").set(ONE, { ...info, cert });
});
