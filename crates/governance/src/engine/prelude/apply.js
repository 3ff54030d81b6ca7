// What only `apply` has: what it asks of the node, and what it may ask the service for.
export default (function (host) {
  "use strict";
  return ({ ccf, hex, text, json, expect, parse }) => {
    ccf.node = {
      triggerLedgerRekey: () => host.effect("rekey"),
      triggerRecoverySharesRefresh: () => host.effect("shares"),
      triggerLedgerChunk: () => host.effect("chunk"),
      triggerSnapshot: () => host.effect("snapshot"),
      transitionServiceToOpen(previous, next) {
        expect(arguments, 2);
        host.openService(previous === undefined ? undefined : ccf.bufToStr(previous), ccf.bufToStr(next));
      },
    };
    ccf.network = {
      getLatestLedgerSecretSeqno: () => host.ledgerSecretSeqno(),
      generateEndorsedCertificate: (csr, from, days) => host.endorseNode(text(csr), text(from), days),
      generateNetworkCertificate: (from, days) => host.renewCertificate(text(from), days),
    };
    ccf.tcbHexToPolicy = (cpuid, tcb) => parse(host.tcbHexToPolicy(text(cpuid), text(tcb)));
    ccf.refreshAppBytecodeCache = () => host.effect("bytecode");
    ccf.setJwtPublicSigningKeys = (issuer, _, keys) => host.setJwtKeys(text(issuer), json(keys));
    ccf.removeJwtPublicSigningKeys = (issuer) => host.setJwtKeys(text(issuer), '{"keys":[]}');
  };
});
