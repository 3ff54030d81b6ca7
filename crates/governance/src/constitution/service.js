// The service itself: opening, recovery, keys, configuration.

const nothing = {};

function configure(changes) {
  const config = existing(ofCcf("service.config"), ONE, "service configuration");
  const { recovery_threshold: threshold, reconfiguration_type: type } = changes;
  if (type && type !== config.reconfiguration_type && type !== "TwoTransaction") {
    fail(`the reconfiguration type cannot become ${type}`);
  }
  const dealAnew = threshold && threshold !== config.recovery_threshold;
  if (dealAnew) {
    if (isRecovering()) fail("the recovery threshold cannot change while the service recovers");
    checkThreshold(threshold);
  }
  ofCcf("service.config").set(ONE, { ...config, ...changes });
  if (dealAnew) ccf.node.triggerRecoverySharesRefresh();
}

const threshold = integer(1, 254);

define("set_recovery_threshold", { recovery_threshold: threshold }, configure);

define(
  "set_service_configuration",
  {
    reconfiguration_type: optional(oneOf("OneTransaction", "TwoTransaction")),
    recovery_threshold: optional(threshold),
    recent_cose_proposals_window_size: optional(integer(1, 10000)),
  },
  configure,
);

define("trigger_recovery_shares_refresh", nothing, () => ccf.node.triggerRecoverySharesRefresh());
define("trigger_ledger_rekey", nothing, () => ccf.node.triggerLedgerRekey());
define("trigger_ledger_chunk", nothing, () => ccf.node.triggerLedgerChunk());
define("trigger_snapshot", nothing, () => ccf.node.triggerSnapshot());

define(
  "transition_service_to_open",
  { next_service_identity: certificate, previous_service_identity: optional(certificate) },
  ({ next_service_identity: next, previous_service_identity: previous }) => {
    const { status } = existing(ofCcf("service.info"), ONE, "service information");
    if (status === "Recovering" && !previous) fail("a recovering service is opened with its previous identity too");
    ccf.node.transitionServiceToOpen(previous ? ccf.strToBuf(previous) : undefined, ccf.strToBuf(next));
  },
);

define("assert_service_identity", { service_identity: bundle }, anything, ({ service_identity }) => {
  const { cert } = existing(ofCcf("service.info"), ONE, "service information");
  if (cert !== service_identity) fail("this is another service");
});

// What scripts may cost.
define(
  "set_js_runtime_options",
  {
    max_heap_bytes: integer(0, 1073741824),
    max_stack_bytes: integer(0, 8388608),
    max_execution_time_ms: integer(0, 10000),
    log_exception_details: optional(flag),
    return_exception_details: optional(flag),
    max_cached_interpreters: optional(integer(0, 1000)),
  },
  (args) => ofCcf("js_runtime_options").set(ONE, args),
);

// How long a node may go on without proving itself anew, and how long a ledger secret is in use.
define("set_lease", { seconds: integer(60, 31622400), grace_seconds: optional(integer(0, 31622400)) }, (args) =>
  ofCoco("lease").set(ONE, args));
define("remove_lease", nothing, () => ofCoco("lease").remove(ONE) || fail("nodes have no leases"));
define("set_epoch", { seconds: optional(integer(60, 31622400)), entries: optional(integer(1000, 1e12)) }, (args) =>
  ofCoco("epoch").set(ONE, args));
