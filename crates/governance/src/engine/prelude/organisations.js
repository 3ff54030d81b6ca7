// `ccf.organisations`, of our own: whose people somebody is. Throws with the reason if nobody vouches for the certificate.
export default (function (host) {
  "use strict";
  return ({ text, parse }) => ({
    personOf: (chain, name) => parse(host.personOf(text(chain), name === undefined ? name : text(name))),
  });
});
