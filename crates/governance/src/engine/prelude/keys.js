// `ccf.crypto`: digests, signatures, certificates, and public keys in PEM and as JSON Web Keys.
export default (function (host) {
  "use strict";
  return ({ hex, text, json, parse }) => {
    const toJwk = (kind) => (pem, kid) => parse(host.pemToJwk(kind, text(pem), kid === undefined ? kid : text(kid)));
    const toPem = (kind) => (jwk) => host.jwkToPem(kind, json(jwk));
    return {
      digest: (name, buffer) => host.digest(text(name), hex(buffer)),
      verifySignature: (algorithm, key, signature, data) =>
        host.verifySignature(text(algorithm.name), `${algorithm.hash ?? ""}`, text(key), hex(signature), hex(data)),
      isValidX509CertBundle: (pem) => typeof pem === "string" && host.isBundle(pem),
      isValidX509CertChain: (chain, trusted) => host.isChain(text(chain), text(trusted)),
      isValidX509RootCACert: (pem) => typeof pem === "string" && host.isRoot(pem),
      pubPemToJwk: toJwk("EC"),
      pubRsaPemToJwk: toJwk("RSA"),
      pubEddsaPemToJwk: toJwk("OKP"),
      pubJwkToPem: toPem("EC"),
      pubRsaJwkToPem: toPem("RSA"),
      pubEddsaJwkToPem: toPem("OKP"),
    };
  };
});
