// What nodes may run, and in what: the manifests of code and of TEEs, and CCF's tables for the same.

const tee = oneOf("sgx", "snp", "tdx", "nitro", "cca", "vtpm", "maa", "vbs", "virtual");
const expires = optional(time);

// Whoever adds code that may read everything changes what others vote on.
function approve(name, fields, apply, check) {
  define(
    name,
    fields,
    (args, proposalId) => {
      apply(args);
      dropOthers(proposalId);
    },
    check,
  );
}

// `measurement` is the main one of its kind; what else must be measured has names. Nodes that run code which is removed go on
// until members remove them, or until their lease runs out: they cannot renew it.
approve(
  "add_code",
  {
    tee,
    measurement: hex,
    version: optional(text),
    expires,
    measurements: optional(mapOf(hex)),
    host_data: optional(hex),
    lowest_svn: optional(integer(0, Number.MAX_SAFE_INTEGER)),
  },
  ({ tee, measurement, ...row }) => ofCoco("manifest.code").set(codeKey(tee, measurement), { tee, measurement, ...row }),
  // The registers of a virtual TPM are worth as much as the paravisor that keeps them.
  ({ tee, measurements }) =>
    tee !== "vtpm" || ["measurement", "uvm", "mrtd"].some((name) => measurements?.[name]) ||
    fail("code behind a virtual TPM also names its paravisor: measurement, uvm or mrtd in measurements"),
);
define("remove_code", { tee, measurement: hex }, ({ tee, measurement }) =>
  ofCoco("manifest.code").remove(codeKey(tee, measurement)));

// Debugging is for a TEE that protects nothing anyway.
approve(
  "add_tee",
  { tee, minimum_tcb: optional(object), debug: optional(flag), expires },
  ({ tee, ...row }) => ofCoco("manifest.tee").set(tee, { tee, ...row }),
  ({ tee, debug }) => !debug || tee === "virtual" || fail("a TEE that may be debugged protects nothing"),
);
define("remove_tee", { tee }, ({ tee }) => ofCoco("manifest.tee").remove(tee));

// Who may vouch for hardware beside its vendor: certificates in PEM, or keys as JSON where a vendor has no root of them all.
approve(
  "set_endorsement_root",
  { tee, name, root: text, product: optional(oneOf("Milan", "Genoa", "Turin")), issuer: optional(text) },
  ({ tee, name, ...row }) => ofCoco("manifest.roots").set(`${tee}:${name}`, { tee, name, ...row }),
  ({ tee, root, product, issuer }) => {
    if (tee === "virtual") fail("nobody vouches for a TEE that protects nothing");
    if (tee === "cca" || tee === "maa") JSON.parse(root);
    else if (!ccf.crypto.isValidX509CertBundle(root)) fail("root must be a certificate in PEM");
    if ((tee === "snp") !== Boolean(product)) fail("product says of which processors an AMD root is, and of nothing else");
    if ((tee === "maa") !== Boolean(issuer)) fail("issuer says whose keys of Azure Attestation these are, and nothing else");
  },
);
define("remove_endorsement_root", { tee, name }, ({ tee, name }) =>
  ofCoco("manifest.roots").remove(`${tee}:${name}`) || fail(`there is no root ${name} of ${tee}`));

const ALLOWED = "AllowedToJoin";
for (const kind of ["snp", "virtual"]) {
  approve(`add_${kind}_measurement`, { measurement: text }, ({ measurement }) =>
    ofCcf(`nodes.${kind}.measurements`).set(measurement, ALLOWED));
  define(`remove_${kind}_measurement`, { measurement: text }, ({ measurement }) =>
    ofCcf(`nodes.${kind}.measurements`).remove(measurement));
  define(`remove_${kind}_host_data`, { host_data: text }, ({ host_data }) =>
    ofCcf(`nodes.${kind}.host_data`).remove(host_data));
}

approve("add_virtual_host_data", { host_data: text, metadata: optional(text) }, ({ host_data, metadata = "" }) =>
  ofCcf("nodes.virtual.host_data").set(host_data, metadata));

approve(
  "add_snp_host_data",
  { host_data: hex, security_policy: text },
  ({ host_data, security_policy }) => ofCcf("nodes.snp.host_data").set(host_data, security_policy),
  ({ host_data, security_policy }) => {
    if (security_policy === "") return;
    const digest = new Uint8Array(ccf.crypto.digest("SHA-256", ccf.strToBuf(security_policy))).toHex();
    if (digest !== host_data) fail(`the security policy hashes to ${digest}, not to host_data`);
  },
);

const endorsements = () => ofCcf("nodes.snp.uvm_endorsements");
approve("add_snp_uvm_endorsement", { did: text, feed: text, svn: text }, ({ did, feed, svn }) =>
  endorsements().set(did, { ...endorsements().get(did), [feed]: { svn } }));
define("remove_snp_uvm_endorsement", { did: text, feed: text }, ({ did, feed }) => {
  const { [feed]: _, ...left } = endorsements().get(did) ?? {};
  Object.keys(left).length > 0 ? endorsements().set(did, left) : endorsements().remove(did);
});

const byte = integer(0, 255);
const versions = () => ofCcf("nodes.snp.tcb_versions");
approve(
  "set_snp_minimum_tcb_version",
  { cpuid, tcb_version: shape({ boot_loader: byte, tee: byte, snp: byte, microcode: byte }) },
  (args) => versions().set(args.cpuid, args.tcb_version),
);
approve(
  "set_snp_minimum_tcb_version_hex",
  { cpuid, tcb_version: matching(/^[0-9a-f]{16}$/, "16 lower-case hexadecimal characters") },
  (args) => versions().set(args.cpuid, ccf.tcbHexToPolicy(args.cpuid, args.tcb_version)),
);
define("remove_snp_minimum_tcb_version", { cpuid }, ({ cpuid }) =>
  versions().remove(cpuid) || fail(`CPUID ${cpuid} has no minimum`));

define("set_node_join_policy", { policy: text }, ({ policy }) => ofCcf("nodes.node_join_policy").setText(ONE, policy));
define("remove_node_join_policy", nothing, () => ofCcf("nodes.node_join_policy").remove(ONE));
