//! `coco ledger show`: entries in a form that people can read.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;
use std::process::ExitCode;

use base::Seqno;

use crate::failure::Failure;
use crate::printer::Printer;

pub fn run(dir: &Path, range: RangeInclusive<u64>, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    super::check_directory(dir)?;
    if range.is_empty() {
        return Err(Failure::new(format!("there is nothing from {} to {}", range.start(), range.end())));
    }
    let mut shown = 0_u64;
    let mut unreadable = None;
    let scanned = ledger::scan(dir, Seqno(*range.start()), |entry| {
        if entry.txid.seqno.0 > *range.end() {
            return ControlFlow::Break(());
        }
        match ledger::show(entry, None) {
            Ok(entry) if json => printer.data(serde_json::json!(entry)),
            Ok(entry) => printer.data(entry),
            Err(error) => {
                unreadable = Some(Failure::from_error(format!("entry {} cannot be shown", entry.txid), &error));
                return ControlFlow::Break(());
            }
        }
        shown += 1;
        if entry.txid.seqno.0 == *range.end() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let verify = || format!("`coco ledger verify {}` says exactly what is wrong", dir.display());
    scanned.map_err(|broken| {
        Failure::new(format!("the ledger in {} cannot be read: {broken}", dir.display())).hint(verify())
    })?;
    match unreadable {
        Some(failure) => Err(failure.hint(verify())),
        None if shown == 0 => Err(Failure::new(format!("the ledger has no entry {} or later yet", range.start()))
            .hint("`coco status` shows the newest seqno; --from says where to begin")),
        None => Ok(ExitCode::SUCCESS),
    }
}
