//! JSON-RPC 2.0 as geth speaks it: what counts as a call, what is answered in place, and how replies are written.
//!
//! ```text
//!  body ─▶ read ─▶ Request::One(Message)              a call, a notification, or something wrong
//!                  Request::Batch([Message])          in order; each is answered in its place
//!                  Request::Wrong(Error)              one answer for the whole body
//! ```
//!
//! Everything borrows from the body: ids are echoed byte for byte, parameters stay text until their method reads them.
//! Nesting is safe at any depth, since raw JSON is skipped over without recursion.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::errors::Error;

/// Calls in one batch.
pub(super) const BATCH_MAX: usize = 1_000;

/// A body, read.
#[derive(Debug)]
pub(super) enum Request<'a> {
    One(Message<'a>),
    Batch(Vec<Message<'a>>),
    /// Not one message could be made out.
    Wrong(Error),
}

/// One element of a body.
#[derive(Debug)]
pub(super) enum Message<'a> {
    Call(Call<'a>),
    /// Answered with an error; `id` is echoed if it could be.
    Wrong {
        id: Option<&'a RawValue>,
        error: Error,
    },
}

/// A method to run. Without an id it is a notification: it is run and not answered.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) id: Option<&'a RawValue>,
    pub(super) method: Cow<'a, str>,
    pub(super) params: Option<&'a RawValue>,
}

pub(super) fn read(body: &[u8]) -> Request<'_> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.trim_ascii(),
        Err(error) => return Request::Wrong(Error::parse(error)),
    };
    if text.starts_with('[') {
        return match serde_json::from_str::<Elements<'_>>(text) {
            Ok(Elements::Some(elements)) if elements.is_empty() => {
                Request::Wrong(Error::invalid_request("empty batch"))
            }
            Ok(Elements::Some(elements)) => Request::Batch(elements.into_iter().map(message).collect()),
            Ok(Elements::TooMany) => Request::Wrong(Error::invalid_request("batch too large")),
            Err(error) => Request::Wrong(Error::parse(error)),
        };
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(element) => Request::One(message(element)),
        Err(error) => Request::Wrong(Error::parse(error)),
    }
}

/// The members of a message, unread. A member that is `null` is there; one that is missing is not.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn message(element: &RawValue) -> Message<'_> {
    let wrong = |id| Message::Wrong { id, error: Error::invalid_request("invalid request") };
    let Ok(members) = serde_json::from_str::<Members<'_>>(element.get()) else { return wrong(None) };
    // An id that is an object or an array cannot be echoed.
    if members.id.is_some_and(|id| id.get().starts_with(['{', '['])) {
        return wrong(None);
    }
    let method = members.method.and_then(|method| serde_json::from_str::<Text<'_>>(method.get()).ok());
    match method {
        Some(Text(method)) if !method.is_empty() && is_version_2(members.jsonrpc) => {
            Message::Call(Call { id: members.id, method, params: members.params })
        }
        _ => wrong(members.id),
    }
}

fn is_version_2(version: Option<&RawValue>) -> bool {
    version.is_some_and(|version| version.get() == "\"2.0\"")
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The elements of a batch, as long as there are not too many.
enum Elements<'a> {
    Some(Vec<&'a RawValue>),
    TooMany,
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counting;

        impl<'de> Visitor<'de> for Counting {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a batch")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    if elements.len() == BATCH_MAX {
                        while seq.next_element::<IgnoredAny>()?.is_some() {}
                        return Ok(Elements::TooMany);
                    }
                    elements.push(element);
                }
                Ok(Elements::Some(elements))
            }
        }

        deserializer.deserialize_seq(Counting)
    }
}

/// What a method gave: the text of its result, or why there is none.
pub(super) type Answer = Result<Json, Error>;

/// A finished piece of JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Json(pub(super) Vec<u8>);

impl Json {
    pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Answer {
        serde_json::to_vec(value)
            .map(Self)
            .map_err(|error| Error::internal(format!("the result cannot be written: {error}")))
    }
}

