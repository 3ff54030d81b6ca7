// What arguments must be. A check throws, or says nothing.

const text = (value, name) => typeof value === "string" || fail(`${name} must be a text`);
const flag = (value, name) => typeof value === "boolean" || fail(`${name} must be true or false`);
const anything = () => {};

function object(value, name) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(`${name} must be an object`);
}

function integer(low, high) {
  return (value, name) => {
    const fits = Number.isSafeInteger(value) && value >= low && value <= high;
    if (!fits) fail(`${name} must be an integer from ${low} to ${high}`);
  };
}

const optional = (check) => (value, name) => value === undefined || value === null || check(value, name);
const oneOf = (...values) => (value, name) => values.includes(value) || fail(`${name} must be one of ${values.join(", ")}`);

function listOf(check) {
  return (value, name) => {
    if (!Array.isArray(value)) fail(`${name} must be a list`);
    value.forEach((item, place) => check(item, `${name}[${place}]`));
  };
}

function mapOf(check) {
  return (value, name) => {
    object(value, name);
    for (const [key, item] of Object.entries(value)) check(item, `${name}.${key}`, key);
  };
}

// An object with these fields and no others: a field that is misspelt must not pass unnoticed by those who vote.
function shape(fields) {
  return (value, name) => {
    object(value, name);
    for (const key of Object.keys(value)) Object.hasOwn(fields, key) || fail(`${name} has no field ${key}`);
    for (const [key, check] of Object.entries(fields)) check(value[key], `${name}.${key}`);
  };
}

const matching = (pattern, what) => (value, name) => {
  text(value, name);
  pattern.test(value) || fail(`${name} must be ${what}`);
};

const id = matching(/^[0-9a-f]{64}$/, "64 lower-case hexadecimal characters");
const hex = matching(/^([0-9a-f]{2}){1,128}$/, "lower-case hexadecimal");
const name = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a name of letters, digits, dots, dashes, 64 at most");
const cpuid = matching(/^[0-9a-f]{8}$/, "8 lower-case hexadecimal characters");
// Milliseconds since 1970.
const time = integer(0, 8640000000000000);
const days = optional(integer(1, 36500));

function certificate(value, name) {
  text(value, name);
  try {
    ccf.pemToId(value);
  } catch {
    fail(`${name} must be one X.509 certificate in PEM`);
  }
}

const bundle = (value, name) =>
  ccf.crypto.isValidX509CertBundle(value) || fail(`${name} must be X.509 certificates in PEM`);

function rsaKey(value, name) {
  text(value, name);
  let modulus = "";
  try {
    modulus = ccf.crypto.pubRsaPemToJwk(value).n;
  } catch {
    fail(`${name} must be an RSA public key in PEM`);
  }
  // Six bits a character.
  if (modulus.length * 6 < 2048) fail(`${name} must have at least 2048 bits`);
}
