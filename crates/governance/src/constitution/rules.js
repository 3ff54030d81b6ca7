// Changes of the rules themselves. Each is judged by the rules that it changes, as they were before it.

define(
  "set_constitution",
  { constitution: text },
  ({ constitution }, proposalId) => {
    ofCcf("constitution").set(ONE, constitution);
    dropOthers(proposalId);
  },
  ({ constitution }) => ccf.gov.validateConstitution(constitution),
);

define(
  "set_policy",
  { action: text, policy: policyShape },
  ({ action, policy }, proposalId) => {
    policies().set(action, policy);
    checkSatisfiable();
    dropOthers(proposalId);
  },
  ({ action }) => action === "*" || actions.has(action) || fail(`there is no action ${action}`),
);

define("remove_policy", { action: text }, ({ action }, proposalId) => {
  policies().remove(action);
  checkSatisfiable();
  dropOthers(proposalId);
});
