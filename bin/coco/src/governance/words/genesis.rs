//! What an Ethereum ledger starts from, for people: whose money is in it before the first block.

use alloy_primitives::U256;
use alloy_primitives::utils::format_ether;
use serde_json::Value;

use super::json;

/// A line each.
pub fn lines(genesis: &Value) -> Vec<String> {
    let chain_id = match &genesis["config"]["chainId"] {
        Value::Null => "its genesis names no chain id".to_owned(),
        id => format!("chain id {}", json(id).trim_matches('"')),
    };
    vec![chain_id, accounts(&genesis["alloc"])]
}

fn accounts(alloc: &Value) -> String {
    let Some(alloc) = alloc.as_object().filter(|alloc| !alloc.is_empty()) else {
        return "nobody owns anything in its first state".into();
    };
    let count = match alloc.len() {
        1 => "one account".to_owned(),
        n => format!("{n} accounts"),
    };
    let balances: Option<Vec<U256>> = alloc.values().map(|account| number(&account["balance"])).collect();
    let total = balances.and_then(|all| all.into_iter().try_fold(U256::ZERO, U256::checked_add));
    let owned = total.map_or_else(|| "an amount that cannot be read".to_owned(), ether);
    let has_code = |account: &&Value| account["code"].as_str().is_some_and(|code| !matches!(code, "" | "0x"));
    let code = match alloc.values().filter(has_code).count() {
        0 => String::new(),
        1 => ", one of them a contract".to_owned(),
        n => format!(", {n} of them contracts"),
    };
    let together = if alloc.len() == 1 { "" } else { " together" };
    format!("first state: {count} with {owned}{together}{code}")
}

/// As a genesis writes it: a number, or a text in decimal or hexadecimal digits. What is absent is nothing.
fn number(value: &Value) -> Option<U256> {
    match value {
        Value::Null => Some(U256::ZERO),
        Value::Number(number) => number.as_u64().map(U256::from),
        Value::String(text) => match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some("") => Some(U256::ZERO),
            Some(digits) => U256::from_str_radix(digits, 16).ok(),
            None => U256::from_str_radix(text, 10).ok(),
        },
        _ => None,
    }
}

/// "100,000 ETH".
fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match part.trim_end_matches('0') {
        "" => format!("{grouped} ETH"),
        part => format!("{grouped}.{part} ETH"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_genesis_is_told_in_two_lines() {
        let genesis = serde_json::from_str(development::DEFAULT_GENESIS).unwrap();
        assert_eq!(
            lines(&genesis),
            ["chain id 1337", "first state: 14 accounts with 100,000 ETH together, 4 of them contracts"]
        );
    }

    #[test]
    fn balances_are_read_in_every_notation() {
        let alloc = json!({ "a": { "balance": "0x0de0b6b3a7640000" }, "b": { "balance": "500000000000000000" }, "c": { "balance": 7 } });
        assert_eq!(accounts(&alloc), "first state: 3 accounts with 1.500000000000000007 ETH together");
        assert_eq!(
            accounts(&json!({ "a": { "code": "0x00" } })),
            "first state: one account with 0 ETH, one of them a contract"
        );
        let most = format!("0x{}", "f".repeat(64));
        for odd in [
            json!({ "a": { "balance": "much" } }),
            json!({ "a": { "balance": most }, "b": { "balance": 1 } }),
            json!({ "a": 1, "b": { "balance": [] } }),
        ] {
            assert!(accounts(&odd).contains("cannot be read"), "{odd}");
        }
        for none in [json!({}), json!(null), json!([1])] {
            assert!(accounts(&none).contains("nobody"), "{none}");
        }
        assert_eq!(ether(U256::from(1)), "0.000000000000000001 ETH");
        assert_eq!(ether(U256::from(10).pow(U256::from(24))), "1,000,000 ETH");
    }
}
