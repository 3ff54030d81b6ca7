// A member's certificate is replaced: the member's id is the certificate's digest, so all that names the old id names the new one from
// then on. The old id counts no more at once; the new one counts once its key has signed the state.

define(
  "rotate_member_certificate",
  { member_id: id, cert: certificate, chain: optional(bundle) },
  ({ member_id, cert, chain }, proposalId) => {
    const members = ofCcf("members.info");
    const info = existing(members, member_id, "member");
    const next = ccf.pemToId(cert);
    if (next === member_id) fail("the member has this certificate already");
    if (members.has(next)) fail(`${next} is a member already`);
    // Whom an organisation vouched for it vouches for again.
    vouching({ cert, chain, organisation: info.organisation });
    const wasActive = info.status === "Active";
    const holds = isRecoveryMember(member_id);
    if (holds) {
      checkHolderMayChange(member_id);
      const { recovery_threshold = 1 } = existing(ofCcf("service.config"), ONE, "service configuration");
      // Its share is dealt anew when it signs the state, and until then those of the others must be enough.
      if (wasActive && activeRecoveryMembers() - 1 < recovery_threshold) {
        fail("fewer active recovery members than the recovery threshold, until the new key has signed the state");
      }
    }
    const signature = table("public:ccf.internal.signatures").get(ONE) ?? fail("there is no signed state to acknowledge yet");
    // Whoever is suspended stays so.
    const stays = info.status === "Suspended" ? { status: "Suspended", suspended_from: "Accepted" } : { status: "Accepted" };
    members.set(next, { ...info, ...stays });
    ofCcf("members.certs").setText(next, cert);
    ofCcf("members.acks").set(next, { state_digest: signature.root });
    const keys = ofCcf("members.encryption_public_keys");
    if (holds) keys.setText(next, keys.getText(member_id));
    for (const rows of ["info", "certs", "acks", "encryption_public_keys"]) ofCcf(`members.${rows}`).remove(member_id);
    rename(member_id, next);
    dropProposalsOf(member_id, proposalId);
    // It need only sign: it counts here as it did.
    checkSatisfiable(wasActive ? [...activeMembers(), next] : activeMembers());
  },
);

// Rows that name a member, and policies.
function rename(before, after) {
  for (const rows of ["nodes.owners", "organisations"]) {
    const named = ofCoco(rows);
    for (const [key, row] of named.rows()) if (row.owner === before) named.set(key, { ...row, owner: after });
  }
  const swap = (list) => list?.map((member) => (member === before ? after : member));
  for (const [action, policy] of policies().rows()) {
    if (!JSON.stringify(policy).includes(before)) continue;
    const weights = policy.weights && Object.entries(policy.weights).map(([member, weight]) => [member === before ? after : member, weight]);
    policies().set(action, {
      ...policy,
      voters: swap(policy.voters),
      veto: swap(policy.veto),
      weights: weights && Object.fromEntries(weights),
      automatic: policy.automatic?.map((one) => (one.members ? { ...one, members: swap(one.members) } : one)),
    });
  }
}

// Only its proposer can withdraw a proposal, and the old id signs nothing any more.
function dropProposalsOf(member, but) {
  const proposals = ofCcf("proposals_info");
  for (const [id, info] of proposals.rows()) {
    if (id !== but && info.proposer_id === member && info.state === "Open") proposals.set(id, { ...info, state: "Dropped" });
  }
}
