// Organisations: a company's certificates, intermediates included. Whoever has a certificate under them is one of its people.

define(
  "set_organisation",
  { name, owner: id, cert_bundle: bundle, organisation_data: optional(object) },
  ({ name, owner, cert_bundle, organisation_data }) => {
    checkParty(owner);
    ofCoco("organisations").set(name, { owner, cert_bundle, organisation_data });
  },
);

define("remove_organisation", { name }, ({ name }) => ofCoco("organisations").remove(name));

// How a member or a user is shown to be one of an organisation's people.
//
//   organisation   which one vouches
//   chain          the certificates between the person's and the organisation's, PEM, the nearest first; may be left out
const voucher = { organisation: optional(name), chain: optional(bundle) };

const checkVoucher = ({ organisation, chain }) => !chain || organisation || fail("a chain needs the organisation that it leads to");

// The organisation, which must vouch for the certificate now. What was recorded stays: people leave by remove_member and remove_user.
function vouching({ cert, chain, organisation }) {
  return organisation ? ccf.organisations.personOf(cert + "\n" + (chain ?? ""), organisation).organisation : undefined;
}

function isVouchedFor(args) {
  try {
    return vouching(args) !== undefined;
  } catch {
    return false;
  }
}

// Who was taken in as one of an organisation's people, members and users, by id.
const peopleOf = (organisation) =>
  ["members.info", "users.info"]
    .flatMap((table) => ofCcf(table).rows())
    .filter(([, info]) => info.organisation === organisation)
    .map(([id]) => id);
