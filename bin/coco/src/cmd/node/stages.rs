//! The stages of a node's way into its network, for people and for machines.

use development::{Fetched, Joining, JoiningState, Origin};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::change::{TRUST, now};
use crate::governance::{plain, short};
use crate::network::{Node, Status};
use crate::printer::{Printer, Tone};

/// Behind by less than this, a node is level with its network for a person.
const NEAR: u64 = 10;

/// How far it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage<'a> {
    Trusted { number: u64, id: &'a str },
    CatchingUp { seqno: u64, of: u64 },
    Voting { number: u64 },
}

/// Says each stage once.
pub struct Stages<'a> {
    node: &'a Node,
    json: bool,
    pub printer: &'a Printer,
    /// What was said of it while it asked.
    joining: Option<Joining>,
    trusted: bool,
    bar: Option<ProgressBar>,
}

impl<'a> Stages<'a> {
    pub fn new(node: &'a Node, json: bool, printer: &'a Printer) -> Self {
        Self { node, json, printer, joining: None, trusted: false, bar: None }
    }

    /// What the node wrote down.
    pub fn joining(&mut self, now: &Joining) {
        let before = self.joining.replace(now.clone());
        if before.as_ref() == Some(now) {
            return;
        }
        let was = before.as_ref().map(|before| before.state);
        if self.json {
            // How far it is each time is for people.
            if now.state == JoiningState::Fetching && was == Some(JoiningState::Fetching) {
                return;
            }
            let mut line = json!({ "stage": now.state });
            if let (Value::Object(line), Ok(Value::Object(fields))) = (&mut line, serde_json::to_value(now)) {
                line.extend(fields.into_iter().filter(|(name, _)| name != "state"));
                if now.state == JoiningState::Pending {
                    line.insert("trust".into(), self.trust(now).into());
                }
            }
            self.printer.data(line);
            return;
        }
        let new = |field: fn(&Joining) -> Option<&String>| {
            field(now).filter(|_| before.as_ref().and_then(field) != field(now))
        };
        if let Some(constitution) = new(|it| it.constitution.as_ref()) {
            self.printer.note(format!("constitution  SHA-256 {}", plain(constitution)));
        }
        if let Some(evidence) = new(|it| it.evidence.as_ref()) {
            let word = if evidence == "virtual" {
                self.printer.paint(Tone::Warning, ", which proves nothing")
            } else {
                String::new()
            };
            let code = now.measurement.as_ref().map(|code| format!("; code {}…", short(code))).unwrap_or_default();
            self.printer.note(format!("evidence      {}{word}{code}", plain(evidence)));
            self.printer.note(format!(
                "asking        {} to let node {}… in",
                plain(&now.door),
                short(&now.id.to_string())
            ));
        }
        if let Some(trouble) = new(|it| it.trouble.as_ref()).filter(|_| now.state != JoiningState::Refused) {
            self.printer.warning(format!("{}; asking again", plain(trouble)));
        }
        if let (JoiningState::Fetching, Some(fetched)) = (now.state, now.fetched) {
            self.fetching(&fetched);
        }
        if now.state == JoiningState::Pending && was != Some(JoiningState::Pending) {
            self.printer.note(format!(
                "{}       the evidence was accepted; members, or their rules, must trust the node. A member proposes it with",
                self.printer.paint(Tone::Warning, "pending")
            ));
            self.printer.note(format!("                coco node trust {}", now.id));
            self.printer.note(format!("              which is\n                {}", self.trust(now)));
            self.printer.note("              and members vote with `coco proposal vote`; this node goes on as soon as that is decided");
        }
    }

    /// Ledger files come before the node starts.
    fn fetching(&mut self, Fetched { bytes, seqno, of, snapshot: _ }: &Fetched) {
        let template = "ledger files  {bar:30}  {pos} of {len}  {msg}";
        let bar = self.bar.get_or_insert_with(|| self.printer.bar(*of, template));
        bar.set_length((*of).max(*seqno));
        bar.set_position(*seqno);
        bar.set_message(format!("{} MiB", bytes >> 20));
    }

    /// What a member runs, wherever it is.
    fn trust(&self, now: &Joining) -> String {
        let certificate = match &self.node.file.origin {
            Origin::Joiner(told) => self.node.layout.dir().join(&told.service_certificate).display().to_string(),
            Origin::Founder(_) => String::new(),
        };
        format!(
            "coco proposal new --action {TRUST} --arg node_id={} --arg valid_from={} --url {} --service-certificate {certificate} \
             --certificate MEMBER_cert.pem --key MEMBER_privk.pem",
            now.id,
            self::now(),
            plain(&now.door)
        )
    }

    pub fn reached(&mut self, stage: &Stage<'_>) {
        match stage {
            Stage::Trusted { .. } if self.trusted => {}
            Stage::Trusted { number, id } => {
                self.trusted = true;
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                if self.json {
                    self.printer.data(json!({ "stage": "trusted", "number": number, "id": id }));
                } else {
                    let word = self.printer.paint(Tone::Good, "trusted");
                    self.printer.note(format!("{word}       it is node {number} of the network, and has its secrets"));
                }
            }
            Stage::CatchingUp { seqno, of } if self.json => {
                if self.bar.is_none() {
                    self.printer.data(json!({ "stage": "catching-up", "seqno": seqno, "of": of }));
                    self.bar = Some(ProgressBar::hidden());
                }
            }
            Stage::CatchingUp { seqno, of } => {
                let template = "catching up   {bar:30}  {pos} of {len}  {msg}";
                let bar = self.bar.get_or_insert_with(|| self.printer.bar(*of, template));
                bar.set_length(*of);
                bar.set_position(*seqno);
                bar.set_message(if of - seqno < NEAR { "level; not voting yet" } else { "" });
            }
            Stage::Voting { number } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                if self.json {
                    self.printer.data(json!({ "stage": "voting", "number": number }));
                } else {
                    let word = self.printer.paint(Tone::Good, "voting");
                    self.printer.note(format!("{word}        node {number} counts for a majority"));
                }
            }
        }
    }

    /// What a person needs once the node serves.
    pub fn summary(&self, node: &Node, status: &Status, detach: bool) {
        if self.json {
            return;
        }
        let show = |title: &str, text: String| {
            self.printer.show(format!("{} {text}", self.printer.paint(Tone::Strong, format!("{title:<10}"))))
        };
        let dir = node.layout.dir().display();
        self.printer.show("");
        show("Node", format!("{} ({}…)   http://{}/node/status", node.number, short(&node.id), node.file.http));
        for ledger in &status.ledgers {
            let place = match (ledger.address(), &ledger.trouble) {
                (Some(address), _) => format!("http://{address}"),
                (None, Some(why)) => format!("not served here: {}", plain(why)),
                (None, None) => "not served here yet".into(),
            };
            show("Ledger", format!("{}   {place}", plain(&ledger.name)));
        }
        show("Governance", format!("https://{}   coco node list --dir {dir}", node.file.governance));
        show("Files", format!("{dir}"));
        show(
            "Stop",
            if detach {
                format!("coco down --dir {dir}   (`coco node retire {}` first, to leave for good)", node.number)
            } else {
                "Ctrl-C".into()
            },
        );
        self.printer.show("");
    }
}
