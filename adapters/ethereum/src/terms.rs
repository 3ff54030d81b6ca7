//! By which terms transactions can be found later: the addresses and the topics of their logs.
//!
//! ```text
//! address of a log   0 · address (20)
//! topic of a log     1 + position · topic (32)
//! ```
//!
//! What stands here is part of the index on disk: a change of it takes a new version of the index (docs/formats/index.md).

use alloy_primitives::{Address, B256};

use crate::ReadError;
use crate::record::each_log;

const ADDRESS: u8 = 0;
const TOPIC: u8 = 1;

pub(crate) fn of_address(address: &Address) -> Vec<u8> {
    [&[ADDRESS], &address[..]].concat()
}

/// `position` is below four.
pub(crate) fn of_topic(position: u8, topic: &B256) -> Vec<u8> {
    [&[TOPIC + position], &topic[..]].concat()
}

/// Hands over the terms of a transaction's row.
pub(crate) fn of_row(row: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), ReadError> {
    each_log(row, |address, topics| {
        let mut term = [0; 33];
        term[0] = ADDRESS;
        term[1..21].copy_from_slice(address);
        take(&term[..21]);
        for (position, topic) in (TOPIC..).zip(topics.as_chunks::<32>().0) {
            term[0] = position;
            term[1..].copy_from_slice(topic);
            take(&term);
        }
    })
}
