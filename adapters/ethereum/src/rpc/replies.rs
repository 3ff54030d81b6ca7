//! Memory for what callers are told, from the moment an answer is there until it is written.
//!
//! Few bytes of a request can ask for very many, and who asks need not be quick to read them. So the answers of one batch
//! are bounded, and all large ones together; small ones are bounded by the number of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::errors::{Error, code};
use super::framing::{Answer, Json};

/// Bytes of answers in one batch; calls past that are answered with an error.
const BATCH_MAX: usize = 25_000_000;
/// Bytes of all answers that are not yet written, past which large ones are refused.
const ALL_MAX: usize = 512 << 20;
/// Less than that for one request is small.
const SMALL: usize = 64 << 10;

/// Bytes of all answers.
#[derive(Clone, Default)]
pub(super) struct Replies(Arc<AtomicUsize>);

/// Bytes of the answers to one request.
#[derive(Clone)]
pub(super) struct Size(Arc<Sum>);

struct Sum {
    bytes: AtomicUsize,
    most: usize,
    all: Replies,
}

impl Replies {
    pub(super) fn one(&self) -> Size {
        self.sum(usize::MAX)
    }

    pub(super) fn batch(&self) -> Size {
        self.sum(BATCH_MAX)
    }

    fn sum(&self, most: usize) -> Size {
        Size(Arc::new(Sum { bytes: AtomicUsize::new(0), most, all: self.clone() }))
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        self.all.0.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

impl Size {
    pub(super) fn exceeded(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) > self.0.most
    }

    /// The answer, if there is room for it.
    pub(super) fn count(&self, answer: Answer) -> Answer {
        let Sum { bytes, most, all } = &*self.0;
        let length = match &answer {
            Ok(Json(json)) => json.len(),
            // What a contract reverts with can be as large as what it returns.
            Err(error) => error.message.len() + error.data.as_ref().map_or(0, String::len),
        };
        let mine = bytes.fetch_add(length, Ordering::Relaxed) + length;
        let together = all.0.fetch_add(length, Ordering::Relaxed) + length;
        if mine > *most {
            Err(too_large())
        } else if mine > SMALL && together > ALL_MAX {
            Err(Error::busy())
        } else {
            answer
        }
    }

    /// The work, if there is room for its answer when it begins and when it is done.
    pub(super) fn bound(self, work: Box<dyn FnOnce() -> Answer + Send>) -> impl FnOnce() -> Answer + Send {
        move || if self.exceeded() { Err(too_large()) } else { self.count(work()) }
    }
}

pub(super) fn too_large() -> Error {
    Error::new(code::RESPONSE_TOO_LARGE, "response too large")
}

/// A reply on its way. It counts until it is dropped.
pub(super) struct Reply {
    text: Vec<u8>,
    _size: Size,
}

impl Reply {
    pub(super) fn new(text: Vec<u8>, size: Size) -> Self {
        Self { text, _size: size }
    }
}

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: usize) -> Answer {
        Ok(Json(vec![0; bytes]))
    }

    fn code(answer: Answer) -> Option<i64> {
        answer.err().map(|error| error.code)
    }

    #[test]
    fn a_batch_that_is_full_begins_nothing_more() {
        let size = Replies::default().batch();
        assert_eq!(code(size.clone().bound(Box::new(|| answer(BATCH_MAX)))()), None);
        assert_eq!(code(size.count(answer(1))), Some(code::RESPONSE_TOO_LARGE));
        let begun = size.bound(Box::new(|| panic!("begun")))();
        assert_eq!(code(begun), Some(code::RESPONSE_TOO_LARGE));
    }

    #[test]
    fn large_answers_are_bounded_together_until_they_are_written() {
        let replies = Replies::default();
        let first = replies.one();
        first.0.all.0.fetch_add(ALL_MAX, Ordering::Relaxed);
        first.0.bytes.fetch_add(ALL_MAX, Ordering::Relaxed);
        assert_eq!(code(replies.one().count(answer(SMALL + 1))), Some(code::LIMIT_EXCEEDED));
        assert_eq!(code(replies.one().count(answer(SMALL))), None);
        drop(first);
        assert_eq!(code(replies.one().count(answer(SMALL + 1))), None);
        assert_eq!(replies.0.load(Ordering::Relaxed), 0);
    }
}
