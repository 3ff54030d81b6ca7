//! Members govern a real network from the command line. Needs `coco-node` beside `coco` (`cargo build --release -p coco-node`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod place;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use place::{Place, text};
use serde_json::json;

#[test]
fn members_take_a_new_one_in() {
    let Some(place) = Place::bare("3") else { return };
    let before = place.fails(&["proposal", "new", "--action", "remove_user", "--arg", &format!("user_id={:064}", 1)]);
    assert!(before.contains("not an active member") && before.contains("signed by member0"), "{before}");
    assert!(before.contains("coco member ack"), "{before}");
    assert!(place.ok(&["member", "list"]).contains("Accepted"));

    let acknowledged = place.json(&["member", "ack", "--all"]);
    let names: Vec<&str> =
        acknowledged["acknowledged"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["member0", "member1", "member2"]);
    for one in acknowledged["acknowledged"].as_array().unwrap() {
        assert_eq!(one["status"], "Active");
        assert_eq!(one["state_digest"].as_str().unwrap().len(), 64);
        assert!(one["transaction"].as_str().unwrap().contains('.'));
    }

    let made = place.ok(&["member", "new", "erin"]);
    assert!(made.contains("made erin"), "{made}");
    let key = place.network().join("members/erin_privk.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(place.fails(&["member", "new", "erin"]).contains("is there already"));
    let stranger = place.fails(&["member", "ack", "--as", "erin"]);
    assert!(stranger.contains("not a member") && stranger.contains("signed by erin"), "{stranger}");

    let body = place.network().join("members/erin_proposal.json");
    let proposed = place.json(&["proposal", "new", body.to_str().unwrap(), "--as", "member1"]);
    assert_eq!(proposed["proposer"]["name"], "member1");
    assert_eq!((&proposed["state"], &proposed["voted"]), (&json!("Open"), &json!([])));
    assert_eq!(proposed["not_voted"].as_array().unwrap().len(), 3);
    let id = proposed["id"].as_str().unwrap();

    let shown = place.ok(&["proposal", "show", &id[..8]]);
    for said in ["take erin in as a member", "It would", "member1 (", "2 more are enough", "coco member ack", id] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let voted = place.ok(&["proposal", "vote", &id[..8], "--yes", "--as", "member0"]);
    assert!(voted.contains("member0 voted yes on") && voted.contains("open"), "{voted}");
    assert!(place.ok(&["proposal", "vote", id, "--yes", "--as", "member0"]).contains("as before"));
    let twice = place.fails(&["proposal", "vote", id, "--no", "--as", "member0"]);
    assert!(twice.contains("VoteAlreadyExists") && twice.contains("cannot be changed"), "{twice}");
    let shown = place.ok(&["proposal", "show", id]);
    assert!(shown.contains("one more is enough; still to vote: member1, member2"), "{shown}");

    let decided = place.json(&["proposal", "vote", &id[..8], "--yes", "--as", "member2"]);
    assert_eq!(decided["state"], "Accepted");
    assert!(decided["transaction"].is_string());
    let shown = place.json(&["proposal", "show", id]);
    assert_eq!(shown["words"], json!(["take erin in as a member"]));
    assert_eq!(shown["actions"][0]["name"], "set_member");
    assert_eq!(shown["ballots"][0]["vote"], "yes");
    assert_eq!(shown["ballots"][1]["name"], "member2");
    assert_eq!((&shown["not_voted"], &shown["vote_failures"]), (&json!([]), &json!({})));
    assert!(shown["standing"].as_str().unwrap().contains("carried out"));
    assert_eq!(shown["final_votes"].as_object().unwrap().len(), 2);
    let late = place.fails(&["proposal", "vote", id, "--yes", "--as", "member1"]);
    assert!(late.contains("ProposalNotOpen") && late.contains("decided already"), "{late}");

    assert_eq!(place.member("erin")["status"], "Accepted");
    assert!(place.ok(&["member", "ack", "--as", "erin"]).contains("erin signed the state"));
    let list = place.ok(&["member", "list"]);
    let order: Vec<&str> = list.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(order, ["erin", "member0", "member1", "member2"], "{list}");
    let erin = place.member("erin");
    assert_eq!((&erin["status"], &erin["data"]["name"]), (&json!("Active"), &json!("erin")));
}

#[test]
fn a_vote_is_lost_and_a_proposal_taken_back() {
    let Some(place) = Place::bare("1") else { return };
    place.ok(&["member", "ack", "--all"]);
    assert!(place.ok(&["proposal", "list"]).is_empty());
    let member1 = place.member("member1")["id"].as_str().unwrap().to_owned();

    let eject = json!([{ "name": "remove_member", "args": { "member_id": member1 } }]);
    let id = place.propose(&eject, "member0");
    let other = place.propose(
        &json!({ "actions": [
        { "name": "set_policy", "args": { "action": "set_user", "policy": { "agree": { "count": 1 } } } },
        { "name": "remove_user", "args": { "user_id": "0".repeat(64) } },
    ] }),
        "member2",
    );
    let list = place.ok(&["proposal", "list"]);
    assert!(list.contains("eject the member member1 (") && list.contains("0 of 3"), "{list}");
    assert!(list.contains("have set_user decided by any one of those who may vote, and one more"), "{list}");

    place.ok(&["proposal", "vote", &id, "--no", "--as", "member1"]);
    let script = place.file("ballot.js");
    fs::write(&script, "export function vote(proposal) { return JSON.parse(proposal).actions.length > 5; }").unwrap();
    let rejected = place.ok(&["proposal", "vote", &id, "--script", script.to_str().unwrap(), "--as", "member2"]);
    assert!(rejected.contains("member2 cast a ballot") && rejected.contains("rejected"), "{rejected}");
    let shown = place.ok(&["proposal", "show", &id]);
    assert!(shown.contains("no, by a script") && shown.contains("nothing was changed"), "{shown}");
    assert_eq!(place.member("member1")["status"], "Active");

    let others = place.fails(&["proposal", "withdraw", &other, "--as", "member0"]);
    assert!(others.contains("AuthorizationFailed") && others.contains("only its proposer"), "{others}");
    assert!(place.ok(&["proposal", "withdraw", &other[..10], "--as", "member2"]).contains("withdrawn"));
    let list = place.json(&["proposal", "list"]);
    assert_eq!(list["proposals"][0]["state"], "Withdrawn");
    assert!(list["proposals"][0]["summary"].is_string());

    let none = place.fails(&["proposal", "show", "ffffffffff"]);
    assert!(none.contains("no proposal whose id begins with") && none.contains("hint:"), "{none}");
    assert!(place.fails(&["proposal", "show", "xyz"]).contains("is no id"));
}

#[test]
fn what_is_at_fault_is_told() {
    let Some(place) = Place::new("1") else { return };
    place.ok(&["member", "ack", "--all"]);
    let unknown = place.fails(&["proposal", "new", "--action", "dance"]);
    assert!(unknown.contains("the proposal is at fault") && unknown.contains("no such action"), "{unknown}");
    let file = place.file("broken.json");
    fs::write(&file, "{\"actions\": ").unwrap();
    assert!(place.fails(&["proposal", "new", file.to_str().unwrap()]).contains("is no proposal"));
    let nobody = place.fails(&["member", "ack", "--as", "nobody"]);
    assert!(nobody.contains("there is member0, member1, member2"), "{nobody}");

    // Elsewhere, by its address: with the service's certificate, and with that of somebody else.
    let url = place.ready["nodes"][0]["governance"].as_str().unwrap();
    let service = place.ready["service_certificate"].as_str().unwrap();
    let members = place.json(&["member", "list", "--url", url, "--service-certificate", service]);
    assert_eq!(members["members"].as_array().unwrap().len(), 3);
    let wrong = place.ready["members"][0]["certificate"].as_str().unwrap();
    let untrusted = place.fails(&["member", "list", "--url", url, "--service-certificate", wrong]);
    assert!(
        untrusted.contains("no node of the network answers") && untrusted.contains("No other one is"),
        "{untrusted}"
    );
    let unsigned = place.fails(&["proposal", "withdraw", "00", "--url", url, "--service-certificate", service]);
    assert!(unsigned.contains("who signs?") && unsigned.contains("--certificate"), "{unsigned}");
    let key = place.ready["members"][0]["key"].as_str().unwrap();
    let away = ["--url", url, "--service-certificate", service, "--certificate", wrong, "--key", key];
    assert!(place.ok(&[&["member", "ack"][..], &away].concat()).contains("member0 signed the state"));

    place.ok(&["down"]);
    let down = place.fails(&["member", "list"]);
    assert!(down.contains("no node of the network answers") && down.contains("coco up --dir"), "{down}");
}

#[test]
fn a_constitution_is_shown_checked_compared_and_replaced() {
    let Some(place) = Place::new("1") else { return };
    place.ok(&["member", "ack", "--all"]);
    let script = place.ok(&["constitution", "show"]);
    assert_eq!(place.json(&["constitution", "show"])["constitution"], script);
    let (same, new) = (place.file("same.js"), place.file("new.js"));
    fs::write(&same, &script).unwrap();
    fs::write(&new, format!("// Ours.\n{script}")).unwrap();
    let (same, new) = (same.to_str().unwrap(), new.to_str().unwrap());
    assert!(place.ok(&["constitution", "check", new]).contains("is a constitution"));
    assert_eq!(place.json(&["constitution", "diff", same])["same"], true);
    let output = place.run(&["constitution", "diff", new]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("+// Ours."), "{}", text(&output.stdout));

    let bad = place.file("bad.js");
    fs::write(&bad, "export function validate(text) { return { valid: true }; }").unwrap();
    let output = place.run(&["constitution", "check", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("not valid: not a constitution"), "{}", text(&output.stdout));

    let argument = format!("constitution@{new}");
    let proposed = place.json(&["proposal", "new", "--action", "set_constitution", "--arg", &argument]);
    let id = proposed["id"].as_str().unwrap();
    let output = place.run(&["constitution", "diff", "--proposal", &id[..9]]);
    assert!(text(&output.stdout).contains("+// Ours."), "{}", text(&output.stderr));
    assert!(place.ok(&["proposal", "show", id]).contains("replace the constitution by another one"));
    for name in ["member0", "member1"] {
        place.ok(&["proposal", "vote", id, "--yes", "--as", name]);
    }
    assert_eq!(place.ok(&["constitution", "show"]), fs::read_to_string(new).unwrap());
}
