//! Nodes, and what they may run.

use serde_json::Value;

use super::{Words, data, json, shortened, text};
use crate::governance::People;

/// What happens to votes under way when code is approved.
const DROPS: &str = "other open proposals are dropped: who votes knows the rules that it votes under";

pub fn of(action: &str, args: &Value, people: &People) -> Option<Words> {
    let node = || shortened(args, "node_id");
    let validity = || {
        let days = &args["validity_period_days"];
        let until = if days.is_null() { String::new() } else { format!(", for {days} days") };
        format!("valid from {}{until}", text(args, "valid_from"))
    };
    let until = data(args, "expires", "until (milliseconds since 1970):");
    Some(match action {
        "transition_node_to_trusted" => Words::new(format!("trust the node {}", node()))
            .detail("it gets the ledger's secrets, and counts for a majority")
            .detail(format!("its certificate is {}", validity()))
            .details(args["owner"].as_str().map(|owner| format!("it is the node of {}", people.full(owner)))),
        "remove_node" => Words::new(format!("retire the node {}", node()))
            .detail("it may be stopped once the network has committed that"),
        "set_node_data" => {
            Words::new(format!("record data of the node {}", node())).details(data(args, "node_data", "data:"))
        }
        "set_node_certificate_validity" => Words::new(format!("certify the node {} anew", node())).detail(validity()),
        "set_all_nodes_certificate_validity" => Words::new("certify all trusted nodes anew").detail(validity()),
        "add_code" => Words::new(format!("let nodes run the code {}", shortened(args, "measurement")))
            .detail(format!("in a TEE of kind {}, measurement {}", text(args, "tee"), text(args, "measurement")))
            .details(data(args, "version", "version:"))
            .details(until)
            .detail(DROPS),
        "remove_code" => Words::new(format!("revoke the code {}", shortened(args, "measurement"))).detail(format!(
            "in a TEE of kind {}, measurement {}",
            text(args, "tee"),
            text(args, "measurement")
        )),
        "add_tee" => Words::new(format!("accept TEEs of kind {}", text(args, "tee")))
            .details(data(args, "minimum_tcb", "at least:"))
            .details(args["debug"].as_bool().filter(|debug| *debug).map(|_| "even when they can be debugged".into()))
            .details(until)
            .detail(DROPS),
        "remove_tee" => Words::new(format!("accept no more TEEs of kind {}", text(args, "tee"))),
        "add_snp_measurement" | "add_virtual_measurement" => {
            Words::new(format!("let nodes with the measurement {} join", shortened(args, "measurement")))
                .detail(format!("{}: {}", kind(action), text(args, "measurement")))
                .detail(DROPS)
        }
        "remove_snp_measurement" | "remove_virtual_measurement" => {
            Words::new(format!("let no more nodes with the measurement {} join", shortened(args, "measurement")))
                .detail(format!("{}: {}", kind(action), text(args, "measurement")))
        }
        "add_snp_host_data" | "add_virtual_host_data" => {
            Words::new(format!("let nodes with the host data {} join", shortened(args, "host_data")))
                .detail(format!("{}: {}", kind(action), text(args, "host_data")))
                .detail(DROPS)
        }
        "remove_snp_host_data" | "remove_virtual_host_data" => {
            Words::new(format!("let no more nodes with the host data {} join", shortened(args, "host_data")))
                .detail(format!("{}: {}", kind(action), text(args, "host_data")))
        }
        "add_snp_uvm_endorsement" => Words::new(format!("accept guest images that {} endorses", text(args, "did")))
            .detail(format!("feed {}, version {} or later", text(args, "feed"), text(args, "svn")))
            .detail(DROPS),
        "remove_snp_uvm_endorsement" => {
            Words::new(format!("accept no more guest images of the feed {}", text(args, "feed")))
                .detail(format!("endorsed by {}", text(args, "did")))
        }
        "set_snp_minimum_tcb_version" | "set_snp_minimum_tcb_version_hex" => {
            Words::new(format!("accept AMD processors {} from this firmware on", text(args, "cpuid")))
                .detail(json(&args["tcb_version"]))
                .detail(DROPS)
        }
        "remove_snp_minimum_tcb_version" => {
            Words::new(format!("ask no minimum firmware of AMD processors {}", text(args, "cpuid")))
        }
        "set_endorsement_root" => {
            Words::new(format!("let {} vouch for TEEs of kind {}", text(args, "name"), text(args, "tee")))
                .detail("beside the vendor: nodes with evidence that leads to this root may be let in")
                .details(data(args, "product", "product:"))
                .details(data(args, "issuer", "issuer:"))
                .detail(DROPS)
        }
        "remove_endorsement_root" => {
            Words::new(format!("let {} vouch no more for TEEs of kind {}", text(args, "name"), text(args, "tee")))
        }
        "set_node_join_policy" => Words::new("judge nodes that join by a policy of its own")
            .detail(format!("{} lines of it; --json has them", text(args, "policy").lines().count().max(1))),
        "remove_node_join_policy" => Words::new("judge nodes that join without a policy of its own"),
        _ => return None,
    })
}

fn kind(action: &str) -> &'static str {
    if action.contains("virtual") { "virtual TEE, which protects nothing" } else { "AMD SEV-SNP" }
}