/// Writes one reply.
pub(super) fn write(out: &mut Vec<u8>, id: Option<&RawValue>, answer: &Answer) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.map_or("null", RawValue::get).as_bytes());
    match answer {
        Ok(Json(result)) => {
            out.extend_from_slice(br#","result":"#);
            out.extend_from_slice(result);
        }
        Err(error) => {
            out.extend_from_slice(br#","error":"#);
            error.write(out);
        }
    }
    out.push(b'}');
}

/// Writes a notification of a subscription.
pub(super) fn write_notification(out: &mut Vec<u8>, subscription: &str, result: &[u8]) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":""#);
    out.extend_from_slice(subscription.as_bytes());
    out.extend_from_slice(br#"","result":"#);
    out.extend_from_slice(result);
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of a body: `call ID METHOD PARAMS`, or the error with the id it goes to.
    fn check(body: &str, expected: &[&str]) {
        let describe = |message: &Message<'_>| match message {
            Message::Call(call) => format!(
                "call {} {} {}",
                call.id.map_or("-", RawValue::get),
                call.method,
                call.params.map_or("-", RawValue::get)
            ),
            Message::Wrong { id, error } => {
                format!("{} {} for {}", error.code, error.message, id.map_or("null", RawValue::get))
            }
        };
        let found = match read(body.as_bytes()) {
            Request::One(message) => vec![describe(&message)],
            Request::Batch(messages) => messages.iter().map(describe).collect(),
            Request::Wrong(error) => vec![format!("whole: {}", error.code)],
        };
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn a_call_is_read() {
        check(r#"{"jsonrpc":"2.0","id":1,"method":"a_b","params":[1]}"#, &["call 1 a_b [1]"]);
        check(" \n{\"jsonrpc\" : \"2.0\", \"id\":\"x\\\"y\",\"method\":\"a_b\"}\n", &[r#"call "x\"y" a_b -"#]);
        check(r#"{"id":null,"method":"a_b","jsonrpc":"2.0","params":null}"#, &["call null a_b null"]);
        check(r#"{"jsonrpc":"2.0","id":1,"method":"a_b","params":{"x":[]},"more":{}}"#, &[r#"call 1 a_b {"x":[]}"#]);
    }

    #[test]
    fn a_method_name_may_be_escaped() {
        check(r#"{"jsonrpc":"2.0","id":1,"method":"\u0061_b"}"#, &["call 1 a_b -"]);
    }

    #[test]
    fn without_an_id_it_is_a_notification() {
        check(r#"{"jsonrpc":"2.0","method":"a_b"}"#, &["call - a_b -"]);
    }

    #[test]
    fn what_is_no_json_is_a_parse_error() {
        for body in ["", "{", "[{]", "abc", r#"{"a":1}{"b":2}"#, "[1] 2"] {
            check(body, &["whole: -32700"]);
        }
        assert!(matches!(read(b"\xff"), Request::Wrong(_)));
    }

    #[test]
    fn junk_is_an_invalid_request() {
        for body in ["1", "null", "\"x\"", "true", "{}", r#"{"method":"a_b"}"#] {
            check(body, &["-32600 invalid request for null"]);
        }
    }

    #[test]
    fn an_id_that_is_a_container_is_not_echoed() {
        for id in ["[]", "{}", r#"{"a":1}"#] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"a_b"}}"#);
            check(&body, &["-32600 invalid request for null"]);
        }
    }

    #[test]
    fn a_request_without_a_method_is_answered_under_its_id() {
        check(r#"{"jsonrpc":"2.0","id":7}"#, &["-32600 invalid request for 7"]);
        check(r#"{"jsonrpc":"2.0","id":7,"method":5}"#, &["-32600 invalid request for 7"]);
    }

    #[test]
    fn the_version_must_be_2() {
        check(r#"{"id":7,"method":"a_b"}"#, &["-32600 invalid request for 7"]);
        check(r#"{"jsonrpc":"1.0","id":7,"method":"a_b"}"#, &["-32600 invalid request for 7"]);
        check(r#"{"jsonrpc":2.0,"id":7,"method":"a_b"}"#, &["-32600 invalid request for 7"]);
    }

    #[test]
    fn an_empty_batch_is_one_error() {
        check("[]", &["whole: -32600"]);
    }

    #[test]
    fn a_batch_keeps_its_order_and_junk_its_place() {
        check(
            r#"[{"jsonrpc":"2.0","id":1,"method":"a_b"},1,{"jsonrpc":"2.0","method":"c_d"},[],{"id":2}]"#,
            &[
                "call 1 a_b -",
                "-32600 invalid request for null",
                "call - c_d -",
                "-32600 invalid request for null",
                "-32600 invalid request for 2",
            ],
        );
        check("[1]", &["-32600 invalid request for null"]);
    }

    #[test]
    fn a_batch_has_a_bound() {
        let most = format!("[{}]", vec!["1"; BATCH_MAX].join(","));
        assert!(matches!(read(most.as_bytes()), Request::Batch(messages) if messages.len() == BATCH_MAX));
        let more = format!("[{}]", vec!["1"; BATCH_MAX + 1].join(","));
        check(&more, &["whole: -32600"]);
    }

    #[test]
    fn deep_nesting_is_skipped_over() {
        let deep = "[".repeat(500_000) + &"]".repeat(500_000);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a_b","params":{deep}}}"#);
        assert!(matches!(read(body.as_bytes()), Request::One(Message::Call(_))));
        assert!(matches!(read(deep.as_bytes()), Request::Batch(_)));
        assert!(matches!(read("[".repeat(500_000).as_bytes()), Request::Wrong(_)));
    }

    #[test]
    fn a_member_twice_is_refused() {
        check(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a_b"}"#, &["-32600 invalid request for null"]);
    }

    #[test]
    fn replies_are_written_under_their_id() {
        let id = RawValue::from_string("\"a\"".into()).unwrap();
        let mut out = Vec::new();
        write(&mut out, Some(&id), &Json::of("0x1"));
        write(&mut out, None, &Err(Error::invalid_request("no")));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"jsonrpc":"2.0","id":"a","result":"0x1"}{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}"#
        );
    }

    #[test]
    fn a_notification_names_its_subscription() {
        let mut out = Vec::new();
        write_notification(&mut out, "0x1f", b"{}");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1f","result":{}}}"#
        );
    }
}
