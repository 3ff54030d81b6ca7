//! The service itself: its state, its secrets, its certificates, and whom it believes.

use serde_json::Value;

use super::{Words, data, json, text};

pub fn of(action: &str, args: &Value) -> Option<Words> {
    Some(match action {
        "transition_service_to_open" => {
            let words = Words::new("open the service to its users");
            if args["previous_service_identity"].is_null() {
                words
            } else {
                words.detail(
                    "it goes on with the ledger of an earlier service: compare both certificates with what you know",
                )
            }
        }
        "set_recovery_threshold" => {
            Words::new(format!("let {} members together recover the ledger", args["recovery_threshold"]))
        }
        "set_service_configuration" => Words::new("change how the service is configured").detail(json(args)),
        "trigger_recovery_shares_refresh" => Words::new("deal new shares of the ledger's secrets to the members"),
        "trigger_ledger_rekey" => Words::new("encrypt under a new ledger secret from then on"),
        "trigger_ledger_chunk" => Words::new("begin a new ledger file"),
        "trigger_snapshot" => Words::new("write a snapshot"),
        "trigger_node_acme_refresh" | "trigger_acme_refresh" => Words::new("fetch the nodes' public certificates anew"),
        "set_service_certificate_validity" => Words::new("certify the service anew, with the same key")
            .detail(format!("valid from {}", text(args, "valid_from")))
            .details(data(args, "validity_period_days", "days:")),
        "assert_service_identity" => Words::new("do nothing else unless this is the service that the proposer means"),
        "set_js_runtime_options" => Words::new("change what scripts may cost").detail(json(args)),
        "refresh_js_app_bytecode_cache" => Words::new("compile the application's scripts anew"),
        "set_js_app" => Words::new("replace the application's scripts")
            .detail(format!("{} bytes; --json has them", args.to_string().len())),
        "remove_js_app" => Words::new("remove the application's scripts"),
        "set_lease" => {
            Words::new(format!("let a node go on for {} seconds without proving itself anew", args["seconds"]))
                .details(data(args, "grace_seconds", "and so many seconds of grace:"))
        }
        "remove_lease" => Words::new("let nodes go on without proving themselves anew"),
        "set_epoch" => Words::new("change how long a ledger secret is in use")
            .details(data(args, "seconds", "seconds:"))
            .details(data(args, "entries", "entries:")),
        "set_ca_cert_bundle" => Words::new(format!("record the certificate authorities {}", text(args, "name"))),
        "remove_ca_cert_bundle" => Words::new(format!("forget the certificate authorities {}", text(args, "name"))),
        "set_jwt_issuer" => Words::new(format!("believe tokens of {}", text(args, "issuer"))).details(
            args["auto_refresh"].as_bool().filter(|auto| *auto).map(|_| "its keys are fetched again and again".into()),
        ),
        "set_jwt_public_signing_keys" => {
            Words::new(format!("record the keys of the token issuer {}", text(args, "issuer")))
        }
        "remove_jwt_issuer" => Words::new(format!("believe no more tokens of {}", text(args, "issuer"))),
        _ => return None,
    })
}
