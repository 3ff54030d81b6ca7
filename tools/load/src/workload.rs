//! What each transaction does, so that every one succeeds whatever the order in which connections are served.
//!
//! A lane's next request is sent only after the last one was answered. So a transaction that needs another sender's to be
//! done stands in a later request of the same lane: purchase orders go step by step, one step a request.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};

use crate::Account;
use crate::contracts::{self, Function, number};
use crate::transaction::{Signed, Signer, TRANSFER_GAS};

/// An account and the nonce that is next.
#[derive(Clone)]
pub struct Sender {
    pub account: Account,
    pub nonce: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// One wei to another of the accounts.
    Transfer,
    /// One unit of a token to another of the accounts.
    Token { token: Address },
    /// Some of one token into the pair for the other, back and forth.
    Swap { pair: Address },
    /// Orders from their creation to their payment, between a buyer, a seller and a carrier.
    PurchaseOrders { contract: Address },
    /// Lets a contract take tokens of the sender: once for each account, before it can swap.
    Approve { token: Address, spender: Address },
}

/// Units of a token that are swapped at a time: the pair holds so many that its price hardly moves.
const SWAPPED: u128 = 1_000_000;
/// Wei that an order costs.
const PRICE: u128 = 1;

/// What all lanes of a run share.
pub struct Plan {
    pub workload: Workload,
    pub signer: Signer,
    pub addresses: Arc<Vec<Address>>,
}

/// What goes over the wire in one call.
#[derive(Default)]
pub struct Request {
    pub transactions: Vec<Signed>,
    /// Who signed each: the lane's sender by index.
    pub(crate) from: Vec<u32>,
}

/// Makes the requests of one connection.
pub(crate) struct Lane {
    plan: Arc<Plan>,
    number: usize,
    lanes: usize,
    pub senders: Vec<Sender>,
    made: usize,
    orders: Orders,
}

/// Purchase orders under way, all at the same step.
#[derive(Default)]
struct Orders {
    step: usize,
    open: Vec<Order>,
}

#[derive(Clone, Copy)]
struct Order {
    id: B256,
    buyer: usize,
    seller: usize,
    carrier: usize,
}

const ORDER_STEPS: usize = 4;

/// What a transaction is to do.
struct Call {
    to: Address,
    gas: u64,
    input: Bytes,
    value: u128,
}

impl Call {
    fn of(contract: Address, function: &Function, arguments: &[B256]) -> Self {
        Self { to: contract, gas: function.gas, input: function.call(arguments), value: 0 }
    }
}

/// Senders take turns.
struct Turn {
    sender: Address,
    /// Another of the accounts.
    receiver: Address,
    /// How often this sender had its turn before.
    round: usize,
}

impl Lane {
    /// One of `lanes`. It has one sender at least.
    pub fn new(plan: Arc<Plan>, number: usize, lanes: usize, senders: Vec<Sender>) -> Self {
        Self { plan, number, lanes, senders, made: 0, orders: Orders::default() }
    }

    pub fn request(&mut self, size: usize) -> Request {
        match self.plan.workload {
            Workload::Transfer => {
                self.turns(size, |turn| Call { to: turn.receiver, gas: TRANSFER_GAS, input: Bytes::new(), value: 1 })
            }
            Workload::Token { token } => {
                self.turns(size, |turn| Call::of(token, &contracts::TRANSFER, &[turn.receiver.into_word(), number(1)]))
            }
            // Every other time the other way, so that nobody runs out of either token.
            Workload::Swap { pair } => self.turns(size, |turn| {
                let way = number((turn.round % 2) as u128);
                Call::of(pair, &contracts::SWAP, &[way, number(SWAPPED), number(1), turn.sender.into_word()])
            }),
            Workload::Approve { token, spender } => self
                .turns(size, |_| Call::of(token, &contracts::APPROVE, &[spender.into_word(), B256::repeat_byte(0xff)])),
            Workload::PurchaseOrders { contract } => self.order_step(contract, size),
        }
    }

    /// What was signed and not sent is taken back: its nonces are free again.
    pub fn take_back(&mut self, request: &Request) {
        for &from in &request.from {
            self.senders[from as usize].nonce -= 1;
        }
    }

    fn turns(&mut self, size: usize, call: impl Fn(Turn) -> Call) -> Request {
        let mut request = Request::default();
        for _ in 0..size {
            let (from, round) = (self.made % self.senders.len(), self.made / self.senders.len());
            let receiver = self.receiver(self.made * self.lanes + self.number);
            self.made += 1;
            let sender = self.senders[from].account.address();
            self.sign(&mut request, from, call(Turn { sender, receiver, round }));
        }
        request
    }

    /// Spreads receivers evenly and without a pattern that a cache could like (multiplication by the golden ratio).
    fn receiver(&self, i: usize) -> Address {
        let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.plan.addresses[(mixed % self.plan.addresses.len() as u64) as usize]
    }

