//! A token contract for measurements: what a transfer of an ERC-20 token costs, without a compiler.
//!
//! Written in assembly below, and assembled here. It keeps balances where Solidity would (`mapping(address => uint256)` in slot 0),
//! so a transfer does what most tokens do: two hashes, two balances read and written, one `Transfer` event. Of the standard
//! it has `transfer`, `balanceOf` and `totalSupply`; allowances are not there, since no load uses them.

use alloy_primitives::{Address, U256, keccak256};

/// Units that the creator gets.
const SUPPLY: u128 = 1_000_000_000_000_000_000_000_000_000;
/// Bounds on the gas of its transactions.
pub(crate) const DEPLOY_TOKEN_GAS: u64 = 300_000;
pub(crate) const TRANSFER_TOKEN_GAS: u64 = 60_000;

const TRANSFER: &str = "transfer(address,uint256)";
const BALANCE_OF: &str = "balanceOf(address)";
const TOTAL_SUPPLY: &str = "totalSupply()";

/// Gives the whole supply to whoever creates the contract, and leaves the runtime code behind. `{…}` is filled in.
const CREATION: &str = "
    push {supply}                                    ; balances[caller] = supply
    caller push0 mstore push 0x40 push0 keccak256
    sstore
    push {supply} push 0x02 sstore                   ; slot 2: the supply
    push {supply} push0 mstore                       ; Transfer(0, caller, supply)
    caller push0 push {transfer_event} push 0x20 push0 log3
    push {length} dup1 push {offset} push0 codecopy
    push0 return
";

const RUNTIME: &str = "
    callvalue @fail jumpi
    push0 calldataload push 0xe0 shr
    dup1 push {transfer} eq @transfer jumpi
    dup1 push {balance_of} eq @balance_of jumpi
    dup1 push {total_supply} eq @total_supply jumpi
fail:
    push0 push0 revert

transfer:
    push 0x44 calldatasize lt @fail jumpi
    caller push0 mstore push 0x40 push0 keccak256    ; the sender's slot
    dup1 sload push 0x24 calldataload                ; slot, balance, amount
    dup1 dup3 lt @fail jumpi                         ; balance < amount
    dup1 swap2 sub                                   ; slot, amount, balance - amount
    swap1 swap2 sstore                               ; amount
    push 0x04 calldataload                           ; amount, to
    dup1 push 0xa0 shr @fail jumpi                   ; not an address
    dup1 push0 mstore push 0x40 push0 keccak256      ; amount, to, the receiver's slot
    dup1 sload dup4 add swap1 sstore                 ; amount, to
    swap1 push0 mstore                               ; to
    caller push {transfer_event} push 0x20 push0 log3
    push 0x01 push0 mstore push 0x20 push0 return

balance_of:
    push 0x24 calldatasize lt @fail jumpi
    push 0x04 calldataload push0 mstore push 0x40 push0 keccak256
    sload push0 mstore push 0x20 push0 return

total_supply:
    push 0x02 sload push0 mstore push 0x20 push0 return
";

/// The instructions that the text above uses.
const INSTRUCTIONS: [(&str, u8); 24] = [
    ("add", 0x01),
    ("sub", 0x03),
    ("lt", 0x10),
    ("eq", 0x14),
    ("shr", 0x1c),
    ("keccak256", 0x20),
    ("caller", 0x33),
    ("callvalue", 0x34),
    ("calldataload", 0x35),
    ("calldatasize", 0x36),
    ("codecopy", 0x39),
    ("mstore", 0x52),
    ("sload", 0x54),
    ("sstore", 0x55),
    ("jumpi", 0x57),
    ("push0", 0x5f),
    ("dup1", 0x80),
    ("dup3", 0x82),
    ("dup4", 0x83),
    ("swap1", 0x90),
    ("swap2", 0x91),
    ("log3", 0xa3),
    ("return", 0xf3),
    ("revert", 0xfd),
];

/// The transaction input that creates the token.
#[must_use]
pub fn creation_code() -> Vec<u8> {
    let runtime = fill(RUNTIME, &[]);
    let creation =
        |offset: usize| fill(CREATION, &[("{length}", two_bytes(runtime.len())), ("{offset}", two_bytes(offset))]);
    // Its length does not depend on the offset, which is its length.
    let mut code = creation(creation(0).len());
    code.extend(runtime);
    code
}

/// The input of a transfer.
#[must_use]
pub fn transfer_input(to: Address, amount: U256) -> Vec<u8> {
    [&selector(TRANSFER)[..], to.into_word().as_slice(), &amount.to_be_bytes::<32>()].concat()
}

fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(signature).0;
    [a, b, c, d]
}

fn two_bytes(n: usize) -> String {
    format!("0x{n:04x}")
}

fn fill(text: &str, more: &[(&str, String)]) -> Vec<u8> {
    let known = [
        ("{supply}", const_hex::encode_prefixed(SUPPLY.to_be_bytes())),
        ("{transfer_event}", const_hex::encode_prefixed(keccak256("Transfer(address,address,uint256)"))),
        ("{transfer}", const_hex::encode_prefixed(selector(TRANSFER))),
        ("{balance_of}", const_hex::encode_prefixed(selector(BALANCE_OF))),
        ("{total_supply}", const_hex::encode_prefixed(selector(TOTAL_SUPPLY))),
    ];
    let text = known.iter().chain(more).fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    assemble(&text).expect("the texts of this file are assembled by its tests")
}

