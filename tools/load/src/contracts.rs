//! The contracts that a load needs, compiled from `clients/contracts/src`: how they are created and called.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde::Deserialize;

/// A contract's code, with a bound on the gas of its creation.
pub(crate) struct Contract {
    artifact: &'static str,
    pub creation_gas: u64,
}

pub(crate) const TOKEN: Contract =
    Contract { artifact: include_str!("../../../clients/contracts/artifacts/Token.json"), creation_gas: 2_000_000 };
pub(crate) const PAIR: Contract =
    Contract { artifact: include_str!("../../../clients/contracts/artifacts/Pair.json"), creation_gas: 2_000_000 };
pub(crate) const PURCHASE_ORDERS: Contract = Contract {
    artifact: include_str!("../../../clients/contracts/artifacts/PurchaseOrders.json"),
    creation_gas: 2_000_000,
};
pub(crate) const DISTRIBUTOR: Contract = Contract {
    artifact: include_str!("../../../clients/contracts/artifacts/Distributor.json"),
    creation_gas: 1_000_000,
};

impl Contract {
    /// The input of the transaction that creates it: the code, then the constructor's arguments.
    pub fn creation(&self, arguments: &[Word]) -> Bytes {
        #[derive(Deserialize)]
        struct Artifact {
            bytecode: Bytes,
        }
        let artifact: Artifact = serde_json::from_str(self.artifact).expect("a test reads all artifacts");
        [&artifact.bytecode[..], &words(arguments)].concat().into()
    }
}

/// A function of a contract, with a bound on the gas of a call.
pub(crate) struct Function {
    selector: LazyLock<[u8; 4]>,
    pub gas: u64,
}

macro_rules! functions {
    ($($name:ident = $signature:literal, $gas:literal;)*) => {
        $(pub(crate) static $name: Function = Function { selector: LazyLock::new(|| selector($signature)), gas: $gas };)*
    };
}

functions! {
    TRANSFER = "transfer(address,uint256)", 80_000;
    APPROVE = "approve(address,uint256)", 60_000;
    PROVIDE = "provide(uint256,uint256)", 300_000;
    SWAP = "swap(bool,uint256,uint256,address)", 200_000;
    CREATE_ORDER = "create(bytes32,address,bytes32,uint96)", 180_000;
    ACCEPT_ORDER = "accept(bytes32,address)", 80_000;
    SHIP_ORDER = "ship(bytes32,bytes32)", 100_000;
    PAY_ORDER = "pay(bytes32)", 100_000;
    DISTRIBUTE = "pay(address[])", 12_000_000;
    GIVE = "give(address,address[],uint256)", 12_000_000;
}

impl Function {
    pub fn call(&self, arguments: &[Word]) -> Bytes {
        [&self.selector[..], &words(arguments)].concat().into()
    }
}

/// An argument as the ABI lays it out: 32 bytes.
pub(crate) type Word = B256;

pub(crate) fn number(n: u128) -> Word {
    U256::from(n).into()
}

/// The arguments of `Distributor.pay`.
pub(crate) fn distribution(to: &[Address]) -> Vec<Word> {
    let mut arguments = vec![number(0x20), number(to.len() as u128)];
    arguments.extend(to.iter().map(|address| address.into_word()));
    arguments
}

/// The arguments of `Distributor.give`.
pub(crate) fn gift(token: Address, to: &[Address], amount: u128) -> Vec<Word> {
    let mut arguments = vec![token.into_word(), number(0x60), number(amount), number(to.len() as u128)];
    arguments.extend(to.iter().map(|address| address.into_word()));
    arguments
}

/// The constructor's arguments of the token: name, symbol (both short), supply.
pub(crate) fn token_arguments(name: &str, symbol: &str, supply: u128) -> Vec<Word> {
    let text = |text: &str| {
        let mut word = [0; 32];
        word[..text.len()].copy_from_slice(text.as_bytes());
        [number(text.len() as u128), Word::from(word)]
    };
    let mut arguments = vec![number(0x60), number(0xa0), number(supply)];
    arguments.extend(text(name));
    arguments.extend(text(symbol));
    arguments
}

fn words(words: &[Word]) -> Vec<u8> {
    words.iter().flat_map(|word| word.0).collect()
}

fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(signature).0;
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use alloy_primitives::TxKind;
    use revm::context::result::{ExecutionResult, Output};
    use revm::context::{Context, TxEnv};
    use revm::database::InMemoryDB;
    use revm::handler::MainnetContext;
    use revm::state::AccountInfo;
    use revm::{ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm};

    use super::*;

    const OWNER: Address = Address::repeat_byte(0x11);
    const OTHER: Address = Address::repeat_byte(0x22);
    const THIRD: Address = Address::repeat_byte(0x33);
    const ALL: Word = B256::repeat_byte(0xff);

    struct Machine(MainnetEvm<MainnetContext<InMemoryDB>>);

    impl Machine {
        fn new() -> Self {
            let mut accounts = InMemoryDB::default();
            for owner in [OWNER, OTHER, THIRD] {
                accounts.insert_account_info(owner, AccountInfo::from_balance(U256::from(1_000_000)));
            }
            let context = Context::mainnet().modify_cfg_chained(|cfg| cfg.disable_nonce_check = true);
            Self(context.with_db(accounts).build_mainnet())
        }

        fn run(&mut self, caller: Address, kind: TxKind, input: Bytes, gas: u64, value: u64) -> ExecutionResult {
            let transaction = TxEnv::builder().caller(caller).kind(kind).data(input).gas_limit(gas);
            self.0.transact_commit(transaction.value(U256::from(value)).build().unwrap()).unwrap()
        }

        fn create(&mut self, contract: &Contract, arguments: &[Word]) -> Address {
            let input = contract.creation(arguments);
            match self.run(OWNER, TxKind::Create, input, contract.creation_gas, 0) {
                ExecutionResult::Success { output: Output::Create(_, Some(at)), .. } => at,
                failed => panic!("{failed:?}"),
            }
        }

        /// Whether it did what it was meant to, and how many events it left.
        fn call(&mut self, caller: Address, to: Address, function: &Function, arguments: &[Word]) -> (bool, usize) {
            self.pay(caller, to, function, arguments, 0)
        }

        fn pay(
            &mut self,
            caller: Address,
            to: Address,
            function: &Function,
            arguments: &[Word],
            value: u64,
        ) -> (bool, usize) {
            let result = self.run(caller, TxKind::Call(to), function.call(arguments), function.gas, value);
            (result.is_success(), result.logs().len())
        }

        fn token(&mut self) -> Address {
            self.create(&TOKEN, &token_arguments("Test", "T", 1_000_000_000))
        }
    }

    #[test]
    fn a_token_moves_and_only_from_who_has_it() {
        let mut machine = Machine::new();
        let token = machine.token();
        let to = |to: Address, amount| [to.into_word(), number(amount)];
        assert_eq!(machine.call(OWNER, token, &TRANSFER, &to(OTHER, 5)), (true, 1));
        assert_eq!(machine.call(OTHER, token, &TRANSFER, &to(OWNER, 6)), (false, 0));
        assert_eq!(machine.call(OTHER, token, &TRANSFER, &to(OWNER, 5)), (true, 1));
    }

    #[test]
    fn tokens_are_swapped_back_and_forth() {
        let mut machine = Machine::new();
        let tokens = [machine.token(), machine.token()];
        let pair = machine.create(&PAIR, &tokens.map(|token| token.into_word()));
        for token in tokens {
            assert_eq!(machine.call(OWNER, token, &APPROVE, &[pair.into_word(), ALL]), (true, 1));
        }
        assert_eq!(machine.call(OWNER, pair, &PROVIDE, &[number(500_000), number(500_000)]), (true, 3));
        let swap = |way, least| [number(way), number(1_000), number(least), OTHER.into_word()];
        assert_eq!(machine.call(OWNER, pair, &SWAP, &swap(0, 996)), (false, 0));
        // In: 1,000 less the fee of 0.3 %; out: 995 of 500,000. Two transfers, Sync, Swap.
        assert_eq!(machine.call(OWNER, pair, &SWAP, &swap(0, 995)), (true, 4));
        assert_eq!(machine.call(OTHER, tokens[0], &TRANSFER, &[OWNER.into_word(), number(996)]), (false, 0));
        assert_eq!(machine.call(OTHER, tokens[0], &TRANSFER, &[OWNER.into_word(), number(995)]), (true, 1));
        assert_eq!(machine.call(OWNER, pair, &SWAP, &swap(1, 1)), (true, 4));
        assert_eq!(machine.call(THIRD, pair, &SWAP, &swap(1, 1)), (false, 0));
    }

    #[test]
    fn an_order_takes_its_steps_in_order_and_by_its_roles() {
        let mut machine = Machine::new();
        let contract = machine.create(&PURCHASE_ORDERS, &[]);
        let (id, note) = (B256::repeat_byte(7), B256::repeat_byte(8));
        let create = [id, OTHER.into_word(), note, number(3)];
        assert_eq!(machine.call(OWNER, contract, &CREATE_ORDER, &create), (true, 1));
        assert_eq!(machine.call(OWNER, contract, &CREATE_ORDER, &create), (false, 0));
        let accept = [id, THIRD.into_word()];
        assert_eq!(machine.call(OWNER, contract, &ACCEPT_ORDER, &accept), (false, 0));
        assert_eq!(machine.call(OTHER, contract, &ACCEPT_ORDER, &accept), (true, 1));
        assert_eq!(machine.pay(OWNER, contract, &PAY_ORDER, &[id], 3), (false, 0));
        assert_eq!(machine.call(OTHER, contract, &SHIP_ORDER, &[id, note]), (false, 0));
        assert_eq!(machine.call(THIRD, contract, &SHIP_ORDER, &[id, note]), (true, 1));
        assert_eq!(machine.pay(OWNER, contract, &PAY_ORDER, &[id], 2), (false, 0));
        assert_eq!(machine.pay(OTHER, contract, &PAY_ORDER, &[id], 3), (false, 0));
        assert_eq!(machine.pay(OWNER, contract, &PAY_ORDER, &[id], 3), (true, 1));
        assert_eq!(machine.pay(OWNER, contract, &PAY_ORDER, &[id], 3), (false, 0));
    }

    #[test]
    fn many_are_given_the_same_within_the_gas_of_one_transaction() {
        let mut machine = Machine::new();
        let many: Vec<Address> = (0..250_u64).map(|i| Address::from_slice(&keccak256(i.to_le_bytes())[12..])).collect();
        let distributor = machine.create(&DISTRIBUTOR, &[]);
        assert_eq!(machine.pay(OWNER, distributor, &DISTRIBUTE, &distribution(&many), 250), (true, 0));
        let token = machine.token();
        let give = gift(token, &many, 2);
        assert_eq!(machine.call(OWNER, distributor, &GIVE, &give), (false, 0));
        assert_eq!(machine.call(OWNER, token, &APPROVE, &[distributor.into_word(), ALL]), (true, 1));
        assert_eq!(machine.call(OWNER, distributor, &GIVE, &give), (true, 250));
    }
}
