// Issuers of tokens, and the certificate authorities behind them.

define(
  "set_ca_cert_bundle",
  { name: text, cert_bundle: bundle },
  ({ name, cert_bundle }) => ofCcf("tls.ca_cert_bundles").set(name, cert_bundle),
  ({ cert_bundle }) => {
    for (const pem of cert_bundle.split(/(?<=-----END CERTIFICATE-----)/).map((pem) => pem.trim())) {
      pem === "" || ccf.crypto.isValidX509RootCACert(pem) || fail("cert_bundle must hold self-signed (root) certificates only");
    }
  },
);
define("remove_ca_cert_bundle", { name: text }, ({ name }) => ofCcf("tls.ca_cert_bundles").remove(name));

function keySet(value, name) {
  object(value, name);
  listOf(object)(value.keys, `${name}.keys`);
  const kids = new Set();
  for (const key of value.keys) {
    text(key.kid, `${name} kid`);
    if (kids.has(key.kid)) fail(`${name} has kid ${key.kid} twice`);
    kids.add(key.kid);
    try {
      const pem = key.x5c && `-----BEGIN CERTIFICATE-----\n${key.x5c[0]}\n-----END CERTIFICATE-----`;
      if (pem) ccf.pemToId(pem);
      else if (key.kty === "RSA") ccf.crypto.pubRsaJwkToPem(key);
      else ccf.crypto.pubJwkToPem(key);
    } catch (error) {
      fail(`${name}: key ${key.kid} is not valid: ${error.message}`);
    }
  }
}

const issuer = matching(/^https:\/\/[^/?#]+[^?#]*$/, "a URL that begins with https://, without query and fragment");
const issuers = () => ofCcf("jwt.issuers");

define(
  "set_jwt_issuer",
  { issuer, auto_refresh: optional(flag), ca_cert_bundle_name: optional(text), jwks: optional(keySet) },
  ({ jwks, ...metadata }) => {
    const { issuer, auto_refresh, ca_cert_bundle_name: authority } = metadata;
    if (auto_refresh && !ofCcf("tls.ca_cert_bundles").has(authority)) fail(`there is no certificate bundle ${authority}`);
    if (jwks) ccf.setJwtPublicSigningKeys(issuer, metadata, jwks);
    issuers().set(issuer, metadata);
  },
  ({ auto_refresh, ca_cert_bundle_name }) =>
    !auto_refresh || ca_cert_bundle_name || fail("auto_refresh needs a ca_cert_bundle_name"),
);
define("set_jwt_public_signing_keys", { issuer, jwks: keySet }, ({ issuer, jwks }) =>
  ccf.setJwtPublicSigningKeys(issuer, existing(issuers(), issuer, "issuer"), jwks));
define("remove_jwt_issuer", { issuer }, ({ issuer }) => {
  if (issuers().remove(issuer)) ccf.removeJwtPublicSigningKeys(issuer);
});