/// `push 0x…` by its length, `name:` a place to jump to, `@name` pushes that place, `;` begins a comment.
fn assemble(text: &str) -> Result<Vec<u8>, String> {
    let mut code = Vec::new();
    let mut places = Vec::new();
    let mut uses = Vec::new();
    let mut words = text.lines().flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace());
    while let Some(word) = words.next() {
        if let Some(name) = word.strip_suffix(':') {
            places.push((name, code.len()));
            code.push(0x5b);
        } else if let Some(name) = word.strip_prefix('@') {
            uses.push((name, code.len() + 1));
            code.extend([0x61, 0, 0]);
        } else if word == "push" {
            let bytes = const_hex::decode(words.next().unwrap_or_default()).map_err(|e| format!("push: {e}"))?;
            let size = u8::try_from(bytes.len()).ok().filter(|size| (1..=32).contains(size)).ok_or("push: size")?;
            code.push(0x5f + size);
            code.extend(bytes);
        } else {
            let known = INSTRUCTIONS.iter().find(|(name, _)| *name == word);
            code.push(known.ok_or_else(|| format!("{word} is no instruction"))?.1);
        }
    }
    for (name, at) in uses {
        let (_, place) = places.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("{name} is nowhere"))?;
        let place = u16::try_from(*place).map_err(|_| "the code is too long")?;
        code[at..at + 2].copy_from_slice(&place.to_be_bytes());
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::TxKind;
    use revm::context::result::{ExecutionResult, Output};
    use revm::context::{Context, TxEnv};
    use revm::database::InMemoryDB;
    use revm::handler::MainnetContext;
    use revm::{ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm};

    use super::*;

    const OWNER: Address = Address::repeat_byte(0x11);
    const OTHER: Address = Address::repeat_byte(0x22);

    fn balance_of(owner: Address) -> Vec<u8> {
        [&selector(BALANCE_OF)[..], owner.into_word().as_slice()].concat()
    }

    /// The token in a machine of its own.
    struct Token {
        machine: MainnetEvm<MainnetContext<InMemoryDB>>,
        at: Address,
    }

    impl Token {
        fn create() -> Self {
            let machine = Context::mainnet()
                .modify_cfg_chained(|cfg| cfg.disable_nonce_check = true)
                .with_db(InMemoryDB::default())
                .build_mainnet();
            let mut token = Self { machine, at: Address::ZERO };
            let created = token.run(OWNER, TxKind::Create, creation_code(), DEPLOY_TOKEN_GAS);
            assert!(created.is_success() && created.logs().len() == 1, "{created:?}");
            let ExecutionResult::Success { output: Output::Create(_, Some(at)), .. } = created else {
                panic!("{created:?}")
            };
            Token { at, ..token }
        }

        fn run(&mut self, caller: Address, kind: TxKind, input: Vec<u8>, gas: u64) -> ExecutionResult {
            let transaction = TxEnv::builder().caller(caller).kind(kind).data(input.into()).gas_limit(gas);
            self.machine.transact_commit(transaction.build().unwrap()).unwrap()
        }

        fn call(&mut self, caller: Address, input: Vec<u8>) -> ExecutionResult {
            self.run(caller, TxKind::Call(self.at), input, TRANSFER_TOKEN_GAS)
        }

        fn number(&mut self, input: Vec<u8>) -> U256 {
            U256::from_be_slice(self.call(OTHER, input).output().unwrap())
        }
    }

    #[test]
    fn a_transfer_moves_tokens_and_says_so() {
        let mut token = Token::create();
        let moved = token.call(OWNER, transfer_input(OTHER, U256::from(5)));
        assert!(moved.is_success(), "{moved:?}");
        assert_eq!(U256::from_be_slice(moved.output().unwrap()), U256::ONE);
        let [log] = moved.logs() else { panic!("{moved:?}") };
        let topics = [keccak256("Transfer(address,address,uint256)"), OWNER.into_word(), OTHER.into_word()];
        assert_eq!((log.topics(), U256::from_be_slice(&log.data.data)), (&topics[..], U256::from(5)));
        assert_eq!(token.number(balance_of(OTHER)), U256::from(5));
        assert_eq!(token.number(balance_of(OWNER)), U256::from(SUPPLY - 5));
        assert_eq!(token.number(selector(TOTAL_SUPPLY).to_vec()), U256::from(SUPPLY));
        assert!(token.call(OTHER, transfer_input(OTHER, U256::from(5))).is_success());
        assert_eq!(token.number(balance_of(OTHER)), U256::from(5));
    }

    #[test]
    fn what_is_wrong_is_reverted() {
        let mut token = Token::create();
        let mut dirty = transfer_input(OTHER, U256::ONE);
        dirty[4] = 1;
        for (caller, input) in [
            (OTHER, transfer_input(OWNER, U256::ONE)),
            (OWNER, transfer_input(OTHER, U256::from(SUPPLY) + U256::ONE)),
            (OWNER, transfer_input(OTHER, U256::ONE)[..67].to_vec()),
            (OWNER, dirty),
            (OWNER, vec![1, 2, 3, 4]),
            (OWNER, Vec::new()),
        ] {
            let result = token.call(caller, input);
            assert!(matches!(result, ExecutionResult::Revert { .. }), "{result:?}");
        }
        assert_eq!(token.number(balance_of(OWNER)), U256::from(SUPPLY));
    }

    #[test]
    fn a_text_that_is_wrong_is_not_assembled() {
        for wrong in ["jump", "@nowhere", "push", "push 0xzz", "push 0x"] {
            assert!(assemble(wrong).is_err(), "{wrong}");
        }
        assert_eq!(assemble("a: ; comment\n @a push 0x0102"), Ok(vec![0x5b, 0x61, 0, 0, 0x61, 1, 2]));
    }
}
