// Members, participants and users.

const isRecovering = () => ["Recovering", "WaitingForRecoveryShares"].includes(ofCcf("service.info").get(ONE)?.status);
const isRecoveryMember = (member) => ofCcf("members.encryption_public_keys").has(member);

function activeRecoveryMembers() {
  const active = activeMembers();
  return ofCcf("members.encryption_public_keys").ids().filter((member) => active.includes(member)).length;
}

// Shares are being collected: who holds one cannot change meanwhile.
function checkHolderMayChange(member, key) {
  if (isRecovering() && (key || isRecoveryMember(member))) fail("recovery members cannot change while the service recovers");
}

function checkThreshold(threshold) {
  const { status } = existing(ofCcf("service.info"), ONE, "service information");
  if (status === "Open" && threshold > activeRecoveryMembers()) {
    fail(`a recovery threshold of ${threshold} is more than the ${activeRecoveryMembers()} active recovery members`);
  }
}

define(
  "set_member",
  {
    cert: certificate,
    encryption_pub_key: optional(rsaKey),
    member_data: optional(object),
    recovery_role: optional(oneOf("NonParticipant", "Participant", "Owner")),
    ...voucher,
  },
  (args) => {
    const { cert, encryption_pub_key, member_data, recovery_role } = args;
    const member = ccf.pemToId(cert);
    const organisation = vouching(args);
    checkHolderMayChange(member, encryption_pub_key);
    const signature = table("public:ccf.internal.signatures").get(ONE) ?? fail("there is no signed state to acknowledge yet");
    ofCcf("members.certs").setText(member, cert);
    const keys = ofCcf("members.encryption_public_keys");
    encryption_pub_key ? keys.setText(member, encryption_pub_key) : keys.remove(member);
    ofCcf("members.info").set(member, { status: "Accepted", member_data, recovery_role, organisation });
    ofCcf("members.acks").set(member, { state_digest: signature.root });
    checkSatisfiable();
  },
  (args) => {
    if (args.recovery_role && !args.encryption_pub_key) fail("a recovery role needs an encryption_pub_key");
    checkVoucher(args);
  },
);

// What is written from now on is not for whoever leaves.
function changeLedgerSecret() {
  if (!isRecovering()) ccf.node.triggerLedgerRekey();
}

// Takes a member out of those who decide, for good or for a time.
function retire(member, act, forGood) {
  const info = ofCcf("members.info").get(member);
  const holder = info.status === "Active" && isRecoveryMember(member);
  if (holder) {
    checkHolderMayChange(member);
    const { recovery_threshold = 1 } = existing(ofCcf("service.config"), ONE, "service configuration");
    if (activeRecoveryMembers() - 1 < recovery_threshold) fail("fewer active recovery members than the recovery threshold");
  }
  act(info);
  checkSatisfiable();
  if (holder || (forGood && info.status !== "Accepted")) changeLedgerSecret();
}

define("remove_member", { member_id: id }, ({ member_id }) => {
  if (!ofCcf("members.info").has(member_id)) return;
  const forget = () => {
    for (const rows of ["info", "certs", "acks", "encryption_public_keys"]) ofCcf(`members.${rows}`).remove(member_id);
  };
  retire(member_id, forget, true);
});

define("suspend_member", { member_id: id }, ({ member_id }) => {
  const members = ofCcf("members.info");
  const { status } = existing(members, member_id, "member");
  if (status === "Suspended") return;
  retire(member_id, (info) => members.set(member_id, { ...info, status: "Suspended", suspended_from: status }));
});

define("restore_member", { member_id: id }, ({ member_id }) => {
  const members = ofCcf("members.info");
  const { suspended_from, ...info } = existing(members, member_id, "member");
  if (info.status !== "Suspended") return;
  members.set(member_id, { ...info, status: suspended_from });
  if (suspended_from === "Active" && isRecoveryMember(member_id)) ccf.node.triggerRecoverySharesRefresh();
});

define("set_member_data", { member_id: id, member_data: object }, ({ member_id, member_data }) => {
  const members = ofCcf("members.info");
  members.set(member_id, { ...existing(members, member_id, "member"), member_data });
});

function setUserData(user, user_data, organisation) {
  const users = ofCcf("users.info");
  user_data || organisation ? users.set(user, { user_data, organisation }) : users.remove(user);
}

define(
  "set_user",
  { cert: certificate, user_data: optional(object), ...voucher },
  (args) => {
    const user = ccf.pemToId(args.cert);
    const organisation = vouching(args);
    ofCcf("users.certs").setText(user, args.cert);
    setUserData(user, args.user_data, organisation);
  },
  checkVoucher,
);

define("remove_user", { user_id: id }, ({ user_id }) => {
  ofCcf("users.certs").remove(user_id);
  ofCcf("users.info").remove(user_id);
});

define("set_user_data", { user_id: id, user_data: optional(object) }, ({ user_id, user_data }) =>
  setUserData(user_id, user_data, ofCcf("users.info").get(user_id)?.organisation));

define("set_participant", { cert: certificate, participant_data: optional(object) }, ({ cert, participant_data }) =>
  ofCoco("participants").set(ccf.pemToId(cert), { cert, participant_data }));

define("remove_participant", { participant_id: id }, ({ participant_id }) => ofCoco("participants").remove(participant_id));

function checkParty(id) {
  if (!ofCcf("members.info").has(id) && !ofCoco("participants").has(id)) fail(`${id} is no member or participant`);
}
