// Who must agree to an action: rows that members change by vote. `*` is for every action without a row of its own.
//
//   agree          "majority", "unanimous", { count: 2 } or { weight: 60 }: of those who may vote, who must say yes
//   weights        { member id: weight }, for { weight }
//   voters         [member id]: who may vote; every active member if absent
//   veto           [member id]: a no of one of them rejects. Without a delay each of them must have agreed;
//                  with a delay silence is consent
//   delay_seconds  from the vote that was enough until the proposal is accepted
//   automatic      [condition]: if one of them holds, nobody need vote; see automatic.js
//
// A proposal is accepted once each of its actions is, and rejected once one of them cannot be accepted any more.

const MAJORITY = { agree: "majority" };

const policyShape = shape({
  agree(value, name) {
    if (value === "majority" || value === "unanimous") return;
    object(value, name);
    const kinds = Object.keys(value);
    if (kinds.length !== 1 || !["count", "weight"].includes(kinds[0])) fail(`${name} is no rule that is known`);
    integer(1, 1000000)(value[kinds[0]], `${name}.${kinds[0]}`);
  },
  weights: optional(mapOf((weight, name, member) => (id(member, name), integer(0, 1000000)(weight, name)))),
  voters: optional(listOf(id)),
  veto: optional(listOf(id)),
  delay_seconds: optional(integer(0, 31622400)),
  automatic: optional(listOf(condition)),
});

const policies = () => ofCoco("policies");
const policyOf = (action) => policies().get(action) ?? policies().get("*") ?? MAJORITY;

// What a yes of each counts, by member id, and how much is needed.
function electorate(policy, active) {
  const voters = policy.voters ? active.filter((member) => policy.voters.includes(member)) : active;
  const weighted = policy.agree.weight !== undefined;
  const weights = new Map(voters.map((member) => [member, weighted ? (policy.weights?.[member] ?? 0) : 1]));
  let needed = policy.agree.weight ?? policy.agree.count;
  if (policy.agree === "majority") needed = Math.floor(weights.size / 2) + 1;
  if (policy.agree === "unanimous") needed = Math.max(weights.size, 1);
  return { weights, needed };
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

// What a policy says of an action, given who voted how and when.
function judge(policy, active, votes, times) {
  const { weights, needed } = electorate(policy, active);
  const guards = active.filter((member) => policy.veto?.includes(member));
  const weightOf = (vote) => sum([...weights].filter(([member]) => votes.get(member) === vote).map(([, weight]) => weight));
  const total = sum([...weights.values()]);
  if (guards.some((member) => votes.get(member) === false) || total - weightOf(false) < needed) return "Rejected";
  if (weightOf(true) < needed) return "Open";
  const delay = (policy.delay_seconds ?? 0) * 1000;
  if (delay > 0) return enoughSince(weights, needed, votes, times) + delay <= Date.now() ? "Accepted" : "Open";
  return guards.every((member) => votes.get(member)) ? "Accepted" : "Open";
}

// When the vote came that was enough.
function enoughSince(weights, needed, votes, times) {
  const came = [...weights]
    .filter(([member]) => votes.get(member))
    .map(([member, weight]) => [times[member] ?? Date.now(), weight])
    .sort(([one], [other]) => one - other);
  let reached = 0;
  return came.find(([, weight]) => (reached += weight) >= needed)[0];
}

// Those who judge an action: its own policy, and the policies that it would change, as they are now.
function judges(action) {
  const others = [];
  if (action.name === "set_policy" || action.name === "remove_policy") others.push(policyOf(action.args.action));
  // Who changes the script changes everything: every policy has its say.
  if (action.name === "set_constitution") others.push(...policies().rows().map(([, policy]) => policy));
  return [policyOf(action.name), ...others];
}

// No change may leave a policy that nobody can satisfy: nothing could ever be decided under it.
function checkSatisfiable(active = activeMembers()) {
  for (const [action, policy] of [["*", policyOf("*")], ...policies().rows()]) {
    const { weights, needed } = electorate(policy, active);
    if (sum([...weights.values()]) < needed) fail(`no vote of the active members would satisfy the policy for ${action}`);
  }
}
