// What a proposal can do, by name. Each kind of action has a file of its own, which adds to this map.

const actions = new Map();

// `fields` are the checks of the arguments; `check` looks at them together; `apply` carries the action out.
function define(name, fields, apply, check = anything) {
  actions.set(name, { fields: shape(fields), apply, check });
}
