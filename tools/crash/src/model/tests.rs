//! A history that is right, and what is found when it is doctored.

use super::*;

const A: Address = Address::repeat_byte(0xa);
const B: Address = Address::repeat_byte(0xb);

fn hash(n: u8) -> B256 {
    B256::repeat_byte(n)
}

fn wei(n: u64) -> U256 {
    U256::from(n)
}

fn receipt(block: u8) -> Receipt {
    Receipt { block: block.into(), block_hash: hash(0x80 + block), succeeded: true, fee: wei(1) }
}

/// A sends 10 to B (acknowledged), 20 (unknown; a second attempt with 25 was applied), 30 (unknown, never applied);
/// B sends 40 to A (acknowledged).
fn history() -> (Model, Observed) {
    let mut model = Model::default();
    model.open_account(A, 5, wei(1_000));
    model.open_account(B, 0, wei(1_000));
    let to = |to, transaction, value| Attempt { transaction: hash(transaction), to, value: wei(value) };
    model.attempt(A, 5, to(B, 1, 10));
    model.acknowledge(A, 5, hash(1));
    assert_eq!(model.saw(hash(1), receipt(1)), None);
    model.attempt(A, 6, to(B, 2, 20));
    model.attempt(A, 6, to(B, 3, 25));
    model.acknowledge(A, 6, hash(3));
    model.attempt(A, 7, to(B, 4, 30));
    model.attempt(B, 0, to(A, 5, 40));
    model.acknowledge(B, 0, hash(5));
    assert_eq!(model.saw(hash(5), receipt(3)), None);
    let observed = Observed {
        accounts: [(A, (7, wei(1_000 - 11 - 26 + 40))), (B, (1, wei(1_000 + 10 + 25 - 41)))].into(),
        receipts: [(hash(1), receipt(1)), (hash(3), receipt(2)), (hash(5), receipt(3))].into(),
    };
    (model, observed)
}

/// What is found after one change to what the node says.
fn doctored(change: impl FnOnce(&mut Observed)) -> Vec<Fault> {
    let (model, mut observed) = history();
    change(&mut observed);
    model.check(&observed)
}

#[test]
fn a_history_that_is_right_has_no_fault() {
    assert_eq!(doctored(|_| {}), []);
}

#[test]
fn a_transfer_nobody_heard_of_may_be_applied_once() {
    let faults = doctored(|observed| {
        observed.receipts.insert(hash(4), receipt(4));
        observed.accounts.insert(A, (8, wei(1_003 - 31)));
        observed.accounts.insert(B, (1, wei(994 + 30)));
    });
    assert_eq!(faults, []);
}

#[test]
fn a_receipt_in_another_block_is_found() {
    let other = Receipt { block_hash: hash(0xff), ..receipt(1) };
    let faults = doctored(|observed| {
        observed.receipts.insert(hash(1), other);
    });
    assert_eq!(faults, [Fault::ReceiptChanged { transaction: hash(1), seen: receipt(1), now: other }]);
    assert!(history().0.saw(hash(1), other).is_some());
}

#[test]
fn a_lost_transfer_is_found_even_if_the_state_forgot_it_too() {
    let faults = doctored(|observed| {
        observed.receipts.remove(&hash(5));
        observed.accounts.insert(A, (7, wei(963)));
        observed.accounts.insert(B, (0, wei(1_035)));
    });
    let lost = Fault::ReceiptLost { transaction: hash(5), seen: receipt(3) };
    assert_eq!(faults, [lost, Fault::AcknowledgedLost { account: B, nonce: 0, transaction: hash(5) }]);
}

#[test]
fn an_acknowledged_transfer_whose_receipt_was_not_seen_may_not_be_lost_either() {
    let faults = doctored(|observed| {
        observed.receipts.remove(&hash(3));
        observed.accounts.insert(A, (6, wei(1_029)));
        observed.accounts.insert(B, (1, wei(969)));
    });
    assert_eq!(faults, [Fault::AcknowledgedLost { account: A, nonce: 6, transaction: hash(3) }]);
}

#[test]
fn a_transfer_applied_twice_is_found() {
    let faults = doctored(|observed| {
        observed.receipts.insert(hash(2), receipt(2));
    });
    assert_eq!(faults[0], Fault::AppliedTwice { account: A, nonce: 6 });
    assert!(matches!(faults[1..], [Fault::Balance { .. }, Fault::Balance { .. }]));
}

#[test]
fn a_nonce_that_is_off_is_found() {
    let nonce = |nonce| move |observed: &mut Observed| observed.accounts.get_mut(&A).unwrap().0 = nonce;
    assert_eq!(doctored(nonce(8)), [Fault::NotApplied { account: A, nonce: 7 }]);
    assert_eq!(doctored(nonce(6)), [Fault::AppliedBeyondNonce { account: A, nonce: 6 }]);
    assert!(doctored(nonce(9)).contains(&Fault::NonceUnknown { account: A, nonce: 9, attempted: 8 }));
    assert!(doctored(nonce(4)).contains(&Fault::NonceUnknown { account: A, nonce: 4, attempted: 8 }));
}

#[test]
fn a_balance_that_is_off_by_one_is_found() {
    let faults = doctored(|observed| observed.accounts.get_mut(&B).unwrap().1 += wei(1));
    assert_eq!(faults, [Fault::Balance { account: B, expected: wei(994), found: wei(995) }]);
    let faults = doctored(|observed| {
        observed.accounts.remove(&B);
    });
    assert!(faults.contains(&Fault::AccountMissing { account: B }));
}

#[test]
fn a_transfer_that_failed_is_found() {
    let faults = doctored(|observed| observed.receipts.get_mut(&hash(3)).unwrap().succeeded = false);
    assert_eq!(faults, [Fault::TransferFailed { transaction: hash(3) }]);
}
