//! What a command does whose signer's key is somewhere else: it writes down what is to be signed, and sends nothing.

use std::path::Path;
use std::process::ExitCode;

use super::says;
use crate::failure::Failure;
use crate::governance::{About, Prepared, Request, Signer};
use crate::printer::Printer;

pub fn keep(
    signer: &Signer,
    file: &Path,
    about: &About<'_>,
    payload: &[u8],
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let request = Request::new(signer, about, payload)?;
    let prepared = Prepared::of(request).map_err(|why| Failure::new(format!("this cannot be prepared: {why}")))?;
    prepared.write(file)?;
    let name = file.display();
    if json {
        printer.json(&prepared.task())?;
        printer.note(format!("nothing was sent: {name} waits for its signature"));
        return Ok(ExitCode::SUCCESS);
    }
    says::all(&prepared).into_iter().for_each(|line| printer.data(line));
    printer.note(format!("nothing was sent: {name} waits for its signature"));
    printer.note("what is next");
    printer.note(format!("  1. where the key is   coco request sign {name} --key KEY > signature"));
    printer.note("                        or let any other tool sign that digest");
    printer.note(format!("  2. here               coco request send {name} --signature signature"));
    Ok(ExitCode::SUCCESS)
}
