//! The pool as clients know it. A transaction that can run runs at once, so none is pending; those that wait for a
//! nonce are with the primary and are shown to nobody, since they may come from anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use serde::Serialize;

use super::Rpc;
use super::dispatch::Step;
use super::errors::Error;
use super::params::Params;
use super::types::Hex;

#[derive(Serialize, Default)]
struct Pool<T> {
    pending: T,
    queued: T,
}

pub(super) fn status(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Pool::<Hex<u64>>::default())
}

pub(super) fn content(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Pool::<BTreeMap<&str, ()>>::default())
}

pub(super) fn content_from(_: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    params.required::<Hex<Address>>()?;
    Step::done(&Pool::<BTreeMap<&str, ()>>::default())
}

/// Of the accounts that this node holds: none is pending.
pub(super) fn pending_transactions(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done::<[(); 0]>(&[])
}
