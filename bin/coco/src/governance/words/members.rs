//! Members, participants, users and organisations.

use serde_json::Value;

use super::{Words, data, id_of_certificate, shortened, text};
use crate::governance::{People, plain, short};

pub fn of(action: &str, args: &Value, people: &People) -> Option<Words> {
    let member = || args["member_id"].as_str().map_or_else(|| text(args, "member_id"), |id| people.full(id));
    Some(match action {
        "set_member" => set_member(args, people),
        "remove_member" => Words::new(format!("eject the member {}", member()))
            .detail("it loses its vote and its share; its ballots on open proposals do not count any more"),
        "suspend_member" => Words::new(format!("suspend the member {}", member()))
            .detail("it neither proposes nor votes until restore_member brings it back"),
        "restore_member" => Words::new(format!("bring the suspended member {} back", member())),
        "set_member_data" => {
            Words::new(format!("record data of the member {}", member())).details(data(args, "member_data", "data:"))
        }
        "rotate_member_certificate" => Words::new(format!("replace the certificate of the member {}", member()))
            .details(args["cert"].as_str().and_then(id_of_certificate).map(|id| format!("its id is then {id}")))
            .detail("the old key counts no more at once, nor do its ballots on open proposals; its own open proposals are dropped")
            .detail("it keeps its data, its encryption key and its place in policies, and counts again once the new key has signed the state"),
        "set_user" => Words::new(format!("let a user in: {}", holder(args)))
            .details(vouched(args))
            .details(data(args, "user_data", "data:")),
        "remove_user" => Words::new(format!("put the user {} out", shortened(args, "user_id"))),
        "set_user_data" => Words::new(format!("record data of the user {}", shortened(args, "user_id"))).details(data(
            args,
            "user_data",
            "data:",
        )),
        "set_participant" => Words::new(format!("take in a participant: {}", holder(args)))
            .detail("it may transact and own nodes, and has no vote")
            .details(data(args, "participant_data", "data:")),
        "remove_participant" => Words::new(format!("put the participant {} out", shortened(args, "participant_id"))),
        "set_organisation" => Words::new(format!("record the certificates of the organisation {}", text(args, "name")))
            .detail(format!("owner: {}", args["owner"].as_str().map_or_else(|| "?".into(), |id| people.full(id))))
            .detail("whoever has a certificate under them counts as one of its people, without a vote each")
            .details(data(args, "organisation_data", "data:")),
        "remove_organisation" => Words::new(format!("forget the organisation {}", text(args, "name"))),
        _ => return None,
    })
}

fn set_member(args: &Value, people: &People) -> Words {
    let id = args["cert"].as_str().and_then(id_of_certificate);
    let name = args["member_data"]["name"].as_str().filter(|name| !name.is_empty()).map(plain);
    let name = name.unwrap_or_else(|| id.as_deref().map_or_else(|| "somebody".into(), short));
    let known = id.as_deref().is_some_and(|id| people.has(id));
    let words = if known {
        Words::new(format!("write the member {name} anew")).detail("it must sign the state again before it counts")
    } else {
        Words::new(format!("take {name} in as a member"))
            .detail("it counts once it has signed the state (`coco member ack`)")
    };
    let words = match id {
        Some(id) => words.detail(format!("id: {id}")),
        None => words.detail("its certificate cannot be read"),
    };
    let role = match args["recovery_role"].as_str() {
        Some("Owner") => Some("it alone can recover the ledger's secrets after a disaster".to_owned()),
        Some("Participant") => Some("it holds a share of the ledger's secrets".to_owned()),
        _ => None,
    };
    words.details(role).details(vouched(args)).details(data(args, "member_data", "data:"))
}

/// Who vouches, if an organisation does.
fn vouched(args: &Value) -> Option<String> {
    args["organisation"].as_str().map(|name| {
        format!("as one of the people of the organisation {}, which must vouch for the certificate", plain(name))
    })
}

/// Whose certificate it is.
fn holder(args: &Value) -> String {
    match args["cert"].as_str().and_then(id_of_certificate) {
        Some(id) => format!("whoever holds the key of certificate {}", short(&id)),
        None => "with a certificate that cannot be read".into(),
    }
}
