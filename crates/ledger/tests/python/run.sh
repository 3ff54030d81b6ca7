#!/bin/sh
# Writes ledgers and receipts and has the Python package `ccf` check them: run.sh VENV7 VENV6 (both are made if they are not there)
set -eu
here=$(dirname "$0")
"$here/python-env.sh" "$1" 7
"$here/python-env.sh" "$2" 6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for mode in cose dual; do
    cargo run --quiet --release --package ledger --example write_ledger -- "$work/$mode" "$mode"
    "$1/bin/python" "$here/check_ledger.py" 7 "$mode" "$work/$mode" "$work/$mode.pem"
    "$1/bin/python" "$here/check_receipts.py" "$work/$mode.receipts" "$work/$mode.pem"
    "$2/bin/python" "$here/check_receipts.py" "$work/$mode.receipts" "$work/$mode.pem"
done
# 6.0.28 does not count signatures of the service alone, so only the dual form says something to it.
"$2/bin/python" "$here/check_ledger.py" 6 dual "$work/dual" "$work/dual.pem"
