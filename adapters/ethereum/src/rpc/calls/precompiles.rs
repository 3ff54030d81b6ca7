//! Precompiled contracts that a caller has moved or replaced.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use alloy_primitives::map::AddressSet;
use revm::context_interface::{Cfg, ContextTr};
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, InterpreterResult};
use revm::primitives::hardfork::SpecId;

/// The precompiles of a fork, after a caller's changes. Without changes it is what the fork has.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Precompiles {
    eth: EthPrecompiles,
    /// By where it answers now: the one that runs there.
    moved: BTreeMap<Address, Address>,
    here: AddressSet,
}

impl Precompiles {
    pub(in crate::rpc) fn new(spec: SpecId) -> Self {
        let eth = EthPrecompiles::new(spec);
        let here = eth.warm_addresses().clone();
        Self { eth, moved: BTreeMap::new(), here }
    }

    pub(in crate::rpc) fn contains(&self, address: Address) -> bool {
        self.here.contains(&address)
    }

    /// Nothing answers at this address any more but what is deployed there.
    pub(in crate::rpc) fn remove(&mut self, address: Address) {
        self.here.remove(&address);
    }

    /// What answered at `from` answers at `to`.
    pub(in crate::rpc) fn put(&mut self, from: Address, to: Address) {
        let original = self.moved.get(&from).copied().unwrap_or(from);
        self.moved.insert(to, original);
        self.here.insert(to);
    }
}

impl<C: ContextTr<Cfg: Cfg<Spec = SpecId>>> PrecompileProvider<C> for Precompiles {
    type Output = InterpreterResult;

    /// The fork is settled when the provider is made, and with it the addresses: they are always injected.
    fn set_spec(&mut self, _: SpecId) -> bool {
        true
    }

    fn run(&mut self, context: &mut C, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        let address = inputs.bytecode_address;
        if !self.here.contains(&address) {
            return Ok(None);
        }
        match self.moved.get(&address) {
            None => self.eth.run(context, inputs),
            Some(original) => {
                let inputs = CallInputs { bytecode_address: *original, ..inputs.clone() };
                self.eth.run(context, &inputs)
            }
        }
    }

    /// Those of the fork, wherever its precompiles are now: so geth has it.
    fn warm_addresses(&self) -> &AddressSet {
        self.eth.warm_addresses()
    }

    fn contains(&self, address: &Address) -> bool {
        self.here.contains(address)
    }
}