    /// The next step of as many orders as there is room for.
    fn order_step(&mut self, contract: Address, size: usize) -> Request {
        let mut request = Request::default();
        let step = self.orders.step;
        if step == 0 {
            self.orders.open.clear();
        }
        for i in 0..size {
            if step == 0 {
                let order = self.new_order();
                self.orders.open.push(order);
            }
            let Some(&Order { id, buyer, seller, carrier }) = self.orders.open.get(i) else { break };
            let of = |i: usize| self.senders[i].account.address().into_word();
            let note = keccak256(id);
            let call = |function, arguments: &[B256]| Call::of(contract, function, arguments);
            let (from, call) = match step {
                0 => (buyer, call(&contracts::CREATE_ORDER, &[id, of(seller), note, number(PRICE)])),
                1 => (seller, call(&contracts::ACCEPT_ORDER, &[id, of(carrier)])),
                2 => (carrier, call(&contracts::SHIP_ORDER, &[id, note])),
                _ => (buyer, Call { value: PRICE, ..call(&contracts::PAY_ORDER, &[id]) }),
            };
            self.sign(&mut request, from, call);
        }
        self.orders.step = (step + 1) % ORDER_STEPS;
        request
    }

    /// Its id is new for ever, since the buyer's nonce is.
    fn new_order(&mut self) -> Order {
        let all = self.senders.len();
        let [buyer, seller, carrier] = [0, 1, 2].map(|role| (self.made + role) % all);
        self.made += 1;
        let Sender { account, nonce } = &self.senders[buyer];
        let id = keccak256([&account.address()[..], &nonce.to_be_bytes()].concat());
        Order { id, buyer, seller, carrier }
    }

    fn sign(&mut self, request: &mut Request, from: usize, Call { to, gas, input, value }: Call) {
        let Sender { account, nonce } = &mut self.senders[from];
        *nonce += 1;
        let signer = &self.plan.signer;
        let signed = signer.sign(account, *nonce - 1, TxKind::Call(to), U256::from(value), gas, input);
        request.transactions.push(signed);
        request.from.push(from as u32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use alloy_consensus::transaction::SignerRecoverable;
    use alloy_consensus::{Transaction as _, TxEnvelope};
    use alloy_eips::eip2718::Decodable2718;

    use super::*;
    use crate::{Fees, Kind};

    fn lane(workload: Workload, accounts: usize, number: usize, lanes: usize) -> Lane {
        let accounts = Account::derived("test", accounts);
        let addresses = Arc::new(accounts.iter().map(Account::address).collect());
        let signer = Signer { chain_id: 1, fees: Fees::default(), kind: Kind::Eip1559 };
        let senders = accounts.into_iter().map(|account| Sender { account, nonce: 40 }).collect();
        Lane::new(Arc::new(Plan { workload, signer, addresses }), number, lanes, senders)
    }

    fn read(request: &Request) -> Vec<(Address, TxEnvelope)> {
        let read = |signed: &Signed| {
            let transaction = TxEnvelope::decode_2718_exact(&signed.raw).unwrap();
            (transaction.recover_signer().unwrap(), transaction)
        };
        request.transactions.iter().map(read).collect()
    }

    #[test]
    fn nonces_are_in_order_and_what_is_taken_back_is_signed_again() {
        let mut lane = lane(Workload::Transfer, 7, 0, 3);
        let mut next: BTreeMap<Address, u64> = BTreeMap::new();
        for size in [1, 10, 6] {
            for (sender, transaction) in read(&lane.request(size)) {
                let nonce = next.entry(sender).or_insert(40);
                assert_eq!(*nonce, transaction.nonce());
                *nonce += 1;
            }
        }
        let unsent = lane.request(9);
        lane.take_back(&unsent);
        for sender in &lane.senders {
            assert_eq!(next[&sender.account.address()], sender.nonce);
        }
    }

    #[test]
    fn receivers_vary_over_all_accounts() {
        let mut lane = lane(Workload::Transfer, 50, 1, 2);
        let receivers: HashSet<_> = read(&lane.request(500)).iter().map(|(_, t)| t.to()).collect();
        assert_eq!(receivers.len(), 50);
    }

    #[test]
    fn a_sender_swaps_back_what_it_swapped() {
        let mut lane = lane(Workload::Swap { pair: Address::repeat_byte(1) }, 2, 0, 1);
        let ways: Vec<u8> = read(&lane.request(6)).iter().map(|(_, t)| t.input()[4 + 31]).collect();
        assert_eq!(ways, [0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn an_order_takes_one_step_a_request_and_each_step_has_its_role() {
        for accounts in [1, 2, 7] {
            let mut lane = lane(Workload::PurchaseOrders { contract: Address::repeat_byte(1) }, accounts, 0, 1);
            let steps: Vec<Vec<(Address, TxEnvelope)>> = (0..8).map(|_| read(&lane.request(5))).collect();
            let functions =
                [&contracts::CREATE_ORDER, &contracts::ACCEPT_ORDER, &contracts::SHIP_ORDER, &contracts::PAY_ORDER];
            let mut ids = HashSet::new();
            (0..5).for_each(|order| {
                for (round, function) in functions.into_iter().cycle().take(8).enumerate() {
                    let (_, transaction) = &steps[round][order];
                    assert_eq!(transaction.input()[..4], function.call(&[])[..]);
                    let created = &steps[round / 4 * 4][order].1;
                    assert_eq!(transaction.input()[4..36], created.input()[4..36]);
                    ids.insert(transaction.input()[4..36].to_vec());
                }
                // The seller that the buyer named accepts; the buyer pays.
                assert_eq!(steps[0][order].1.input()[36..68], steps[1][order].0.into_word()[..]);
                assert_eq!(steps[1][order].1.input()[36..68], steps[2][order].0.into_word()[..]);
                assert_eq!(steps[0][order].0, steps[3][order].0);
            });
            assert_eq!(ids.len(), 10);
        }
    }
}
