//! Between our types and the library's. Only well-formed values pass here, so nothing can fail.

use base::View;
use raft::eraftpb::{self, EntryType, MessageType};
use raft::{CAMPAIGN_TRANSFER, INVALID_ID};

use crate::message::{Body, Item, Message};
use crate::{Configuration, Content, Entry, HardState, Index, Member, Point};

pub fn hard_state_into(hard: &HardState) -> eraftpb::HardState {
    eraftpb::HardState {
        term: hard.view.0,
        vote: hard.vote.map_or(INVALID_ID, |member| member.0),
        commit: hard.commit.0,
        ..eraftpb::HardState::default()
    }
}

pub fn entry_into(index: Index, view: View, content: &Content) -> eraftpb::Entry {
    let mut entry = match content {
        Content::Mark => eraftpb::Entry::default(),
        Content::Batch(data) => eraftpb::Entry { data: data.clone(), ..eraftpb::Entry::default() },
        Content::Configuration(configuration) => change_into(configuration),
    };
    (entry.index, entry.term) = (index.0, view.0);
    entry
}

/// A change of the configuration, still without a place. The kind tells the library that this is one; what is in it are
/// our own bytes, which the library never looks at.
pub fn change_into(configuration: &Configuration) -> eraftpb::Entry {
    let mut data = Vec::new();
    configuration.encode(&mut data);
    let mut entry = eraftpb::Entry { data: data.into(), ..eraftpb::Entry::default() };
    entry.set_entry_type(EntryType::EntryConfChangeV2);
    entry
}

pub fn entry_from(entry: &eraftpb::Entry) -> Entry {
    Entry { index: Index(entry.index), view: View(entry.term), content: content_from(entry) }
}

fn content_from(entry: &eraftpb::Entry) -> Content {
    match entry.entry_type {
        EntryType::EntryNormal => Content::batch(entry.data.clone()),
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
            let configuration = Configuration::decode(&entry.data);
            Content::Configuration(configuration.expect("only decoded configurations become entries"))
        }
    }
}

pub const fn member_from(id: u64) -> Option<Member> {
    match id {
        INVALID_ID => None,
        id => Some(Member(id)),
    }
}

/// A peer's message for the library. An offer to catch up has no counterpart there: the driver answers it itself.
pub fn message_into(from: Member, to: Member, message: Message) -> Option<eraftpb::Message> {
    let mut out = eraftpb::Message { from: from.0, to: to.0, term: message.view.0, ..eraftpb::Message::default() };
    let kind = match message.body {
        Body::Append { before, commit, entries } => {
            (out.index, out.log_term, out.commit) = (before.index.0, before.view.0, commit.0);
            out.set_entries(items_into(before.index, entries).into());
            MessageType::MsgAppend
        }
        Body::Appended { index, commit } => {
            (out.index, out.commit) = (index.0, commit.0);
            MessageType::MsgAppendResponse
        }
        Body::Refused { before, hint, commit } => {
            (out.index, out.commit, out.reject) = (before.0, commit.0, true);
            (out.reject_hint, out.log_term) = (hint.index.0, hint.view.0);
            MessageType::MsgAppendResponse
        }
        Body::Vote { last, handover } => {
            (out.index, out.log_term) = (last.index.0, last.view.0);
            if handover {
                out.context = CAMPAIGN_TRANSFER.into();
            }
            MessageType::MsgRequestVote
        }
        Body::PreVote { last } => {
            (out.index, out.log_term) = (last.index.0, last.view.0);
            MessageType::MsgRequestPreVote
        }
        Body::Voted { granted } => {
            out.reject = !granted;
            MessageType::MsgRequestVoteResponse
        }
        Body::PreVoted { granted } => {
            out.reject = !granted;
            MessageType::MsgRequestPreVoteResponse
        }
        Body::Heartbeat { commit } => {
            out.commit = commit.0;
            MessageType::MsgHeartbeat
        }
        Body::Alive { commit } => {
            out.commit = commit.0;
            MessageType::MsgHeartbeatResponse
        }
        Body::TakeOver => MessageType::MsgTimeoutNow,
        Body::CatchUp { .. } => return None,
    };
    out.set_msg_type(kind);
    Some(out)
}

fn items_into(before: Index, items: Vec<Item>) -> Vec<eraftpb::Entry> {
    let numbered = (before.0 + 1..).zip(items);
    numbered.map(|(index, item)| entry_into(Index(index), item.view, &item.content)).collect()
}

/// The library's message for a peer. `None` for an offer to catch up, which the driver words itself, and for kinds that
/// only carry features which this driver never uses.
pub fn message_from(message: &eraftpb::Message) -> Option<Message> {
    let (index, commit) = (Index(message.index), Index(message.commit));
    let point = Point::new(message.index, message.log_term);
    let granted = !message.reject;
    let body = match message.msg_type {
        MessageType::MsgAppend => {
            let item = |entry: &eraftpb::Entry| Item { view: View(entry.term), content: content_from(entry) };
            Body::Append { before: point, commit, entries: message.entries.iter().map(item).collect() }
        }
        MessageType::MsgAppendResponse if message.reject => {
            Body::Refused { before: index, hint: Point::new(message.reject_hint, message.log_term), commit }
        }
        MessageType::MsgAppendResponse => Body::Appended { index, commit },
        MessageType::MsgRequestVote => Body::Vote { last: point, handover: message.context == CAMPAIGN_TRANSFER },
        MessageType::MsgRequestPreVote => Body::PreVote { last: point },
        MessageType::MsgRequestVoteResponse => Body::Voted { granted },
        MessageType::MsgRequestPreVoteResponse => Body::PreVoted { granted },
        MessageType::MsgHeartbeat => Body::Heartbeat { commit },
        MessageType::MsgHeartbeatResponse => Body::Alive { commit },
        MessageType::MsgTimeoutNow => Body::TakeOver,
        _ => return None,
    };
    Some(Message { view: View(message.term), body })
}
