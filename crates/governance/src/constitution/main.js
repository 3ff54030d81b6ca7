// The three functions that the network calls.

export function validate(input) {
  const actionsOf = JSON.parse(input)?.actions;
  if (!Array.isArray(actionsOf) || actionsOf.length === 0) {
    return { valid: false, description: "a proposal is an object with a list of actions, one at least" };
  }
  const errors = [];
  for (const [place, action] of actionsOf.entries()) {
    try {
      const known = actions.get(action?.name) ?? fail("no such action");
      known.fields(action.args ?? {}, "args");
      known.check(action.args ?? {});
    } catch (error) {
      errors.push(`${action?.name} at position ${place} failed validation: ${error}`);
    }
  }
  return { valid: errors.length === 0, description: errors.join(", ") };
}

export function resolve(input, proposerId, votes, proposalId) {
  const active = activeMembers();
  const cast = new Map(votes.map(({ member_id, vote }) => [member_id, vote]));
  const times = ofCoco("proposals_times").get(proposalId)?.ballots ?? {};
  // What the actions of this proposal would already make of a limit.
  const claimed = { nodes: new Set(), people: new Set() };
  const verdicts = [];
  for (const action of JSON.parse(input).actions) {
    for (const [place, policy] of judges(action).entries()) {
      // Only an action's own policy can spare it the votes.
      const spared = place === 0 && isAutomatic(policy, action, proposerId, claimed);
      verdicts.push(spared ? "Accepted" : judge(policy, active, cast, times));
    }
  }
  if (verdicts.includes("Rejected")) return "Rejected";
  return verdicts.includes("Open") ? "Open" : "Accepted";
}

export function apply(input, proposalId) {
  for (const action of JSON.parse(input).actions) {
    actions.get(action.name).apply(action.args ?? {}, proposalId);
  }
}
